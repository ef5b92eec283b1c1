"""What needs a package that not everybody has: each comes with an extra of Lading's own of the same name."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from lading.domain.errors import InvalidSetting

PACKAGES = {"http2": "h2", "socks": "socksio"}


def found(extra: str) -> str | None:
    """Return the package of an extra and its version, None when it is not installed."""
    try:
        return f"{PACKAGES[extra]} {version(PACKAGES[extra])}"
    except PackageNotFoundError:
        return None


def install(extra: str) -> str:
    """Return the command that installs an extra."""
    return f"python -m pip install 'lading[{extra}]'"


def require(extra: str, what: str, *, instead: str = "") -> None:
    """Refuse `what` when the package that it needs is not installed.

    Raises:
        InvalidSetting: it is not; the hint is the command that installs it, and what else helps.
    """
    if found(extra) is None:
        hint = f"{install(extra)}; {instead}" if instead else install(extra)
        raise InvalidSetting(f"{what} needs the package {PACKAGES[extra]}", hint=hint)
