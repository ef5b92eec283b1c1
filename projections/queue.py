"""What runs next, and what the others wait for.

    qr ‖ text(host) ‖ rank              → id           ready to run, host by host
    qh ‖ rank                           → id ‖ host    the first of each host that has any
    qt ‖ not before (u64) ‖ age (u64)   → id ‖ host    waits for a time
    qb ‖ word(reason) ‖ age (u64)       → id           blocked until the reason passes
    qn ‖ word(reason)                   → u64          how many are blocked by the reason
    qo ‖ not before (u64) ‖ age (u64)   → host         one whose server wants all of its host left alone until then

A rank is priority, higher first, then age. The heads (`qh`) make the next candidate cheap to find however many are
ready: hosts are merged in the order of their heads, a host that has no room costs one step instead of a walk past its
million downloads, and of the others only as many are read as are asked for.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from itertools import chain, islice, takewhile
from uuid import UUID

from lading.domain import urls
from lading.domain.download import Download
from lading.domain.faults import LONGEST_RETRY_AFTER_S
from lading.domain.ports import Reader
from lading.domain.scheduling import Candidate
from lading.domain.states import State
from lading.projections.batch import Batch, Change
from lading.projections.keys import number, rank, read_number, read_word, text, word

READY, HEAD, TIMED, BLOCKED, REASON, RESTING = b"qr", b"qh", b"qt", b"qb", b"qn", b"qo"
_ID_BYTES = 16
LONGEST_WAIT_NS = int(LONGEST_RETRY_AFTER_S * 1e9)


def apply(batch: Batch, changes: Sequence[Change]) -> None:
    """File what became ready, waiting or blocked, take out what is no longer, and keep the heads of hosts."""
    come: defaultdict[str, dict[bytes, bytes]] = defaultdict(dict)
    gone: defaultdict[str, set[bytes]] = defaultdict(set)
    for id, age, before, after, _ in changes:
        old = None if before is None else _turn(before, age)
        new = _turn(after, age)
        if old != new:
            if old is not None:
                gone[old[0]].add(old[1])
            if new is not None:
                come[new[0]][new[1]] = id.bytes
        held = {} if before is None else _waits(before, age)
        wanted = _waits(after, age)
        if held != wanted:
            batch.replace(held, wanted)
            for rows, amount in ((held, -1), (wanted, 1)):
                for key in rows:
                    if key.startswith(BLOCKED):
                        batch.count(REASON + key[len(BLOCKED) : -8], amount)
    old_heads: dict[bytes, bytes] = {}
    new_heads: dict[bytes, bytes] = {}
    for host in come.keys() | gone.keys():
        first, head = _requeue(batch, host, come[host], gone[host])
        old_heads |= first
        new_heads |= head
    batch.replace(old_heads, new_heads)


def _turn(download: Download, age: int) -> tuple[str, bytes] | None:
    """Return at which host and rank a download is ready to run, or None when it is not."""
    if download.state is not State.QUEUED:
        return None
    return host(download), rank(download.priority, age)


def _waits(download: Download, age: int) -> dict[bytes, bytes]:
    """Return the rows of a download that waits; there are none of any other."""
    if download.state is not State.WAITING:
        return {}
    if download.blocked is not None:
        return {BLOCKED + word(download.blocked) + number(age): download.id.bytes}
    if download.not_before_ns is not None:
        place, at = number(download.not_before_ns) + number(age), host(download).encode()
        rows = {TIMED + place: download.id.bytes + at}
        return rows | {RESTING + place: at} if download.whole_host else rows
    return {}


def _requeue(
    batch: Batch, host: str, come: dict[bytes, bytes], gone: set[bytes]
) -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
    """Put downloads into the line of a host and take others out; return the rows of its head, before and after."""
    line = READY + text(host)
    for place in gone:
        batch.delete(line + place)
    for place, id in come.items():
        batch.put(line + place, id)
    first: tuple[bytes, bytes] | None = None
    kept: tuple[bytes, bytes] | None = None
    for key, id in batch.scan(line):
        place = key[len(line) :]
        first = first or (place, id)
        if place not in gone:
            kept = (place, id)
            break
    head = min((*come.items(), *([kept] if kept else [])), default=None)
    return _head(first, host), _head(head, host)


def _head(first: tuple[bytes, bytes] | None, host: str) -> dict[bytes, bytes]:
    """Return the row of the first of a host's line; none of an empty line."""
    return {} if first is None else {HEAD + first[0]: first[1] + host.encode()}


def host(download: Download) -> str:
    """Return `host:port` of the source that the download will use next, the unit of per-host limits."""
    return urls.host(download.order.sources[download.source].url)


def candidates(reader: Reader, skip_hosts: Container[str] = frozenset()) -> Iterator[Candidate]:
    """Walk what is ready in the order in which it should run, without the downloads of `skip_hosts`.

    Those may become more while somebody walks. Reading the first costs one step for each skipped host before it, and
    each further one O(log n).
    """
    heads = reader.scan(HEAD)
    following: list[tuple[bytes, bytes, str]] = []
    head = next(heads, None)
    while head is not None or following:
        if head is not None and (not following or head[0][len(HEAD) :] < following[0][0]):
            place, value = head[0][len(HEAD) :], head[1]
            id, at = value[:_ID_BYTES], value[_ID_BYTES:].decode()
            head = next(heads, None)
            if at in skip_hosts:
                continue
        else:
            place, id, at = heapq.heappop(following)
            if at in skip_hosts:
                continue
        yield Candidate(UUID(bytes=id), at)
        line = READY + text(at)
        for key, successor in islice(reader.scan(line, start=line + place + b"\0"), 1):
            heapq.heappush(following, (key[len(line) :], successor, at))


def due(reader: Reader, now_ns: int, limit: int | None = None) -> Iterator[Candidate]:
    """Walk what waited for a time that has come, the longest overdue first.

    A time further ahead than anything waits is one that a clock has since stepped back from, and counts as come.
    """
    come = takewhile(lambda row: _not_before_ns(row[0]) <= now_ns, reader.scan(TIMED))
    far = reader.scan(TIMED, start=TIMED + number(now_ns + LONGEST_WAIT_NS + 1))
    for _, value in islice(chain(come, far), limit):
        yield Candidate(UUID(bytes=value[:_ID_BYTES]), value[_ID_BYTES:].decode())


def next_due(reader: Reader, after_ns: int = -1) -> int | None:
    """Return the first time (UTC, ns) after `after_ns` for which anything waits, or None when nothing does."""
    return next((_not_before_ns(key) for key, _ in reader.scan(TIMED, start=TIMED + number(after_ns + 1))), None)


def resting(reader: Reader, now_ns: int) -> dict[str, int]:
    """Return until when hosts want to be left alone (UTC, ns), of those whose time has not come.

    A time further ahead than anything waits is one that a clock has since stepped back from, and counts as come.
    """
    ahead = reader.scan(RESTING, start=RESTING + number(now_ns + 1))
    near = takewhile(lambda row: _not_before_ns(row[0]) <= now_ns + LONGEST_WAIT_NS, ahead)
    return {value.decode(): _not_before_ns(key) for key, value in near}


def blocked(reader: Reader, reason: str, limit: int | None = None) -> Iterator[UUID]:
    """Walk what is blocked by a reason, in the order in which it was asked for."""
    for _, value in islice(reader.scan(BLOCKED + word(reason)), limit):
        yield UUID(bytes=value)


def reasons(reader: Reader) -> dict[str, int]:
    """Return how many downloads are blocked, by reason."""
    return {read_word(key[len(REASON) :]): read_number(value) for key, value in reader.scan(REASON)}


def _not_before_ns(key: bytes) -> int:
    return read_number(key[len(TIMED) : len(TIMED) + 8])
