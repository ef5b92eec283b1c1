"""The one table of what may happen to a download, and the diagram that is drawn from it."""

from __future__ import annotations

import re

import pytest

from lading.domain import events as e
from lading.domain.states import ENDED, RUNNING, SHOWN, STOPPING, TRANSITIONS, State, diagram

pytestmark = [pytest.mark.row("S1.3"), pytest.mark.row("S3.1")]

NOT_OF_A_DOWNLOAD = {
    kind
    for module in (e.of_bundles, e.of_engines)
    for kind in vars(module).values()
    if isinstance(kind, type) and kind is not e.Event and issubclass(kind, e.Event)
}


def arrows_drawn() -> set[tuple[str, str, str]]:
    """Read the diagram back: before, event, after."""
    found = set()
    for line in diagram().splitlines()[1:]:
        match = re.fullmatch(r"    (\S+) --> (\S+): (.+)", line)
        assert match, line
        found |= {(match[1], event, match[2]) for event in match[3].split(", ")}
    return found


def test_the_table_has_a_row_for_nothing_and_for_every_state():
    """No state is left out, so an absent key can only mean an illegal event."""
    assert set(TRANSITIONS) == {None, *State}


def test_a_download_begins_with_queued_and_with_nothing_else():
    """An order is the first event of every stream, and never a later one."""
    assert TRANSITIONS[None] == {e.Queued: State.QUEUED}
    assert not any(e.Queued in row for before, row in TRANSITIONS.items() if before is not None)


def test_every_state_can_be_reached_from_nothing():
    """The arrows lead everywhere."""
    seen, ahead = set(), [None]
    while ahead:
        before = ahead.pop()
        fresh = set(TRANSITIONS[before].values()) - seen
        seen |= fresh
        ahead.extend(fresh)
    assert seen == set(State)


def test_every_event_of_a_download_has_its_place_in_the_table():
    """An event that the table does not know could be written and never be read."""
    assert {event for row in TRANSITIONS.values() for event in row} == set(e.EVENTS.values()) - NOT_OF_A_DOWNLOAD


def test_from_every_state_a_download_can_be_removed():
    """Whatever happens to it, a person can be rid of it, also when the removal was taken back."""

    def leads(before: State, seen: frozenset[State] = frozenset()) -> bool:
        after = set(TRANSITIONS[before].values()) - seen - {before}
        return State.REMOVED in after or any(leads(state, seen | after) for state in after)

    assert [state for state in State if not leads(state)] == []


def test_only_a_running_attempt_can_complete():
    """Content is published by the worker that owns it, also when it was asked to pause meanwhile (law 5).

    What waits completes only as a member that is whole, with its bundle.
    """
    able = {before for before, row in TRANSITIONS.items() if e.Completed in row}
    assert able == {*RUNNING, State.PAUSING, State.WAITING}


def test_a_stopping_attempt_ends_with_what_was_asked_for():
    """Stopped leads where the person wanted it: resting, given up or gone."""
    assert {state: TRANSITIONS[state][e.Stopped] for state in STOPPING} == {
        State.PAUSING: State.PAUSED,
        State.CANCELLING: State.CANCELLED,
        State.REMOVING: State.REMOVED,
    }


def test_what_was_given_up_claims_no_bytes():
    """After cancel or remove the log vouches for nothing more (law 2)."""
    for state in (State.CANCELLING, State.REMOVING, State.CANCELLED, State.REMOVED, State.PAUSED):
        assert e.Progressed not in TRANSITIONS[state]


def test_users_see_the_ten_words_of_the_design():
    """The words are a contract; three inner states are shown as one."""
    words = "queued active stopping paused waiting verifying completed failed cancelled removed"
    assert set(SHOWN) == set(words.split())
    assert {state for state in State if state.shown == "stopping"} == STOPPING


def test_the_sets_of_states_do_not_overlap():
    """A download runs, or is being stopped, or has ended."""
    assert len(RUNNING | STOPPING | ENDED) == len(RUNNING) + len(STOPPING) + len(ENDED)


def test_the_diagram_draws_every_arrow_and_no_other():
    """What the README shows is the table: each change of the word that users see, by the event that makes it."""
    expected = {
        ("[*]" if before is None else before.shown, event.__name__, after.shown)
        for before, row in TRANSITIONS.items()
        for event, after in row.items()
        if before is None or before.shown != after.shown
    }
    assert arrows_drawn() == expected


def test_the_diagram_names_each_pair_of_states_once():
    """Mermaid would draw two arrows on top of each other."""
    pairs = [line.partition(":")[0] for line in diagram().splitlines()[1:]]
    assert len(pairs) == len(set(pairs))
    assert diagram().startswith("stateDiagram-v2\n")
