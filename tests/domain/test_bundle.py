"""A bundle: one table of what may happen to it, and what its owner has to do next, decided from counts alone."""

from __future__ import annotations

from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.domain import bundle as rules
from lading.domain import commands as c
from lading.domain import events as e
from lading.domain.bundle import MEMBER, TRANSITIONS, Bundle, BundlePolicy, Muster, Phase, Step
from lading.domain.decide import decide
from lading.domain.download import Download
from lading.domain.errors import IllegalCommand, LogDamaged
from lading.domain.faults import BUNDLE
from lading.domain.requests import Order, Source
from lading.domain.states import SHOWN, State

pytestmark = [pytest.mark.row("S3.8"), pytest.mark.row("S1.2")]

ID = UUID(int=2**90 + 0x12345678)
COMMANDS = [rules.Begin(inode=1), rules.Finish(), rules.Fail(cause="disk", message="m"), rules.TryAgain()]
SAYS = dict(
    zip(map(type, COMMANDS), (e.BundleVerified, e.BundlePublished, e.BundleFailed, e.BundleRetried), strict=True)
)


def bundle(phase: Phase = Phase.OPEN, policy: str = "all_or_nothing", members: int = 3, **more) -> Bundle:
    return Bundle(id=ID, phase=phase, name="x", policy=BundlePolicy(policy), members=members, **more)


def member(state: State, **more) -> Download:
    order = Order(sources=(Source(url="http://a.example/x"),), bundle=ID, together=True)
    return Download.of({"id": UUID(int=1), "state": state, "order": order, **more})


def test_every_event_of_a_bundle_has_its_place_in_the_table():
    """An event that the table does not know could be written and never be read."""
    told = {kind for kind in vars(e.of_bundles).values() if isinstance(kind, type) and issubclass(kind, e.Event)}
    assert told - {e.Event} == rules.OF_BUNDLES
    assert set(TRANSITIONS) == {None, *Phase}


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_decisions_and_the_table_agree(phase, command):
    """What may be said is said and can be folded; what may not is refused with a hint, or needs no saying."""
    held = bundle(phase)
    if SAYS[type(command)] in TRANSITIONS[phase]:
        (event,) = rules.decide(held, command)
        after = rules.evolve(held, event, stream=ID, at_ns=9)
        assert (after.phase, after.version, after.updated_at_ns) == (TRANSITIONS[phase][type(event)], 2, 9)
    elif isinstance(command, rules.TryAgain):
        assert rules.decide(held, command) == ()
    else:
        with pytest.raises(IllegalCommand) as caught:
            rules.decide(held, command)
        assert caught.value.hint
        with pytest.raises(LogDamaged):
            rules.evolve(held, SAYS[type(command)](**attrs.asdict(command)), stream=ID, at_ns=0)


MUSTERS = st.builds(
    lambda states, staged: Muster(states={k: v for k, v in states.items() if v}, staged=min(staged, states["waiting"])),
    st.fixed_dictionaries(dict.fromkeys(SHOWN, st.integers(0, 3))),
    st.integers(0, 3),
)


@given(held=MUSTERS, phase=st.sampled_from(Phase), cause=st.sampled_from([None, MEMBER, "destination"]))
def test_what_is_to_be_done_can_be_said_and_leads_somewhere(held, phase, cause):
    """Whatever the members do: the next step is legal, and taking it changes what is to be done next."""
    for policy in BundlePolicy:
        one = bundle(phase, policy, held.members, cause=cause if phase is Phase.FAILED else None)
        step = rules.following(one, held)
        if step is Step.NOTHING:
            continue
        assert policy.together
        command = {
            Step.PUBLISH: rules.Begin() if phase is Phase.OPEN else rules.Finish(),
            Step.FAIL: rules.Fail(cause=MEMBER, message=""),
            Step.REOPEN: rules.TryAgain(),
        }[step]
        (event,) = rules.decide(one, command)
        after = rules.evolve(one, event, stream=ID, at_ns=0)
        assert after.phase is not phase
        if step is Step.PUBLISH:
            assert held.staged == one.members


@given(held=MUSTERS, phase=st.sampled_from(Phase), policy=st.sampled_from(BundlePolicy))
def test_every_bundle_has_a_state_and_a_reason(held, phase, policy):
    """The words that users see are always there, and only what failed has a hint."""
    one = bundle(phase, policy, held.members)
    state = rules.shown(one, held)
    assert rules.why(one, held)
    assert (rules.hint(one, held) is not None) == (state in {"failed", "partial"})
    if policy.together and phase is Phase.PUBLISHED and held.given_up < held.members:
        assert state == "completed"


@given(st.lists(st.tuples(st.sampled_from(State), st.none() | st.integers(0, 9), st.booleans()), max_size=8))
def test_a_muster_counts_in_any_order_and_takes_back_what_it_counted(made):
    """Adding some and taking them away again leaves what was there."""
    downloads = [member(state, total=total, blocked=BUNDLE if staged else None) for state, total, staged in made]
    assert rules.muster(downloads) == rules.muster(downloads[::-1])
    for at in range(len(downloads)):
        rest = rules.muster(downloads[:at], rules.muster(downloads), -1)
        assert rest == rules.muster(downloads[at:])


def test_the_reason_of_what_goes_on_says_what_its_members_do():
    """Law 10 for a bundle: how many are whole, and what each of the others waits for."""
    held = Muster(states={"queued": 2, "active": 1, "waiting": 3, "paused": 1}, staged=2)
    assert rules.shown(bundle(members=7), held) == "active"
    assert rules.why(bundle(members=7), held) == "2 of 7 members are whole, 2 queued, 1 active, 1 waiting, 1 paused"
    assert rules.shown(bundle(members=3), Muster(states={"waiting": 2, "paused": 1}, staged=2)) == "paused"
    assert rules.shown(bundle(members=3), Muster(states={"waiting": 3}, staged=2)) == "waiting"


def test_where_a_member_is_staged_is_known_from_its_order():
    """The hidden folder of its own bundle and what lies in it, the innermost first; nothing else is taken for one."""
    staging = rules.staging_name("film", ID)
    assert staging == ".film.12345678.bundle"
    order = Order(sources=(Source(url="http://a.example/x"),), bundle=ID)
    cases = {
        f"a/{staging}": (f"a/{staging}",),
        f"{staging}/sub/deep": (f"{staging}/sub/deep", f"{staging}/sub", staging),
        "a/b": (), "": (), ".film.00000000.bundle/x": (),
    }  # fmt: skip
    for folder, expected in cases.items():
        assert rules.staging_folders(attrs.evolve(order, folder=folder)) == expected
    assert rules.staging_folders(Order(sources=order.sources, folder=staging)) == ()


def test_a_member_that_was_published_with_its_bundle_is_not_fetched_by_itself():
    """It would be put together again in a folder that has become another one."""
    lost = member(State.COMPLETED, invalid="it is gone", assurance="length")
    with pytest.raises(IllegalCommand) as caught:
        decide(lost, c.Retry())
    assert "add it anew" in caught.value.hint
    alone = Download.of({"order": attrs.evolve(lost.order, together=False)}, lost)
    assert decide(alone, c.Retry()) == (e.Resumed(fresh=True),)
