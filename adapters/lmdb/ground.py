"""Whether a folder can carry an environment: asked before LMDB maps anything, because afterwards it is too late.

LMDB needs a local file system: its locks and its shared map are not coherent over a network, and the damage is
silent. And it trusts the file's length: a data file that was cut short is opened without complaint and kills the
reader with SIGBUS at the first missing page. So both are looked at from outside first, by plain reads.
"""

from __future__ import annotations

import os
import struct
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import lmdb.verify

from lading.adapters.lmdb.faults import translate_os
from lading.domain.errors import LogDamaged, StoreUnavailable

DATA_FILE = "data.mdb"

LOCAL = frozenset({
    "apfs", "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "hfs", "jfs", "nilfs2", "ramfs", "reiserfs", "tmpfs",
    "ufs", "xfs", "zfs",
})  # fmt: skip
"""File systems on which LMDB's locks and map are known to hold."""

LAYERED = frozenset({"aufs", "ecryptfs", "fuseblk", "overlay"})
"""Local file systems that stand on another one: allowed with a warning."""

MDB_MAGIC = (0xBEEFC0DE).to_bytes(4, sys.byteorder)
MDB_DATA_VERSION = 1
_MAGIC_WITHIN = 64  # bytes; LMDB's formats have it at different places
_PAGE_HEADER_BYTES = 16
_PAGE_SIZE = slice(40, 44)
_LAST = struct.Struct("=QQ")  # last page number, transaction number
_LAST_OFFSET = 136


class GroundWarning(UserWarning):
    """The environment lies on a file system that works, but deserves a second look."""


class Meta(NamedTuple):
    """What a data file says of itself: bytes a page, the last page in use, the last transaction."""

    page_size: int
    last_page: int
    last_transaction: int


def file_system_of(folder: Path) -> str | None:
    """Return the type of the file system under `folder`, as the kernel's mount table has it; None where unknown."""
    try:
        table = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
    best, found = "", None
    target = f"{folder.resolve()}/"
    for line in table.splitlines():
        mounted, _, source = line.partition(" - ")
        point = mounted.split(" ")[4].encode("utf-8", "surrogateescape").decode("unicode_escape")
        if target.startswith(f"{point.rstrip('/')}/") and len(point) >= len(best):
            best, found = point, source.split(" ")[0]
    return found


def check_file_system(folder: Path, kind_of: Callable[[Path], str | None] = file_system_of) -> None:
    """Refuse a file system on which LMDB could lose data without a word.

    Raises:
        StoreUnavailable: a network, foreign or unknown file system.
    """
    kind = kind_of(folder)
    if kind in LOCAL or (kind is None and sys.platform != "linux"):
        return
    if kind is None or kind in LAYERED:
        named = "of a kind that the system does not tell" if kind is None else kind
        message = (
            f"{folder} lies on a file system that is {named}: keep it on a local volume if it shall outlive a container"
        )
        warnings.warn(message, GroundWarning, stacklevel=2)
        return
    raise StoreUnavailable(
        f"{folder} lies on a file system of the kind {kind}, on which LMDB's locks and memory map cannot be trusted",
        hint="choose a folder on a local disk; if this one is known to be local, allow it with trust_file_system",
    )


def prepare_folder(folder: Path, *, create: bool) -> None:
    """Make sure that `folder` is a folder of ours; one that is made here is open to its owner only (0700).

    Raises:
        StoreUnavailable: it is a file, cannot be made, or is missing and `create` is not set.
    """
    if folder.is_dir():
        return
    if folder.exists():
        raise StoreUnavailable(
            f"{folder} is a file, and a folder is needed", hint="name a folder, or move that file away"
        )
    if not create:
        raise StoreUnavailable(f"there is no store at {folder}", hint="check the path")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise translate_os(error, folder) from error


def read_meta(data: Path) -> Meta | None:
    """Return what the data file says of itself, None when it is empty or missing.

    Raises:
        LogDamaged: it does not begin as an LMDB data file must.
        StoreUnavailable: it is in another format of LMDB's, or cannot be read.
    """
    try:
        with data.open("rb") as file:
            first = file.read(512)
            if not first:
                return None
            _check_version(data, first)
            page_size = int.from_bytes(first[_PAGE_SIZE], sys.byteorder)
            file.seek(page_size)
            second = file.read(512)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise translate_os(error, data) from error
    _check_version(data, second)
    metas = [Meta(page_size, *_LAST.unpack_from(page, _LAST_OFFSET)) for page in (first, second)]
    return max(metas, key=lambda meta: meta.last_transaction)


def _check_version(data: Path, page: bytes) -> None:
    """Make sure that a page describes the file, in the one format that this program reads."""
    at = page.find(MDB_MAGIC, 0, _MAGIC_WITHIN)
    if at < 0 or len(page) < _LAST_OFFSET + _LAST.size:
        raise LogDamaged(f"{data} does not begin as an LMDB file, or is cut short within its first two pages")
    version = int.from_bytes(page[at + 4 : at + 8], sys.byteorder)
    if (at, version) != (_PAGE_HEADER_BYTES, MDB_DATA_VERSION):
        raise StoreUnavailable(
            f"{data} has version {version} of LMDB's data format, or comes from another kind of machine",
            hint="choose another folder; to move a log between machines, use `lading backup` and `restore`",
        )


def check_length(folder: Path) -> None:
    """Refuse a data file that was cut short.

    A healthy file may end before its last page, when that page was taken and given back within one transaction and so
    never written. Only then is the whole file walked (without mapping it) to tell the two apart.

    Raises:
        LogDamaged: pages that are in use are missing.
    """
    data = folder / DATA_FILE
    meta = read_meta(data)
    if meta is None or data.stat().st_size >= (meta.last_page + 1) * meta.page_size:
        return
    walk: Callable[[str], list[str]] = lmdb.verify.verify
    problems = walk(os.fspath(folder))
    if problems:
        raise LogDamaged(f"{data} is cut short: {problems[0]}")
