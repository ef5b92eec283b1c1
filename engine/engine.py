"""The engine: what an embedder holds in the hand.

One engine owns a home and runs its downloads; every other engine on that home is a client, which appends commands and
reads views and never touches a file. Both have the same methods. All of them may be called from any trio task while the
`async with lading.open_engine(…)` block is open.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

import trio

from lading.acts import Acts
from lading.archiving import Archiver, Archiving
from lading.bundles import Bundles, BundleStatus
from lading.checkup import Checkup
from lading.domain import commands as c
from lading.domain import estimate, hold, scheduling, undoing
from lading.domain.bundle_requests import BundleRequest
from lading.domain.download import Download
from lading.domain.errors import IllegalCommand, UnknownDownload, UsageError
from lading.domain.facts import Context
from lading.domain.health import Health
from lading.domain.hold import Hold
from lading.domain.requests import Request
from lading.domain.states import ENDED, STOPPING
from lading.files import Files
from lading.following import Follower
from lading.nurseries import open_plain_nursery
from lading.outcome import Outcome, Overall, of
from lading.placing import Places
from lading.projections.figures import Statistics
from lading.quarantine import Quarantine
from lading.queueing import Decision, QueueStream
from lading.reading import Reading
from lading.receipting import Receipting
from lading.repairing import Mending
from lading.repeats import Repeats
from lading.retuning import Retuning
from lading.scheduler import Scheduler
from lading.second_thoughts import SecondThoughts
from lading.services import Services
from lading.settings import changed
from lading.submitting import Submitting
from lading.upkeep import Tended, Upkeep, in_the_way
from lading.writer import Answer
from lading.writer import Request as Appended

BATCH = 2048
TOGETHER = 256
SWEPT_S = 10.0
VACANCY_LOOK_S = 1.0


class Engine(SecondThoughts, Tended, Mending, Archiving, Receipting):
    """An open engine; made by `lading.open_engine`, not by hand."""

    def __init__(
        self,
        services: Services,
        reading: Reading,
        places: Places,
        scheduler: Scheduler | None,
        queue: QueueStream,
        *,
        worker: UUID,
        cwd: str,
        folder: str | None,
        is_vacant: Callable[[], bool],
        checkup: Checkup,
    ) -> None:
        self._s = services
        self.caching = services.caching
        self.mishaps = services.mishaps
        self._reading = reading
        self._places = places
        self._scheduler = scheduler
        self._queue = queue
        self._is_vacant = is_vacant
        self._checkup = checkup
        self._submitting = Submitting(services, places, Repeats(reading, services.vault), folder=folder, cwd=cwd)
        self._bundles = Bundles(services, reading, places, self._submitting)
        self._news = trio.Event()
        self._heard_of = 0
        self._damage = Files(services.disk, places, reading.claims.is_anothers)
        quarantine = Quarantine(services, self._damage)
        self.news = lambda: self._news
        self.worker = worker
        self.retuning: Retuning | None = None
        self.upkeep = Upkeep(services, reading, places, worker, owner=scheduler is not None, settled=self._settled)
        self.archiver = Archiver(services, reading)
        self._acts = Acts(services, reading, quarantine, self._settled, self.upkeep.look)
        if scheduler is not None:
            scheduler.on_rest = functools.partial(self.notice, decides=False)

    @property
    def role(self) -> str:
        """`owner` when this engine runs the downloads of its home, `client` when another does or none."""
        return "owner" if self._scheduler is not None else "client"

    @property
    def reading(self) -> Reading:
        """The blocking read side: views and log of this home."""
        return self._reading

    # -- asking for downloads --------------------------------------------------------------------------------------

    async def submit(self, request: Request) -> Download:
        """Queue a download; when this returns, it is durable.

        A request with a `key` that is known already gives the download that it named before.

        Raises:
            InvalidDestination: the path leaves the download folder.
            DestinationTaken: the file that it names exists and `if_exists` is fail.
            StoreUnavailable: the log could not be written; nothing was queued.
        """
        return (await self.submit_many([request]))[0]

    async def submit_many(self, requests: Sequence[Request], *, again: bool = False) -> list[Download]:
        """Queue many downloads, in order, a batch to a commit; the secrets of a batch are kept before it is logged.

        Where they may be asked for `again`, what repeats a request that has not ended gives that download, as it is.
        """
        downloads: list[Download] = []
        act = self._act()
        for start in range(0, len(requests), BATCH):
            downloads += await self._submitting.submit(requests[start : start + BATCH], act, again=again)
            self.notice()
        return downloads

    async def submit_bundle(self, request: BundleRequest) -> BundleStatus:
        """Queue downloads that belong together, durably and in one; raises as `lading.bundles.Bundles.submit` does."""
        id = await self._bundles.submit(request)
        self.notice()
        return await self._bundles.status(id)

    async def retry_bundle(self, id: UUID) -> BundleStatus:
        """Try a bundle again that failed: of its members those that failed, or what kept it from being visible."""
        await self.retry(*await self._bundles.retry(id))
        return await self._bundles.status(id)

    # -- control ---------------------------------------------------------------------------------------------------

    async def pause(self, *ids: UUID, wait: bool = True) -> list[Download]:
        """Let downloads rest; a running one has stopped writing when this returns, unless `wait` is false."""
        return await self._control(ids, c.Pause(), wait=wait)

    async def resume(self, *ids: UUID) -> list[Download]:
        """Let paused or waiting downloads go on."""
        return await self._control(ids, c.Resume(), wait=False)

    async def cancel(self, *ids: UUID, wait: bool = True) -> list[Download]:
        """Give downloads up; when this returns, no write of theirs follows, unless `wait` is false."""
        return await self._control(ids, c.Cancel(), wait=wait)

    async def retry(self, *ids: UUID, overwrite: bool = False) -> list[Download]:
        """Try failed, cancelled or waiting downloads again, now; and complete ones whose file is not valid any more.

        With `overwrite` what lies at their paths is put aside, in the place of what a repair put there; without it a
        file that somebody has changed stays, and trying that download again is refused where its request says nothing
        else.
        """
        await self.upkeep.look_for(ids)
        if overwrite:
            await self.upkeep.make_way(ids)
        changed_ones = set() if overwrite else await self.upkeep.in_the_way(ids)
        free = [id for id in ids if id not in changed_ones]
        done = await self._control(free, c.Retry(overwrite=overwrite), wait=False)
        if changed_ones:
            raise in_the_way(changed_ones)
        return done

    async def remove(self, *ids: UUID, files: bool = False, wait: bool = True) -> list[Download]:
        """Take downloads out of the queue, and with `files` the published files of completed ones off the disk."""
        return await self._control(ids, c.Remove(files=files), wait=wait)

    async def prioritise(self, priority: int, *ids: UUID) -> list[Download]:
        """Give downloads another priority; higher runs first."""
        return await self._control(ids, c.Prioritise(priority=priority), wait=False)

    async def pause_queue(self) -> Hold:
        """Let the whole queue rest, durably: nothing more starts, what is added waits; what runs goes on."""
        return await self._tell_queue(hold.pause)

    async def resume_queue(self) -> Hold:
        """Let the whole queue go on."""
        return await self._tell_queue(hold.resume)

    async def hold(self) -> Hold:
        """Return what holds the whole queue now: whether it is paused, and what blocks it."""
        return await self._queue.held()

    async def _tell_queue(self, decision: Decision) -> Hold:
        told = await self._queue.tell(decision, self._act())
        self.notice()
        return told

    async def limit(self, limit_rate: int | None, *ids: UUID, connections: int | None = None) -> list[Download]:
        """Let downloads use so many bytes a second, None for no limit of their own; what runs goes by it at once.

        With `connections`, so many connections at once too, 0 for no limit of their own; else they stay as they are.
        """
        command = c.Limit(limit_rate=limit_rate, connections=connections or None, keep_connections=connections is None)
        return await self._control(ids, command, wait=False)

    def retune(self, **settings: Any) -> None:
        """Go by other settings from now on, as far as they can change while an engine works.

        Raises:
            InvalidSetting: one of them cannot, or cannot have that value; nothing has changed.
            UsageError: this engine is a client, and runs nothing.
        """
        if self.retuning is None:
            raise UsageError(
                "a client runs no downloads", hint="`lading config set` reaches the engine that owns the home"
            )
        self.retuning.adopt(changed(self._s.settings, **settings))

    def _act(self) -> Context:
        return self._submitting.act()

    async def _control(self, ids: Iterable[UUID], command: c.Control, *, wait: bool) -> list[Download]:
        """Append the command to each stream, as one act."""
        context = self._act()
        wanted = list(ids)
        answers: dict[UUID, Download] = {}
        refused: dict[UUID, UsageError] = {}
        for start in range(0, len(wanted), TOGETHER):
            async with open_plain_nursery() as nursery:
                for id in wanted[start : start + TOGETHER]:
                    nursery.start_soon(self._ask, id, command, context, answers, refused)
        self.notice()
        done = [answers[id] for id in wanted if id in answers]
        if wait:
            done = [await self._settled(download) for download in done]
        for id in wanted:
            if id in refused:
                raise refused[id]
        return done

    async def _ask(
        self,
        id: UUID,
        command: c.Control,
        context: Context,
        answers: dict[UUID, Download],
        refused: dict[UUID, UsageError],
    ) -> None:
        """Carry out a command on one of many downloads; those asked together share a commit."""
        try:
            state = await self._s.journal.load(id)
            if state is None:
                raise UnknownDownload(f"there is no download {id}")
            answers[id] = await self._s.journal.execute(id, command, state=state, context=context)
        except (UnknownDownload, IllegalCommand) as error:
            refused[id] = error

    async def _settled(self, download: Download) -> Download:
        """Wait until a download that is asked to stop has stopped; and, for a while, until its files are put in order.

        A client does not wait for an engine that is not there: what recovers the home will stop it.
        """
        patient_until_s = math.inf
        while True:
            news = self._news
            download = await self.get(download.id)
            if download.state not in STOPPING:
                patient_until_s = min(patient_until_s, trio.current_time() + SWEPT_S)
                if not undoing.is_unsettled(download) or trio.current_time() >= patient_until_s:
                    return download
            with trio.move_on_after(VACANCY_LOOK_S) as look:
                await news.wait()
            if look.cancelled_caught and self._scheduler is None and await self._s.threads.run(self._is_vacant):
                return download

    # -- looking ---------------------------------------------------------------------------------------------------

    async def get(self, id: UUID) -> Download:
        """Return a download as the log has it now.

        Raises:
            UnknownDownload: there is none of that id.
        """
        download = await self._s.journal.load(id)
        if download is None:
            raise UnknownDownload(f"there is no download {id}")
        return download

    async def wait(self, id: UUID) -> Outcome:
        """Wait until a download has ended, and return how."""
        download: Download | None = None
        while True:
            news = self._news
            download = await self._s.journal.load(id, download)
            if download is None:
                raise UnknownDownload(f"there is no download {id}")
            if download.state in ENDED:
                return self.outcome(download)
            await news.wait()

    def outcome(self, download: Download) -> Outcome:
        """Return how a download that has ended did end."""
        path = self._places.absolute(download.order.root, download.path) if download.path else None
        return of(download, path)

    async def bundle(self, id: UUID) -> BundleStatus:
        """Return how a bundle stands; raises UnknownDownload when there is none of that id."""
        return await self._bundles.status(id)

    async def wait_bundle(self, id: UUID) -> BundleStatus:
        """Wait until nothing more happens with a bundle by itself, and return how it stands then."""
        return await self._bundles.wait(id, lambda: self._news)

    async def wait_idle(self) -> None:
        """Wait until nothing is queued, waiting for time, or running."""
        while True:
            news = self._news
            working = self._scheduler is not None and not self._scheduler.is_at_rest
            if not working and not await self._s.threads.run(self._is_unfinished):
                return
            await news.wait()

    def _is_unfinished(self) -> bool:
        self._reading.catch_up()
        return self._reading.unfinished()

    def follow(self, id: UUID | None = None, *, after: int | None = None) -> Follower:
        """Iterate over facts as they are recorded: of one download from its first, or of all after position `after`.

        Following one download ends when it has ended; following all goes on until the caller stops. Without `after`,
        following all begins with what is recorded from now on.
        """
        return Follower(self._reading, self._s.threads, lambda: self._news, id=id, after=after)

    async def listing(self, **query: Any) -> list[dict[str, Any]]:
        """Return the queue as `lading list --json` shows it, with live rates of what runs here."""
        await self._s.threads.run(self._reading.catch_up)
        live = self._s.board.look(self._s.clock.monotonic())
        return await self._s.threads.run(
            lambda: list(self._reading.listing(now_ns=self._s.clock.now_ns(), live=live, **query))
        )

    async def history(
        self, *, limit: int | None = None, tag: str | None = None, url: str | None = None
    ) -> list[dict[str, Any]]:
        """Return how downloads ended, the latest first, as `lading history --json` shows it."""
        await self._s.threads.run(self._reading.catch_up)
        return await self._s.threads.run(lambda: self._reading.history(limit=limit, tag=tag, url=url))

    async def progress(self) -> Overall:
        """Return the whole engine at this moment."""
        await self._s.threads.run(self._reading.catch_up)
        totals = await self._s.threads.run(self._reading.totals)
        counts = await self._s.threads.run(self._reading.counts)
        live = self._s.board.look(self._s.clock.monotonic())
        totals = await self._s.threads.run(lambda: self._reading.ahead(totals, live))
        held = await self._s.threads.run(self._reading.hold)
        rates = [look.rate for look in live.values() if look.rate is not None]
        rate = sum(rates) if rates else None
        received, total = totals.received, None if totals.unsized else totals.total
        return Overall(
            active=len(live),
            queued=counts["queued"],
            waiting=counts["waiting"],
            received=received,
            total=total,
            rate=rate,
            eta=estimate.eta(received, total, rate),
            percent=estimate.percent(received, total),
            paused=held.paused,
            blocked=held.blocked,
        )

    async def statistics(self) -> Statistics:
        """Return what all of it comes to: counts, rates, bytes and durations, as `lading stats --json` shows them."""
        await self._s.threads.run(self._reading.catch_up)
        return await self._s.threads.run(self._reading.statistics)

    async def health(self) -> Health:
        """Return whether anything is wrong with the home, or with the process of its engine."""
        now_ns, owner = self._s.clock.now_ns(), self._scheduler is not None
        return await self._s.threads.run(lambda: self._checkup.look(now_ns, owner=owner))

    # -- its own business ------------------------------------------------------------------------------------------

    def notice(self, *, decides: bool = True) -> None:
        """Tell those who wait that the log has grown; unless something follows for what runs, that is in no hurry."""
        news, self._news = self._news, trio.Event()
        news.set()
        if self._scheduler is not None:
            (self._scheduler.wake if decides else self._scheduler.stir)()

    def committed(self, requests: Sequence[Appended], answers: Sequence[Answer]) -> None:
        """Tell of what this engine itself has appended; called by the writer after each commit."""
        positions = [position for answer in answers if isinstance(answer, tuple) for position in answer]
        if positions and positions[0] == self._heard_of + 1 and positions[-1] == self._heard_of + len(positions):
            self._heard_of = positions[-1]  # so nobody else has appended anything before or among these
        topics = {entry.topic for entries in requests for entry in entries}
        self.notice(decides=not topics <= scheduling.OF_NO_CONSEQUENCE)

    async def watch(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Look for what other processes append, for as long as the engine is open."""
        self._heard_of = await self._s.threads.run(self._s.log.head)
        task_status.started()
        while True:
            await self._s.clock.sleep(self._s.settings.poll_s)
            head = await self._s.threads.run(self._s.log.head)
            if head > self._heard_of:
                self._heard_of = head
                self.notice()
