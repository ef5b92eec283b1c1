"""Values of settings: text or already typed, made into what a setting wants, and refused in words where that fails.

A setting is a field of a frozen class, and what it wants is its annotation. Rates and sizes in bytes may be written as
people do: `2M` is two times 1024².
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import attrs

from lading.domain import sizes
from lading.domain.errors import InvalidSetting
from lading.domain.features import Percent

Kind = type[bool | int | float | str | tuple[str, ...] | Path | Percent]

_KINDS: dict[str, Kind] = {
    "bool": bool,
    "bool | None": bool,
    "int": int,
    "int | None": int,
    "float": float,
    "float | None": float,
    "str": str,
    "tuple[str, ...]": tuple,
    "str | None": Path,
    "Percent": Percent,
}
_SAID: dict[Kind, str] = {
    bool: "yes or no",
    int: "a whole number",
    float: "a number",
    str: "text",
    tuple: "a list of texts",
    Path: "the path of a file",
    Percent: "on, off, or a share with its sign, such as 30%",
}
NOT_SHOWN = "(not shown)"
"""What stands in the place of a value that may be a secret."""
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}
_SIZED = ("_bytes", "_rate")


def between(least: float, most: float) -> Any:
    """Return a validator for numbers from `least` to `most`; None is not looked at."""

    def check(_: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
        if value is not None and not least <= value <= most:
            raise InvalidSetting(f"{attribute.name} cannot be {value}", hint=f"allowed is {least:g} to {most:g}")

    return check


def one_of(*words: str) -> Any:
    """Return a validator for texts that are one of these."""

    def check(_: object, attribute: attrs.Attribute[Any], value: str) -> None:
        if value not in words:
            raise InvalidSetting(f"{attribute.name} cannot be {value!r}", hint=f"allowed is {', '.join(words)}")

    return check


def whole(_: object, attribute: attrs.Attribute[Any], value: str | None) -> None:
    """Validate a path: it must mean the same file wherever one stands."""
    if value is not None and not os.path.isabs(value):
        raise InvalidSetting(
            f"{attribute.name} cannot be {value!r}",
            hint="give the whole path: it must mean the same file wherever one stands",
        )


def kinds_of(model: type[Any]) -> dict[str, Kind]:
    """Return what each field of a class wants, as far as a setting can be of its kind."""
    return {f.name: _KINDS[str(f.type)] for f in attrs.fields(model) if str(f.type) in _KINDS}


def convert(name: str, kind: Kind, value: Any, origin: str, *, secret: bool = False) -> Any:
    """Return `value` as a setting of that name and kind wants it; an empty path is none, and no `secret` is told.

    Raises:
        InvalidSetting: it cannot be that; the message tells where it stands.
    """
    try:
        return _convert(name, kind, value)
    except (TypeError, ValueError):
        said = "a size such as 500K, 2M or 1.5G" if kind is int and name.endswith(_SIZED) else _SAID[kind]
        raise InvalidSetting(
            f"{origin}: {name} cannot be {NOT_SHOWN if secret else repr(value)}", hint=f"it is {said}"
        ) from None


def _convert(name: str, kind: Kind, value: Any) -> Any:
    if kind is Percent:
        return Percent.parse(value)
    if kind is bool:
        word = str(value).lower()
        if word not in _TRUE | _FALSE:
            raise ValueError(word)
        return word in _TRUE
    if isinstance(value, bool):
        if kind is str:
            return "on" if value else "off"
        raise TypeError(value)
    if kind is Path:
        return os.path.expanduser(os.fspath(value)) or None
    if kind is tuple:
        if isinstance(value, str) or not all(isinstance(item, str) for item in value):
            raise TypeError(value)
        return tuple(value)
    if kind is str:
        if not isinstance(value, str):
            raise TypeError(value)
        return value
    if kind is int and name.endswith(_SIZED) and isinstance(value, str):
        size = sizes.parse(value)
        if size is None:
            raise ValueError(value)
        return size
    return kind(value)
