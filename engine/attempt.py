"""One attempt at one download, from taking it to the published file.

An attempt writes into a part file that it alone holds locked, and reports to the journal, whose word is final. It ends
in exactly one way: published, faltered, blocked or stopped; once it has said which, it writes nothing more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from uuid import UUID

import trio

from lading.caching import Claim
from lading.domain import commands as c
from lading.domain import requirements, secrets, stops, urls
from lading.domain.digests import Digest
from lading.domain.download import Download
from lading.domain.errors import (
    DestinationTaken,
    DiskFull,
    Fenced,
    IntegrityError,
    InvalidDestination,
    LadingError,
    StoreError,
    TransferError,
)
from lading.domain.faults import BUNDLE, OF_THE_NETWORK, Cause
from lading.domain.ports import Call, Secrets
from lading.domain.states import RUNNING, State
from lading.domain.validators import Validator
from lading.fetching import Fetching
from lading.files import Files
from lading.holding import Holding
from lading.live import Gauge
from lading.placing import Place, Places, wanted
from lading.quarantine import Quarantine
from lading.replacing import Replacing
from lading.services import Services
from lading.taking import Taking
from lading.work import STAGED, Work

WIND_UP_S = 60.0
_DONE = {State.PAUSING: "paused", State.CANCELLING: "cancelled", State.REMOVING: "removed"}


class Attempt:
    """One try by one worker. `run` does all of it; the scheduler cancels `scope` to stop it.

    Args:
        services: the ports.
        places: settles where files go.
        worker: the engine that tries.
        download: as the views have it.
        files: what is on the disk.
        running: how many attempts there are.
        leave: told of a part that has its final name, and is to be removed when it suits.
        received: called when all has arrived, and is still to be checked and published.
        is_offline: looks whether this machine is offline at this moment.
    """

    def __init__(
        self,
        services: Services,
        places: Places,
        worker: UUID,
        download: Download,
        *,
        files: Files,
        running: Callable[[], int],
        leave: Callable[[str], None],
        received: Callable[[], None],
        is_offline: Callable[[], Awaitable[bool]],
    ) -> None:
        self._s = services
        self._places = places
        self._worker = worker
        self._leave = leave
        self._received = received
        self._is_offline = is_offline
        self._yielding: tuple[str, str] | None = None
        self._files = files
        self._quarantine = Quarantine(services, files)
        self._running = running
        self._work = Work(services, download)
        self._secrets: Secrets | None = None
        self._fetching: Fetching | None = None
        self._claim = Claim(services.caching, download, None)
        self.gauge = Gauge(services.clock.monotonic())
        self.gauge.begin(download.received, download.total)
        self.scope = trio.CancelScope()

    @property
    def number(self) -> int:
        """This attempt's number; 0 until it has started."""
        return self._work.number

    def give_way(self, reason: str, message: str) -> None:
        """Stop, because something that is needed is not there now; it is told as what blocks the download."""
        self._yielding = self._yielding or (reason, message)
        self.scope.cancel()

    def finish(self) -> None:
        """Let an endless body end with what has arrived of it; it is published like any other then."""
        if self._fetching is not None:
            self._fetching.finish()

    async def run(self) -> None:
        """Make the attempt; whatever comes of it is in the log when this returns.

        Raises:
            DiskFull: the log has no room, so that nothing could be said.
        """
        try:
            with self.scope:
                await self._guarded()
            if self.scope.cancelled_caught:
                await self._wind_up()
        except trio.Cancelled:
            await self._wind_up()
            raise
        finally:
            if self._work.holding is not None:
                self._work.holding.close()
            self._places.release(self._work.id)
            self._claim.let_go()

    async def _guarded(self) -> None:
        try:
            place = await self._take()
            self.gauge.storage = place.storage
            calls = self._work.calls(self._secrets)
            secret_path = self._secrets is not None and self._secrets.secret_path
            fetching = Fetching(
                self._s,
                self._places,
                self._work,
                place,
                gauge=self.gauge,
                running=self._running,
                secret_path=secret_path,
                claim=self._claim,
            )
            self._fetching = fetching
            await self._fetch(fetching, calls)
            self._received()
            await self._finish(fetching)
        except Fenced:
            await self._wind_up()
        except DiskFull as error:
            if not self.number:
                raise
            await self._block("disk", error)
        except TransferError as error:
            if error.cause == Cause.SECRET:
                await self._block("secret", error)
            elif await self._is_cut_off(Cause(error.cause)):
                await self._block(requirements.NETWORK, error)
            else:
                await self._falter(Cause(error.cause), error, error.retry_after_s)
        except (DestinationTaken, InvalidDestination) as error:
            await self._falter(Cause.DESTINATION, error)
        except IntegrityError as error:
            await self._block("secret", error)
        except OSError as error:
            await self._falter(Cause.DISK, error)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 # one download must not take the others with it
            await self._falter(Cause.UNKNOWN, error)

    async def _is_cut_off(self, cause: Cause) -> bool:
        """Tell whether an attempt failed because this machine is offline, which is no fault of the server's."""
        download = self._work.download
        if not self._work.features.is_on("network", download.id):
            return False
        host = urls.host(download.order.sources[download.source].url)
        return cause in OF_THE_NETWORK and not urls.is_local(host) and await self._is_offline()

    async def _fetch(self, fetching: Fetching, calls: Sequence[Call]) -> None:
        """Fetch, for as long as one attempt may; what has arrived by then counts, and the next goes on from there."""
        limit_s = self._s.settings.of_transport("http").total_timeout_s
        if not limit_s:
            return await fetching.run(calls)
        with trio.move_on_after(limit_s) as limit:
            await fetching.run(calls)
        if limit.cancelled_caught:
            raise TransferError(f"the attempt had not fetched it all in {limit_s:g} seconds", cause=Cause.TIMEOUT)
        return None

    # -- taking it -------------------------------------------------------------------------------------------------

    async def _take(self) -> Place:
        """Settle where it goes, take the part file, say `Started`, and hold the part against the log.

        What keeps it from being taken is raised after `Started`, so that the log tells it as the attempt's end.
        """
        work, before = self._work, self._work.download
        taking = Taking(self._s, self._places, work)
        trouble: Exception | None = None
        held: Holding | None = None
        place = Place(path=before.path or wanted(before), storage=before.storage or "")
        try:
            if before.order.secret and not before.forgotten:
                self._secrets = await self._s.threads.run(lambda: self._s.vault.recall(work.id))
            self._claim = await self._s.caching.claim(work, self._secrets)
            place = await self._places.settle(before)
            held = await taking.old(before, place)
        except (StoreError, Fenced):
            raise
        except Exception as error:  # noqa: BLE001 # whatever it is, it is told after `Started`, as this attempt's end
            trouble = error
        reuse = held is not None or (trouble is not None and before.part is not None)
        source = before.source % len(before.order.sources)
        start = c.Start(
            worker=self._worker,
            storage=place.storage,
            source=source,
            transport=self._s.transport.name,
            tier=before.order.sources[source].tier,
            path=place.path,
            part=before.part if reuse and before.part else place.part(work.id, before.attempt + 1),
            reuse=reuse,
            flags=work.features.flags(work.id),
            version=before.version,
        )
        await work.report(start)
        work.number = work.download.attempt
        if trouble is not None:
            raise trouble
        if place.skip:
            await work.report(c.Cancel(reason="skipped: something lies at the destination already"))
            raise Fenced("skipped")
        await (taking.new(before) if held is None else taking.check(held))
        if work.download.repairs and not work.held.tally.held:
            await taking.mend()
        return place

    # -- ending it -------------------------------------------------------------------------------------------------

    async def _finish(self, fetching: Fetching) -> None:
        """Check the whole, publish it under its final name, and say `Completed`; a member waits for its bundle."""
        work, order, probe = self._work, self._work.download.order, self._work.probe
        known = probe.validator if probe else work.download.validator
        stated, whole = known.digest if known else None, work.download.expected
        expected = str(Digest.parse(whole)) if whole else stated
        path = work.download.path or fetching.place.path
        final, held = self._places.absolute(order.root, path), work.held
        replace = work.download.replaces
        if probe is None or replace or order.together:
            inode = await held.settle()
            if held.tally.agrees(expected) is False:
                await self._refuse(expected)
            verify = work.verification(inode, fetching.assurance)
            if order.together:
                return await work.checkpoint(verify, c.Block(attempt=self.number, reason=BUNDLE, message=STAGED))
            await work.checkpoint(verify)
        with trio.CancelScope(shield=True):
            replacing = Replacing(self._s, self._quarantine, work.download, replace=replace)
            if not await replacing.publish(fetching.place.storage, held, final, expected):
                await self._refuse(expected)
            await work.report(
                c.Complete(
                    attempt=self.number,
                    path=path,
                    size=held.tally.at,
                    digest=held.tally.digest,
                    assurance=fetching.assurance,
                    url=(probe.url if probe else work.download.url) or order.url,
                    validator=known or Validator(),
                    replaced=replacing.replaced,
                    cached=fetching.cached,
                )
            )
        self._claim.store(final, held.tally, fetching.assurance, known or Validator())
        return self._leave(held.path)

    async def _refuse(self, expected: str | None) -> None:
        """Give up all that is held, because its digest is not the expected one."""
        work, order = self._work, self._work.download.order
        if work.download.repairs:
            reason = "what the server sends is another version: the file would not have the digest that was published"
            await work.start_over(reason)
            return work.unless_repairing(reason)
        if order.digest is None:
            reason = "the digest of the whole file is not the one that the server states"
            message = f"the file does not have the digest {expected} that the server states"
        else:
            reason = "the digest of the whole file is not the expected one"
            message = f"the file has {work.held.tally.digest}, expected was {order.digest}"
        await work.start_over(reason)
        raise TransferError(message, cause=Cause.DIGEST)

    async def _block(self, reason: str, error: Exception) -> None:
        await self._give_up(c.Block(attempt=self.number, reason=reason, message=self._clean(error)))

    async def _falter(self, cause: Cause, error: Exception, retry_after_s: float | None = None) -> None:
        await self._give_up(
            c.Falter(
                attempt=self.number,
                cause=cause,
                message=self._clean(error),
                now_ns=self._s.clock.now_ns(),
                jitter=self._s.chance.uniform(0.0, 1.0),
                budget=self._work.budget,
                retry_after_s=retry_after_s,
            )
        )

    async def _give_up(self, report: c.Report) -> None:
        """Say why the attempt ends, after what it wrote has been made to count; a part that counts not is taken away.

        What is blocked says its size as well, by which it is known when there is room enough.
        """
        work = self._work
        with trio.CancelScope(shield=True):
            try:
                await self._save()
                size = [work.probe] if work.probe is not None and isinstance(report, c.Block) else []
                await work.report(*size, report)
                if work.holding is not None and work.holding.is_made and not work.download.durable:
                    await self._discard()
            except Fenced:
                await self._wind_up()

    async def _save(self) -> None:
        """Checkpoint what has been written and not been logged; if that fails, those bytes do not count."""
        work = self._work
        if work.holding is not None and work.holding.unlogged and work.download.state in RUNNING:
            try:
                await work.checkpoint()
            except (OSError, DiskFull):
                return

    async def _wind_up(self) -> None:
        """Stop because somebody said so: let the log know, and leave the disk as the new state wants it.

        Who asked for a pause may ask for more before that is said; then the log is asked again.
        """
        ours = self._work.download.part
        with trio.move_on_after(WIND_UP_S, shield=True):
            while not await self._is_wound_up(ours):
                continue

    async def _is_wound_up(self, ours: str | None) -> bool:
        work = self._work
        state = await work.reload()
        try:
            if state.attempt != self.number:
                if work.holding is not None and state.part != ours:
                    path = work.holding.path
                    with suppress(InvalidDestination, OSError):  # it is an orphan then, which maintenance finds
                        await self._s.threads.run(lambda: self._s.disk.unlink(path))
            elif state.state in {State.CANCELLING, State.REMOVING}:
                settled = await self._s.threads.run(lambda: self._quarantine.settle(state))
                asked = state.message if state.state is State.CANCELLING else None
                await work.report(c.Stop(attempt=self.number, reason=asked or _DONE[state.state]), *settled)
            elif self._yielding is not None and state.state in RUNNING:
                reason, message = self._yielding
                await work.report(
                    *await self._last_words(), c.Block(attempt=self.number, reason=reason, message=message)
                )
            elif state.state in RUNNING or state.state is State.PAUSING:
                reason = _DONE.get(state.state, stops.CLOSED)
                await work.report(*await self._last_words(), c.Stop(attempt=self.number, reason=reason))
        except Fenced:
            return False
        return True

    async def _last_words(self) -> tuple[c.Report, ...]:
        """Flush what was written and not logged yet, and return what there is to say of it: nothing if that fails."""
        held, probe = self._work.holding, self._work.probe
        if held is None or not held.unlogged:
            return ()
        try:
            vouch = c.Vouch(attempt=self.number, pieces=await held.flush())
        except (OSError, LadingError):
            return ()
        return (vouch,) if probe is None else (probe, vouch)

    async def _discard(self) -> None:
        """Take a part off the disk in which nothing counts; what cannot be removed is left to the next attempt."""
        with suppress(InvalidDestination, OSError):
            await self._s.threads.run(lambda: self._files.discard(self._work.download))

    def _clean(self, error: Exception) -> str:
        if isinstance(error, OSError):
            return f"the disk failed: {error.strerror or type(error).__name__}"
        if not isinstance(error, LadingError):
            return f"an error of Lading itself: {type(error).__name__}"
        return secrets.scrub(str(error), self._secrets)
