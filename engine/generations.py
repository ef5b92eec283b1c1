"""Generations of views: numbered folders of which one is current, named by a pointer file.

    HOME/views       the number of the current generation
    HOME/views-7/    its store

Views are never repaired in place. A new generation is made beside the old one and becomes current by one rename;
whoever holds the old one notices that at its next look at the pointer. All other folders are removed then, and when
the current one is opened: on the systems that we run on, an open store outlives its folder. One that is still being
made, or that holds a past which somebody looks at, is left alone: its maker holds a `flock` on the folder, which ends
with the maker, so that what a killed program left is removed like any other.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
from pathlib import Path
from typing import Protocol

from lading.adapters.durable import write_durably
from lading.domain.errors import StoreUnavailable

_FOLDER = re.compile(r"views-(\d{1,15})")


class Generations(Protocol):
    """Where generations are kept."""

    def current(self) -> int | None:
        """Return the number of the current generation, None when there is none whose folder exists."""
        ...

    def begin(self) -> int:
        """Return the number of a new generation, greater than any before, whose folder is there and nobody uses."""
        ...

    def folder(self, number: int) -> Path:
        """Return where the store of a generation lies."""
        ...

    def adopt(self, number: int) -> None:
        """Make a generation the current one, durably, and remove the others that nobody is making."""
        ...

    def clear(self, number: int) -> None:
        """Remove what is left of others than a generation that is current."""
        ...

    def drop(self, number: int) -> None:
        """Remove a generation that is not current."""
        ...


class HomeGenerations:
    """Generations in a home folder, shared with other processes.

    Raises:
        StoreUnavailable: from every method, when the home cannot be read or written.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._pointer = home / "views"
        self._making: dict[int, int] = {}
        self._read: tuple[tuple[int, int, int], int] | None = None

    def current(self) -> int | None:
        """Return the number of the current generation, None when there is none whose folder exists.

        Asked before every look. The pointer is only ever replaced by a rename, so that another inode, or another time,
        tells of a change, and it need not be read each time.
        """
        try:
            status = os.stat(self._pointer)
            version = (status.st_ino, status.st_ctime_ns, status.st_mtime_ns)
            if self._read is None or self._read[0] != version:
                self._read = None
                words = self._pointer.read_bytes().strip()
                if not words.isdigit():
                    return None
                self._read = version, int(words)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unavailable(error) from error
        number = self._read[1]
        return number if os.path.isdir(self.folder(number)) else None

    def begin(self) -> int:
        """Make the folder of a new generation, and return its number."""
        try:
            self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
            while True:
                number = 1 + max((found for found, _ in self._folders()), default=0)
                try:
                    self.folder(number).mkdir(mode=0o700)
                except FileExistsError:
                    continue
                with contextlib.suppress(FileNotFoundError, BlockingIOError):  # somebody clears away, and was faster
                    self._making[number] = _lock(self.folder(number))
                    return number
        except OSError as error:
            raise self._unavailable(error) from error

    def folder(self, number: int) -> Path:
        """Return where the store of a generation lies."""
        return self._home / f"views-{number}"

    def adopt(self, number: int) -> None:
        """Make a generation the current one, durably, and remove the others; one that is removed stays so.

        The draft of the pointer lies in the generation's own folder, so that it goes with it should this be cut short.
        """
        folder = self.folder(number)
        try:
            write_durably(self._pointer, b"%d\n" % number, draft=folder / self._pointer.name)
        except OSError as error:
            if not folder.exists() and self.current() is not None:
                return
            raise self._unavailable(error) from error
        finally:
            self._unlock(number)
        self.clear(number)

    def clear(self, number: int) -> None:
        """Remove what is left of others than a generation that is current; what cannot be removed now stays.

        A maker lets go of its folder only once the pointer names it, so that is asked again under the folder's lock.
        """
        try:
            others = [(found, folder) for found, folder in self._folders() if found != number]
        except OSError as error:
            raise self._unavailable(error) from error
        for found, folder in others:
            with contextlib.suppress(OSError):
                lock = _lock(folder)
                try:
                    if found != self.current():
                        shutil.rmtree(folder, ignore_errors=True)
                finally:
                    os.close(lock)

    def drop(self, number: int) -> None:
        """Remove a generation that is not current."""
        shutil.rmtree(self.folder(number), ignore_errors=True)
        self._unlock(number)

    def _unlock(self, number: int) -> None:
        lock = self._making.pop(number, None)
        if lock is not None:
            os.close(lock)

    def _folders(self) -> list[tuple[int, Path]]:
        found = ((_FOLDER.fullmatch(path.name), path) for path in self._home.iterdir())
        return [(int(match[1]), path) for match, path in found if match is not None]

    def _unavailable(self, error: OSError) -> StoreUnavailable:
        return StoreUnavailable(
            f"the views in {self._home} cannot be used: {error.strerror}", hint="check the home's owner, mode and room"
        )


def _lock(folder: Path) -> int:
    """Lock a folder for its maker or its remover, and return the descriptor that holds the lock.

    Raises:
        OSError: another holds it, or the folder is gone.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(descriptor), os.stat(folder)):
            raise FileNotFoundError(f"{folder} was removed, and made anew")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


class PassingGenerations:
    """Generations that count for nobody but their maker: of a log in memory, or of the past of any log.

    Args:
        ground: where their folders lie, locked like those of any other maker; without it they are names alone.
    """

    def __init__(self, ground: Generations | None = None) -> None:
        self._ground = ground
        self._last = 0
        self._current: int | None = None
        self._begun: set[int] = set()

    def current(self) -> int | None:
        """Return the number of the current generation."""
        return self._current

    def begin(self) -> int:
        """Return the number of a new generation."""
        if self._ground is None:
            self._last += 1
            return self._last
        number = self._ground.begin()
        self._begun.add(number)
        return number

    def folder(self, number: int) -> Path:
        """Return where a generation lies, or a name for it."""
        return Path(f"views-{number}") if self._ground is None else self._ground.folder(number)

    def adopt(self, number: int) -> None:
        """Make a generation the current one, and drop the one before."""
        before, self._current = self._current, number
        if before is not None:
            self.drop(before)

    def clear(self, number: int) -> None:
        """Do nothing: nothing is left of a generation that nobody holds."""

    def drop(self, number: int) -> None:
        """Forget a generation."""
        self._begun.discard(number)
        if self._ground is not None:
            self._ground.drop(number)

    def end(self) -> None:
        """Forget all of them."""
        self._current = None
        for number in tuple(self._begun):
            self.drop(number)
