"""Shares of the statistics: by host and by day, each as many as fit and no more.

    sh ‖ host          → 4 × u64   attempts, completed, failed, bytes received
    sn                 → u64       how many hosts have a row of their own
    sd ‖ day (u64)     → 4 × u64   completed, failed, retries, bytes received; days (UTC) since 1970

The first thousand hosts of the log have a row each, in the order in which their first attempts started, and all others
share one. Of days the latest 366 are kept. Neither depends on how the log is cut into batches: which hosts came first
is told by positions, and a day that has once fallen out of the latest never comes back among them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from itertools import islice

from lading.domain.facts import Fact
from lading.domain.ports import Reader
from lading.projections.batch import Batch
from lading.projections.keys import number, read_number

HOST, HOSTS, DAY = b"sh", b"sn", b"sd"
MOST_HOSTS = 1000
LONGEST_HOST_BYTES = 255
MOST_DAYS = 366
OTHER = "other"
"""Where hosts are counted that have no row of their own; a host's own name has a port behind it."""
DAY_NS = 86_400 * 10**9
OF_HOSTS = ("attempts", "completed", "failed", "received_bytes")
OF_DAYS = ("completed", "failed", "retries", "received_bytes")
_ROW = struct.Struct(">4Q")
_NOTHING = _ROW.pack(0, 0, 0, 0)

Figures = tuple[int, int, int, int]


class Shares:
    """What a batch adds: figures by host, with the position at which each was first heard of, and by day."""

    def __init__(self) -> None:
        self._hosts: dict[str, list[int]] = {}
        self._first: dict[str, int] = {}
        self._days: dict[int, list[int]] = {}

    def start(self, host: str, fact: Fact) -> None:
        """Count an attempt."""
        self._of_host(host, fact.position)[0] += 1

    def receive(self, host: str, fact: Fact, size: int) -> None:
        """Count bytes that became durable."""
        self._of_host(host, fact.position)[3] += size
        self._of_day(fact.at_ns)[3] += size

    def end(self, host: str, fact: Fact, *, completed: bool) -> None:
        """Count a download that completed or failed."""
        self._of_host(host, fact.position)[1 if completed else 2] += 1
        self._of_day(fact.at_ns)[0 if completed else 1] += 1

    def retry(self, fact: Fact) -> None:
        """Count a retry that was scheduled."""
        self._of_day(fact.at_ns)[2] += 1

    def _of_host(self, host: str, position: int) -> list[int]:
        """Return the row of a host, and note where it is heard of first: the steps of a batch come in no order."""
        row = self._hosts.get(host)
        if row is None:
            row = self._hosts[host] = [0, 0, 0, 0]
            self._first[host] = position
        elif position < self._first[host]:
            self._first[host] = position
        return row

    def _of_day(self, at_ns: int) -> list[int]:
        """Return the row of the day on which `at_ns` lies."""
        day = at_ns // DAY_NS
        row = self._days.get(day)
        if row is None:
            row = self._days[day] = [0, 0, 0, 0]
        return row

    def write(self, batch: Batch) -> None:
        """Put the rows, and take out the days that are not among the latest any more."""
        if self._hosts:
            self._write_hosts(batch)
        if self._days:
            self._write_days(batch)

    def _write_hosts(self, batch: Batch) -> None:
        rows: dict[bytes, list[int]] = {}
        held = batch.get(HOSTS)
        count = before = 0 if held is None else read_number(held)
        for host in sorted(self._hosts, key=self._first.__getitem__):
            key = HOST + host.encode()
            if len(key) - len(HOST) > LONGEST_HOST_BYTES:
                key = HOST + OTHER.encode()
            elif batch.get(key) is None:
                if count < MOST_HOSTS:
                    count += 1
                else:
                    key = HOST + OTHER.encode()
            row = rows.setdefault(key, [0, 0, 0, 0])
            for field, amount in enumerate(self._hosts[host]):
                row[field] += amount
        for key, added in rows.items():
            batch.put(key, _sum(batch, key, added))
        if count != before:
            batch.put(HOSTS, number(count))

    def _write_days(self, batch: Batch) -> None:
        keys = {DAY + number(day): added for day, added in self._days.items() if day >= 0}
        dropped: set[bytes] = set()
        if any(batch.get(key) is None for key in keys):
            known = sorted({key for key, _ in batch.scan(DAY)} | keys.keys())
            dropped = set(known[:-MOST_DAYS])
        for key in dropped - keys.keys():
            batch.delete(key)
        for key, added in keys.items():
            if key not in dropped:
                batch.put(key, _sum(batch, key, added))
            elif batch.get(key) is not None:
                batch.delete(key)


def _sum(batch: Batch, key: bytes, added: list[int]) -> bytes:
    held = _ROW.unpack(batch.get(key) or _NOTHING)
    return _ROW.pack(*(one + other for one, other in zip(held, added, strict=True)))


def by_host(reader: Reader) -> Iterator[Mapping[str, str | int]]:
    """Walk the hosts, `host:port`, in the order of their names; behind them `other`, if there is such a row."""
    last: bytes | None = None
    for key, value in reader.scan(HOST):
        if key == HOST + OTHER.encode():
            last = value
        else:
            yield {"host": key[len(HOST) :].decode(), **_named(OF_HOSTS, value)}
    if last is not None:
        yield {"host": OTHER, **_named(OF_HOSTS, last)}


def by_day(reader: Reader, limit: int | None = None) -> Iterator[tuple[int, Mapping[str, int]]]:
    """Walk the days (UTC, since 1970) on which anything happened, the latest first."""
    for key, value in islice(reader.scan(DAY, reverse=True), limit):
        yield read_number(key[len(DAY) :]), _named(OF_DAYS, value)


def of_days(reader: Reader, since: int) -> dict[str, int]:
    """Return the sums over the days from `since` (days since 1970, UTC) on."""
    total = dict.fromkeys(OF_DAYS, 0)
    for key, value in reader.scan(DAY, start=DAY + number(max(0, since))):
        if read_number(key[len(DAY) :]) >= since:
            for name, amount in _named(OF_DAYS, value).items():
                total[name] += amount
    return total


def _named(names: tuple[str, ...], value: bytes) -> dict[str, int]:
    return dict(zip(names, _ROW.unpack(value), strict=True))
