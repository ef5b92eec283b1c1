"""An LMDB file read page by page, without LMDB: for files that would end the process that maps them, or never open.

Every page is read by `pread` and believed only as far as it makes sense: it names itself, its entries lie within it,
and the keys of a table ascend. So nothing in a file, however it was damaged, can do more here than raise `Broken`. What
is written down here is the format of LMDB 0.9: two meta pages, of which the one of the later transaction counts, and
trees of branch and leaf pages, in which long values lie on overflow pages of their own.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from lading.adapters.lmdb.ground import MDB_DATA_VERSION, MDB_MAGIC

PAGE_BYTES = mmap.PAGESIZE
SMALLEST, LARGEST = 512, 65536
DEPTH_MAX = 32
_BRANCH, _LEAF, _OVERFLOW, _META, _DIRTY = 0x01, 0x02, 0x04, 0x08, 0x10
_BIG, _TABLE = 0x01, 0x02
_NOWHERE = 2**64 - 1
_HEAD = struct.Struct("=QHHHH")
_OVERFLOW_HEAD = struct.Struct("=QHHI")
_NODE = struct.Struct("=HHHH")
_TREE = struct.Struct("=IHHQQQQQ")
_META_HEAD = struct.Struct("=4sIQQ")
_PAGE_SIZE = slice(40, 44)
_LAST = struct.Struct("=QQ")
_NUMBER = struct.Struct("=Q")

Item = tuple[bytes, bytes]
Node = tuple[int, int, int, bytes, int]
"""An entry of a page: its size in two halves, flags, its key, and where in the page that ends."""


class Broken(Exception):
    """A page is not what it should be; the message says which and why."""


class Tree(NamedTuple):
    """A tree as its parent describes it: its root page, and how many entries it has."""

    root: int
    entries: int


class State(NamedTuple):
    """What one of the meta pages describes: the file as of a transaction, with the tree of all tables."""

    transaction: int
    tables: Tree


class Pages:
    """The data file of an environment, opened to be read only. Use it as a context.

    Raises:
        OSError: it cannot be read.
    """

    def __init__(self, data: Path) -> None:
        self._descriptor = os.open(data, os.O_RDONLY | os.O_CLOEXEC)
        self._page_bytes = _page_bytes(os.pread(self._descriptor, PAGE_BYTES, 0))
        self.count = os.fstat(self._descriptor).st_size // self._page_bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def states(self) -> list[State]:
        """Return what the meta pages describe, as far as they can be read, the latest first."""
        found: list[State] = []
        for number in (0, 1):
            try:
                found.append(_state(self._read(number, _META)))
            except (Broken, OSError):
                continue
        return sorted(found, reverse=True)

    def tables(self, state: State) -> dict[bytes, Tree]:
        """Return the tables of the environment by name, as far as they can be read."""
        found: dict[bytes, Tree] = {}
        for name, value in self._walk(state.tables.root, lambda _: None, of_tables=True):
            if len(value) == _TREE.size:
                found[name] = _tree(value)
        return found

    def items(self, tree: Tree, broken: Callable[[Broken], None] = lambda _: None) -> Iterator[Item]:
        """Walk keys and values of a tree in its order; what lies below a page that is broken is told and left out."""
        return self._walk(tree.root, broken)

    def _walk(self, root: int, broken: Callable[[Broken], None], *, of_tables: bool = False) -> Iterator[Item]:
        if root == _NOWHERE:
            return
        ways: list[Iterator[int]] = [iter((root,))]
        while ways:
            number = next(ways[-1], None)
            if number is None:
                ways.pop()
                continue
            try:
                page = self._read(number, _BRANCH | _LEAF)
                nodes = _nodes(page)
                if _HEAD.unpack_from(page)[2] & _BRANCH:
                    if len(ways) > DEPTH_MAX:
                        raise Broken(f"page {number} lies too deep")
                    ways.append(iter([low | high << 16 | flags << 32 for low, high, flags, _, _ in nodes]))
                    continue
                items = [self._item(page, node, of_tables=of_tables) for node in nodes]
            except (Broken, OSError) as error:
                broken(
                    error if isinstance(error, Broken) else Broken(f"page {number} cannot be read: {error.strerror}")
                )
                continue
            yield from items

    def _item(self, page: bytes, node: Node, *, of_tables: bool) -> Item:
        low, high, flags, key, at = node
        size = low | high << 16
        if flags & _BIG:
            return key, self._overflow(_NUMBER.unpack_from(page, at)[0], size)
        if bool(flags & _TABLE) != of_tables or at + size > len(page):
            raise Broken(f"page {_HEAD.unpack_from(page)[0]} has an entry that cannot be")
        return key, page[at : at + size]

    def _overflow(self, number: int, size: int) -> bytes:
        head = (
            os.pread(self._descriptor, _OVERFLOW_HEAD.size, number * self._page_bytes) if number < self.count else b""
        )
        if len(head) < _OVERFLOW_HEAD.size:
            raise Broken(f"page {number} is missing")
        named, _, flags, _ = _OVERFLOW_HEAD.unpack(head)
        if named != number or flags & ~_DIRTY != _OVERFLOW:
            raise Broken(f"page {number} is another than it should be")
        value = os.pread(self._descriptor, size, number * self._page_bytes + _OVERFLOW_HEAD.size)
        if len(value) < size:
            raise Broken(f"page {number} is cut short")
        return value

    def _read(self, number: int, kinds: int) -> bytes:
        page = os.pread(self._descriptor, self._page_bytes, number * self._page_bytes) if number < self.count else b""
        if len(page) < self._page_bytes:
            raise Broken(f"page {number} is missing")
        named, _, flags, _, _ = _HEAD.unpack_from(page)
        kind = flags & ~_DIRTY
        if named != number or not kind & kinds or kind & (kind - 1):
            raise Broken(f"page {number} is another than it should be")
        return page


def _nodes(page: bytes) -> list[Node]:
    """Return the entries of a branch or a leaf."""
    number, _, flags, lower, upper = _HEAD.unpack_from(page)
    if not _HEAD.size <= lower <= upper <= len(page) or lower % 2:
        raise Broken(f"page {number} has no sound table of its entries")
    found: list[Node] = []
    for place in struct.unpack_from(f"={(lower - _HEAD.size) // 2}H", page, _HEAD.size):
        if not upper <= place <= len(page) - _NODE.size:
            raise Broken(f"page {number} has an entry outside of itself")
        low, high, marks, length = _NODE.unpack_from(page, place)
        at = place + _NODE.size + length
        if at + (_NUMBER.size if marks & _BIG and flags & _LEAF else 0) > len(page):
            raise Broken(f"page {number} has an entry that ends outside of it")
        found.append((low, high, marks, page[place + _NODE.size : at], at))
    return found


def _page_bytes(first: bytes) -> int:
    """Return how long pages are, as the first meta page says; this machine's, where that says nothing sensible."""
    told = int.from_bytes(first[_PAGE_SIZE], sys.byteorder)
    is_meta = first[_HEAD.size : _HEAD.size + len(MDB_MAGIC)] == MDB_MAGIC
    return told if is_meta and SMALLEST <= told <= LARGEST and not told & (told - 1) else PAGE_BYTES


def _state(page: bytes) -> State:
    magic, version, _, _ = _META_HEAD.unpack_from(page, _HEAD.size)
    if (magic, version) != (MDB_MAGIC, MDB_DATA_VERSION):
        raise Broken("a meta page is no such")
    at = _HEAD.size + _META_HEAD.size
    tables = _tree(page[at + _TREE.size : at + 2 * _TREE.size])
    _, transaction = _LAST.unpack_from(page, at + 2 * _TREE.size)
    return State(transaction, tables)


def _tree(words: bytes) -> Tree:
    *_, entries, root = _TREE.unpack(words)
    return Tree(root, entries)
