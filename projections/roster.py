"""Which downloads are there: by state and by tag in the order of asking, how many, and how many bytes in all.

    rs ‖ word(state) ‖ age (u64)  → id      every download, under the state that users see
    rt ‖ text(tag) ‖ age (u64)    → id      every download, under each of its tags
    rc ‖ word(state)              → u64     how many are in the state
    ru ‖ word(name)               → u64     sums over the downloads that have not ended

A download that was archived is in none of them, until something happens to it again.

So a list of fifty needs about fifty reads, and a count one, however many downloads there are.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from uuid import UUID

import attrs

from lading.domain.download import Download
from lading.domain.ports import Reader
from lading.domain.states import ENDED, SHOWN, State
from lading.projections.batch import Batch, Change
from lading.projections.keys import number, read_number, read_word, text, word

STATE, TAG, COUNT, SUM = b"rs", b"rt", b"rc", b"ru"
_WORDS = {state: word(state.shown) for state in State}
_SUMS = tuple(SUM + word(name) for name in ("downloads", "received", "total", "unsized"))


@attrs.frozen
class Totals:
    """The downloads that have not ended, taken together.

    Attributes:
        downloads: how many they are.
        received: durable bytes of all of them.
        total: bytes of those whose size is known.
        unsized: how many have a size that is not known yet.
    """

    downloads: int
    received: int
    total: int
    unsized: int


def apply(batch: Batch, changes: Sequence[Change]) -> None:
    """File every download that changed under its state, one that is new here under its tags, and count."""
    counts: dict[bytes, int] = {}
    sums = [0, 0, 0, 0]
    for id, age, before, after, _ in changes:
        new, old = _word(after), None if before is None else _word(before)
        if old is None and new is not None:
            for tag in after.order.tags:
                batch.put(TAG + text(tag) + number(age), id.bytes)
        elif new is None:
            for tag in after.order.tags:
                batch.delete(TAG + text(tag) + number(age))
        if before is not None:
            _sum(sums, before, -1)
        _sum(sums, after, 1)
        if new != old:
            if new is not None:
                batch.put(STATE + new + number(age), id.bytes)
                counts[new] = counts.get(new, 0) + 1
            if old is not None:
                batch.delete(STATE + old + number(age))
                counts[old] = counts.get(old, 0) - 1
    for shown, amount in counts.items():
        batch.count(COUNT + shown, amount)
    for key, amount in zip(_SUMS, sums, strict=True):
        batch.count(key, amount)


def _word(download: Download) -> bytes | None:
    return None if download.archived else _WORDS[download.state]


def _sum(sums: list[int], download: Download, sign: int) -> None:
    if download.state in ENDED:
        return
    sums[0] += sign
    if download.durable:
        sums[1] += sign * download.received
    if download.total is None:
        sums[3] += sign
    else:
        sums[2] += sign * download.total


def ids(
    reader: Reader, states: Iterable[str] = SHOWN, limit: int | None = None, *, newest_first: bool = False
) -> Iterator[UUID]:
    """Walk the downloads in any of these states, named as users see them, in the order in which they were asked for."""
    lines = [reader.scan(STATE + word(state), reverse=newest_first) for state in states]
    return _ids(heapq.merge(*lines, key=_age, reverse=newest_first), limit)


def by_state(reader: Reader, state: str, limit: int | None = None, *, newest_first: bool = False) -> Iterator[UUID]:
    """Walk the downloads in a state, named as users see it, in the order in which they were asked for."""
    return _ids(reader.scan(STATE + word(state), reverse=newest_first), limit)


def by_tag(reader: Reader, tag: str, limit: int | None = None, *, newest_first: bool = False) -> Iterator[UUID]:
    """Walk the downloads with a tag, whatever their state, in the order in which they were asked for."""
    return _ids(reader.scan(TAG + text(tag), reverse=newest_first), limit)


def counts(reader: Reader) -> dict[str, int]:
    """Return how many downloads are in each state that users see."""
    held = {read_word(key[len(COUNT) :]): read_number(value) for key, value in reader.scan(COUNT)}
    return {state: held.get(state, 0) for state in SHOWN}


def totals(reader: Reader) -> Totals:
    """Return the sums over all downloads that have not ended."""
    values = (reader.get(key) for key in _SUMS)
    return Totals(*(0 if value is None else read_number(value) for value in values))


def _age(row: tuple[bytes, bytes]) -> bytes:
    return row[0][-8:]


def _ids(rows: Iterable[tuple[bytes, bytes]], limit: int | None) -> Iterator[UUID]:
    for _, value in islice(rows, limit):
        yield UUID(bytes=value)
