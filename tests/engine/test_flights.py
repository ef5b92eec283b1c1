"""Who waits for whom: nobody without need, nobody for ever, and nobody for somebody who is not at work."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.flights import MOST_WAITING, TAKE_UP_S, Flights

pytestmark = pytest.mark.row("S2.12")

A, B, C, D = (UUID(int=number) for number in range(1, 5))


def waiting(*followers: UUID) -> Flights:
    """One that leads, and others that wait for it."""
    flights = Flights()
    assert flights.join("k", A, 0.0) is None
    for id in followers:
        assert flights.join("k", id, 0.0) == A
    return flights


def test_all_go_on_once_it_is_kept():
    """And none of them is waited for: what they want is there."""
    flights = waiting(B, C)
    assert not flights.may_go_on(B, 1.0)
    assert flights.land("k", A, 1.0, kept=True)
    assert flights.may_go_on(B, 1.0)
    assert flights.may_go_on(C, 1.0)
    assert [flights.join("k", id, 1.0) for id in (B, C)] == [None, None]


def test_one_goes_on_when_it_came_to_nothing():
    """The one that has waited the longest; the others wait for that one then."""
    flights = waiting(B, C)
    assert flights.land("k", A, 1.0, kept=False)
    assert [flights.may_go_on(id, 1.0) for id in (B, C)] == [True, False]
    assert flights.join("k", D, 1.0) == B
    assert flights.join("k", B, 2.0) is None
    assert flights.join("k", C, 2.0) == B


def test_a_lead_that_is_not_taken_up_is_lost():
    """Whose turn it was may have been paused meanwhile."""
    flights = waiting(B, C)
    flights.land("k", A, 1.0, kept=False)
    assert not flights.may_go_on(C, 1.0 + TAKE_UP_S / 2)
    assert flights.may_go_on(C, 1.0 + TAKE_UP_S)
    assert flights.join("k", C, 1.0 + TAKE_UP_S) is None
    assert flights.join("k", B, 1.0 + TAKE_UP_S) == C


def test_nobody_waits_for_what_is_in_vain():
    """Neither who waits already, nor who comes later."""
    flights = waiting(B)
    assert flights.give_up("k", A)
    assert flights.may_go_on(B, 1.0)
    assert flights.join("k", C, 1.0) is None
    flights.land("k", A, 1.0, kept=False)
    assert flights.join("k", D, 1.0) is None


def test_nobody_waits_for_who_is_left():
    """Whatever that one fetches; it is said once that they may go on."""
    flights = waiting(B)
    assert not flights.leave(B)
    assert flights.leave(A)
    assert flights.may_go_on(B, 1.0)
    assert flights.join("k", C, 1.0) is None
    assert not flights.leave(A)


def test_it_is_said_when_nobody_has_waited():
    """Then there is nobody to look again for."""
    flights = waiting()
    assert not flights.give_up("k", A)
    assert not flights.land("k", A, 1.0, kept=False)
    assert flights.join("k", A, 2.0) is None
    assert not flights.leave(A)
    assert not flights.land("k", A, 3.0, kept=False)


def test_only_who_leads_can_say_that_it_is_over():
    """Another attempt's word changes nothing."""
    flights = waiting(B)
    assert not flights.land("k", B, 1.0, kept=True)
    assert not flights.give_up("k", C)
    assert not flights.land("other", A, 1.0, kept=True)
    assert not flights.may_go_on(B, 1.0)


def test_who_is_held_back_is_just_who_may_not_go_on():
    """Whatever has become of the one ahead."""
    flights = waiting(B, C)
    assert flights.held_back(1.0) == {B, C}
    assert flights.land("k", A, 1.0, kept=False)
    assert flights.held_back(1.0) == {C}
    assert flights.held_back(1.0 + TAKE_UP_S) == set()
    assert flights.give_up("k", B)
    assert flights.held_back(1.0) == set()


@pytest.mark.law(9)
def test_not_too_many_wait():
    """The rest fetch for themselves."""
    flights = waiting(*(UUID(int=number) for number in range(10, 10 + MOST_WAITING)))
    assert flights.join("k", B, 0.0) is None


@pytest.mark.law(9)
@given(st.lists(st.tuples(st.sampled_from(["join", "land", "give-up"]), st.integers(1, 4), st.booleans()), max_size=40))
def test_whatever_happens_each_gets_its_turn(steps):
    """After any history, those that are left come to an end when each does what it may."""
    flights, now_s = Flights(), 0.0
    ids = [UUID(int=number) for number in range(1, 5)]
    for step, number, kept in steps:
        now_s += 1.0
        id = UUID(int=number)
        if step == "join":
            flights.join("k", id, now_s)
        elif step == "land":
            flights.land("k", id, now_s, kept=kept)
        else:
            flights.give_up("k", id)
    for id in ids:  # whatever ran has ended
        flights.land("k", id, now_s, kept=False)
    left = set(ids)
    for _ in range(3 * len(ids)):
        now_s += TAKE_UP_S
        for id in sorted(left):
            if flights.may_go_on(id, now_s) and flights.join("k", id, now_s) is None:
                flights.land("k", id, now_s, kept=False)
                left.discard(id)
    assert not left
