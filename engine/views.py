"""The views of a home, kept up to date: which generation is current, how far it has come, and the next batch.

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
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import attrs

from lading.adapters import codec
from lading.collector import resting
from lading.domain.download import Download, evolve
from lading.domain.errors import IntegrityError, LogDamaged, StoreNewer, StoreUnavailable, ViewsDamaged
from lading.domain.facts import Fact
from lading.domain.ports import Log, Reader, Store
from lading.generations import Generations, HomeGenerations, PassingGenerations
from lading.projections.batch import RowCodec
from lading.projections.fold import OF_DOWNLOADS, Fold
from lading.projections.keys import number, read_number

VIEWS_FORMAT = 1
"""The shape of all keys and rows; another number has every home fold its views anew."""

BATCH = 2_000
STEP = 20_000
FORMAT, LOG, POSITION = b"\0format", b"\0log", b"\0position"


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


class _Generation:
    """An open generation: where it stood when this process last looked, and how many read from it."""

    def __init__(self, number: int, store: Store, at: int) -> None:
        self.number = number
        self.store = store
        self.at = at
        self.fold = Fold(ROWS)
        self.readers = 0


class Views:
    """The views of one log; every method may block, and may be called from any thread.

    Args:
        log: what is folded.
        open_store: opens the store of a generation, made empty when its folder is empty.
        home: the folder that holds the generations; None for views that end with the process.
        log_id: names the log, when it can, so that views of another are known.
    """

    def __init__(
        self, log: Log, open_store: Callable[[Path], Store], home: Path | None = None, *, log_id: str = ""
    ) -> None:
        self._log = log
        self._open_store = open_store
        self._log_id = log_id.encode()
        self._generations: Generations = PassingGenerations() if home is None else HomeGenerations(home)
        self._turn = threading.Lock()
        self._guard = threading.Lock()
        self._held: _Generation | None = None
        self._seen: int | None = None
        self._closed = False

    def catch_up(self, limit: int = STEP) -> Caught:
        """Fold at most `limit` events that the views lack; call again while `reached` is false.

        Raises:
            LogDamaged: the log itself cannot be folded.
            StoreNewer: the log holds events of a newer version.
            StoreUnavailable, DiskFull: the views cannot be written; what they hold stays as it is.
        """
        with self._turn:
            held, renewed = self._current(), False
            seen = held.at if self._seen is None else self._seen
            changed: set[UUID] = set()
            while limit > 0 and min(held.at, seen) < self._log.head():
                with resting():
                    facts = self._facts(min(held.at, seen), min(limit, BATCH))
                    try:
                        _fold(held, facts)
                    except (IntegrityError, StoreUnavailable) as error:
                        if self._generations.current() == held.number:
                            if renewed:
                                raise
                            renewed = True
                        held = self._renew(error)
                        continue
                changed.update(f.stream for f in facts if f.position > seen and type(f.event) in OF_DOWNLOADS)
                seen = self._seen = max(seen, facts[-1].position)
                limit -= len(facts)
            at = min(held.at, seen)
            return Caught(changed=frozenset(changed), reached=at >= self._log.head(), position=at)

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """Open a consistent look at all views, as far as they have come; keep it short."""
        held = self._hold()
        try:
            with held.store.read() as reader:
                yield reader
        finally:
            self._release(held)

    @contextmanager
    def as_of(self, position: int) -> Iterator[Reader]:
        """Open the views as they stood after the event at `position`: folded for the purpose, dropped afterwards."""
        built = self._build(position)
        try:
            with built.store.read() as reader:
                yield reader
        finally:
            self._discard(built)

    def verify(self, limit: int = 100) -> list[bytes]:
        """Fold the log afresh, and return the keys, at most `limit`, at which the views differ from that."""
        with self.read() as reader, self.as_of(_stand(reader)[0]) as fresh:
            return list(itertools.islice(_differences(reader, fresh), limit))

    def rebuild(self) -> None:
        """Fold the log into a new generation beside the current one, which stays readable, and change over to it."""
        with self._turn:
            replaced = self._generations.current()
            built = self._build()
            if self._generations.current() == replaced:
                self._change_over(built)
            else:  # another process was faster
                self._discard(built)

    def close(self) -> None:
        """Let go of the store; a second call does nothing."""
        with self._turn:
            self._closed = True
            self._let_go()

    # What the log says

    def _facts(self, after: int, limit: int) -> list[Fact]:
        return [codec.open_envelope(recorded) for recorded in self._log.read(after, limit)]

    def _build(self, upto: int | None = None) -> _Generation:
        """Fold the log, up to a position, into a new generation that is not current."""
        built = self._make()
        at = 0
        try:
            while upto is None or at < upto:
                with resting():
                    facts = self._facts(at, BATCH)
                    if not facts:
                        break
                    _fold(built, facts if upto is None else [fact for fact in facts if fact.position <= upto])
                    at = facts[-1].position
        except BaseException as error:
            self._discard(built)
            if isinstance(error, ViewsDamaged) and error.stream is not None:
                self._acquit(error.stream)
            raise
        return built

    def _acquit(self, stream: UUID) -> None:
        """Make sure that it is not the log that is damaged, by folding one stream of it alone."""
        state: Download | None = None
        for recorded in self._log.stream(stream):
            fact = codec.open_envelope(recorded)
            if fact.version != (1 if state is None else state.version + 1):
                raise LogDamaged(f"the stream {stream} lacks the event before version {fact.version}")
            state = evolve(state, fact.event, stream=stream, at_ns=fact.at_ns)

    # Which generation

    def _current(self) -> _Generation:
        """Return the current generation, opened or begun anew as needed, and one that replaced it in the meantime."""
        if self._closed:
            raise StoreUnavailable("the views are closed", hint="open the home again")
        while True:
            current = self._generations.current()
            if self._held is not None and self._held.number == current:
                return self._held
            self._let_go()
            try:
                opened = None if current is None else self._open(current)
            except StoreUnavailable:
                if self._generations.current() == current:
                    raise
                continue
            if opened is not None:
                return self._install(opened)
            if self._generations.current() == current:
                return self._begin_anew()

    def _renew(self, error: IntegrityError | StoreUnavailable) -> _Generation:
        """Return the generation to go on with after `error` of the one at hand, if that was its own fault."""
        if isinstance(error, ViewsDamaged) and error.stream is not None:
            self._acquit(error.stream)
        replaced = self._held is None or self._generations.current() != self._held.number
        self._let_go()
        return self._current() if replaced or isinstance(error, StoreUnavailable) else self._begin_anew()

    def _open(self, current: int) -> _Generation | None:
        """Open a generation, and return it if it is sound, of this format, and stands on an event of this log."""
        try:
            store = self._open_store(self._generations.folder(current))
        except (IntegrityError, StoreNewer):
            return None
        at = None
        try:
            at = self._fit(store)
        finally:
            if at is None:
                store.close()
        return None if at is None else _Generation(current, store, at)

    def _fit(self, store: Store) -> int | None:
        """Return where a store stands that these views can go on with, else None."""
        try:
            with store.read() as reader:
                at, event = _stand(reader)
                ours = reader.get(FORMAT) == number(VIEWS_FORMAT) and reader.get(LOG) == self._log_id
        except IntegrityError:
            return None
        return at if ours and (at == 0 or self._event_at(at) == event) else None

    def _event_at(self, position: int) -> bytes | None:
        found = self._facts(position - 1, 1)
        return found[0].id.bytes if found and found[0].position == position else None

    def _begin_anew(self) -> _Generation:
        return self._change_over(self._make())

    def _make(self) -> _Generation:
        """Make an empty generation."""
        fresh = self._generations.begin()
        made = _Generation(fresh, self._open_store(self._generations.folder(fresh)), 0)
        try:
            with made.store.write() as txn:
                txn.put(FORMAT, number(VIEWS_FORMAT))
                txn.put(LOG, self._log_id)
                txn.put(POSITION, number(0))
        except BaseException:
            self._discard(made)
            raise
        return made

    def _change_over(self, made: _Generation) -> _Generation:
        """Make a generation the current one, for this program and for all others."""
        try:
            self._generations.adopt(made.number)
        except BaseException:
            self._discard(made)
            raise
        return self._install(made)

    def _discard(self, built: _Generation) -> None:
        built.store.close()
        self._generations.drop(built.number)

    # A generation stays open until its last reader has left

    def _hold(self) -> _Generation:
        while True:
            with self._guard:
                if self._held is not None:
                    self._held.readers += 1
                    return self._held
            with self._turn:
                self._current()

    def _release(self, held: _Generation) -> None:
        with self._guard:
            held.readers -= 1
            last = held.readers == 0 and held is not self._held
        if last:
            held.store.close()

    def _install(self, generation: _Generation) -> _Generation:
        """Work with this generation from now on."""
        self._let_go()
        with self._guard:
            self._held = generation
        return generation

    def _let_go(self) -> None:
        """Work with no generation; the one before is closed now or by its last reader."""
        with self._guard:
            before, self._held = self._held, None
            left = before is not None and before.readers == 0
        if before is not None and left:
            before.store.close()


def _fold(generation: _Generation, facts: Sequence[Fact]) -> None:
    """Fold facts that follow on what the generation held, but for those that another process has folded meanwhile."""
    with generation.store.write() as txn:
        at, _ = _stand(txn)
        if at < generation.at:
            raise ViewsDamaged(f"the views stand at {at} and stood at {generation.at} before")
        fresh = [fact for fact in facts if fact.position > at]
        if fresh:
            generation.fold.apply(txn, fresh)
            at = fresh[-1].position
            txn.put(POSITION, number(at) + fresh[-1].id.bytes)
    generation.at = at


def _stand(reader: Reader) -> tuple[int, bytes]:
    """Return position and id of the event that was folded last."""
    row = reader.get(POSITION)
    if row is None or len(row) not in {8, 24}:
        raise ViewsDamaged("the views do not know how far they have come")
    return read_number(row[:8]), row[8:]


def _differences(one: Reader, other: Reader) -> Iterator[bytes]:
    """Walk the keys at which two stores differ, in order."""
    rows = heapq.merge(one.scan(b""), other.scan(b""))
    for key, found in itertools.groupby(rows, operator.itemgetter(0)):
        values = [value for _, value in found]
        if len(values) != 2 or values[0] != values[1]:
            yield key
