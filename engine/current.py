"""The current generation of views, as this process has it open.

It is followed when another program changes over to a newer one, made anew when it cannot be trusted, and closed when
its last reader has left. Whether a store can be trusted is told by three rows of it: the format of the views, the id of
their log, and position and id of the event that was folded last.
"""

from __future__ import annotations

import operator
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lading.domain.errors import IntegrityError, StoreNewer, StoreUnavailable, ViewsDamaged
from lading.domain.facts import Fact
from lading.domain.ports import Reader, Recorded, Store
from lading.generations import Generations
from lading.projections import ledger
from lading.projections.batch import RowCodec
from lading.projections.fold import Fold
from lading.projections.keys import number, read_number

VIEWS_FORMAT = 7
"""The shape of all keys and rows; another number has every home fold its views anew."""

FORMAT, LOG, POSITION = b"\0format", b"\0log", b"\0position"

OpenStore = Callable[[Path], Store]
StandsOn = Callable[[int, bytes], bool]
"""Tells whether the log has, at that position, the event of that id."""


class Generation:
    """An open generation: where it stood when this process last looked, and how many read from it."""

    def __init__(self, number: int, store: Store, at: int, codec: RowCodec) -> None:
        self.number = number
        self.store = store
        self.at = at
        self.readers = 0
        self._fold = Fold(codec)

    def take(self, records: Sequence[Recorded], facts: Sequence[Fact]) -> None:
        """Fold events that follow on where it stood, but for those that another process has folded meanwhile.

        Args:
            records: the events as the log has them.
            facts: the same, read.

        Raises:
            ViewsDamaged: they do not follow on what it holds; nothing was written.
            StoreUnavailable, IntegrityError: the store cannot be written or read.
        """
        with self.store.write() as txn:
            at, _ = stand(txn)
            if at < self.at:
                raise ViewsDamaged(f"the views stand at {at} and stood at {self.at} before")
            known = bisect_right(facts, at, key=_position)
            fresh = facts[known:]
            if fresh:
                self._fold.apply(txn, fresh)
                ledger.append(txn, records[known:])
                at = fresh[-1].position
                txn.put(POSITION, number(at) + fresh[-1].id_bytes)
        self.at = at


_position = operator.attrgetter("position")


def stand(reader: Reader) -> tuple[int, bytes]:
    """Return position and id of the event that was folded last.

    Raises:
        ViewsDamaged: the views do not tell.
    """
    row = reader.get(POSITION)
    if row is None or len(row) not in {8, 24}:
        raise ViewsDamaged("the views do not know how far they have come")
    return read_number(row[:8]), row[8:]


class Current:
    """The generation that counts. Whoever changes it or folds into it holds `turn`; readers need not.

    Args:
        generations: where they lie, and which of them counts.
        open_store: opens the store of one, made empty when its folder is empty.
        log_id: names the log, when it can.
        stands_on: asks the log for an event.
        codec: how rows are written.
    """

    def __init__(
        self, generations: Generations, open_store: OpenStore, *, log_id: str, stands_on: StandsOn, codec: RowCodec
    ) -> None:
        self.turn = threading.Lock()
        self._generations = generations
        self._open_store = open_store
        self._log_id = log_id.encode()
        self._stands_on = stands_on
        self._codec = codec
        self._guard = threading.Lock()
        self._held: Generation | None = None
        self._closed = False

    @property
    def number(self) -> int | None:
        """The number of the generation that counts at this moment, for every program."""
        return self._generations.current()

    def get(self) -> Generation:
        """Return the generation that counts, opened or begun anew as needed."""
        if self._closed:
            raise StoreUnavailable("the views are closed", hint="open the home again")
        while True:
            current = self.number
            if self._held is not None and self._held.number == current:
                return self._held
            self.let_go()
            try:
                opened = None if current is None else self._open(current)
            except StoreUnavailable:
                if self.number == current:
                    raise
                continue
            if opened is not None:
                self._generations.clear(opened.number)
                return self._install(opened)
            if self.number == current:
                return self.begin_anew()

    def begin_anew(self) -> Generation:
        """Make an empty generation the one that counts."""
        return self.change_over(self.make())

    def make(self) -> Generation:
        """Make an empty generation, which does not count yet; it must be changed over to or discarded."""
        fresh = self._generations.begin()
        try:
            store = self._open_store(self._generations.folder(fresh))
        except BaseException:
            self._generations.drop(fresh)
            raise
        made = Generation(fresh, store, 0, self._codec)
        try:
            with store.write() as txn:
                txn.put(FORMAT, number(VIEWS_FORMAT))
                txn.put(LOG, self._log_id)
                txn.put(POSITION, number(0))
        except BaseException:
            self.discard(made)
            raise
        return made

    def change_over(self, made: Generation) -> Generation:
        """Make a generation the one that counts, for this program and for all others."""
        try:
            self._generations.adopt(made.number)
        except BaseException:
            self.discard(made)
            raise
        return self._install(made)

    def discard(self, made: Generation) -> None:
        """Close and remove a generation that does not count."""
        made.store.close()
        self._generations.drop(made.number)

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """Open a look at the generation that this process has; it stays open for the reader, whatever counts later."""
        held = self._enter()
        try:
            with held.store.read() as reader:
                yield reader
        finally:
            self._leave(held)

    def let_go(self) -> None:
        """Work with no generation; the one before is closed now or by its last reader."""
        with self._guard:
            before, self._held = self._held, None
            unread = before is not None and before.readers == 0
        if before is not None and unread:
            before.store.close()

    def close(self) -> None:
        """Let go for good; a second call does nothing."""
        self._closed = True
        self.let_go()

    def _install(self, generation: Generation) -> Generation:
        self.let_go()
        with self._guard:
            self._held = generation
        return generation

    def _open(self, current: int) -> Generation | None:
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
        return None if at is None else Generation(current, store, at, self._codec)

    def _fit(self, store: Store) -> int | None:
        """Return where a store stands that can be gone on with, else None."""
        try:
            with store.read() as reader:
                at, event = stand(reader)
                ours = reader.get(FORMAT) == number(VIEWS_FORMAT) and reader.get(LOG) == self._log_id
        except IntegrityError:
            return None
        return at if ours and (at == 0 or self._stands_on(at, event)) else None

    def _enter(self) -> Generation:
        while True:
            with self._guard:
                if self._held is not None:
                    self._held.readers += 1
                    return self._held
            with self.turn:
                self.get()

    def _leave(self, held: Generation) -> None:
        with self._guard:
            held.readers -= 1
            last = held.readers == 0 and held is not self._held
        if last:
            held.store.close()
