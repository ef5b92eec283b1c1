"""The lean log: what the engine appends to and reads from, with nothing between it and the tables.

Requests are decided one after another against the last versions of their streams, in one write transaction: those
that fit are put together and committed once, those that do not answer `Conflict` and store nothing. A commit that
fails leaves open whether it took place, so the log is asked: it holds exactly these bytes under these versions, or
it does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, repeat
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from lading.adapters.lmdb.format import check_format
from lading.adapters.lmdb.handle import Settings
from lading.adapters.lmdb.record import Row, pack_number, stream_prefix
from lading.adapters.lmdb.registry import hold, open_environment
from lading.adapters.lmdb.tables import EventTables, Span, last_version
from lading.domain.ports import Conflict, Entry, Recorded

if TYPE_CHECKING:
    from lmdb import Cursor, Transaction

LOG_MAP_BYTES = 64 * 1024**3
"""The log's first map size: sparse, so it costs address space only; it doubles when it is full."""

Answer = tuple[int, ...] | Conflict


class LMDBLog:
    """A log in an LMDB environment; implements `lading.domain.ports.Log`, for use from any thread.

    Args:
        folder: where the environment lies; made when it is missing.
        map_size: the first size of the map in bytes.
        create: whether a missing log may be made.
        trust_file_system: do not ask what kind of file system the folder lies on.
        new_id: the id of one that is made, random by default.

    Raises:
        StoreUnavailable: the folder cannot hold a log, or holds something else.
        StoreNewer: a later program wrote it.
        LogDamaged: its file is cut short.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        map_size: int = LOG_MAP_BYTES,
        create: bool = True,
        trust_file_system: bool = False,
        new_id: UUID | None = None,
    ) -> None:
        self.environment = open_environment(
            Path(folder), Settings(map_size=map_size), create=create, trust_file_system=trust_file_system
        )
        self._let_go = hold(self, self.environment)
        try:
            self.log_id = check_format(self.environment, create=create, new_id=new_id)
            self._tables = EventTables(self.environment)
            self._tables.open(create=create)
        except BaseException:
            self._let_go()
            raise

    def append(self, requests: Sequence[Sequence[Entry]]) -> Sequence[Answer]:
        """Store each request whole or not at all, in order, in one durable commit; see `lading.domain.ports.Log`.

        A `Conflict` says which last version of the stream the request went by (`expected`) and which was there
        (`found`).

        Raises:
            DiskFull: no room; nothing was stored, and the same call succeeds once there is some.
            StoreUnavailable: nothing was stored, and the message says why.
        """
        if not any(requests):
            return [() for _ in requests]
        plan = _Plan(requests)
        self._tables.write(lambda txn: self._decide(txn, plan), lambda txn: self._has(txn, plan))
        return plan.answers()

    def read(self, after: int = 0, limit: int = 1000) -> Sequence[Recorded]:
        """Return at most `limit` events whose position is greater than `after`, in order of position.

        Raises:
            LogDamaged: a record is not what was stored; the message names its position.
        """
        start = pack_number(max(after, 0) + 1)
        items = self._tables.read(lambda txn: self._tables.records_from(txn, start, limit))
        return _recorded(self._tables.rows(items))

    def stream(self, stream: UUID, after: int = 0) -> Sequence[Recorded]:
        """Return the events of one stream whose version is greater than `after`, in order of version.

        Raises:
            LogDamaged: a record is not what was stored, or the index names one that is not there.
        """
        span = Span(stream_prefix(stream), first=after + 1)
        return _recorded(self._tables.rows(self._tables.read(lambda txn: self._tables.events_of(txn, span))))

    def head(self) -> int:
        """Return the position of the last event, 0 when there is none."""
        return self._tables.read(self._tables.last_position)

    def close(self) -> None:
        """Let go of the log; a second call does nothing."""
        self._let_go()

    def _decide(self, txn: Transaction[bytes], plan: _Plan) -> None:
        plan.admit(self._tables.cursor(txn, self._tables.idx))
        if plan.accepted:
            plan.positions = self._tables.put_events(txn, plan.accepted)

    def _has(self, txn: Transaction[bytes], plan: _Plan) -> bool:
        items = self._tables.cursor(txn, self._tables.log).getmulti([pack_number(at) for at in plan.positions])
        return [row[1:] for row in self._tables.rows(items)] == plan.accepted


class _Plan:
    """What becomes of the requests of one append."""

    def __init__(self, requests: Sequence[Sequence[Entry]]) -> None:
        self._requests = requests
        self._conflicts: list[Conflict | None] = []
        self.accepted: list[Entry] = []
        self.positions = range(0)

    def admit(self, index: Cursor[bytes]) -> None:
        """Decide each request; from the start, should the transaction be begun again."""
        versions: dict[UUID, int] = {}
        self._conflicts = [_admit(index, request, versions) for request in self._requests]
        self.accepted = [
            entry
            for request, conflict in zip(self._requests, self._conflicts, strict=True)
            if conflict is None
            for entry in request
        ]

    def answers(self) -> list[Answer]:
        """Return each request's positions or its conflict."""
        positions = iter(self.positions)
        return [
            tuple(islice(positions, len(request))) if conflict is None else conflict
            for request, conflict in zip(self._requests, self._conflicts, strict=True)
        ]


def _admit(index: Cursor[bytes], request: Sequence[Entry], versions: dict[UUID, int]) -> Conflict | None:
    """Return why a request does not fit after the last `versions` of its streams; if it does, move them on."""
    moved: dict[UUID, int] = {}
    for stream, version, _, _ in request:
        last = moved.get(stream)
        if last is None:
            last = versions.get(stream)
        if last is None:
            last = versions[stream] = last_version(index, stream_prefix(stream)) or 0
        if version != last + 1:
            return Conflict(stream, version - 1, last)
        moved[stream] = version
    versions.update(moved)
    return None


def _recorded(rows: list[Row]) -> list[Recorded]:
    return list(map(tuple.__new__, repeat(Recorded), rows))
