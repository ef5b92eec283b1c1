"""What people did, as far as it can be undone: the acts of each actor, and which of them are undone now.

    ah ‖ text(actor)    → n (u32) ‖ n acts ‖ acts    those that stand, and those that were undone; the latest last
    an ‖ act            → u64 ‖ kind                 how many streams it was about, and its first event's kind
    as ‖ act ‖ stream   → u64                        the version of its first event there
    au ‖ act            → 1                          it is undone now

An act is all that shares one correlation. What has a causation as well is no act of its own: it was done to undo or to
redo the act that it names. A new act makes those that were undone things of the past; of each actor the last 1,000 are
kept, and of each of these the first 10,000 streams. Only which acts are undone is kept for good, since those after it
on a stream are judged by that.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from uuid import UUID

import attrs

from lading.domain import events as e
from lading.domain.download import Download
from lading.domain.errors import ViewsDamaged
from lading.domain.facts import Fact
from lading.domain.ports import Reader
from lading.domain.states import State
from lading.projections.batch import Batch, Change
from lading.projections.keys import number, read_number, text

HISTORY, COUNT, STREAM, UNDONE = b"ah", b"an", b"as", b"au"
MOST_ACTS, MOST_STREAMS = 1_000, 10_000
KINDS = frozenset({
    e.Queued, e.Cancelled, e.Removed, e.Paused, e.Resumed, e.Reprioritised, e.LimitChanged, e.SourceReplaced,
    e.FinishRequested, e.Forgotten, e.QueuePaused, e.QueueResumed,
})  # fmt: skip
"""The events of acts that are undone, or of which it is said that they cannot be."""

_TURNS = (e.Undone, e.Redone)
_HELD = struct.Struct(">I")
_ID_BYTES = 16
_LEFT = frozenset({State.PAUSED, State.FAILED, State.CANCELLED, State.COMPLETED})
"""Where a download comes back to when it is undone that it was let go on; from completion it cannot, and says so."""


@attrs.frozen(kw_only=True)
class Act:
    """What somebody did: the `kind` of its first event, and how many `streams` it was about."""

    id: UUID
    kind: str
    streams: int


def apply(batch: Batch, changes: Sequence[Change], others: Iterable[Fact]) -> None:
    """Take in what was done, undone and redone, in the order of the log."""
    told = [
        fact
        for change in changes
        for fact, before, _ in change.steps
        if type(fact.event) in KINDS and _is_act(fact) and _can_be_undone(fact.event, before)
    ]
    told += [f for f in others if isinstance(f.event, _TURNS) or (type(f.event) in KINDS and _is_act(f))]
    if not told:
        return
    told.sort(key=lambda fact: fact.position)
    desk = _Desk(batch)
    for fact in told:
        if isinstance(fact.event, _TURNS):
            desk.turn(fact.context.actor, fact.event.act, undone=isinstance(fact.event, e.Undone))
        else:
            desk.take(fact)
    desk.put()


def _is_act(fact: Fact) -> bool:
    return fact.context.correlation is not None and fact.context.causation is None


def _can_be_undone(event: e.Event, before: Download | None) -> bool:
    return not isinstance(event, e.Resumed) or (before is not None and before.state in _LEFT)


class _Desk:
    """The rows that a batch is about, as they stand after each of its facts."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._histories: dict[str, tuple[list[bytes], list[bytes]]] = {}
        self._acts: dict[bytes, tuple[int, bytes]] = {}
        self._streams: dict[bytes, dict[bytes, int]] = {}
        self._known: set[bytes] = set()

    def take(self, fact: Fact) -> None:
        """Enter a fact under its act."""
        assert fact.context.correlation is not None, "an act has a correlation"
        act, stream = fact.context.correlation.bytes, fact.stream.bytes
        done, undone = self._history(fact.context.actor)
        if act not in self._known and act not in done and act not in undone:
            done.append(act)
            for other in (*undone, *done[:-MOST_ACTS]):
                self._drop(other)
            undone.clear()
            del done[:-MOST_ACTS]
            self._acts[act] = (0, type(fact.event).__name__.encode())
        self._known.add(act)
        count, kind = self._count(act)
        streams = self._streams.setdefault(act, {})
        if stream not in streams and (fact.version == 1 or self._batch.ahead(STREAM + act + stream) is None):
            self._acts[act] = (count + 1, kind)
            if count < MOST_STREAMS:
                streams[stream] = fact.version

    def turn(self, actor: str, act: UUID, *, undone: bool) -> None:
        """Move an act from those that stand to those that are undone, or back."""
        self._batch.put(UNDONE + act.bytes, b"\1") if undone else self._batch.delete(UNDONE + act.bytes)
        source, target = self._history(actor) if undone else self._history(actor)[::-1]
        if act.bytes in source:
            source.remove(act.bytes)
            target.append(act.bytes)

    def put(self) -> None:
        """Write what has changed."""
        batch = self._batch
        for actor, (done, undone) in self._histories.items():
            batch.put(HISTORY + text(actor), _HELD.pack(len(done)) + b"".join((*done, *undone)))
        for act, (count, kind) in self._acts.items():
            batch.put(COUNT + act, number(count) + kind)
        for act, streams in self._streams.items():
            for stream, version in streams.items():
                batch.put(STREAM + act + stream, number(version))

    def _history(self, actor: str) -> tuple[list[bytes], list[bytes]]:
        if actor not in self._histories:
            self._histories[actor] = _read(self._batch.get(HISTORY + text(actor)))
        return self._histories[actor]

    def _count(self, act: bytes) -> tuple[int, bytes]:
        if act not in self._acts:
            row = self._batch.get(COUNT + act)
            self._acts[act] = (0, b"") if row is None else (read_number(row[:8]), row[8:])
        return self._acts[act]

    def _drop(self, act: bytes) -> None:
        """Forget an act, whether it was entered by this batch or before it."""
        self._known.discard(act)
        self._acts.pop(act, None)
        self._streams.pop(act, None)
        self._batch.delete(COUNT + act)
        for key, _ in self._batch.scan(STREAM + act):
            self._batch.delete(key)


def _read(row: bytes | None) -> tuple[list[bytes], list[bytes]]:
    if row is None:
        return [], []
    if len(row) % _ID_BYTES != _HELD.size:
        raise ViewsDamaged("the acts of an actor cannot be read")
    acts = [row[at : at + _ID_BYTES] for at in range(_HELD.size, len(row), _ID_BYTES)]
    (held,) = _HELD.unpack_from(row)
    return acts[:held], acts[held:]


def last(reader: Reader, actor: str, *, undone: bool = False) -> Act | None:
    """Return the last act of an actor that stands, or that was undone; None when there is none."""
    acts = _read(reader.get(HISTORY + text(actor)))[undone]
    row = reader.get(COUNT + acts[-1]) if acts else None
    if row is None:
        return None
    return Act(id=UUID(bytes=acts[-1]), kind=row[8:].decode(), streams=read_number(row[:8]))


def streams(reader: Reader, act: UUID, limit: int | None = None) -> Iterator[UUID]:
    """Walk the streams that an act was about."""
    prefix = STREAM + act.bytes
    for key, _ in islice(reader.scan(prefix), limit):
        yield UUID(bytes=bytes(key[len(prefix) :]))


def version(reader: Reader, act: UUID, stream: UUID) -> int:
    """Return the version of the first event of an act on a stream that it was about, 0 where that is not kept."""
    row = reader.get(STREAM + act.bytes + stream.bytes)
    return 0 if row is None else read_number(row)


def is_undone(reader: Reader, act: UUID) -> bool:
    """Tell whether an act is undone now."""
    return reader.get(UNDONE + act.bytes) is not None
