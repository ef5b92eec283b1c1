"""Undo and redo: the last act of this engine's actor is taken back, or done again, in one durable request.

What that means for each download is decided by the pure `lading.domain.undoing`; here the streams are read, the answers
gathered, and appended together with one event on the stream of the queue, whose version lets only one of two who undo
at the same time through.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import attrs
import trio

from lading.domain import commands as c
from lading.domain import events as e
from lading.domain import undoing
from lading.domain.download import Download
from lading.domain.errors import IllegalCommand, StoreUnavailable, UsageError
from lading.domain.facts import Context, Fact
from lading.domain.ports import Conflict, Entry, Secrets
from lading.domain.states import State
from lading.journal import MOST_REBASES
from lading.projections import acts, hold
from lading.quarantine import Quarantine
from lading.reading import Reading
from lading.services import Services

MOST_WAITS = 3
LOOKED_BACK = 32
_OF_THE_QUEUE = {"QueuePaused": (e.QueueResumed, e.QueuePaused), "QueueResumed": (e.QueuePaused, e.QueueResumed)}
"""What takes back, and what does again, an act on the queue as a whole."""


@attrs.frozen(kw_only=True)
class Taken:
    """What was undone or redone.

    Attributes:
        act: its correlation id.
        kind: the kind of its first event, such as `Cancelled`.
        downloads: those that it was about.
        changed: how many of them are another way now; the others had come to their end by themselves.
    """

    act: UUID
    kind: str
    downloads: tuple[UUID, ...]
    changed: int


@attrs.frozen(kw_only=True)
class _Plan:
    taken: Taken
    entries: Sequence[Entry]
    sources: Sequence[tuple[Download, c.ReplaceSource]]
    unsettled: Sequence[Download]


class Acts:
    """Takes back what the actor of an engine did, or does it again.

    `settle` waits until a download has had the whole effect of what was asked of it; `look` has the log told
    whether the files of some are what was published.
    """

    def __init__(
        self,
        services: Services,
        reading: Reading,
        quarantine: Quarantine,
        settle: Callable[[Download], Awaitable[Download]],
        look: Callable[[Sequence[UUID]], Awaitable[object]],
    ) -> None:
        self._s = services
        self._reading = reading
        self._quarantine = quarantine
        self._settle = settle
        self._look = look

    async def turn(self, *, back: bool = False, skip: bool = False) -> Taken:
        """Undo the last act that stands, or with `back` redo the last that was undone.

        With `skip` the act has its effect still, and counts as undone: the one before it is the last that stands then.

        Raises:
            UsageError: there is none.
            IllegalCommand: it cannot be, and why; nothing was recorded.
            StoreUnavailable: the log could not be written, or others kept winning the race.
        """
        waits = 0
        for _ in range(MOST_REBASES):
            planned = functools.partial(self._plan, back=back, skip=skip, patient=waits >= MOST_WAITS)
            plan = await self._s.threads.run(planned)
            if plan.unsettled:
                waits += 1
                for download in plan.unsettled:
                    await self._settle(download)
                continue
            if await self._is_taken(plan):
                await self._settle_all(plan.taken)
                return plan.taken
        raise StoreUnavailable("what is to be undone is changed by others all the time", hint="try again")

    async def _settle_all(self, taken: Taken) -> None:
        """Wait for the whole effect, and look at the files of those that are complete again."""
        back: list[UUID] = []
        for id in taken.downloads if taken.changed else ():
            download = await self._s.journal.load(id)
            if download is not None:
                download = await self._settle(download)
                if download.state is State.COMPLETED and download.kept is None:
                    back.append(id)
        if back:
            await self._look(back)

    async def _is_taken(self, plan: _Plan) -> bool:
        """Have it recorded, and tell whether nobody was faster; if it is not, the vault knows what it knew before."""
        kept = [
            held
            for download, replaced in plan.sources
            if (held := await self._s.threads.run(functools.partial(self._keep_url, download, replaced))) is not None
        ]
        is_taken = False
        try:
            (answer,) = await self._s.journal.append([plan.entries])
            is_taken = not isinstance(answer, Conflict)
        finally:
            with trio.CancelScope(shield=True):
                for id, before, after in () if is_taken else kept:
                    await self._s.threads.run(functools.partial(self._s.vault.exchange, id, after, before))
        return is_taken

    def _plan(self, *, back: bool, patient: bool, skip: bool = False) -> _Plan:
        """Return all that there is to record; blocks."""
        act, streams, version = self._find(back=back, skip=skip)
        try:
            return self._plan_of(act, streams, version, back=back, patient=patient, skip=skip)
        except IllegalCommand as error:
            if not back:
                past = "`lading undo --skip` lets it stand, and turns to what was before it"
                error.hint = f"{error.hint}; {past}" if error.hint else past
            raise

    def _plan_of(
        self, act: acts.Act, streams: Sequence[UUID], version: int, *, back: bool, patient: bool, skip: bool
    ) -> _Plan:
        now_ns, own = self._s.clock.now_ns(), self._s.context
        context = Context(actor=own.actor, host=own.host, correlation=self._s.chance.uuid(now_ns), causation=act.id)
        queue = self._told_since(act.id, streams[0], version)
        turned: list[e.Event] = [e.Redone(act=act.id) if back else e.Undone(act=act.id)]
        turn = next((f.context.correlation for f in reversed(queue) if f.event == e.Undone(act=act.id)), None)
        redone = {fact.context.correlation for fact in queue if fact.event == e.Redone(act=act.id)}
        if e.QUEUE in streams and not skip:
            self._check(queue, act.id, e.QUEUE, what="the queue")
            turned.append(_OF_THE_QUEUE[act.kind][back]())
        entries = [
            self._s.journal.entry(e.QUEUE, version + number, event, now_ns, context)
            for number, event in enumerate(turned, start=1)
        ]
        downloads = [stream for stream in streams if stream != e.QUEUE]
        unsettled: list[Download] = []
        sources: list[tuple[Download, c.ReplaceSource]] = []
        changed = 0
        for stream in () if skip else downloads:
            facts = self._reading.stream(stream)
            state = undoing.state_of(facts)
            if undoing.is_unsettled(state) and not patient:
                unsettled.append(state)
                continue
            self._check(facts, act.id, stream, what=f"the download {stream}")
            commands = undoing.redo(facts, act.id, turn) if back else undoing.undo(facts, act.id, redone)
            if not back:
                self._check_files(facts, state, commands)
            sources += [(state, command) for command in commands if isinstance(command, c.ReplaceSource)]
            made = self._s.journal.draft(stream, state, commands, context)[1]
            changed += bool(made)
            entries += made
        taken = Taken(act=act.id, kind=act.kind, downloads=tuple(downloads), changed=changed)
        return _Plan(taken=taken, entries=entries, sources=sources, unsettled=unsettled)

    def _told_since(self, act: UUID, stream: UUID, version: int) -> list[Fact]:
        """Return what the queue was told from an act on that was about a stream, up to a version of the queue's own.

        That is looked for from the end on, so that it costs what has happened since and not all that ever did.
        """
        with self._reading.views.read() as reader:
            first = acts.version(reader, act, stream)
        position, back = self._reading.stream(stream, first - 1)[0].position, LOOKED_BACK
        while True:
            after = max(0, version - back)
            told = [fact for fact in self._reading.stream(e.QUEUE, after) if fact.version <= version]
            if not after or told[0].position <= position:
                return told
            back *= 2

    def _find(self, *, back: bool, skip: bool) -> tuple[acts.Act, list[UUID], int]:
        """Return the act that is meant, the streams that it was about, and the version of the queue's at that moment.

        Whoever undoes at the same time makes the latter another.
        """
        self._reading.catch_up()
        with self._reading.views.read() as reader:
            act = acts.last(reader, self._s.context.actor, undone=back)
            if act is None:
                raise UsageError(
                    f"there is nothing to {'redo' if back else 'undo'}",
                    hint="`lading redo` does again what was undone last, as long as nothing else was done since"
                    if back
                    else "only what you asked for yourself can be undone; `lading log` tells who asked for what",
                )
            if act.streams > acts.MOST_STREAMS and not skip:
                raise IllegalCommand(
                    f"this was about {act.streams:,} downloads, and at most {acts.MOST_STREAMS:,} are undone at once",
                    hint="use the opposite verb with --tag or --all",
                )
            return act, list(acts.streams(reader, act.id)), hold.get(reader).version

    def _check(self, facts: Sequence[Fact], act: UUID, stream: UUID, *, what: str) -> None:
        """Refuse what somebody else has changed since."""
        others = undoing.others(facts, act, self._s.context.actor)
        with self._reading.views.read() as reader:
            standing = {other for other in others if not acts.is_undone(reader, other)}
        if standing:
            who = next(f.context.actor for f in reversed(facts) if undoing.root(f) in standing)
            raise IllegalCommand(
                f"{what} has been changed by {who or 'somebody else'} since",
                hint=f"`lading log --id {stream}` tells how; undo that first, or use the opposite verb",
            )

    def _check_files(self, facts: Sequence[Fact], state: Download, commands: undoing.Commands) -> None:
        """Refuse to take a file away that would not be kept, or whose forerunner cannot come back."""
        if state.state is not State.COMPLETED or c.Remove(files=True) not in commands:
            return
        if not self._s.settings.retention_s:
            raise IllegalCommand(
                f"the file of the download {state.id} would be lost: nothing is kept, as the setting retention_s is 0",
                hint="`lading remove ID --files` deletes it for good",
            )
        is_gone = state.replaced is not None and self._quarantine.replaced(state) is None
        if is_gone or undoing.has_let_go(facts):
            raise IllegalCommand(
                f"what the file of the download {state.id} had replaced is gone: it is not kept any longer",
                hint="`lading remove ID --files` takes the file away all the same",
            )

    def _keep_url(self, download: Download, replaced: c.ReplaceSource) -> tuple[UUID, Secrets, Secrets] | None:
        """Have the vault know a URL that comes back, which has nothing secret, beside the secrets that stay.

        Returns:
            What it knew before and what it knows now, None when it knows nothing of this download.
        """
        kept = self._s.vault.recall(download.id) if download.order.secret else None
        if kept is None:
            return None
        urls = [*kept.urls[: replaced.source], replaced.url, *kept.urls[replaced.source + 1 :]]
        after = attrs.evolve(kept, urls=tuple(urls))
        return (download.id, kept, after) if self._s.vault.exchange(download.id, kept, after) else None
