"""Any mixture of commands, undone and redone in any order, beside a plain model of what each of them means.

The model knows the words that users see and nothing of events: a table says where a command leads from each state, and
an act remembers what it found.
"""

from __future__ import annotations

import random
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain import commands as c
from lading.domain.errors import IllegalCommand, UsageError
from lading.domain.requests import Request
from lading.testing.simulation import World, run

pytestmark = [pytest.mark.row("S2.13"), pytest.mark.row("S1.3")]

GOOD, BAD = "http://a.example/good", "http://a.example/bad"
VERBS = ("add", "pause", "resume", "cancel", "retry", "prioritise", "limit", "remove", "remove files", "refresh",
         "finish", "undo", "redo", "work")  # fmt: skip
MOST = 6

LEADS = {
    "pause": {"queued": "paused", "paused": None},
    "resume": {"paused": "queued", "queued": None},
    "cancel": {"queued": "cancelled", "paused": "cancelled", "failed": "cancelled", "cancelled": None},
    "retry": {"queued": None, "paused": "queued", "failed": "queued", "cancelled": "queued"},
    "remove": dict.fromkeys(("queued", "paused", "failed", "cancelled", "completed"), "removed") | {"removed": None},
    "prioritise": {"queued": "queued", "paused": "paused", "failed": "failed"},
    "refresh": {"queued": "queued", "paused": "paused", "failed": "queued"},
    "finish": {},
}
"""Where a command leads from each state: None for nothing, and no entry where it is refused."""
LEADS |= {"limit": LEADS["prioritise"], "remove files": LEADS["remove"]}


class Act(NamedTuple):
    """One line of a story."""

    verb: str
    first: int = 0
    second: int = 0
    number: int = 0


class One:
    """A download as a user would describe it."""

    def __init__(self, url: str) -> None:
        self.state, self.url, self.priority, self.rate = "queued", url, 0, None
        self.file = False

    def seen(self) -> tuple[Any, ...]:
        return self.state, self.url, self.priority, self.rate, self.file


class Model:
    """What should be the case."""

    def __init__(self) -> None:
        self.ones: list[One] = []
        self.done: list[tuple[str, Any, dict[int, dict[str, Any]]]] = []
        self.undone: list[tuple[str, Any, dict[int, dict[str, Any]]]] = []

    def do(self, verb: str, which: list[int], value: Any) -> bool:
        """Carry out a command on each, as far as it is legal; tell whether it was on all."""
        before, legal = {}, True
        for number in which:
            found = vars(self.ones[number]).copy()
            allowed, changed = self.step(verb, self.ones[number], value)
            legal = legal and allowed
            if changed:
                before[number] = found
        if before:
            self.done.append((verb, value, before))
            self.undone = []
        return legal

    def step(self, verb: str, one: One, value: Any) -> tuple[bool, bool]:
        """Carry out a command on one; tell whether it is legal, and whether it made a difference."""
        if (verb == "prioritise" and one.priority == value) or (verb == "limit" and one.rate == value):
            return True, False
        if one.state not in LEADS[verb]:
            return False, False
        after = LEADS[verb][one.state]
        if after is None:
            return True, False
        if verb == "remove files":
            one.file = False
        one.state = after
        if verb in {"prioritise", "limit", "refresh"}:
            setattr(one, {"prioritise": "priority", "limit": "rate", "refresh": "url"}[verb], value)
        return True, True

    def undo(self) -> bool:
        if not self.done:
            return False
        verb, value, before = self.done.pop()
        self.undone.append((verb, value, before))
        for number, found in before.items():
            now = self.ones[number].seen()
            self.take_back(verb, self.ones[number], found)
            found["turned"] = now != self.ones[number].seen()
        return True

    def take_back(self, verb: str, one: One, found: dict[str, Any]) -> None:
        ended = one.state == "completed"
        was = found.get("state")
        if verb == "add":
            found["before undo"] = vars(one).copy()
            one.state, one.file = "removed", False
        elif verb in {"cancel", "remove", "remove files"}:
            one.state = "paused" if was == "failed" else was
            one.file = found["file"]
        elif verb == "pause" and one.state == "paused":
            one.state = "queued"
        elif verb in {"resume", "retry"} and one.state == "queued":
            one.state = "cancelled" if was == "cancelled" else "paused"
        elif verb == "prioritise" and not ended:
            one.priority = found["priority"]
        elif verb == "limit" and not ended:
            one.rate = found["rate"]
        elif verb == "refresh" and not ended:
            one.url = found["url"]
            one.state = "paused" if was == "failed" else "queued" if one.state == "failed" else one.state

    def redo(self) -> bool:
        if not self.undone:
            return False
        verb, value, before = self.undone[-1]
        copies = {number: vars(self.ones[number]).copy() for number in before}
        for number, found in before.items():
            one = self.ones[number]
            if not found["turned"]:
                continue
            if verb == "add":
                was = found["before undo"]
                one.state = "paused" if was["state"] == "failed" else was["state"]
                one.file = was["file"]
            elif not self.again(verb, one, found, value):
                for back, held in copies.items():
                    vars(self.ones[back]).update(held)
                return False
            if verb != "add":
                found.update(copies[number])
        self.done.append(self.undone.pop())
        return True

    def again(self, verb: str, one: One, found: dict[str, Any], value: Any) -> bool:
        plain = "remove" if verb == "remove files" and found["state"] != "completed" else verb
        return self.step(plain, one, value)[0]

    def work(self) -> None:
        for one in self.ones:
            if one.state == "queued":
                one.state = "completed" if one.url == GOOD else "failed"
                one.file = one.state == "completed"


class Story:
    """An engine in a world, its downloads, and the model of them."""

    def __init__(self, world: World, engine: Any) -> None:
        self.world, self.engine, self.model = world, engine, Model()
        self.ids: list[Any] = []

    async def take(self, act: Act) -> None:
        """Have both do it, and see that they agree whether that is legal."""
        model, engine = self.model, self.engine
        if act.verb == "add" or not self.ids:
            return await self.add(GOOD if act.number % 3 else BAD)
        if act.verb == "work":
            return await self.work()
        if act.verb in {"undo", "redo"}:
            legal = model.undo() if act.verb == "undo" else model.redo()
            ask = engine.undo if act.verb == "undo" else engine.redo
        else:
            which = sorted({act.first % len(self.ids), act.second % len(self.ids)})
            which = which[:1] if act.verb == "refresh" else which
            value = {"prioritise": act.number, "limit": act.number * 1000 or None}.get(act.verb)
            value = (GOOD if act.number % 2 else BAD) if act.verb == "refresh" else value
            legal = model.do(act.verb, which, value)
            ids = [self.ids[number] for number in which]

            async def ask() -> None:
                await self.ask(act.verb, ids, value)

        try:
            await ask()
        except (IllegalCommand, UsageError):
            assert not legal, f"{act} was refused"
        else:
            assert legal, f"{act} was taken"
        return None

    async def ask(self, verb: str, ids: list[Any], value: Any) -> None:
        engine = self.engine
        match verb:
            case "prioritise":
                await engine.prioritise(value, *ids)
            case "limit":
                await engine._control(ids, c.Limit(limit_rate=value), wait=False)
            case "refresh":
                await engine.refresh_url(ids[0], value)
            case "remove files":
                await engine.remove(*ids, files=True)
            case _:
                await getattr(engine, verb)(*ids)

    async def add(self, url: str) -> None:
        if len(self.ids) < MOST:
            name = f"f{len(self.ids)}"
            self.ids.append((await self.engine.submit(Request(url, path=name, retries=0))).id)
            self.model.ones.append(One(url))
            self.model.done.append(("add", None, {len(self.ids) - 1: {}}))
            self.model.undone = []

    async def work(self) -> None:
        self.model.work()
        scheduler = self.engine._scheduler
        scheduler.paused = False
        scheduler.wake()
        await self.engine.wait_idle()
        scheduler.paused = True

    async def check(self, act: Act) -> None:
        """See that what is there is what should be."""
        files = set(self.world.disk.paths())
        for number, (id, one) in enumerate(zip(self.ids, self.model.ones, strict=True)):
            now = await self.engine.get(id)
            file = f"/downloads/f{number}" in files
            seen = (now.state.value, now.order.url, now.priority, now.limit_rate, file)
            assert seen == one.seen(), f"download {number} after {act}"


def play(acts: list[Act], payload) -> None:
    """Tell a story, and look after each line of it."""

    async def story(world: World) -> None:
        world.network.serve(GOOD, payload(1000))
        async with world.engine(start=False) as engine:
            told = Story(world, engine)
            for act in acts:
                await told.take(act)
                await told.check(act)

    run(1, story)


ACTS = st.builds(Act, st.sampled_from(VERBS), st.integers(0, 5), st.integers(0, 5), st.integers(0, 5))


@settings(max_examples=25, deadline=None)
@given(acts=st.lists(ACTS, min_size=5, max_size=40))
def test_any_mixture_of_commands_leaves_what_a_model_says(acts, payload):
    """Nothing illegal is taken, nothing legal refused, and every file lies where it should."""
    play(acts, payload)


@pytest.mark.long
def test_ten_thousand_mixed_commands_leave_what_a_model_says(payload):
    """The same, a hundred lives long."""
    for seed in range(100):
        chance = random.Random(seed)
        numbers = [[chance.randrange(6) for _ in range(3)] for _ in range(100)]
        play([Act(chance.choice(VERBS), *some) for some in numbers], payload)
