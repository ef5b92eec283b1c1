"""What people did, as far as it can be undone."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.adapters import codec
from lading.domain import commands as c
from lading.domain import events as e
from lading.domain.decide import decide
from lading.domain.evolving import evolve
from lading.domain.facts import Context
from lading.domain.ports import Entry
from lading.domain.requests import Order, Source
from lading.projections import acts
from lading.projections.keys import text
from lading.testing import MemoryLog

pytestmark = [pytest.mark.row("S2.13"), pytest.mark.row("C.2"), pytest.mark.law(9)]

ACTORS = ("ann", "bob")
ORDER = Order(sources=(Source(url="https://a.example/f"),))


class Desk:
    """A log of acts, and what stands and what is undone by a model of one's own."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.states = {}
        self.acts = 0
        self.done = {actor: [] for actor in ACTORS}
        self.undone = {actor: [] for actor in ACTORS}
        self.streams = {}

    def act(self, actor, streams, commands) -> None:
        """Carry out one command for each stream, a submit where there is none, and keep the books."""
        self.acts += 1
        act = UUID(int=self.acts)
        told = []
        for stream, command in zip(streams, commands, strict=True):
            state = self.states.get(stream)
            for event in decide(state, command if state else c.Submit(order=ORDER)):
                state = self.states[stream] = evolve(state, event, stream=stream, at_ns=0)
                told.append((stream, state.version, event))
        self.append(told, Context(actor=actor, correlation=act))
        if told:
            self.done[actor] = [*self.done[actor], act][-acts.MOST_ACTS :]
            self.undone[actor] = []
            self.streams[act] = {stream for stream, *_ in told}

    def turn(self, actor, *, back) -> None:
        source, target = (self.undone, self.done) if back else (self.done, self.undone)
        if source[actor]:
            act = source[actor].pop()
            target[actor].append(act)
            version = len(self.log.stream(e.QUEUE)) + 1
            event = e.Redone(act=act) if back else e.Undone(act=act)
            self.acts += 1
            self.append([(e.QUEUE, version, event)], Context(actor=actor, correlation=UUID(int=self.acts)))

    def append(self, told, context) -> None:
        entries = [
            Entry(stream, version, event.TOPIC, codec.seal(event, id=UUID(int=1), at_ns=0, context=context))
            for stream, version, event in told
        ]
        if entries:
            self.log.append([entries])

    def facts(self):
        return [codec.open_envelope(recorded) for recorded in self.log.read(0, 10**9)]


@st.composite
def desks(draw):
    desk = Desk()
    for _ in range(draw(st.integers(0, 25))):
        actor = draw(st.sampled_from(ACTORS))
        what = draw(st.sampled_from(["undo", "redo", "act", "act", "act"]))
        if what == "act":
            streams = [UUID(int=100 + n) for n in draw(st.sets(st.integers(0, 3), min_size=1))]
            command = draw(st.sampled_from([c.Pause(), c.Resume(), c.Prioritise(priority=1), c.Prioritise(priority=0)]))
            desk.act(actor, streams, [command] * len(streams))
        else:
            desk.turn(actor, back=what == "redo")
    return desk


@settings(deadline=None)
@given(desk=desks(), sizes=st.lists(st.integers(1, 7), min_size=80, max_size=80))
def test_the_last_act_of_each_is_what_a_model_says_in_batches_of_any_size(desk, sizes, make):
    """Which acts stand, which are undone, and which streams each was about; byte for byte the same."""
    facts = desk.facts()
    rows = []
    for split in (sizes, [len(facts) + 1]):
        with make.fold(facts, split).read() as reader:
            rows.append(list(reader.scan(b"a")))
            for actor in ACTORS:
                for undone, known in ((False, desk.done[actor]), (True, desk.undone[actor])):
                    found = acts.last(reader, actor, undone=undone)
                    assert (found.id if found else None) == (known[-1] if known else None)
                    if found:
                        assert set(acts.streams(reader, found.id)) == desk.streams[found.id]
                        assert found.streams == len(desk.streams[found.id])
            for actor in ACTORS:
                row = reader.get(acts.HISTORY + text(actor)) or b"\0" * 4
                assert len(row) == 4 + 16 * (len(desk.done[actor]) + len(desk.undone[actor]))
            undone_now = {act for actor in ACTORS for act in desk.undone[actor]}
            assert all(acts.is_undone(reader, act) for act in undone_now)
    assert rows[0] == rows[1]


@pytest.mark.parametrize("split", [[5] * 50, [1000]])
def test_only_so_many_acts_and_streams_are_kept(split, make, monkeypatch):
    """The oldest acts go with all their rows; of an act with very many streams only the number is kept."""
    monkeypatch.setattr(acts, "MOST_ACTS", 3)
    monkeypatch.setattr(acts, "MOST_STREAMS", 2)
    desk = Desk()
    for number in range(8):
        ids = [UUID(int=100 + number * 10 + n) for n in range(4)]
        desk.act("ann", ids, [c.Pause()] * 4)
    with make.fold(desk.facts(), split).read() as reader:
        last = acts.last(reader, "ann")
        assert last.streams == 4
        assert len(list(acts.streams(reader, last.id))) == 2
        assert len(list(reader.scan(acts.COUNT))) == 3
        assert len(list(reader.scan(acts.STREAM))) == 6


def test_an_act_that_goes_on_after_it_was_forgotten_is_the_same_in_batches_of_any_size(make):
    """It was undone, and something else was done, while a slow process was still about it."""
    desk, stream = Desk(), UUID(int=7)
    desk.act("ann", [stream], [c.Pause()])
    desk.turn("ann", back=False)
    desk.act("ann", [UUID(int=8)], [c.Pause()])
    state = desk.states[stream]
    (paused,) = decide(state, c.Pause())
    desk.append([(stream, state.version + 1, paused)], Context(actor="ann", correlation=UUID(int=1)))
    facts = desk.facts()
    at_once = make.contents(make.fold(facts))
    for split in range(1, len(facts)):
        assert make.contents(make.fold(facts, [split])) == at_once
