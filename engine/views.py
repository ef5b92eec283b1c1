"""The views of a home, kept up to date with its log.

View and position move in one transaction, so every fact is folded exactly once, whichever process does it. Whoever
reads, catches up first. Views are never repaired: missing, unreadable, of another format, of another log or ahead of
it, they are begun anew in the next generation and folded from the first event, in steps like any other lag. So a
program that ends in the midst of that loses nothing, and several programs on one home share the work.

Opening takes the same few reads however long the history is: the position is believed when the log has, at that very
position, the very event that was folded last.
"""

from __future__ import annotations

import heapq
import itertools
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from uuid import UUID

import attrs

from lading.adapters import codec
from lading.collector import resting
from lading.current import Current, Generation, OpenStore, stand
from lading.cut import Cut
from lading.domain.download import Download
from lading.domain.errors import IntegrityError, LogDamaged, StoreUnavailable, ViewsDamaged
from lading.domain.evolving import evolve
from lading.domain.facts import Fact
from lading.domain.ports import Log, Reader, Recorded, Store
from lading.generations import Generations, HomeGenerations, PassingGenerations
from lading.projections.batch import RowCodec
from lading.projections.fold import OF_DOWNLOADS, parts

BATCH = 5_000
STEP = 20_000
STRIDE = 200


class Rows:
    """How views keep the state of a download: as the codec of the log has it."""

    dump = staticmethod(codec.dump_download)
    load = staticmethod(codec.load_download)


ROWS: RowCodec = Rows()


@attrs.frozen(kw_only=True)
class Caught:
    """How far the views have come.

    Attributes:
        changed: the downloads with events that this object had not seen before, whichever process folded them.
        reached: whether that is the end of the log; if not, the views show the past: decide nothing on them.
        position: of the last event that was looked at.
    """

    changed: frozenset[UUID]
    reached: bool
    position: int


class Views:
    """The views of one log; every method may block, and may be called from any thread.

    Args:
        log: what is folded.
        open_store: opens the store of a generation, made empty when its folder is empty.
        home: the folder that holds the generations; None for views that end with the process.
        log_id: names the log, when it can, so that views of another are known.
        generations: what keeps the generations, instead of a home.
    """

    def __init__(
        self,
        log: Log,
        open_store: OpenStore,
        home: Path | None = None,
        *,
        log_id: str = "",
        generations: Generations | None = None,
    ) -> None:
        if generations is None:
            generations = PassingGenerations() if home is None else HomeGenerations(home)
        self._log = log
        self._open_store = open_store
        self._log_id = log_id
        self._generations = generations
        self._current = Current(generations, open_store, log_id=log_id, stands_on=self._has, codec=ROWS)
        self._seen: int | None = None

    def catch_up(self, limit: int = STEP) -> Caught:
        """Fold at most `limit` events that the views lack; call again while `reached` is false.

        Raises:
            LogDamaged: the log itself cannot be folded.
            StoreNewer: the log holds events of a newer version.
            StoreUnavailable, DiskFull: the views cannot be written; what they hold stays as it is.
        """
        with self._current.turn:
            held, renewed = self._current.get(), False
            seen = self._seen = held.at if self._seen is None else self._seen
            changed: set[UUID] = set()
            while limit > 0 and min(held.at, seen) < self._log.head():
                with resting():
                    records, facts = self._page(min(held.at, seen), min(limit, BATCH))
                    try:
                        _take(held, records, facts)
                    except (IntegrityError, StoreUnavailable) as error:
                        replaced = self._current.number != held.number
                        if renewed and not replaced:
                            raise
                        held, renewed = self._renew(error, replaced=replaced), renewed or not replaced
                        continue
                    changed.update(_streams(facts, seen))
                    seen = self._seen = max(seen, facts[-1].position)
                    limit -= len(facts)
                    del records, facts  # before the collector wakes, which would walk them all
            at = min(held.at, seen)
            return Caught(changed=frozenset(changed), reached=at >= self._log.head(), position=at)

    def read(self) -> AbstractContextManager[Reader]:
        """Open a consistent look at all views, as far as they have come; keep it short."""
        return self._current.read()

    @contextmanager
    def then(self, position: int, progress: Callable[[int], None] = lambda _: None) -> Iterator[Views]:
        """Open views of the log as it was after the event at `position`, whole and by themselves.

        They are folded for the purpose, beside the current ones, and gone afterwards; what a killed program leaves of
        them goes when the home is opened next. `progress` is told, batch by batch, how far the fold has come.
        """
        passing = self._passing()
        views = Views(Cut(self._log, position), self._open_store, log_id=self._log_id, generations=passing)
        try:
            reached = False
            while not reached:
                caught = views.catch_up(BATCH)
                progress(caught.position)
                reached = caught.reached
            yield views
        finally:
            views.close()
            passing.end()

    @contextmanager
    def as_of(self, position: int, progress: Callable[[int], None] = lambda _: None) -> Iterator[Reader]:
        """Open a look at the views as they stood after the event at `position`; `progress` as for `then`."""
        with self.then(position, progress) as views, views.read() as reader:
            yield reader

    @contextmanager
    def scratch(self) -> Iterator[Store]:
        """Open an empty store for an answer that is too large for memory; it goes as `then` does."""
        passing = self._passing()
        try:
            store = self._open_store(passing.folder(passing.begin()))
            try:
                yield store
            finally:
                store.close()
        finally:
            passing.end()

    def _passing(self) -> PassingGenerations:
        """Return what keeps generations that are gone afterwards, beside ours; what others left of theirs goes now."""
        current = self._generations.current()
        if current is not None:
            self._generations.clear(current)
        return PassingGenerations(self._generations)

    def verify(self, limit: int = 100, progress: Callable[[int, int], None] = lambda _, __: None) -> list[bytes]:
        """Fold the log afresh, and return the keys, at most `limit`, at which the views differ from that.

        `progress` is told up to which position the log was folded, and up to which it is to be.
        """
        with self.read() as reader:
            at = stand(reader)[0]
            with self.as_of(at, lambda position: progress(position, at)) as fresh:
                found = _differences(reader, fresh, lambda: progress(at, at))
                return list(itertools.islice(found, limit))

    def stands_on(self, position: int, event: bytes) -> bool:
        """Tell whether the log has, at that position, the event of that id."""
        return self._has(position, event)

    def rebuild(self) -> None:
        """Fold the log into a new generation beside the current one, which stays readable, and change over to it."""
        with self._current.turn:
            replaced = self._current.number
            built = self._build()
            if self._current.number == replaced:
                self._current.change_over(built)
            else:  # another process was faster
                self._current.discard(built)

    def close(self) -> None:
        """Let go of the store; a second call does nothing."""
        with self._current.turn:
            self._current.close()

    def _renew(self, error: IntegrityError | StoreUnavailable, *, replaced: bool) -> Generation:
        """Return the generation to go on with after `error` of the one at hand, if that was its own fault."""
        if isinstance(error, ViewsDamaged) and error.stream is not None:
            self._acquit(error.stream)
        self._current.let_go()
        unreachable = replaced or isinstance(error, StoreUnavailable)
        return self._current.get() if unreachable else self._current.begin_anew()

    def _build(self) -> Generation:
        """Fold the log into a new generation that does not count."""
        built = self._current.make()
        at = 0
        try:
            while True:
                with resting():
                    records, facts = self._page(at, BATCH)
                    if not facts:
                        break
                    _take(built, records, facts)
                    at = facts[-1].position
                    del records, facts  # before the collector wakes, which would walk them all
        except BaseException as error:
            self._current.discard(built)
            if isinstance(error, ViewsDamaged) and error.stream is not None:
                self._acquit(error.stream)
            raise
        return built

    # What the log says

    def _page(self, after: int, limit: int) -> tuple[Sequence[Recorded], list[Fact]]:
        """Return the next events behind a position, as they are recorded and as they are read."""
        records = self._log.read(after, limit)
        return records, [codec.open_envelope(recorded) for recorded in records]

    def _has(self, position: int, event: bytes) -> bool:
        _, found = self._page(position - 1, 1)
        return bool(found) and found[0].position == position and found[0].id_bytes == event

    def _acquit(self, stream: UUID) -> None:
        """Make sure that it is not the log that is damaged, by folding one stream of it alone."""
        state: Download | None = None
        for recorded in self._log.stream(stream):
            fact = codec.open_envelope(recorded)
            if fact.version != (1 if state is None else state.version + 1):
                raise LogDamaged(f"the stream {stream} lacks the event before version {fact.version}")
            state = evolve(state, fact.event, stream=stream, at_ns=fact.at_ns)


def _take(generation: Generation, records: Sequence[Recorded], facts: Sequence[Fact]) -> None:
    """Fold events into a generation, in transactions of which each takes one archive at most."""
    at = 0
    for part in parts(facts):
        generation.take(records[at : at + len(part)], part)
        at += len(part)


def _streams(facts: Iterable[Fact], after: int) -> Iterator[UUID]:
    """Yield the downloads that facts behind a position are about, each once for events that follow each other."""
    previous: UUID | None = None
    for fact in facts:
        if fact.stream is not previous and fact.position > after and type(fact.event) in OF_DOWNLOADS:
            previous = fact.stream
            yield previous


def _differences(one: Reader, other: Reader, step: Callable[[], None]) -> Iterator[bytes]:
    """Walk the keys at which two stores differ, in order; `step` is called now and then."""
    ours, theirs = one.scan(b""), other.scan(b"")
    while (mine := list(itertools.islice(ours, STRIDE))) == (yours := list(itertools.islice(theirs, STRIDE))):
        if not mine:
            return
        step()
    rows = heapq.merge(itertools.chain(mine, ours), itertools.chain(yours, theirs))
    for number, (key, found) in enumerate(itertools.groupby(rows, operator.itemgetter(0))):
        if number % STRIDE == 0:
            step()
        values = [value for _, value in found]
        if len(values) != 2 or values[0] != values[1]:
            yield key
