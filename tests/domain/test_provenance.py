"""Where a byte came from: the story of the events agrees with what really happened to every byte."""

from __future__ import annotations

import random
from uuid import UUID

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain import commands as c
from lading.domain import events as e
from lading.domain.decide import decide
from lading.domain.errors import Fenced, IllegalCommand
from lading.domain.evolving import evolve
from lading.domain.facts import Context, Fact
from lading.domain.faults import Cause
from lading.domain.pieces import Piece
from lading.domain.provenance import is_durable, trace
from lading.domain.requests import Order, Source
from lading.domain.states import State
from lading.domain.validators import Validator

pytestmark = pytest.mark.row("C.6")

ID = UUID(int=1)
SIZE = 12
URLS = tuple(f"https://{name}.example/f" for name in ("a", "b", "c"))


@attrs.define
class Cell:
    """What a byte that is held knows of how it came."""

    attempt: int
    worker: UUID
    source: int
    final_url: str | None
    etag: str | None
    position: int
    start: int
    end: int
    digest: str
    whole: bool = False
    cached: bool = False
    named_by: int = attrs.field(default=0, eq=False)
    """The attempt whose piece vouches for it now."""


class Ship:
    """A download to which things happen as an engine would have it, and the truth about each byte of it."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        order = Order(sources=tuple(Source(url=url) for url in URLS), digest="sha256:00")
        self.facts: list[Fact] = []
        self.state = None
        self.cells: list[Cell | None] = [None] * SIZE
        self.worker = UUID(int=100)
        self.answers: dict[int, tuple[str | None, str]] = {}
        self.from_cache = False
        self.was_complete = False
        self.published: list[Cell | None] = [None] * SIZE
        self.number = 0
        self.do(c.Submit(order=order))

    def do(self, *commands) -> bool:
        """Carry out commands, and tell whether that was legal."""
        for command in commands:
            try:
                events = decide(self.state, command)
            except (Fenced, IllegalCommand):
                return False
            for event in events:
                self.number += 1
                self.state = evolve(self.state, event, stream=ID, at_ns=self.number)
                id_bytes = self.number.to_bytes(16, "big")
                self.facts.append(
                    Fact(self.number * 3, ID, len(self.facts) + 1, id_bytes, self.number, event, Context(host="here"))
                )
        return True

    @property
    def position(self) -> int:
        return self.facts[-1].position

    def tag(self) -> str:
        """Return something that was never said before."""
        self.number += 1
        return f'"{self.number}"'

    # -- what an engine does ---------------------------------------------------------------------------------------

    def start(self) -> None:
        reuse = self.chance.random() < 0.8
        held = bool(self.state.durable)
        command = c.Start(
            worker=self.worker,
            storage="disk",
            source=self.state.source,
            transport="http",
            tier=0,
            path="f",
            part=".f",
            reuse=reuse,
        )
        if self.do(command):
            self.answers, self.from_cache = {}, False
            if held and not reuse:
                self.cells = [None] * SIZE
            if self.state.repairs and not self.state.durable:
                self.mend()

    def mend(self) -> None:
        """Copy some pieces of the published file, before anybody is asked; those that touch may become one."""
        pieces: list[Piece] = []
        for begin, end, whole in sorted({(cell.start, cell.end, cell.whole) for cell in self.published if cell}):
            if whole or self.chance.random() < 0.4:
                continue
            if pieces and pieces[-1].end == begin and self.chance.random() < 0.3:
                pieces.append(Piece(pieces.pop().start, end, f"blake3:{self.tag()}"))
                continue
            pieces.append(Piece(begin, end, f"blake3:{self.tag()}"))
        if pieces and self.do(c.Vouch(attempt=self.state.attempt, pieces=tuple(pieces))):
            for piece in pieces:
                told = {"start": piece.start, "end": piece.end, "digest": piece.digest}
                for at in range(piece.start, piece.end):
                    self.cells[at] = attrs.evolve(self.published[at], named_by=self.state.attempt, **told)

    def probe(self) -> None:
        status = self.chance.choice((200, 206, 206, 304, 0))
        tag, url = self.tag(), f"https://cdn.example/{self.number}"
        validator = Validator(etag=tag)
        if self.do(c.Probe(attempt=self.state.attempt, url=url, status=status, total=SIZE, validator=validator)):
            self.answers[self.state.source] = (None if status == 0 else url), tag
            self.from_cache = status in {0, 304}

    def join(self) -> None:
        source, tag = self.chance.randrange(len(URLS)), self.tag()
        url = f"https://mirror.example/{self.number}"
        if source != self.state.source and self.do(
            c.Join(attempt=self.state.attempt, source=source, url=url, validator=Validator(etag=tag))
        ):
            self.answers[source] = url, tag

    def vouch(self) -> None:
        """Let a piece of this attempt grow, or a new one begin where nothing is held; sometimes both in one event."""
        if self.state.repairs and not self.answers:
            self.probe()
        pieces: list[Piece] = []
        for _ in range(self.chance.randint(1, 2)):
            free = [
                at for at in range(SIZE) if self.cells[at] is None and not any(p.start <= at < p.end for p in pieces)
            ]
            if not free:
                break
            at = self.chance.choice(free)
            end = at + 1
            while end in free and self.chance.random() < 0.7:
                end += 1
            before = self.cells[at - 1] if at else None
            begins = [p.start for p in pieces]
            grows = (
                before is not None
                and before.named_by == self.state.attempt
                and before.end == at
                and before.start not in begins
            )
            known = [n for n in self.answers if n != self.state.source]
            source = self.chance.choice([None, *known])
            if grows and before is not None:
                source = None if before.source == self.state.source else before.source
            start = before.start if grows and before is not None else at
            pieces.append(Piece(start, end, f"blake3:{self.tag()}", source))
        if not pieces or not self.do(c.Vouch(attempt=self.state.attempt, pieces=tuple(pieces))):
            return
        for piece in pieces:
            self.fill(piece)

    def fill(self, piece: Piece, *, whole: bool = False) -> None:
        source = self.state.source if piece.source is None else piece.source
        own = source == self.state.source
        known = self.state.validator.etag if own and self.state.validator is not None else None
        url, tag = self.answers.get(source, (None, known))
        for at in range(piece.start, piece.end):
            held = self.cells[at]
            if held is None:
                held = self.cells[at] = Cell(
                    self.state.attempt, self.last_worker, source, url, tag, self.position,
                    piece.start, piece.end, piece.digest, whole, self.from_cache and own, self.state.attempt,
                )  # fmt: skip
            held.end, held.digest = piece.end, piece.digest

    @property
    def last_worker(self) -> UUID:
        return [fact.event.worker for fact in self.facts if isinstance(fact.event, e.Started)][-1]

    def reject(self) -> None:
        held = sorted({(cell.start, cell.end) for cell in self.cells if cell is not None and not cell.whole})
        if held and not self.was_complete:
            start, end = self.chance.choice(held)
            if self.do(c.Reject(attempt=self.state.attempt, start=start, end=end, reason="damaged")):
                self.cells[start:end] = [None] * (end - start)

    def start_over(self) -> None:
        if self.do(c.StartOver(attempt=self.state.attempt, reason="changed")):
            self.cells = [None] * SIZE

    def falter(self) -> None:
        self.do(
            c.Falter(
                attempt=self.state.attempt,
                cause=self.chance.choice((Cause.NETWORK, Cause.DIGEST)),
                message="it broke",
                now_ns=0,
                jitter=0.0,
                budget=self.chance.randint(0, 3),
            )
        )

    def complete(self) -> None:
        cached = self.from_cache or self.chance.random() < 0.2
        tag, url = self.tag(), f"https://cdn.example/{self.number}"
        said = c.Complete(
            attempt=self.state.attempt,
            path="f",
            size=SIZE,
            digest=f"sha256:{self.number}",
            assurance="length",
            url=url,
            validator=Validator(etag=tag),
            cached=cached,
        )
        if not self.do(said):
            return
        self.was_complete = True
        asked = self.answers.get(self.state.source)
        told = asked[0] if asked else None if cached else url
        for at, cell in enumerate(self.cells):
            if cell is not None:
                cell.cached = cell.cached or (cached and cell.attempt == self.state.attempt)
            else:
                self.cells[at] = Cell(
                    self.state.attempt, self.last_worker, self.state.source, told, tag, self.position,
                    0, SIZE, said.digest, whole=True, cached=cached,
                )  # fmt: skip

    def stop(self) -> None:
        self.do(c.Stop(attempt=self.state.attempt, reason="the engine closes"))

    def restart(self) -> None:
        """Another engine opens the home."""
        self.worker = UUID(int=self.worker.int + 1)
        self.stop()

    def retry(self) -> None:
        if self.do(c.Retry()) and self.was_complete and self.state.state is State.QUEUED:
            self.cells, self.was_complete = [None] * SIZE, False

    def repair(self) -> None:
        published = self.cells if self.was_complete else self.published
        if self.do(c.Repair()) and self.was_complete:
            self.cells, self.published, self.was_complete = [None] * SIZE, published, False

    def give_up(self) -> None:
        """Cancel it, and perhaps let its files be put aside or go."""
        self.do(c.Cancel())
        self.stop()
        if self.state.litter and self.chance.random() < 0.5:
            self.do(c.Discard(size=0))
            self.cells = [None] * SIZE
        elif self.state.litter:
            part = self.chance.choice((None, ".kept"))
            if self.do(c.Quarantine(size=1, until_ns=9, part=part)) and part is None:
                self.cells = [None] * SIZE

    def restore(self) -> None:
        self.do(c.Restore())

    def invalidate(self) -> None:
        self.do(c.Invalidate(reason="gone"))

    def pause(self) -> None:
        self.do(c.Pause())

    def resume(self) -> None:
        self.do(c.Resume())


DEEDS = (
    ["start"] * 5 + ["vouch"] * 6 + ["probe", "join", "retry", "resume", "repair"] * 2
    + ["reject", "falter", "stop", "restart", "pause", "start_over", "complete", "give_up", "restore", "invalidate"]
)  # fmt: skip


def check(ship: Ship) -> None:
    """Hold what is told of every byte against the truth."""
    for byte, cell in enumerate(ship.cells):
        found = trace(ID, ship.facts, byte)
        assert found is not None
        assert found.download == ship.state
        assert (found.completed is not None) == ship.was_complete
        if cell is None:
            assert found.delivery is None
            assert not is_durable(found)
            continue
        told = found.delivery
        assert told is not None
        assert cell == Cell(
            attempt=told.attempt,
            worker=told.worker,
            source=told.source,
            final_url=told.final_url,
            etag=told.validator and told.validator.etag,
            position=told.fact.position,
            start=told.start,
            end=told.end,
            digest=told.digest,
            whole=told.whole,
            cached=told.cached,
        )
        assert told.url == URLS[cell.source]
        assert is_durable(found) or ship.was_complete
    assert trace(ID, ship.facts, SIZE).delivery is None


@settings(deadline=None, max_examples=150)
@given(st.lists(st.sampled_from(DEEDS), max_size=40), st.randoms(use_true_random=False))
def test_every_byte_is_traced_to_what_brought_it(deeds, chance):
    """Over attempts, engines, mirrors, rejected pieces, beginnings anew, the cache and small files."""
    ship = Ship(chance)
    for deed in deeds:
        getattr(ship, deed)()
    check(ship)


def test_long_histories_have_all_of_it_and_every_byte_is_traced():
    """And what the test above is said to be over is there in histories like its own, so that it can fail."""
    met = set()
    for seed in range(300):
        chance = random.Random(seed)
        ship = Ship(chance)
        for deed in chance.choices(DEEDS, k=60):
            getattr(ship, deed)()
        check(ship)
        held = [cell for cell in ship.cells if cell is not None]
        met |= {type(fact.event) for fact in ship.facts}
        met |= {"mixed sources"} if len({cell.source for cell in held}) > 1 else set()
        met |= {"mixed attempts"} if len({cell.attempt for cell in held}) > 1 else set()
        met |= {"mixed workers"} if len({cell.worker for cell in held}) > 1 else set()
        mended = {cell.named_by for cell in held if cell.attempt < cell.named_by}
        met |= {"kept and fetched"} if mended & {cell.attempt for cell in held} else set()
        met |= {"partly whole"} if {cell.whole for cell in held} == {True, False} else set()
    wanted = {e.PieceRejected, e.Restarted, e.Joined, e.FellBack, e.Completed, e.Discarded, e.Quarantined, e.Restored}
    assert wanted | {"mixed sources", "mixed attempts", "mixed workers", "partly whole", "kept and fetched"} <= met


def test_a_small_file_is_traced_by_its_last_event():
    """Queued, Started and Completed are all that there is of it."""
    ship = Ship(random.Random(0))
    ship.start()
    ship.complete()
    found = trace(ID, ship.facts, SIZE - 1)
    assert [type(fact.event).__name__ for fact in ship.facts] == ["Queued", "Started", "Completed"]
    assert found.delivery is not None
    assert found.delivery.whole
    assert found.delivery.fact is ship.facts[-1]
    assert found.delivery.worker == ship.worker


def test_a_byte_that_the_file_does_not_have_is_said_to_lie_beyond():
    """Only where the size is known; before that nothing can be said."""
    ship = Ship(random.Random(0))
    assert not trace(ID, ship.facts, SIZE).is_beyond
    ship.start()
    ship.complete()
    assert trace(ID, ship.facts, SIZE).is_beyond
    assert not trace(ID, ship.facts, SIZE - 1).is_beyond


def test_what_is_no_download_has_no_bytes():
    """A stream without events tells nothing."""
    assert trace(ID, [], 0) is None
