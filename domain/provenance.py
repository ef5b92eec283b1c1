"""Where a byte came from: the one story that a download's events tell of it.

A pure function of the stream's facts. A byte counts once a `Progressed` names a piece that holds it, and no longer when
that piece is rejected, the download starts over, or its files are given up. A piece that has grown is the same delivery
as the shorter one that began at the same byte of the same attempt: the byte was durable when it was first vouched for,
and its digest is the last piece's. What no piece names when the download completes came with the attempt that completed
it: so do all bytes of a small file, which has no other events, and then the digest is that of the whole file.

A repair begins with a copy of what is sound of the published file, and vouches for that before it has asked anybody:
whatever it names until then was brought by those who brought it before, and only what it fetched by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import attrs

from lading.domain import events as e
from lading.domain import spans
from lading.domain.download import Download
from lading.domain.evolving import evolve
from lading.domain.facts import Fact
from lading.domain.pieces import Piece
from lading.domain.states import State
from lading.domain.validators import Validator

NOT_MODIFIED = 304
_NOBODY = 0
"""The status of a `Probed` of which no server was asked: the cache had the file by its digest."""


@attrs.frozen(kw_only=True)
class Delivery:
    """Who brought a byte, and what vouches for it.

    Attributes:
        fact: the event with which the byte became durable.
        attempt, worker, storage, transport, tier: of the attempt that brought it.
        source: number of the source in the order.
        url: what was asked for there, in public.
        final_url: what answered after redirects; None when the log does not tell, or nobody was asked.
        validator: what the answer said of the resource, or what the answer was held against.
        start, end, digest: the piece, or the whole file where `whole` is set.
        cached: whether it came out of the cache.
    """

    fact: Fact
    attempt: int
    worker: UUID | None
    storage: str | None
    transport: str | None
    tier: int
    source: int
    url: str
    final_url: str | None
    validator: Validator | None
    start: int
    end: int
    digest: str
    whole: bool = False
    cached: bool = False


@attrs.frozen(kw_only=True)
class Provenance:
    """What there is to say of a byte: the download as it stands, and the delivery, None while nothing vouches for it.

    `completed` is the event with which the file had its final name, if it has had that since.
    """

    download: Download
    byte: int
    delivery: Delivery | None
    completed: Fact | None

    @property
    def is_beyond(self) -> bool:
        """Whether the file, whose size is known, has no such byte."""
        return self.download.total is not None and self.byte >= self.download.total


def trace(stream: UUID, facts: Iterable[Fact], byte: int) -> Provenance | None:
    """Return where a byte of a download came from, None of a stream without events.

    Raises:
        LogDamaged: the facts are not those of a download.
    """
    state: Download | None = None
    tracer = _Tracer(byte)
    for fact in facts:
        after = evolve(state, fact.event, stream=stream, at_ns=fact.at_ns)
        tracer.take(state, fact, after)
        state = after
    if state is None:
        return None
    return Provenance(download=state, byte=byte, delivery=tracer.delivery, completed=tracer.completed)


class _Tracer:
    """Follows one byte through the facts of its download."""

    def __init__(self, byte: int) -> None:
        self._byte = byte
        self._answers: dict[int, tuple[str | None, Validator]] = {}
        self._worker: UUID | None = None
        self._is_from_cache = False
        self._published: Delivery | None = None
        self._piece: tuple[int, int] | None = None
        self.delivery: Delivery | None = None
        self.completed: Fact | None = None

    def take(self, before: Download | None, fact: Fact, after: Download) -> None:
        """Follow one fact, between the states before and after it."""
        match fact.event:
            case e.Started() as event:
                self._answers, self._worker, self._is_from_cache = {}, event.worker, False
            case e.Probed() as event:
                self._is_from_cache = event.status in {_NOBODY, NOT_MODIFIED}
                url = None if event.status == _NOBODY else event.url
                self._answers[after.source] = url, event.validator
            case e.Joined() as event:
                self._answers[event.source] = event.url, event.validator
            case e.Progressed() as event:
                for piece in event.pieces:
                    if piece.start <= self._byte < piece.end:
                        source = after.source if piece.source is None else piece.source
                        self._deliver(fact, after, source, piece)
            case e.Completed() as event:
                self._complete(fact, event, after)
            case _:
                self._see_whether_held(before, after)
        if not after.repairs:
            self._published = None

    def _see_whether_held(self, before: Download | None, after: Download) -> None:
        """Forget the delivery when the byte does not count any more: by the state, which knows of every way."""
        if self.completed is not None:
            if before is not None and before.assurance is not None and after.assurance is None:
                self._published, self.delivery, self.completed = self.delivery, None, None
        elif not spans.holds(after.durable, self._byte, self._byte + 1):
            self.delivery = None

    def _deliver(self, fact: Fact, after: Download, source: int, piece: Piece) -> None:
        """Take in that a piece of the running attempt vouches for the byte, perhaps one that has grown."""
        grown, self._piece = self._piece, (after.attempt, piece.start)
        known = self.delivery if grown == self._piece else None
        if known is None and not self._answers:
            known = self._published  # copied, since nobody was asked yet
        if known is not None:
            self.delivery = attrs.evolve(known, start=piece.start, end=piece.end, digest=piece.digest)
            return
        own = source == after.source
        final_url, validator = self._answers.get(source, (None, after.validator if own else None))
        self.delivery = Delivery(
            fact=fact,
            attempt=after.attempt,
            worker=self._worker,
            storage=after.storage,
            transport=after.transport,
            tier=after.tier,
            source=source,
            url=after.order.sources[source].url,
            final_url=final_url,
            validator=validator,
            start=piece.start,
            end=piece.end,
            digest=piece.digest,
            cached=self._is_from_cache and own,
        )

    def _complete(self, fact: Fact, event: e.Completed, after: Download) -> None:
        self.completed = fact
        known = self.delivery
        if known is not None:
            brought = event.cached and known.attempt == event.attempt
            self.delivery = attrs.evolve(known, cached=known.cached or brought)
        elif self._byte < event.size:
            asked = self._answers.get(after.source)
            told = asked[0] if asked is not None else None if event.cached else event.url
            self._answers[after.source] = told, event.validator
            self._deliver(fact, after, after.source, Piece(0, event.size, event.digest))
            assert self.delivery is not None
            self.delivery = attrs.evolve(self.delivery, whole=True, cached=event.cached)


def is_durable(provenance: Provenance) -> bool:
    """Tell whether the download, as it stands, vouches for the byte at this moment."""
    download, byte = provenance.download, provenance.byte
    if download.state is State.COMPLETED:
        return download.invalid is None and byte < (download.total or 0)
    return spans.holds(download.durable, byte, byte + 1)
