"""Where files go: final paths and part files below their roots, and who may have which.

Paths in the log are relative to a named root, so that a home can move with its folder. A final path is settled when an
attempt starts and again if the server names the file; no two running downloads get the same one, and what already lies
there is treated as the request says.
"""

from __future__ import annotations

import functools
import posixpath
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from uuid import UUID

import attrs

from lading.domain import names, urls
from lading.domain.disks import Disk
from lading.domain.download import Download
from lading.domain.errors import DestinationTaken, InvalidDestination
from lading.domain.ports import Threads
from lading.domain.requests import IfExists, Order
from lading.gathering import Gathering

MOST_NUMBERS = 10_000
PART, KEPT = ".part", ".kept"


@attrs.frozen(kw_only=True)
class Place:
    """A settled destination: the final `path` below its root, and the storage that it is on.

    `skip` tells that something lies there and the request is content with it.
    """

    path: str
    storage: str
    skip: bool = False

    def part(self, id: UUID, attempt: int) -> str:
        """Return the part file of an attempt, hidden beside the final path, below the same root.

        It bears the end of the download's id: what one download leaves there is never taken for another's.
        """
        return _hidden(self.path, id, attempt, PART)


class Places:
    """Settles destinations; `owner` tells which download the log says has a path."""

    def __init__(
        self,
        roots: Mapping[str, str],
        disk: Disk,
        threads: Threads,
        owner: Callable[[str, str], UUID | None],
    ) -> None:
        self._roots = roots
        self._disk = disk
        self._owner = owner
        self._reserved: dict[str, UUID] = {}
        self._paths: dict[UUID, str] = {}
        self._gathering: Gathering[tuple[Download, str | None], Place] = Gathering(threads, self._settle_all)

    def absolute(self, root: str, path: str) -> str:
        """Return a path of the log as one of the disk.

        Raises:
            InvalidDestination: the root is not known here.
        """
        base = self._roots.get(root)
        if base is None:
            raise InvalidDestination(f"this engine has no folder called {root!r}", hint="open it with that folder")
        if base.endswith("/") or path.startswith("/"):
            return posixpath.join(base, path) if path else base
        return f"{base}/{path}" if path else base

    def names(self, absolute: str) -> list[tuple[str, str]]:
        """Return every root that a path of the disk lies below, with the path below it."""
        path = PurePosixPath(absolute)
        return [(root, str(path.relative_to(base))) for root, base in self._roots.items() if path.is_relative_to(base)]

    async def settle(self, download: Download, server_name: str | None = None) -> Place:
        """Settle where a download goes, with the name that the server gave, if it gave one, and reserve that.

        Raises:
            DestinationTaken: something lies there, or another download is to go there.
            InvalidDestination: it leaves its folder, or cannot be.
        """
        folder = self.absolute(download.order.root, download.order.folder)
        while True:
            place = await self._gathering.ask(folder, (download, server_name))
            path = self.absolute(download.order.root, place.path)
            contested = self._reserved.get(path, download.id) != download.id
            if not contested or place.skip or download.replaces:
                break
        self.release(download.id)
        if not place.skip:
            self._reserved[path] = download.id
            self._paths[download.id] = path
        return place

    def release(self, id: UUID) -> None:
        """Let go of the path that is reserved for a download."""
        path = self._paths.pop(id, None)
        if path is not None and self._reserved.get(path) == id:
            del self._reserved[path]

    def _settle_all(self, wanted: Sequence[tuple[Download, str | None]]) -> Sequence[Place | Exception]:
        """Settle places in one folder; on which storage it is, is asked once for all of them."""
        order = wanted[0][0].order
        try:
            storage = self._disk.storage(self.absolute(order.root, order.folder))
        except Exception as error:  # noqa: BLE001 # whatever it is, it is told to each who asked
            return [error] * len(wanted)
        places: list[Place | Exception] = []
        for download, server_name in wanted:
            try:
                places.append(self._settle(download, server_name, storage))
            except Exception as error:  # noqa: BLE001 # the same, and it keeps nobody else
                places.append(error)
        return places

    def _settle(self, download: Download, server_name: str | None, storage: str) -> Place:
        order = download.order
        path = wanted(download, server_name)
        self._disk.check(self.absolute(order.root, ""), self.absolute(order.root, path))
        if self._free(download, path) or download.replaces:
            return Place(path=path, storage=storage)
        if order.if_exists is IfExists.SKIP:
            return Place(path=path, storage=storage, skip=True)
        if order.if_exists is IfExists.RENAME:
            name = posixpath.basename(path)
            for number in range(2, MOST_NUMBERS):
                other = posixpath.join(order.folder, names.numbered(name, number))
                if self._free(download, other):
                    return Place(path=other, storage=storage)
        absolute, holder = self.absolute(order.root, path), self._holder(download, path)
        if holder not in {None, download.id}:
            raise DestinationTaken(f"{absolute} is what the download {holder} is to make, which has not ended yet")
        raise DestinationTaken(f"{absolute} exists already")

    def _free(self, download: Download, path: str) -> bool:
        absolute = self.absolute(download.order.root, path)
        return self._holder(download, path) in {None, download.id} and self._is_free_on_disk(download, absolute)

    def _holder(self, download: Download, path: str) -> UUID | None:
        """Return the download that is to make a file at this path, if there is one."""
        root = download.order.root
        return self._reserved.get(self.absolute(root, path)) or self._owner(root, path)

    def _is_free_on_disk(self, download: Download, absolute: str) -> bool:
        """Tell whether nothing lies there, or only this download's own part, published by an attempt that failed."""
        there = self._disk.inode(absolute)
        if there is None or download.part is None:
            return there is None
        return there == self._disk.inode(self.absolute(download.order.root, download.part))


def kept_part(part: str) -> str:
    """Return where a part is put aside."""
    return part.removesuffix(PART) + KEPT if part.endswith(PART) else part


def kept_file(path: str, id: UUID, attempt: int) -> str:
    """Return where the file that an attempt published at `path` is put aside; attempt 0: what lay there before it."""
    return _hidden(path, id, attempt, KEPT)


def _hidden(path: str, id: UUID, attempt: int, ending: str) -> str:
    folder, name = posixpath.split(path)
    return posixpath.join(folder, f".{name}.{id.hex[-8:]}.{attempt}{ending}")


def wanted(download: Download, server_name: str | None = None) -> str:
    """Return the path, below its root, that a download would have if nothing were in the way."""
    order = download.order
    if order.name is not None or (server_name is None and download.path is None):
        return named_by(order)
    name = names.clean(server_name) if server_name is not None else posixpath.basename(download.path or "")
    return posixpath.join(order.folder, name)


def named_by(order: Order) -> str:
    """Return the path, below its root, that an order itself gives a file: the name that was asked for, or the URL's."""
    name = order.name if order.name is not None else names.clean(urls.last_segment(order.url))
    return posixpath.join(order.folder, name)


@functools.lru_cache(maxsize=256)
def locate(path: str | None, into: str | None, folder: str | None, cwd: str) -> tuple[str, str, str | None]:
    """Return root, folder below it and name (or None) of what a request asks for.

    Args:
        path: the file that the user typed, which defines its own place; None when the server or the URL names it.
        into: the folder that the user typed; None for the engine's own.
        folder: the engine's download folder, known as the root `downloads`; None when it has none.
        cwd: where relative paths that the user typed begin, absolute.

    Raises:
        InvalidDestination: the path names a folder or nothing, or is no text.
    """
    try:
        cwd.encode()
    except UnicodeEncodeError:
        message = "the path of the current folder is not UTF-8, and a log holds only text"
        raise InvalidDestination(message, hint="start in another folder, or name it with -d") from None
    base = PurePosixPath(cwd)
    if path is not None:
        inside = PurePosixPath(path)
        if path.endswith("/") or inside.name in {"", ".."} or "\0" in path:
            raise InvalidDestination(f"{path!r} does not name a file", hint="-o takes a file, -d a folder")
        if into is not None or folder is None:
            target = _normal(base / (into or "") / inside)
        else:
            target = _normal(PurePosixPath(folder) / inside)
            if not inside.is_absolute() and not target.is_relative_to(folder):
                raise InvalidDestination(f"{path!r} leaves the download folder")
        return _below(target.parent, folder, target.name)
    if into is not None:
        return _below(_normal(base / into), folder, None)
    return ("downloads", "", None) if folder is not None else _below(base, None, None)


def _normal(path: PurePosixPath) -> PurePosixPath:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            del parts[max(1, len(parts) - 1) :]
        else:
            parts.append(part)
    return PurePosixPath(*parts)


def _below(target: PurePosixPath, folder: str | None, name: str | None) -> tuple[str, str, str | None]:
    if folder is not None and target.is_relative_to(folder):
        return "downloads", _text(target.relative_to(folder)), name
    return "/", _text(target.relative_to("/")), name


def _text(path: PurePosixPath) -> str:
    return "" if str(path) == "." else str(path)
