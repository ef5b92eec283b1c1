"""The read side of a home: its views, caught up first, and its log. All of it blocks; none of it writes to the log.

The command line's looking verbs stand on this alone, without an engine; the engine runs it in worker threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import chain, islice, takewhile
from typing import Any
from uuid import UUID

import attrs

from lading import past
from lading.adapters import codec
from lading.claims import Claims
from lading.current import stand
from lading.cut import Cut
from lading.domain import provenance, scheduling
from lading.domain.download import Download
from lading.domain.errors import UnknownDownload, UsageError
from lading.domain.facts import Fact
from lading.domain.faults import BUNDLE, NEEDS_SOMEBODY
from lading.domain.hold import Hold
from lading.domain.ports import Log, Reader
from lading.domain.provenance import Provenance
from lading.domain.sightings import Wanted
from lading.domain.states import SHOWN, State
from lading.keys import key_stream
from lading.live import Live
from lading.projections import around, bundles, figures, history, hold, litter, progress, queue, roster
from lading.projections.around import Around
from lading.projections.differences import Difference
from lading.views import ROWS, Views

SHORTEST_PREFIX = 4
ELLIPSIS = "…"
PAGE = 1000
LISTED = tuple(state for state in SHOWN if state != State.REMOVED)
"""The states of what is listed when nobody names one."""


class Reading:
    """Questions to the views and the log of one home.

    `on_change` is told, in the thread that catches up, which downloads have events that were not seen before; by then
    the views have them. `claims` tells whose a path is.
    """

    def __init__(self, log: Log, views: Views) -> None:
        self.log = log
        self.views = views
        self.blocked_count = 0
        self.on_change: Callable[[frozenset[UUID]], None] = lambda _: None
        self._held = threading.local()
        self.claims = Claims(self.look)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Have all that this thread asks within the context answered out of one look at the views, opened once."""
        with self.views.read() as reader:
            self._held.reader = reader
            try:
                yield
            finally:
                self._held.reader = None

    def look(self) -> AbstractContextManager[Reader]:
        """Open a consistent look at the views; within `at_once`, the one that is open there."""
        held: Reader | None = getattr(self._held, "reader", None)
        return self.views.read() if held is None else nullcontext(held)

    def catch_up(self) -> None:
        """Fold what the log has grown by into the views, and look how much is blocked."""
        reached = False
        while not reached:
            caught = self.views.catch_up()
            reached = caught.reached
            self.on_change(caught.changed)
        with self.look() as reader:
            self.blocked_count = sum(_passing(queue.reasons(reader)))

    def lag(self) -> int:
        """Return how far the views are behind the log, in events; about, where the positions of a log have gaps."""
        with self.look() as reader:
            return max(0, self.log.head() - stand(reader)[0])

    def close(self) -> None:
        """Let go of views and log."""
        self.views.close()
        self.log.close()

    # -- one download ----------------------------------------------------------------------------------------------

    def get(self, id: UUID) -> Download | None:
        """Return a download as the views have it, or None."""
        with self.look() as reader:
            return progress.get(reader, id, ROWS)

    def find(self, text: str) -> Download:
        """Return the download that a person means by an id, the beginning of one, also with its end, or a key.

        Raises:
            UnknownDownload: none is called that, or more than one.
        """
        with self.look() as reader:
            found = [progress.get(reader, id, ROWS) for id in self._ids_like(reader, text)]
        if len(found) == 1 and found[0] is not None:
            return found[0]
        if len(found) > 1:
            ids = " and ".join(str(one.id) for one in found if one is not None)
            raise UnknownDownload(
                f"more than one download is called {text!r}, such as {ids}", hint="give more of its id"
            )
        for fact in reversed(self.stream(key_stream(text))):
            named = self.get(getattr(fact.event, "download", fact.stream))
            if named is not None:
                return named
        raise UnknownDownload(f"there is no download {text!r}")

    def _ids_like(self, reader: Reader, text: str) -> list[UUID]:
        digits, _, ending = text.replace("-", "").replace("...", ELLIPSIS).lower().partition(ELLIPSIS)
        if not SHORTEST_PREFIX <= len(digits) <= 32 or set(digits + ending) - set("0123456789abcdef"):
            return []
        low = UUID(hex=digits.ljust(32, "0"))
        after = progress.ids(reader, after=UUID(int=low.int - 1) if low.int else None)
        likely = takewhile(lambda id: id.hex.startswith(digits), after)
        return list(islice((id for id in likely if id.hex.endswith(ending)), 2))

    def stream(self, stream: UUID, after: int = 0) -> list[Fact]:
        """Return the facts of one stream after a version."""
        return [codec.open_envelope(record) for record in self.log.stream(stream, after)]

    def facts(self, after: int = 0, limit: int = PAGE) -> list[Fact]:
        """Return facts of the whole log after a position."""
        return [codec.open_envelope(record) for record in self.log.read(after, limit)]

    # -- the past --------------------------------------------------------------------------------------------------

    @contextmanager
    def as_of(self, position: int) -> Iterator[Reading]:
        """Open the read side as it was after the event at `position`: the same questions, answered as they were then.

        Views are folded for that, and gone afterwards; they cost the disk what views of so many events do.

        Raises:
            UsageError: the log has not come so far.
        """
        self._reached(position)
        with self.views.then(position) as views:
            yield Reading(Cut(self.log, position), views)

    def position_at(self, at_ns: int) -> int:
        """Return how far the log had come at a time (UTC, ns), by the latest time that any event before it tells."""
        return past.position_at(self.log, at_ns)

    def last(self) -> Fact | None:
        """Return the last fact of all, None when there is none."""
        return next(iter(self.facts(self.log.head() - 1, 1)), None)

    def diff(self, before: int, after: int) -> Iterator[Difference]:
        """Walk what changed of each download between two positions; the later one may come first.

        Raises:
            UsageError: the log has not come so far.
        """
        self._reached(max(before, after))
        return past.diff(self.log, self.views.scratch, before, after)

    def provenance(self, id: UUID, byte: int) -> Provenance:
        """Return where a byte of a download came from; what nothing vouches for has no delivery.

        Raises:
            UnknownDownload: there is no such download.
        """
        found = provenance.trace(id, self.stream(id), byte)
        if found is None:
            raise UnknownDownload(f"there is no download {str(id)!r}")
        return found

    def drift(self, wanted: Wanted) -> Iterator[dict[str, Any]]:
        """Walk every validator and digest that was ever seen for a URL, in order of time, with what had changed."""
        return past.sighted(self.log, self.views.scratch, wanted)

    def _reached(self, position: int) -> None:
        head = self.log.head()
        if position > head:
            raise UsageError(f"the log has not come to position {position}", hint=f"its last event is at {head}")

    # -- many downloads --------------------------------------------------------------------------------------------

    def listing(
        self,
        *,
        now_ns: int,
        state: str | None = None,
        tag: str | None = None,
        limit: int | None = None,
        live: Mapping[UUID, Live] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield downloads as `lading list --json` shows them, in the order in which they were asked for."""
        live = live or {}
        with self.look() as reader:
            running = max(1, roster.counts(reader).get(State.ACTIVE, 0))
            surroundings = around.look(reader, now_ns)
        for download in self.downloads(state=state, tag=tag, limit=limit):
            yield progress.listing(download, now_ns, live.get(download.id), running=running, around=surroundings)

    def downloads(
        self, *, state: str | None = None, tag: str | None = None, limit: int | None = None
    ) -> Iterator[Download]:
        """Yield downloads in the order in which they were asked for; removed ones only when `state` says so."""
        with self.look() as reader:
            yield from islice(self._matching(reader, state, tag), limit)

    def _matching(self, reader: Reader, state: str | None, tag: str | None) -> Iterator[Download]:
        for id in self._ids(reader, state, tag):
            download = progress.get(reader, id, ROWS)
            if download is None:
                continue
            if download.state is not State.REMOVED if state is None else download.state.shown == state:
                yield download

    def _ids(self, reader: Reader, state: str | None, tag: str | None) -> Iterator[UUID]:
        if tag is not None:
            return roster.by_tag(reader, tag)
        if state is not None:
            return roster.by_state(reader, state)
        return roster.ids(reader, LISTED)

    def counts(self) -> dict[str, int]:
        """Return how many downloads are in each state that users see."""
        with self.look() as reader:
            return roster.counts(reader)

    def totals(self) -> roster.Totals:
        """Return the sums over all downloads that have not ended."""
        with self.look() as reader:
            return roster.totals(reader)

    def ahead(self, totals: roster.Totals, live: Mapping[UUID, Live]) -> roster.Totals:
        """Return sums to which is added what running transfers know and have not logged yet."""
        for download in self._existing(list(live)):
            look = live[download.id]
            if not download.ended:
                sized = download.total is None and look.total is not None
                totals = attrs.evolve(
                    totals,
                    received=totals.received + max(0, look.received - download.received),
                    total=totals.total + (look.total or 0) * sized,
                    unsized=totals.unsized - sized,
                )
        return totals

    def unfinished(self) -> bool:
        """Tell whether anything is queued, waiting for time or room, or running; what needs somebody does not count.

        So while the queue is paused, only what runs counts. A member that is whole counts no more than what its bundle
        still waits for, or has to do.
        """
        with self.look() as reader:
            counts, reasons, paused = roster.counts(reader), queue.reasons(reader), hold.get(reader).paused
            if any(bundles.wanted(reader, 1)):
                return True
        names = (
            ("active", "verifying", "stopping") if paused else ("queued", "active", "verifying", "waiting", "stopping")
        )
        stuck = 0 if paused else sum(reasons.values()) - sum(_passing(reasons))
        return sum(counts.get(name, 0) for name in names) > stuck

    def history(
        self, *, limit: int | None = None, tag: str | None = None, url: str | None = None
    ) -> list[dict[str, Any]]:
        """Return how downloads ended, the latest first."""
        with self.look() as reader:
            return list(history.ended(reader, ROWS, limit=limit, tag=tag, url=url))

    def around(self, now_ns: int) -> Around:
        """Return what is around the downloads that wait for their turn."""
        with self.look() as reader:
            return around.look(reader, now_ns)

    def hold(self) -> Hold:
        """Return what holds the whole queue, as the views have it."""
        with self.look() as reader:
            return hold.get(reader)

    def statistics(self) -> figures.Statistics:
        """Return what all of it comes to."""
        with self.look() as reader:
            return figures.read(reader)

    # -- what the engine asks --------------------------------------------------------------------------------------

    def following(
        self,
        running: Mapping[UUID, str],
        limits: scheduling.Limits,
        due: Sequence[scheduling.Candidate] = (),
        kept: Callable[[str], bool] = lambda _: False,
    ) -> Iterator[scheduling.Candidate]:
        """Yield what should start next beside what runs: what is ready, or of `due` what comes before that.

        Whoever lets one start puts it among those that are `running` before he asks for the next. `kept` tells of a
        host whether nothing of it may start now. What is ready is walked through once, however many start.
        """
        with self.look() as reader:
            skipped = scheduling.Skipped(scheduling.saturated(running, limits), kept)
            waiting = queue.candidates(reader, skipped)
            while True:
                ready = scheduling.choose(waiting, running, limits)
                overdue = scheduling.choose((one for one in due if not kept(one.host)), running, limits)
                if ready is None or overdue is None:
                    chosen = ready or overdue
                else:
                    chosen = min(ready, overdue, key=lambda candidate: _turn(reader, candidate))
                    waiting = chain([ready], waiting) if chosen is overdue else waiting
                if chosen is None:
                    return
                yield chosen
                skipped.full = scheduling.saturated(running, limits)

    def due(self, now_ns: int, limit: int) -> tuple[list[scheduling.Candidate], int | None]:
        """Return what waited for a time that has come, in the order of turns, and when something more will be due."""
        with self.look() as reader:
            found = sorted(queue.due(reader, now_ns, limit), key=lambda candidate: _turn(reader, candidate))
            return found, queue.next_due(reader, now_ns)

    def resting(self, now_ns: int) -> dict[str, int]:
        """Return until when (UTC, ns) hosts are to be left alone, because their servers asked for that."""
        with self.look() as reader:
            return queue.resting(reader, now_ns)

    def blocked(self, reason: str, limit: int, *, besides: Container[UUID] = frozenset()) -> list[Download]:
        """Return downloads that are blocked by a reason, some left out."""
        with self.look() as reader:
            ids = list(islice((id for id in queue.blocked(reader, reason) if id not in besides), limit))
        return self._existing(ids)

    def litter(self, limit: int) -> list[Download]:
        """Return downloads whose files have to be put aside or back.

        Those of a bundle that is being made visible are left alone, until something has come of that or nothing.
        """
        with self.look() as reader:
            found = [progress.get(reader, id, ROWS) for id in litter.ids(reader, limit)]
            return [d for d in found if d is not None and not bundles.is_being_published(reader, d)]

    def to_shred(self, limit: int) -> list[UUID]:
        """Return downloads whose keys are to be shredded."""
        with self.look() as reader:
            return list(litter.secrets(reader, limit))

    def overdue(self, now_ns: int, retention_ns: int, limit: int) -> list[Download]:
        """Return downloads of which files have been kept for long enough."""
        with self.look() as reader:
            ids = list(litter.overdue(reader, now_ns, retention_ns, limit))
        return self._existing(ids)

    def aside(self, limit: int) -> list[Download]:
        """Return downloads of which files are kept, those that are to be deleted next first."""
        with self.look() as reader:
            ids = list(litter.aside(reader, limit))
        return self._existing(ids)

    def interrupted(self) -> list[Download]:
        """Return the downloads that were running or stopping when the log ended."""
        with self.look() as reader:
            ids = [id for name in ("active", "verifying", "stopping") for id in roster.by_state(reader, name)]
        return self._existing(ids)

    def last_completed(self, limit: int) -> list[Download]:
        """Return the downloads that completed last."""
        with self.look() as reader:
            rows = list(history.ended(reader, ROWS, limit=limit))
        return [d for d in self._existing([UUID(row["id"]) for row in rows]) if d.state is State.COMPLETED]

    def _existing(self, ids: list[UUID]) -> list[Download]:
        found = (self.get(id) for id in ids)
        return [download for download in found if download is not None]


def _passing(reasons: Mapping[str, int]) -> Iterator[int]:
    """Yield how many downloads are blocked by each reason that may pass by itself."""
    return (count for reason, count in reasons.items() if reason not in NEEDS_SOMEBODY and reason != BUNDLE)


def _turn(reader: Reader, candidate: scheduling.Candidate) -> tuple[int, UUID]:
    """Return what orders downloads by priority, then age: ids are ordered by time."""
    download = progress.get(reader, candidate.id, ROWS)
    return -download.priority if download else 0, candidate.id
