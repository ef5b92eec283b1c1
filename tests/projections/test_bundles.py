"""Which downloads belong together: the aggregate of each bundle is what its members add up to, in any batches."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.adapters import codec
from lading.domain import bundle as rules
from lading.domain import commands as c
from lading.domain import events as e
from lading.domain.bundle import Bundle, BundlePolicy, Phase, Step
from lading.domain.errors import Fenced, IllegalCommand, ViewsDamaged
from lading.domain.facts import Context, Fact
from lading.domain.faults import BUNDLE, Cause
from lading.domain.ports import Entry
from lading.projections import bundles

pytestmark = [pytest.mark.row("S1.2"), pytest.mark.row("S2.6"), pytest.mark.law(3)]

IDS = [UUID(int=2**100 + number) for number in range(3)]
POLICIES = list(BundlePolicy)
VERBS = ["start", "vouch", "stage", "complete", "fail", "pause", "resume", "retry", "cancel", "remove", "stop", "lose"]
OF_BUNDLE = [rules.Begin(inode=5), rules.Finish(), rules.Fail(cause="member", message="m"),
             rules.Fail(cause="destination", message="taken"), rules.TryAgain()]  # fmt: skip
ACTS = st.tuples(st.sampled_from([*VERBS, "bundle", "alone"]), st.integers(0, 2), st.integers(0, 5))


class Histories:
    """A world with up to three bundles, whose members and whose own streams grow."""

    def __init__(self, make, policies: list[BundlePolicy], acts: list[tuple[str, int, int]]) -> None:
        self.make, self.world = make, make.World()
        self.bundles: dict[UUID, Bundle] = {}
        self.order: list[UUID] = []
        for number, policy in enumerate(policies):
            self._open(IDS[number], policy, count=number + 1)
        for verb, which, number in acts:
            try:
                self._act(verb, IDS[which % len(policies)], number)
            except (IllegalCommand, Fenced):
                continue

    def _open(self, id: UUID, policy: BundlePolicy, count: int) -> None:
        self._say(id, e.BundleOpened(name=f"b{count % 2}", policy=policy.value, members=(IDS[0],) * count))
        for number in range(count):
            self.world.submit(number, bundle=id, together=policy.together)
        self.order.append(id)

    def _say(self, id: UUID, event: e.Event) -> None:
        known = self.bundles.get(id)
        self.world.now_ns += 1
        self.bundles[id] = rules.evolve(known, event, stream=id, at_ns=self.world.now_ns)
        sealed = codec.seal(event, id=UUID(int=self.world.log.head() + 1), at_ns=self.world.now_ns)
        self.world._store([Entry(id, self.bundles[id].version, event.TOPIC, sealed)])

    def _act(self, verb: str, id: UUID, number: int) -> None:
        if verb == "alone":
            self.world.submit(number)
        elif verb == "bundle":
            for event in rules.decide(self.bundles[id], OF_BUNDLE[number % len(OF_BUNDLE)]):
                self._say(id, event)
        else:
            members = self.members(id)
            download = members[number % len(members)]
            self.world.do(download.id, *self._commands(verb, download, number))

    def _commands(self, verb: str, d, number: int) -> tuple[c.Command, ...]:
        make = self.make
        match verb:
            case "stage":
                verify = c.Verify(attempt=d.attempt, digest="sha256:00", size=10 + number, inode=number)
                return verify, c.Block(attempt=d.attempt, reason=BUNDLE, message="")
            case "fail":
                return (make.falter(d, Cause.TLS),)
            case "lose":
                return (c.Unblock(reason=BUNDLE),)
            case "start":
                return (make.start(d, number),)
            case "vouch":
                return (make.vouch(d, 0, 1 + number),)
            case "complete":
                return (make.complete(d, 20 + number),)
            case "stop":
                return (make.stop(d),)
        plain = {
            "pause": c.Pause(),
            "resume": c.Resume(),
            "retry": c.Retry(),
            "cancel": c.Cancel(),
            "remove": c.Remove(),
        }
        return (plain[verb],)

    def members(self, id: UUID):
        return [download for download in self.world.by_age() if download.order.bundle == id]


@st.composite
def histories(draw, make):
    policies = draw(st.lists(st.sampled_from(POLICIES), min_size=1, max_size=3))
    return Histories(make, policies, draw(st.lists(ACTS, max_size=60)))


@settings(deadline=None, max_examples=80)
@given(data=st.data())
def test_the_aggregate_is_what_the_members_add_up_to_in_any_batches(data, make):
    """Counts by state, bytes, members in order, state, lists by age and name, and who needs the owner: as by hand."""
    told = data.draw(histories(make))
    sizes = data.draw(st.lists(st.integers(1, 5), max_size=40))
    store = make.fold(told.world.facts(), sizes)
    assert make.contents(store) == make.contents(make.fold(told.world.facts()))
    wanted = []
    with store.read() as reader:
        for id in told.order:
            bundle, held = bundles.get(reader, id)
            members = told.members(id)
            wanting = [d for d in members if d.state.shown not in {"cancelled", "removed"}]
            assert bundle == told.bundles[id]
            assert dict(held.states) == dict(Counter(d.state.shown for d in members))
            assert held.members == len(members) == bundle.members
            assert held.staged == sum(d.staged for d in members)
            assert held.received == sum(d.received for d in wanting)
            assert held.total == sum(d.total or 0 for d in wanting)
            assert held.unsized == sum(d.total is None for d in wanting)
            assert list(bundles.members(reader, id)) == [d.id for d in members]
            if rules.following(bundle, held) is not Step.NOTHING:
                wanted.append(id)
        assert sorted(bundles.wanted(reader)) == sorted(wanted)
        assert list(bundles.ids(reader)) == told.order[::-1]
        for name in ("b0", "b1", "other"):
            assert list(bundles.named(reader, name)) == [i for i in told.order[::-1] if told.bundles[i].name == name]


def test_a_row_tells_what_is_promised(make):
    """The columns of `bundle list --json`, with null where nobody can know."""
    told = Histories(make, [BundlePolicy.ALL_OR_NOTHING], [])
    with make.fold(told.world.facts()).read() as reader:
        row = bundles.listing(*bundles.get(reader, IDS[0]))
        assert bundles.get(reader, UUID(int=1)) is None
        assert bundles.like(reader, IDS[0].hex[:9], 5) == [IDS[0]]
    assert {"id", "name", "policy", "state", "members", "completed", "failed", "received", "total", "percent", "path",
            "why", "added_at"} <= row.keys()  # fmt: skip
    assert (row["state"], row["members"], row["total"], row["percent"]) == ("queued", 1, None, None)


def test_a_history_that_does_not_follow_is_damage(make):
    """A gap, or what is not legal where the bundle stands, is never folded over."""
    opened = Fact(1, IDS[0], 1, bytes(16), 0, e.BundleOpened(name="x", policy="best_effort", members=()), Context())
    for version, event in ((3, e.BundleVerified()), (2, e.BundlePublished()), (2, e.BundleRetried())):
        with pytest.raises(ViewsDamaged):
            make.fold([opened, Fact(2, IDS[0], version, bytes(16), 0, event, Context())])


def test_a_bundle_is_left_alone_once_nothing_is_to_be_done(make):
    """The index of what needs the owner holds nothing for what failed, was published, or goes its own way."""
    bundle = Bundle(id=IDS[0], phase=Phase.OPEN, name="x", policy=BundlePolicy.ROLL_FORWARD, members=1)
    lost = rules.Muster(states={"failed": 1})
    assert rules.following(bundle, lost) is Step.FAIL
    for settled in (
        attrs.evolve(bundle, phase=Phase.FAILED, cause="member"),
        attrs.evolve(bundle, phase=Phase.PUBLISHED),
        attrs.evolve(bundle, policy=BundlePolicy.BEST_EFFORT),
    ):
        assert rules.following(settled, lost) is Step.NOTHING
