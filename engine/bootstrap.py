"""The one composition root: which adapter stands behind which port. Nobody else puts adapters together."""

from __future__ import annotations

import functools
import getpass
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs

from lading.adapters.cache import FolderCache
from lading.adapters.disk import LocalDisk, share_blocks
from lading.adapters.http import CONNECTIONS_MAX, HTTPXTransport
from lading.adapters.lmdb import LMDBStore
from lading.adapters.machine import LocalMachine
from lading.adapters.processes import SystemProcesses
from lading.adapters.system import SystemChance, SystemClock
from lading.adapters.threads import WorkerThreads
from lading.adapters.vault import SealedVault
from lading.buffers import Buffers
from lading.bundling import Bundling
from lading.caching import Caching
from lading.checkup import Checkup
from lading.cursors import FileCursors
from lading.deliveries import Deliveries
from lading.domain import events as e
from lading.domain.checkpoints import Budget
from lading.domain.disks import Disk
from lading.domain.errors import DiskFull, UsageError
from lading.domain.facts import Context
from lading.domain.health import Processes
from lading.domain.keeping import Cache
from lading.domain.ports import Chance, Clock, Log, Machine, Threads, Transport, Vault
from lading.engine import Engine
from lading.files import Files
from lading.home import EngineLock, open_home
from lading.hooking import Desk, Hands, Hooking
from lading.journal import Journal
from lading.live import Board
from lading.mishaps import Mishaps
from lading.notarising import Hand, Notarising
from lading.notary import Notary
from lading.nurseries import open_plain_nursery
from lading.opening import default_home, open_notary, open_own_log, open_views
from lading.placing import Places
from lading.publisher import Publisher
from lading.queueing import QueueStream
from lading.reading import Reading
from lading.recovery import Recovery
from lading.retuning import Retuning, SettingsFile
from lading.scheduler import Scheduler
from lading.services import Services
from lading.settings import Settings, load
from lading.shredding import Shredding
from lading.slots import Slots
from lading.surroundings import Surroundings
from lading.throttle import Throttle
from lading.upkeep import Upkeep
from lading.version import VERSION
from lading.views import Views
from lading.writer import Answer, LogWriter, Request

ROLES = ("auto", "owner", "client")


@attrs.frozen(kw_only=True)
class Parts:
    """The adapters of an engine, for those who bring their own: `lading.testing` does, and embedders may."""

    log: Log
    views: Views
    disk: Disk
    transport: Transport
    vault: Vault
    cache: Cache
    threads: Threads
    clock: Clock
    chance: Chance
    machine: Machine
    processes: Processes = attrs.field(factory=SystemProcesses)
    hands: Hands | None = None
    notary: Notary | None = None
    hand: Hand | None = None


@asynccontextmanager
async def open_engine(
    home: str | os.PathLike[str] | None = None,
    *,
    downloads: str | os.PathLike[str] | None = None,
    role: str = "auto",
    log: str | None = None,
    settings: Settings | None = None,
    actor: str | None = None,
    start: bool = True,
    **overrides: Any,
) -> AsyncIterator[Engine]:
    """Open an engine on a home, made when it is not there yet.

    Args:
        home: the folder of log, views, vault and settings; by default `default_home()`.
        downloads: the folder that relative destinations lie in; by default the current one.
        role: `owner` to run downloads, `client` to only ask and look, `auto` to be the owner if nobody is.
        log: a log URL; by default LMDB in the home.
        settings: instead of those of the home and the environment.
        actor: in whose name events are written; by default the user's.
        start: whether an owner starts downloads; without it, it only settles what is asked of it.
        overrides: single settings, such as `concurrency=8`.

    Raises:
        StoreLocked: `role` is owner and another engine owns the home.
        StoreUnavailable, StoreNewer, IntegrityError: the home or its log cannot be used; nothing was changed.
        InvalidSetting: a setting, or a file that one names, cannot be used; that file matters to an owner only.
    """
    if role not in ROLES:
        raise UsageError(f"there is no role {role!r}", hint=f"roles are {', '.join(ROLES)}")
    chance, clock, threads = SystemChance(), SystemClock(), WorkerThreads()
    place = open_home(Path(home) if home is not None else default_home(), new_id=chance.uuid(clock.now_ns()))
    read = functools.partial(load, place.settings_path, os.environ, **overrides)
    file = SettingsFile(place.settings_path, read) if settings is None else None
    chosen = settings or read()
    async with AsyncExitStack() as stack:
        lock = EngineLock(place)
        stack.callback(lock.release)
        owner = role != "client" and lock.take()
        if role == "owner" and not owner:
            raise EngineLock.refuse(place)
        lock.sign()
        opened = open_own_log(place, log)
        stack.callback(opened.close)
        views = open_views(place, opened)
        stack.callback(views.close)
        vault = SealedVault(place.vault_path, LMDBStore)
        stack.callback(vault.close)
        cache = FolderCache(place.cache_path, LMDBStore, clone=share_blocks)
        stack.callback(cache.close)
        transport = _fetcher(chosen.of_transport("http")) if owner else HTTPXTransport()
        stack.push_async_callback(transport.aclose)
        notary = open_notary(place, opened, views, chosen, log)
        if notary is not None:
            await threads.run(notary.examine)
        deliveries = Deliveries(trust_env=chosen.trust_env)
        parts = Parts(
            log=opened,
            views=views,
            disk=LocalDisk(),
            transport=transport,
            vault=vault,
            cache=cache,
            threads=threads,
            clock=clock,
            chance=chance,
            machine=LocalMachine(),
            hands=Hands(runner=deliveries, cursors=FileCursors(place.path)),
            notary=notary,
            hand=deliveries.hand,
        )
        folder = None if downloads is None else os.path.abspath(downloads)  # noqa: ASYNC240 # asks no disk
        context = Context(actor=actor or _user(), host=socket.gethostname())
        engine = await stack.enter_async_context(
            run_engine(
                parts,
                settings=chosen,
                context=context,
                owner=owner,
                folder=folder,
                cwd=os.getcwd(),
                start=start,
                file=file,
                is_vacant=EngineLock(place).is_vacant,
                home=place.path,
            )
        )
        yield engine


@asynccontextmanager
async def run_engine(
    parts: Parts,
    *,
    settings: Settings,
    context: Context,
    owner: bool,
    folder: str | None,
    cwd: str,
    start: bool = True,
    is_vacant: Callable[[], bool] = lambda: False,
    file: SettingsFile | None = None,
    home: Path | None = None,
) -> AsyncIterator[Engine]:
    """Run an engine on ports that are open already; its tasks live as long as the block.

    `is_vacant` tells a client whether no engine owns the home; it may block. `file` is where an owner looks for
    settings that change while it works, `home` where the home lies, if anywhere.
    """
    engine: Engine | None = None

    def on_commit(requests: Sequence[Request], answers: Sequence[Answer]) -> None:
        if engine is not None:
            engine.committed(requests, answers)

    def on_change() -> None:
        if engine is not None:
            engine.notice()

    writer = LogWriter(parts.log, parts.threads, on_commit)
    journal = Journal(parts.log, writer, parts.threads, parts.clock, parts.chance)
    reading = Reading(parts.log, parts.views)
    roots: Mapping[str, str] = {"/": "/"} | ({"downloads": folder} if folder is not None else {})
    places = Places(roots, parts.disk, parts.threads, reading.claims.owner)
    services = _services(parts, journal, settings, context)
    worker = parts.chance.uuid(parts.clock.now_ns())
    queue = QueueStream(services, reading)
    around = Surroundings(services, parts.machine, queue, worker, on_change)
    scheduler = Scheduler(services, reading, places, around, worker) if owner else None
    if scheduler is not None:
        scheduler.paused = not start
    async with open_plain_nursery() as nursery:
        await nursery.start(writer.run)
        try:
            if scheduler is not None:
                await _take_over(services, reading, places, worker)
                await around.look()
                nursery.start_soon(around.run)
            engine = Engine(
                services,
                reading,
                places,
                scheduler,
                queue,
                worker=worker,
                folder=folder,
                cwd=cwd,
                is_vacant=is_vacant,
                checkup=_checkup(parts, services, reading, home=home, roots=roots, is_vacant=is_vacant),
            )
            engine.notary = parts.notary
            await nursery.start(engine.watch)
            if scheduler is not None:
                engine.retuning = Retuning(services, scheduler.wake, around.look, file)
                nursery.start_soon(engine.retuning.run)
            upkeep = engine.upkeep if scheduler is not None and start and settings.maintenance_s else None
            hooking = _hooking(parts, settings, reading, places, engine) if scheduler is not None and start else None
            notarising = _notary(parts, services) if scheduler is not None else None
            await nursery.start(services.caching.run)
            async with _telling(hooking), _working(scheduler), _tending(upkeep), _notarising(notarising):
                yield engine
            await services.caching.close()
            if scheduler is not None:
                with suppress(DiskFull):  # the next engine finds one that ended without a word, and nothing is lost
                    await journal.note(worker, e.EngineClosed(worker=worker), context=context)
            if notarising is not None:
                await notarising.close()
        finally:
            services.caching.stop()
            writer.close()
            nursery.cancel_scope.cancel()


def _services(parts: Parts, journal: Journal, settings: Settings, context: Context) -> Services:
    board, mishaps = Board(), Mishaps()
    services = Services(
        log=parts.log,
        journal=journal,
        disk=parts.disk,
        transport=parts.transport,
        vault=parts.vault,
        threads=parts.threads,
        clock=parts.clock,
        chance=parts.chance,
        settings=settings,
        context=context,
        board=board,
        buffers=Buffers(),
        budget=Budget(),
        publisher=Publisher(parts.disk, parts.threads),
        throttle=Throttle(parts.clock, settings),
        slots=Slots(board.connections, lambda host: services.settings.of_host(host).connections or 0),
        caching=Caching(parts.cache, parts.vault, parts.threads, parts.clock, settings, mishaps=mishaps),
        mishaps=mishaps,
    )
    return services


def _checkup(
    parts: Parts,
    services: Services,
    reading: Reading,
    *,
    home: Path | None,
    roots: Mapping[str, str],
    is_vacant: Callable[[], bool],
) -> Checkup:
    return Checkup(
        reading,
        parts.processes,
        disk=parts.disk,
        is_vacant=is_vacant,
        home=home,
        roots=roots,
        settings=lambda: services.settings,
        cursors=None if parts.hands is None else parts.hands.cursors,
        notary=parts.notary,
    )


@asynccontextmanager
async def _working(scheduler: Scheduler | None) -> AsyncIterator[None]:
    """Run the scheduler beside the block, and stop it in good order after it."""
    if scheduler is None:
        yield
        return
    async with open_plain_nursery() as nursery:
        await nursery.start(scheduler.run)
        try:
            yield
        finally:
            scheduler.close()


@asynccontextmanager
async def _tending(upkeep: Upkeep | None) -> AsyncIterator[None]:
    """Tidy up beside the block, and leave it where it is after it."""
    if upkeep is None:
        yield
        return
    async with open_plain_nursery() as nursery:
        nursery.start_soon(upkeep.run)
        try:
            yield
        finally:
            upkeep.stop()
            nursery.cancel_scope.cancel()


def _hooking(parts: Parts, settings: Settings, reading: Reading, places: Places, engine: Engine) -> Hooking | None:
    """Return what serves the hooks that are set; None where there are none."""
    if parts.hands is None or not settings.hooks:
        return None
    desk = Desk(
        hands=parts.hands,
        reading=reading,
        places=places,
        threads=parts.threads,
        clock=parts.clock,
        news=engine.news,
    )
    return Hooking(settings.hooks, desk)


@asynccontextmanager
async def _telling(hooking: Hooking | None) -> AsyncIterator[None]:
    """Serve hooks beside the block, and deliver what is at hand after it."""
    if hooking is None:
        yield
        return
    async with open_plain_nursery() as nursery:
        await nursery.start(hooking.run)
        yield
        await hooking.close()


def _notary(parts: Parts, services: Services) -> Notarising | None:
    """Return what has the ledger signed; None where there is no home to keep checkpoints in."""
    if parts.notary is None or parts.hand is None:
        return None
    return Notarising(services, parts.notary, parts.hand)


@asynccontextmanager
async def _notarising(notarising: Notarising | None) -> AsyncIterator[None]:
    """Have the ledger signed beside the block."""
    if notarising is None:
        yield
        return
    async with open_plain_nursery() as nursery:
        nursery.start_soon(notarising.run)
        try:
            yield
        finally:
            nursery.cancel_scope.cancel()


async def _take_over(services: Services, reading: Reading, places: Places, worker: UUID) -> None:
    await services.threads.run(reading.catch_up)
    await services.journal.note(worker, e.EngineOpened(worker=worker, version=VERSION), context=services.context)
    files = Files(services.disk, places, reading.claims.is_anothers)
    await Recovery(services, reading, files, worker).run()
    await Bundling(services, reading, places, files).recover()
    await Shredding(services, reading).recover()


def _fetcher(settings: Settings) -> HTTPXTransport:
    """Return the transport of an owner; a client fetches nothing, and no file or proxy keeps it from asking."""
    return HTTPXTransport(
        connect_timeout_s=settings.connect_timeout_s,
        read_timeout_s=settings.stall_timeout_s,
        connections_max=max(settings.concurrency, CONNECTIONS_MAX),
        trust_env=settings.trust_env,
        netrc=settings.netrc,
        cookies=settings.cookies,
        client_certificate=settings.client_certificate,
        client_key=settings.client_key,
        http2=settings.http2,
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
