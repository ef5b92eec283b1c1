"""What holds the whole queue: a fold of few words, said only when they change something."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.domain import events as e
from lading.domain import hold
from lading.domain.hold import Hold, evolve

pytestmark = [pytest.mark.row("S0.1"), pytest.mark.row("S2.10")]

REASONS = st.dictionaries(st.sampled_from(("disk", "memory", "network")), st.text(max_size=5))
STEPS = st.lists(st.one_of(st.sampled_from(("pause", "resume")), REASONS), max_size=30)


def fold(held: Hold, events) -> Hold:
    for event in events:
        held = evolve(held, event, held.version + 1)
    return held


@pytest.mark.law(9)
@given(steps=STEPS)
def test_it_is_always_what_was_asked_last_and_asking_again_says_nothing(steps):
    """Paused or not by the last word; blocked by what is unmet now, and a second look at the same writes nothing."""
    held, paused, unmet = Hold(), False, {}
    for step in steps:
        if isinstance(step, dict):
            unmet = step
            held = fold(held, hold.settle(held, unmet))
            assert hold.settle(held, unmet) == ()
        else:
            paused = step == "pause"
            verb = hold.pause if paused else hold.resume
            held = fold(held, verb(held))
            assert verb(held) == ()
        assert (held.paused, set(held.blocked)) == (paused, set(unmet))
        assert (held.why is None) == (not paused and not unmet)


def test_what_is_no_business_of_the_hold_only_moves_the_version():
    """Other words on the queue's stream keep their place in it."""
    held = Hold(paused=True, version=3)
    assert evolve(held, e.EngineClosed(worker=None), 4) == attrs.evolve(held, version=4)


def test_a_message_that_only_changes_is_not_said_again():
    """That 3 MiB less are free is no news."""
    held = fold(Hold(), hold.settle(Hold(), {"disk": "7 are free"}))
    assert hold.settle(held, {"disk": "4 are free"}) == ()
