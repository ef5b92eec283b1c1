"""The fold: facts of the log, in order, into the states of downloads and from there into every view.

One transaction takes one batch, and the caller moves the position of the views in the same one, so that each fact is
folded exactly once. The states folded last are remembered from batch to batch. That needs no invalidation: a state is
used only when it is that of the version just before the fact at hand, and a stream has one state at each version,
whoever folded it.

What archives closed history is about downloads that other facts made, so it is folded alone, on what those before it
left; `parts` cuts a run of facts that way, so that a transaction, too, takes one of them at most.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from lading.domain import events as e
from lading.domain.archiving import is_closed
from lading.domain.download import Download
from lading.domain.errors import LogDamaged, ViewsDamaged
from lading.domain.evolving import evolve
from lading.domain.facts import Fact
from lading.domain.ports import Transaction
from lading.domain.states import RUNNING, STOPPING, TRANSITIONS, State
from lading.projections import VIEWS, WITNESSES, acts, progress
from lading.projections.batch import Batch, Change, RowCodec, Step

REMEMBERED = 4096
OF_DOWNLOADS = frozenset(kind for row in TRANSITIONS.values() for kind in row)
"""The events of download streams; all others, told apart by their types, fold into no download and have witnesses."""


_UNDER_WAY = RUNNING | STOPPING | {State.WAITING}


class Fold:
    """Folds batches of facts into all views, through one store's transactions."""

    def __init__(self, codec: RowCodec, *, remembered: int = REMEMBERED) -> None:
        self._codec = codec
        self._capacity = remembered
        self._states: OrderedDict[UUID, tuple[int, Download]] = OrderedDict()

    def apply(self, txn: Transaction, facts: Sequence[Fact]) -> None:
        """Fold the facts that follow on what `txn` holds.

        Raises:
            ViewsDamaged: a fact does not follow on the state that the views hold, or that state cannot be read;
                `stream` names the download.
        """
        for part in parts(facts):
            event = part[0].event
            if isinstance(event, e.HistoryArchived):
                self._write(txn, list(self._archived(txn, event)), part)
            else:
                self._apply(txn, part)

    def _apply(self, txn: Transaction, facts: Iterable[Fact]) -> None:
        touched: dict[UUID, tuple[int, list[Step]]] = {}
        others: list[Fact] = []
        stream: UUID | None = None
        steps: list[Step] = []
        before: Download | None = None
        try:
            for fact in facts:
                _, following, version, _, at_ns, event, _ = fact
                if type(event) not in OF_DOWNLOADS:
                    others.append(fact)
                    continue
                if following is not stream:
                    stream = following
                    if stream in touched:
                        steps = touched[stream][1]
                        before = steps[-1][2]
                    else:
                        age, before = self._before(txn, fact)
                        steps = []
                        touched[stream] = age, steps
                if version != (1 if before is None else before.version + 1):
                    raise _gap(before, fact)
                after = evolve(before, event, stream=stream, at_ns=at_ns)
                steps.append((fact, before, after))
                before = after
        except LogDamaged as error:
            raise ViewsDamaged(error.message, stream=stream) from error
        changes = [Change(id, age, steps[0][1], steps[-1][2], steps) for id, (age, steps) in touched.items()]
        self._write(txn, changes, others)
        self._remember(changes)

    def _write(self, txn: Transaction, changes: Sequence[Change], others: Sequence[Fact]) -> None:
        batch = Batch(txn, self._codec)
        for view in VIEWS:
            view.apply(batch, changes)
        if others:
            for witness in WITNESSES:
                witness.observe(batch, others)
        acts.apply(batch, changes, others)
        batch.flush(txn)

    def _archived(self, txn: Transaction, event: e.HistoryArchived) -> Iterator[Change]:
        """Yield what an archive makes of the downloads that are still as it says, and closed."""
        for id, version in zip(event.downloads, event.versions, strict=False):
            found = progress.find(txn, id, self._codec)
            if found is not None and found[1].version == version and is_closed(found[1]):
                yield Change(id, found[0], found[1], Download.of({"archived": True}, found[1]), ())

    def _before(self, txn: Transaction, fact: Fact) -> tuple[int, Download | None]:
        """Return age and state of the download that `fact` is about, before it."""
        if fact.version == 1:
            return fact.position, None
        known = self._states.pop(fact.stream, None)
        if known is not None and known[1].version == fact.version - 1:
            return known
        found = progress.find(txn, fact.stream, self._codec)
        if found is None:
            raise ViewsDamaged(f"the views lack the download {fact.stream}", stream=fact.stream)
        return found

    def _remember(self, changes: Iterable[Change]) -> None:
        """Keep the states of what is under way; what is only queued, or has ended, has no next event to wait for."""
        states = self._states
        for change in changes:
            if change.after.state in _UNDER_WAY:
                states[change.id] = (change.age, change.after)
        while len(states) > self._capacity:
            states.popitem(last=False)


def parts(facts: Sequence[Fact]) -> Iterator[Sequence[Fact]]:
    """Cut facts into runs of which each is of one archive alone, or of none."""
    start = 0
    for at, fact in enumerate(facts):
        if type(fact.event) is e.HistoryArchived:
            if start < at:
                yield facts[start:at]
            yield facts[at : at + 1]
            start = at + 1
    if start < len(facts):
        yield facts[start:] if start else facts


def _gap(before: Download | None, fact: Fact) -> ViewsDamaged:
    held = "nothing" if before is None else f"version {before.version}"
    return ViewsDamaged(f"version {fact.version} cannot follow {held} of the stream {fact.stream}", stream=fact.stream)
