"""The connections that fetch one file: one at first, more of them as long as that helps, from mirrors too.

Each line of the crew has a share of the file, asks for it, and takes in what is answered; who has done takes the next.
Once a second an overseer looks at what arrives: `lading.domain.growth` says how many lines there should be, and one
that is much slower than the others is begun anew. Nothing is taken from a line that works until its taker's source has
been tried: it is asked for some bytes that we hold, and has to send the same. So a server that gives no ranges, or
others than it says, costs a question and no bytes.

A line that fails gives back what it has not fetched. Its source gets no more lines than are left there; only when no
line is left, and no source, has the attempt failed.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence

import attrs
import trio

from lading.domain import allotment as shares
from lading.domain import commands as c
from lading.domain import growth, replies, spans, urls
from lading.domain.allotment import Allotment, Share
from lading.domain.download import Download
from lading.domain.errors import TransferError
from lading.domain.faults import Cause
from lading.domain.growth import Growth
from lading.domain.pieces import cell_size
from lading.domain.ports import Call, Reply
from lading.domain.replies import Afresh, Ask, Receive, Reject, Unguarded, Whole
from lading.domain.validators import Validator
from lading.intake import Course, Intake
from lading.nurseries import open_plain_nursery
from lading.overlap import agrees
from lading.services import Services
from lading.throttle import Account
from lading.work import Work

BLOCK_S = 8.0
LEAST_BLOCK, MOST_BLOCK = 4 * 1024 * 1024, 256 * 1024 * 1024
"""A share is what a line fetches in about so many seconds, within these bounds in bytes."""
MOST_OPEN, MOST_OPEN_ASKED = 24, 128
"""More lines than the first of each file are taken on only while an engine has fewer connections than the first of
these, or than the second where the request itself says how many there may be."""
MOST_RESTARTS = 16
MOST_CRUMBS, CRUMB = 8, 16
"""How often a source may send a small part of what was asked for, and what is small: a sixteenth of the rest."""
MOST_SKIPPED = 1024 * 1024
"""How many bytes before those that were asked for are taken to be dropped."""
SCOUT_S = 30.0

Answered = tuple[Reply, Callable[[], Awaitable[None]]]
"""An answer, and what closes it."""


class Overlong(TransferError):
    """A body went on behind the end that the server had told: none of it may be believed."""


class _Line:
    """One connection at work: to which source, at which share, and what it had fetched when.

    The one that `is_first` has the slot that the attempt holds at its host; each other one has its own.
    """

    def __init__(self, source: int, host: str) -> None:
        self.source = source
        self.host = host
        self.is_first = False
        self.share: Share | None = None
        self.scope = trio.CancelScope()
        self.before = self.crumbs = 0
        self.marks: deque[tuple[float, int]] = deque(maxlen=int(growth.SLOW_S / growth.LOOK_S) + 1)

    def mark(self, now_s: float) -> None:
        """Note how much was fetched until now."""
        self.marks.append((now_s, self.before + (self.share.fetched if self.share else 0)))

    def rate(self) -> tuple[float, float]:
        """Return bytes a second between the first and the last mark, and the seconds between them."""
        (since_s, before), (now_s, now) = self.marks[0], self.marks[-1]
        return ((now - before) / (now_s - since_s), now_s - since_s) if now_s > since_s else (0.0, 0.0)


class Crew:
    """Fetches what is missing of a file of known size, by as many connections as are worth it.

    Args:
        services: the ports.
        work: the attempt's side of the download.
        calls: for each source, how it is asked.
        intake: takes in what arrives.
        receive: what the first answer is worth.
        account: the download's side of the limits.
        most: how many connections there may be.
        secret_path: whether the paths of URLs must not be seen.
    """

    def __init__(
        self,
        services: Services,
        work: Work,
        calls: Sequence[Call],
        intake: Intake,
        receive: Receive,
        *,
        account: Account,
        most: int,
        secret_path: bool,
    ) -> None:
        assert receive.total is not None
        self._s = services
        self._work = work
        self._calls = calls
        self._intake = intake
        self._first = receive
        self._account = account
        self._total = receive.total
        self._secret_path = secret_path
        self._own = own = work.download.source
        self._grid = cell_size(receive.total)
        self._allotment = Allotment(spans.gaps(work.held.tally.held, receive.total), self._grid)
        self._known: dict[int, Validator | None] = {own: receive.validator}
        self._proved = {own} if receive.offset > 1 else set[int]()
        self._most = most if replies.is_provable(self._view(own)) else 1
        self._caps = {own: self._most}
        if self._most > 1 and work.download.expected is not None and not work.download.alone:
            self._caps |= dict.fromkeys(set(range(len(calls))) - {own}, self._most)
        self._growth = Growth(self._most)
        self._lines: list[_Line] = []
        self._scouted: set[int] = set()
        self._news = trio.Event()
        self._restarts = 0
        self._line_rate = self._usual_rate = 0.0
        self._failure: TransferError | None = None

    async def run(self, answered: Answered | None = None) -> None:
        """Take in the first answer, where there is one already, and fetch whatever else is missing.

        Raises:
            TransferError: it cannot all be had; what could be had is in the part.
            Overlong: the attempt's own source sent more than it had told.
        """
        lead = self._hire(self._own)
        if answered is not None:
            lead.share = self._allotment.take_all(self._first.offset)
        if self._most == 1 or self._allotment.left < 2 * shares.LEAST_BYTES:
            await self._man(lead, answered)
        else:
            async with open_plain_nursery() as nursery:
                nursery.start_soon(self._man, lead, answered)
                await self._oversee(nursery)
        if not self._allotment.is_done:
            raise self._failure or TransferError("no connection was left", cause=Cause.BROKEN)

    # -- a line ----------------------------------------------------------------------------------------------------

    async def _man(self, line: _Line, answered: Answered | None = None) -> None:
        """Work through one share after another; the first may be answered already."""
        try:
            with line.scope:
                if answered is not None:
                    reply, close = answered
                    try:
                        await self._take_in(line, reply, self._first)
                    finally:
                        await close()
                while self._goes_on(line):
                    if line.source not in self._proved:
                        await self._scout(line)
                    if self._has_share(line):
                        await self._fetch(line)
        except Overlong as error:
            if line.source == self._own:
                raise
            self._give_up(line, error, cap=0)
        except TransferError as error:
            others = sum(other.source == line.source for other in self._lines if other is not line)
            self._give_up(line, error, cap=others)
        finally:
            self._let_go(line)

    def _give_up(self, line: _Line, error: TransferError, *, cap: int) -> None:
        """Let a source have no more lines than so many; what its own source fails with is the attempt's failure."""
        if line.source == self._own or self._failure is None:
            self._failure = error
        self._caps[line.source] = cap
        self._growth.most = max(1, min(self._most, sum(self._caps.values())))

    def _goes_on(self, line: _Line) -> bool:
        """Tell whether there is more for a line to do; a share that it has done with is ended."""
        if line.share is not None:
            if line.share.left:
                return True
            self._give_back(line)
        is_surplus = len(self._lines) > max(1, self._growth.wanted)
        return not is_surplus and self._allotment.can_take()

    def _has_share(self, line: _Line) -> bool:
        """Give the line a share, unless it has one still; tell whether there was one."""
        if line.share is None:
            line.share = self._allotment.take(self._block())
        return line.share is not None

    async def _scout(self, line: _Line) -> None:
        """Ask a source for something that we hold, and see that it sends just that."""
        held = self._work.held.tally.held
        low, high = held[0] if held else (0, 0)
        start = (low + high) // 2
        end = start + min(replies.OVERLAP_BYTES, high - start)
        if not low < start < end:
            raise TransferError("too little is held to try the server by", cause=Cause.CHANGED)
        self._scouted.add(line.source)
        try:
            await self._account.ask(line.source)
            with trio.move_on_after(SCOUT_S) as limit:
                async with self._s.transport.exchange(self._call(line.source, start, end)) as reply:
                    verdict = await self._judge(line.source, reply, start, end)
                    if not await agrees(reply, verdict.skip, self._work.held, start, end):
                        raise TransferError("the server sends other bytes than those that we hold", cause=Cause.CHANGED)
        finally:
            self._scouted.discard(line.source)
        if limit.cancelled_caught:
            raise TransferError("no answer in time", cause=Cause.TIMEOUT)
        self._proved.add(line.source)

    async def _fetch(self, line: _Line) -> None:
        """Ask for the rest of the share, and take in what is answered."""
        assert line.share is not None
        await self._account.ask(line.source)
        start, end = line.share.at, line.share.end
        assert end is not None
        async with self._s.transport.exchange(self._call(line.source, start, end)) as reply:
            await self._take_in(line, reply, await self._judge(line.source, reply, start, end))

    async def _take_in(self, line: _Line, reply: Reply, receive: Receive) -> None:
        share, source = line.share, None if line.source == self._own else line.source
        assert share is not None
        course = Course(
            share=share,
            skip=receive.skip,
            until=receive.until,
            source=source,
            extend=lambda: self._allotment.extend(share, self._block()),
        )
        if not await self._intake.receive(reply, course):
            raise Overlong("the body is longer than the server said", cause=Cause.PROTOCOL)
        if share.left and share.at != receive.until:
            raise TransferError(f"the body ended at byte {share.at} of {receive.until}", cause=Cause.BROKEN)
        brought = share.at - receive.offset
        if share.left and brought < shares.LEAST_BYTES and brought < share.left // CRUMB:
            line.crumbs += 1
            if line.crumbs > MOST_CRUMBS:
                raise TransferError("the server sends far less than it is asked for", cause=Cause.PROTOCOL)

    # -- asking ----------------------------------------------------------------------------------------------------

    def _call(self, source: int, start: int, end: int) -> Call:
        known = self._known.get(source)
        return attrs.evolve(self._calls[source], start=start, end=end, if_range=known.if_range if known else None)

    async def _judge(self, source: int, reply: Reply, start: int, end: int) -> Receive:
        """Return what an answer is worth, if it is the range that was asked for, of the version that we fetch."""
        known, now_s = self._known.get(source), self._s.clock.now_ns() / 1e9
        ask = Ask(start=start, end=end, if_range=known.if_range if known else None)
        verdict = replies.judge(ask, reply.head, self._view(source), now_s=now_s)
        match verdict:
            case Receive():
                if verdict.skip > MOST_SKIPPED:
                    raise TransferError("the range begins long before what was asked for", cause=Cause.PROTOCOL)
                if known is None:
                    await self._join(source, reply, verdict.validator)
                return verdict
            case Reject():
                raise TransferError(verdict.message, cause=verdict.cause, retry_after_s=verdict.retry_after_s)
            case Afresh():
                raise TransferError(verdict.reason, cause=Cause.CHANGED)
            case Unguarded():
                raise TransferError("the server sent the whole file, not a range of it", cause=Cause.CHANGED)
            case Whole():
                raise TransferError("the server has no more of the file", cause=Cause.CHANGED)

    def _view(self, source: int) -> Download:
        """Return the download as answers of a source are to be judged."""
        return Download.of({"validator": self._known.get(source), "total": self._total}, self._work.present)

    async def _join(self, source: int, reply: Reply, validator: Validator) -> None:
        url = urls.public(reply.head.url, secret_path=self._secret_path).url
        with trio.CancelScope(shield=True):
            await self._work.report(c.Join(attempt=self._work.number, source=source, url=url, validator=validator))
        self._known[source] = validator

    # -- overseeing ------------------------------------------------------------------------------------------------

    async def _oversee(self, nursery: trio.Nursery) -> None:
        """Look at what arrives, begin anew what is slow, take on more lines, until all is there or nobody is left."""
        clock = self._s.clock
        since_s, before = clock.monotonic(), self._intake.arrived
        while True:
            self._news = trio.Event()
            if self._allotment.is_done:
                self._send_home()
            if not self._lines and (self._allotment.is_done or not self._take_on(nursery)):
                return
            with trio.move_on_after(max(0.0, since_s + self._look_s() - clock.monotonic())) as pause:
                await self._news.wait()
            if not pause.cancelled_caught:
                continue
            now_s = clock.monotonic()
            rate = (self._intake.arrived - before) / (now_s - since_s)
            since_s, before = now_s, self._intake.arrived
            self._line_rate = rate / max(1, len(self._lines))
            self._begin_slow_anew(now_s)
            self._growth.most = max(1, min(self._allowed(), sum(self._caps.values())))
            self._make_way()
            left = self._allotment.left
            wanted = self._growth.look(now_s, rate, running=len(self._lines), left=left)
            while len(self._lines) < wanted and self._take_on(nursery):
                continue

    def _look_s(self) -> float:
        """Return how long to wait for the next look: among very many connections there will be none to take on."""
        return growth.LOOK_S * max(1.0, self._s.board.connections.total() / MOST_OPEN)

    def _send_home(self) -> None:
        """End the lines that have nothing to do: now that all is there, nobody waits for their servers."""
        for line in self._lines:
            if line.share is None:
                line.scope.cancel()

    def _begin_slow_anew(self, now_s: float) -> None:
        """End lines that are much slower than lines usually are; others take over what they had."""
        for line in self._lines:
            line.mark(now_s)
        rates = [(line, *line.rate()) for line in self._lines]
        measured = [rate for _, rate, span_s in rates if span_s >= growth.SLOW_S]
        mean = sum(measured) / len(measured) if len(measured) > 1 else 0.0
        self._usual_rate = max(mean, growth.FADING * self._usual_rate)
        for line, rate, span_s in rates:
            is_slow = growth.is_slow(rate, self._usual_rate, span_s) and not self._account.is_held()
            if is_slow and self._restarts < MOST_RESTARTS:
                self._restarts += 1
                line.scope.cancel()

    def _allowed(self) -> int:
        """Return how many lines there may be now: fewer than at first, if somebody has said so meanwhile."""
        now = self._account.connections
        return self._most if now is None else min(self._most, now)

    def _make_way(self) -> None:
        """End lines that are too many, and one to each host for whose first connection somebody else waits."""
        further = [line for line in self._lines if not line.is_first]
        for line in further[: max(0, len(self._lines) - self._allowed())]:
            line.scope.cancel()
        for host, line in {line.host: line for line in further}.items() if len(self._lines) > 1 else ():
            if self._s.slots.is_wanted(host):
                line.scope.cancel()

    def _take_on(self, nursery: trio.Nursery) -> bool:
        """Start another line if there is a source for it, a share, and room; tell whether there was."""
        source = self._next_source()
        if source is None or not self._allotment.can_take():
            return False
        if self._lines and not self._has_room(source):
            return False
        nursery.start_soon(self._man, self._hire(source))
        return True

    def _next_source(self) -> int | None:
        """Return the source that has the fewest lines and may have more; one that is being tried out may not yet."""
        running = Counter(line.source for line in self._lines)
        can_be_tried = self._work.held.tally.size > 2
        free = [
            source
            for source, cap in self._caps.items()
            if running[source] < cap and (source in self._proved or (can_be_tried and source not in self._scouted))
        ]
        return min(free, key=lambda source: (running[source], source != self._own, source), default=None)

    def _has_room(self, source: int) -> bool:
        """Tell whether the host of a source may have one more connection, and the engine."""
        most = MOST_OPEN if self._work.download.connections is None else MOST_OPEN_ASKED
        return self._s.board.connections.total() < most and self._s.slots.has_room(self._host(source))

    def _host(self, source: int) -> str:
        return urls.host(self._work.download.order.sources[source].url)

    def _block(self) -> int:
        return max(LEAST_BLOCK, self._grid, min(int(self._line_rate * BLOCK_S), MOST_BLOCK))

    def _hire(self, source: int) -> _Line:
        line, host = _Line(source, self._host(source)), self._host(self._own)
        if line.host == host and not any(other.is_first for other in self._lines):
            line.is_first = True
        else:
            self._s.slots.enter(line.host)
        self._lines.append(line)
        return line

    def _let_go(self, line: _Line) -> None:
        self._give_back(line)
        self._lines.remove(line)
        heir = next((other for other in self._lines if other.host == line.host), None) if line.is_first else None
        if heir is not None:
            heir.is_first = True
        if heir is not None or not line.is_first:
            self._s.slots.leave(line.host)
        self._news.set()

    def _give_back(self, line: _Line) -> None:
        if line.share is not None:
            line.before += line.share.fetched
            self._allotment.give_back(line.share)
            line.share = None
