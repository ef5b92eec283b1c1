"""The throttle: whoever receives pays for it, under every limit that applies, before receiving more.

There is a bucket for all downloads, and one for each host, bundle and download that is in use, all the time, limited or
not: so a limit that is set while bytes flow holds from the next receive on. A receive takes a quantum at most while any
limit applies, and the connections of one download take turns, so that downloads, not connections, share evenly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self
from uuid import UUID

import trio

from lading.domain import metering, timetable, urls
from lading.domain.download import Download
from lading.domain.metering import Bucket, Ticket
from lading.domain.ports import Clock
from lading.settings import Settings

ENDLESS = 1 << 62
HELD_S = 5.0
MOST_UNUSED = 1024
"""Hosts that nobody uses are looked through, and forgotten if they owe nothing, when there are so many, or in time."""


class Scope:
    """What shares one limit: its bucket, and how many receive under it."""

    def __init__(self) -> None:
        self.bucket = Bucket(None)
        self.sharers = 0


class HostScope(Scope):
    """A host: its bytes, its requests, asked one after the other, and for how many downloads it is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = Bucket(None)
        self.turn = trio.Lock()
        self.users = 0


class Throttle:
    """The limits of one engine, as they are at this moment."""

    def __init__(self, clock: Clock, settings: Settings) -> None:
        self._clock = clock
        self._settings = settings
        self._timetable = timetable.parse(settings.schedule)
        self._cap: int | None = None
        self._news = trio.Event()
        self._all = Scope()
        self._hosts: dict[str, HostScope] = {}
        self._bundles: dict[UUID, Scope] = {}
        self._bundled: dict[UUID, int] = {}
        self._accounts: dict[UUID, Account] = {}
        self.refresh()

    def adopt(self, settings: Settings) -> None:
        """Go by other settings from now on."""
        self._settings = settings
        self._timetable = timetable.parse(settings.schedule)
        self.refresh()

    def cap(self, rate: int | None) -> None:
        """Let all together have no more than so many bytes a second, whatever is set: the network is paid for."""
        if rate != self._cap:
            self._cap = rate
            self.refresh()

    def refresh(self) -> None:
        """Look at the time of day, and forget hosts that nobody uses; to be called about once a second."""
        now_s = self._clock.monotonic()
        changed = self._change(self._all.bucket, self._whole_rate(), now_s)
        for name, host in list(self._hosts.items()):
            changed |= self._limit_host(name, host, now_s)
            if not host.users and not host.bucket.owing_s(now_s) and not host.requests.owing_s(now_s):
                del self._hosts[name]
        for bundle in self._bundles.values():
            changed |= self._change(bundle.bucket, self._settings.bundle_limit_rate or None, now_s)
        if changed:
            self._tell()

    def limit(self, download: Download) -> None:
        """Have a download that is being fetched go by its own limits as the log has them now."""
        account = self._accounts.get(download.id)
        if account is not None:
            account.connections = download.connections
            if self._change(account.own.bucket, download.limit_rate, self._clock.monotonic()):
                self._tell()

    def account(self, download: Download) -> Account:
        """Return the account of a download that is about to be fetched, to be entered."""
        return Account(self, download)

    # -- for accounts ----------------------------------------------------------------------------------------------

    def open(self, account: Account, download: Download) -> list[Scope]:
        """Begin to keep an account, and return what it shares with others."""
        bundle, now_s = download.order.bundle, self._clock.monotonic()
        scopes = [self._all]
        if bundle is not None:
            scopes.append(self._bundles.setdefault(bundle, Scope()))
            scopes[-1].bucket.change(self._settings.bundle_limit_rate or None, now_s)
            self._bundled[bundle] = self._bundled.get(bundle, 0) + 1
        account.own.bucket.change(download.limit_rate, now_s)
        self._accounts[download.id] = account
        return scopes

    def close(self, account: Account, download: Download) -> None:
        """Keep an account no longer."""
        bundle = download.order.bundle
        if self._accounts.get(download.id) is account:
            del self._accounts[download.id]
        if bundle is not None:
            self._bundled[bundle] -= 1
            if not self._bundled[bundle]:
                del self._bundled[bundle], self._bundles[bundle]

    def host(self, name: str) -> HostScope:
        """Return what is kept of a host, which is used from now on."""
        if name not in self._hosts:
            if len(self._hosts) >= MOST_UNUSED:
                self.refresh()
            self._hosts[name] = HostScope()
            self._limit_host(name, self._hosts[name], self._clock.monotonic())
        self._hosts[name].users += 1
        return self._hosts[name]

    def now(self) -> float:
        """Return the time, in monotonic seconds."""
        return self._clock.monotonic()

    @property
    def is_paused(self) -> bool:
        """Whether nothing is to be received at this time of the day."""
        return self._all.bucket.rate == timetable.PAUSE

    async def reopened(self) -> None:
        """Wait while nothing is to be received."""
        while self.is_paused:
            await self._news.wait()

    async def paid(self, tickets: Sequence[tuple[Bucket, Ticket]]) -> None:
        """Wait until every bucket has earned what was sold, whatever becomes of the limits meanwhile."""
        while (wait_s := max(bucket.wait_s(ticket, self.now()) for bucket, ticket in tickets)) > 0:
            await self._wait(wait_s)

    async def even(self, bucket: Bucket) -> None:
        """Wait until nothing is owed to a bucket."""
        while (wait_s := bucket.owing_s(self.now())) > 0:
            await self._wait(wait_s)

    async def _wait(self, seconds: float) -> None:
        """Wait so long, or until a limit has changed."""
        with trio.move_on_after(seconds):
            await self._news.wait()

    # -- limits ----------------------------------------------------------------------------------------------------

    def _whole_rate(self) -> float | None:
        rate = timetable.at(self._timetable, self._clock.local_minute()) if self._timetable else None
        if rate is None:
            rate = self._settings.limit_rate or timetable.UNLIMITED
        rate = min(rate, timetable.UNLIMITED if self._cap is None else self._cap)
        return None if rate == timetable.UNLIMITED else rate

    def _limit_host(self, name: str, host: HostScope, now_s: float) -> bool:
        limits = self._settings.of_host(name)
        changed = self._change(host.bucket, limits.limit_rate or None, now_s)
        return self._change(host.requests, limits.requests or None, now_s) or changed

    @staticmethod
    def _change(bucket: Bucket, rate: float | None, now_s: float) -> bool:
        if bucket.rate == rate:
            return False
        bucket.change(rate, now_s)
        return True

    def _tell(self) -> None:
        news, self._news = self._news, trio.Event()
        news.set()


class Account:
    """One download's side of the throttle: what it asks hosts, and its bodies, each in a lane.

    `connections` is how many it may have, None for as many as are set.
    """

    def __init__(self, throttle: Throttle, download: Download) -> None:
        self._throttle = throttle
        self._download = download
        self.own = Scope()
        self.connections = download.connections
        self._scopes: list[Scope] = []
        self._hosts: dict[str, HostScope] = {}
        self._waiting = 0
        self._held_s = -math.inf
        self.turn = trio.Lock()

    def __enter__(self) -> Self:
        self._scopes = [*self._throttle.open(self, self._download), self.own]
        return self

    def __exit__(self, *_: object) -> None:
        for host in self._hosts.values():
            host.users -= 1
        self._throttle.close(self, self._download)

    def is_held(self) -> bool:
        """Tell whether a limit holds its bodies up, or did so a moment ago."""
        return self._waiting > 0 or self._throttle.now() - self._held_s < HELD_S

    @contextmanager
    def held(self) -> Iterator[None]:
        """Note that a body waits for a limit."""
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
            self._held_s = self._throttle.now()

    async def ask(self, source: int) -> None:
        """Wait until one more request may be made to the host of a source."""
        host = self._host(source)
        await self._throttle.reopened()
        if host.requests.rate is not None:
            async with host.turn:
                await self._throttle.even(host.requests)
                host.requests.take(1, self._throttle.now())

    def lane(self, source: int) -> Lane:
        """Return a lane for a body that comes from the host of a source, to be entered."""
        return Lane(self._throttle, [*self._scopes, self._host(source)], self)

    def _host(self, source: int) -> HostScope:
        name = urls.host(self._download.order.sources[source].url)
        if name not in self._hosts:
            self._hosts[name] = self._throttle.host(name)
        return self._hosts[name]


class Lane:
    """One body on its way in: how much the next receive may take, and what is owed for the last ones.

    It is left when the body has ended: then what is owed is waited for, and booked, however it ended.
    """

    def __init__(self, throttle: Throttle, scopes: Sequence[Scope], account: Account) -> None:
        self.scopes = scopes
        self._throttle = throttle
        self._account = account
        self._unpaid = 0
        self._quantum = ENDLESS

    async def __aenter__(self) -> Self:
        for scope in self.scopes:
            scope.sharers += 1
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                await self.pay()
        finally:
            self.book()
            for scope in self.scopes:
                scope.sharers -= 1

    @property
    def is_limited(self) -> bool:
        """Whether any limit applies at present."""
        return any(scope.bucket.rate is not None for scope in self.scopes)

    def allowance(self) -> int:
        """Return how many bytes the next receive may take; 0 while nothing is to be received."""
        quanta = [
            metering.quantum(scope.bucket.rate, scope.sharers) for scope in self.scopes if scope.bucket.rate is not None
        ]
        if not quanta:
            self._unpaid, self._quantum = 0, ENDLESS
            return ENDLESS
        self._quantum = min(quanta)
        self._unpaid = min(self._unpaid, self._quantum)
        return 0 if self._throttle.is_paused else max(1, self._quantum - self._unpaid)

    async def reopened(self) -> int:
        """Wait while nothing is to be received, and return how many bytes the next receive may take."""
        while not (most := self.allowance()):
            with self._account.held():
                await self._throttle.reopened()
        return most

    def owe(self, count: int) -> bool:
        """Note what was received, and tell whether it is time to pay."""
        self._unpaid += count
        return self._unpaid >= self._quantum

    async def pay(self) -> None:
        """Wait until what was received is earned under every limit."""
        if not self._unpaid or not self.is_limited:
            return
        with self._account.held():
            async with self._account.turn:
                await self._throttle.paid(self.book())

    def book(self) -> list[tuple[Bucket, Ticket]]:
        """Book what was received, whether or not anybody waits for it to be earned."""
        now_s, count, self._unpaid = self._throttle.now(), self._unpaid, 0
        return [(scope.bucket, scope.bucket.take(count, now_s)) for scope in self.scopes] if count else []
