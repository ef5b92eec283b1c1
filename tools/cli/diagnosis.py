"""What a machine can do for Lading, found by trying it: nothing is left behind, nothing is asked of a network."""

from __future__ import annotations

import fcntl
import os
import platform
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from lading.tools.cli import units

LIBRARIES = ("click", "trio", "httpx", "h11", "orjson", "cattrs", "eventsourcing", "lmdb", "cryptography", "rich")
ANALYTICS = ("duckdb", "pyarrow")
PROGRAMS = ("curl", "aria2c", "ffmpeg", "yt-dlp")
LEAST_FILES = 1024
LEAST_FREE_BYTES = 1 << 30


class Found(NamedTuple):
    """One thing that was looked at: `status` is ok, warn or fail."""

    check: str
    status: str
    value: str
    hint: str = ""


def examine(home: Path) -> Iterator[Found]:
    """Yield what is found out about this machine, the home, and the folder that downloads go to by default."""
    yield from _programs()
    yield from _machine()
    yield from _home(home)
    yield from _folder("home", _nearest(home), fatal=True)
    yield from _folder("downloads", Path.cwd(), fatal=False)


def _programs() -> Iterator[Found]:
    from lading.version import VERSION

    yield Found("lading", "ok", VERSION)
    yield Found("python", "ok", f"{platform.python_implementation()} {platform.python_version()}, {sys.executable}")
    for name in LIBRARIES:
        try:
            yield Found(name, "ok", version(name))
        except PackageNotFoundError:
            yield Found(name, "fail", "not installed", "python -m pip install lading")
    import lmdb

    yield Found("liblmdb", "ok", ".".join(map(str, lmdb.version())))
    from lading.adapters.http import extras

    for extra in extras.PACKAGES:
        yield Found(extra, "ok", extras.found(extra) or f"not installed, not needed: {extras.install(extra)}")
    for name in ANALYTICS:
        try:
            yield Found(name, "ok", version(name))
        except PackageNotFoundError:
            yield Found(name, "ok", "not installed, not needed: python -m pip install 'lading[analytics]'")
    for name in PROGRAMS:
        yield Found(name, "ok", shutil.which(name) or "not found, not needed")


def _machine() -> Iterator[Found]:
    system = platform.system()
    unsupported = "" if system == "Linux" else "Linux is what is tested"
    yield Found("platform", "warn" if unsupported else "ok", platform.platform(), unsupported)
    yield Found("processors", "ok", str(os.cpu_count() or "unknown"))
    yield Found("memory", "ok", units.size(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = soft != resource.RLIM_INFINITY and soft < LEAST_FILES
    hint = f"`ulimit -n {LEAST_FILES}` before many downloads at once" if few else ""
    yield Found("open files", "warn" if few else "ok", f"{soft} of at most {hard}", hint)


def _home(home: Path) -> Iterator[Found]:
    from lading.domain.errors import LadingError
    from lading.home import open_home

    if not home.exists():
        yield Found("home", "ok", f"{home}, not made yet")
        return
    try:
        opened = open_home(home, new_id=None)
    except LadingError as error:
        yield Found("home", "fail", error.message, error.hint)
        return
    from lading.tools.cli.homes import is_vacant

    yield Found("home", "ok", f"{home}, {opened.id}")
    yield Found("engine", "ok", "none works on this home" if is_vacant(home) else "one works on this home")
    yield from _settings(opened.settings_path)


def _settings(file: Path) -> Iterator[Found]:
    """Yield what keeps engines from opening with these settings, if anything does."""
    from lading.adapters.http import extras
    from lading.domain.errors import LadingError
    from lading.settings import load

    try:
        if load(file, os.environ).of_transport("http").http2:
            extras.require("http2", "HTTP/2", instead="or `lading config unset http2`")
    except LadingError as error:
        yield Found("settings", "fail", error.message, error.hint)
    else:
        yield Found("settings", "ok", str(file) if file.exists() else "defaults")


def _folder(name: str, folder: Path, *, fatal: bool) -> Iterator[Found]:
    """Yield what the file system under a folder can do; `fatal` when a log is to lie there."""
    from lading.adapters.lmdb.ground import LAYERED, LOCAL, file_system_of

    kind = file_system_of(folder)
    known = kind in LOCAL or (kind is None and sys.platform != "linux")
    layered = kind in LAYERED or kind is None
    status = "ok" if known or not fatal else "warn" if layered else "fail"
    hint = "" if known or not fatal else "keep the home on a local disk: --home or LADING_HOME"
    yield Found(f"{name}: file system", status, f"{kind or 'unknown'}, {folder}", hint)
    free = shutil.disk_usage(folder).free
    full = "" if free >= LEAST_FREE_BYTES else "less than 1 GiB is left"
    yield Found(f"{name}: free space", "warn" if full else "ok", units.size(free), full)
    try:
        with tempfile.TemporaryDirectory(prefix=".lading-doctor-", dir=folder) as scratch:
            yield from _tried(name, Path(scratch), fatal=fatal)
    except OSError as error:
        status = "fail" if fatal else "warn"
        yield Found(f"{name}: writing", status, f"{folder}: {error.strerror}", "check its owner and mode")


def _tried(name: str, scratch: Path, *, fatal: bool) -> Iterator[Found]:
    file = scratch / "a"
    file.write_bytes(b"x")
    yield Found(f"{name}: writing", "ok", "yes")
    try:
        with file.open("rb") as one, file.open("rb") as other:
            fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = False
            try:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held = True
        lost = "" if held else "two engines could work on one home"
        yield Found(f"{name}: flock", "ok" if held else "fail", "yes" if held else "does not hold", lost)
    except OSError as error:
        yield Found(f"{name}: flock", "fail" if fatal else "warn", f"no: {error.strerror}", "use a local disk")
    try:
        os.link(file, scratch / "b")
        yield Found(f"{name}: hard links", "ok", "yes")
    except OSError as error:
        yield Found(f"{name}: hard links", "warn", f"no: {error.strerror}", "files are published by renaming instead")
    yield Found(f"{name}: direct I/O", "ok", "yes" if _takes_direct_io(file) else "no; buffered I/O is used")


def _takes_direct_io(file: Path) -> bool:
    flag = getattr(os, "O_DIRECT", None)
    if flag is None:
        return False
    try:
        os.close(os.open(file, os.O_RDONLY | flag))
    except OSError:
        return False
    return True


def _nearest(path: Path) -> Path:
    """Return the folder itself, or the nearest one above it that is there."""
    path = path.absolute()
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return path
