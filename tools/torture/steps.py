"""The steps that an engine takes on the disk, by name, and the axe that kills it at one of them.

A step is an action on a thing, and the how manieth of its kind: `fdatasync part 3`. `Axe` lays itself around the
functions of `os` that change files, and around the commits of LMDB. It does so in its own process only, counts, and
ends the process by SIGKILL just `before`, `midway` in (a write of which half is done) or just `after` the step that it
was told. Install it before anything imports what it wraps by name.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import attrs

ENGINE, CLIENT = "engine", "client"
BEFORE, MIDWAY, AFTER = MOMENTS = ("before", "midway", "after")
PART, BESIDE, KEPT, FOLDER, FINAL = "part", "beside", "kept", "folder", "final"

ANCHOR = "anchor"
"""What a home of a victim is anchored by; its file lies beside the home."""

_IN_HOME = (("views-", "views"), ("views", "pointer"), ("home.json", "marker"), ("engine.lock", "lock"))

Kind = tuple[str, str]
"""An action and the thing that it is done to."""


@attrs.frozen
class Step:
    """A moment in the life of a process: just before, midway in or just after the `count`th step of a kind.

    `who` is the process: the engine that owns the home, or the client beside it.
    """

    moment: str
    action: str
    thing: str
    count: int
    who: str = ENGINE

    def __str__(self) -> str:
        words = f"{self.moment} {self.action} {self.thing} {self.count}"
        return words if self.who == ENGINE else f"{words} of a {self.who}"

    @classmethod
    def parse(cls, text: str) -> Step:
        """Read back what `str` gives."""
        words, _, who = text.partition(" of a ")
        moment, action, thing, count = words.split()
        return cls(moment, action, thing, int(count), who or ENGINE)


def moments(kind: Kind) -> tuple[str, ...]:
    """Return the moments at which a step of this kind can kill."""
    return MOMENTS if kind[0] == "pwrite" else (BEFORE, AFTER)


def thing_of(path: str, home: str, downloads: str) -> str | None:
    """Return what lies at an absolute path, in one word; None when it is no business of an engine."""
    name = os.path.basename(path)
    if path == downloads or path.startswith(f"{downloads}/"):
        if name.endswith((".part.new", ".kept.new")):
            return BESIDE
        if name.endswith((".part", ".kept")):
            return PART if name.endswith(".part") else KEPT
        return FOLDER if path == downloads or os.path.isdir(path) else FINAL
    if path == home:
        return "home"
    if not path.startswith(f"{home}/"):
        return None
    top = path.removeprefix(f"{home}/").split("/")[0].removeprefix(".")
    return next((thing for name, thing in _IN_HOME if top.startswith(name)), top)


class Axe:
    """Counts the steps of this process, and ends it at the one that it was told, if any."""

    def __init__(self, home: str, downloads: str, at: Step | None) -> None:
        self._home = home
        self._downloads = downloads
        self._at = at
        self._lock = threading.Lock()
        self.counts: Counter[Kind] = Counter()

    def install(self) -> None:
        """Lay the axe around `os`; from here on every step counts."""
        assert "lading.adapters.disk" not in sys.modules, "it has a function of `os` by name already"
        for action in ("fdatasync", "fsync", "ftruncate", "fchmod"):
            self._wrap(os, action, lambda descriptor, *_, **__: _behind(descriptor))
        for action in ("unlink", "remove", "mkdir", "rmdir"):
            self._wrap(os, action, lambda path, *_, dir_fd=None, **__: _below(path, dir_fd))
        for action in ("link", "rename", "replace"):
            self._wrap(os, action, lambda _, path, *, dst_dir_fd=None, **__: _below(path, dst_dir_fd))
        self._wrap(os, "open", _made)
        os.pwrite = self._writer(os.pwrite)

    def install_commits(self) -> None:
        """Lay the axe around the commits of LMDB, named by the folder of the environment."""
        from lading.adapters.lmdb.environment import Environment

        self._wrap(Environment, "commit", lambda environment, _: os.fspath(environment.folder))

    def _wrap(self, owner: Any, action: str, place_of: Callable[..., str | None]) -> None:
        original = getattr(owner, action)

        @functools.wraps(original)
        def wrapped(*arguments: Any, **options: Any) -> Any:
            count, kind = self._arrive(action, place_of(*arguments, **options))
            self._fall(BEFORE, kind, count)
            answer = original(*arguments, **options)
            self._fall(AFTER, kind, count)
            return answer

        setattr(owner, action, wrapped)

    def _writer(self, original: Callable[[int, Any, int], int]) -> Callable[[int, Any, int], int]:
        def pwrite(descriptor: int, data: Any, offset: int) -> int:
            count, kind = self._arrive("pwrite", _behind(descriptor))
            self._fall(BEFORE, kind, count)
            if self._meant(MIDWAY, kind, count):
                original(descriptor, memoryview(data)[: _half(len(data))], offset)
            self._fall(MIDWAY, kind, count)
            written = original(descriptor, data, offset)
            self._fall(AFTER, kind, count)
            return written

        return pwrite

    def _arrive(self, action: str, path: str | None) -> tuple[int, Kind]:
        thing = thing_of(path, self._home, self._downloads) if path else None
        if thing is None:
            return 0, (action, "")
        kind = (action, FOLDER if thing == FINAL and action in {"mkdir", "rmdir"} else thing)
        with self._lock:
            self.counts[kind] += 1
            return self.counts[kind], kind

    def _meant(self, moment: str, kind: Kind, count: int) -> bool:
        at = self._at
        return at is not None and (at.moment, at.action, at.thing, at.count) == (moment, *kind, count)

    def _fall(self, moment: str, kind: Kind, count: int) -> None:
        if self._meant(moment, kind, count):
            while True:
                os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(1.0)


def _half(size: int) -> int:
    """Return half of a size; of a write in blocks, whole blocks."""
    return size // 2 if size % 4096 else size // 8192 * 4096


def _behind(descriptor: int) -> str | None:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}").removesuffix(" (deleted)")
    except OSError:
        return None


def _below(path: Any, folder: int | None) -> str | None:
    place = os.fsdecode(path)
    if folder is not None and not os.path.isabs(place):
        base = _behind(folder)
        return base and os.path.join(base, place)
    return os.path.abspath(place)


def _made(path: Any, flags: int, *_: Any, dir_fd: int | None = None, **__: Any) -> str | None:
    """Return the path that is opened, if that may make a file: looking is no step."""
    return _below(path, dir_fd) if flags & os.O_CREAT and not isinstance(path, int) else None
