"""`evolve`: the fold of a download's events, and what must hold after any beginning of them."""

from __future__ import annotations

from uuid import UUID

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain import commands as c
from lading.domain import events as e
from lading.domain import spans
from lading.domain.errors import Fenced, IllegalCommand, LogDamaged
from lading.domain.evolving import evolve, fold
from lading.domain.pieces import Piece
from lading.domain.states import ENDED, RUNNING, STOPPING, TRANSITIONS, State
from lading.domain.validators import Validator

ID = UUID(int=1)
SAMPLES = {
    e.Started: e.Started(attempt=1, worker=ID, storage="disk", path="file", part=".file.part"),
    e.Probed: e.Probed(attempt=1, url="https://a.example/", status=200),
    e.Joined: e.Joined(attempt=1, source=1, url="https://b.example/"),
    e.Progressed: e.Progressed(attempt=1, pieces=(Piece(0, 10, "sha256:00"),)),
    e.PieceRejected: e.PieceRejected(attempt=1, start=0, end=5, reason="damaged"),
    e.ResourceChanged: e.ResourceChanged(attempt=1, before=Validator(), after=Validator()),
    e.Restarted: e.Restarted(attempt=1, reason="changed", discarded=10),
    e.FellBack: e.FellBack(attempt=1, source=0, cause="network"),
    e.Paused: e.Paused(),
    e.Resumed: e.Resumed(),
    e.Cancelled: e.Cancelled(),
    e.Removed: e.Removed(),
    e.Discarded: e.Discarded(size=10),
    e.Reprioritised: e.Reprioritised(priority=1),
    e.Stopped: e.Stopped(attempt=1, reason="closing"),
    e.RetryScheduled: e.RetryScheduled(attempt=1, cause="network", message="", not_before_ns=5),
    e.Blocked: e.Blocked(reason="disk"),
    e.Unblocked: e.Unblocked(reason="disk"),
    e.Verified: e.Verified(attempt=1, digest="sha256:00", size=10, inode=1),
    e.Completed: e.Completed(attempt=1, path="f", size=10, digest="sha256:00", assurance="length", url="https://a/"),
    e.Failed: e.Failed(attempt=1, cause="network", message=""),
    e.LimitChanged: e.LimitChanged(limit_rate=1000),
    e.SourceReplaced: e.SourceReplaced(source=0, url="https://b.example/file.bin"),
    e.FinishRequested: e.FinishRequested(),
    e.Forgotten: e.Forgotten(),
    e.KeyShredded: e.KeyShredded(),
    e.Degraded: e.Degraded(attempt=1, feature="direct_io", message=""),
    e.Quarantined: e.Quarantined(size=10, until_ns=5),
    e.Restored: e.Restored(),
    e.Returned: e.Returned(),
    e.Invalidated: e.Invalidated(reason="gone"),
    e.Confirmed: e.Confirmed(),
}


def held_by(events: list[e.Event]) -> set[int]:
    """Return the bytes that the log vouches for, told one by one: the model of `durable`."""
    held: set[int] = set()
    for event in events:
        match event:
            case e.Progressed():
                held.update(*(range(piece.start, piece.end) for piece in event.pieces))
            case e.PieceRejected():
                held.difference_update(range(event.start, event.end))
            case e.Restarted() | e.Discarded() | e.Completed() | e.Quarantined(part=None):
                held.clear()
            case _:
                pass
    return held


def walked(stream, commands, data, order, steps):
    """Carry out random commands and yield the stream after each that was taken."""
    walk = stream(order)
    yield walk
    for _ in range(steps):
        try:
            walk.do(data.draw(commands(walk.download)))
        except (Fenced, IllegalCommand):
            continue
        yield walk


@pytest.mark.law(2)
@pytest.mark.law(3)
@settings(max_examples=50)
@given(data=st.data())
def test_received_is_what_the_log_vouches_for_after_any_events(stream, commands, make_order, data):
    """The bytes are those of the pieces, no more and no fewer, and after completion the whole size."""
    for walk in walked(stream, commands, data, make_order(2), 30):
        download, held = walk.download, held_by(walk.events)
        assert {byte for start, end in download.durable for byte in range(start, end)} == held
        if download.state is State.COMPLETED:
            assert download.received == download.total
        else:
            assert download.received == spans.size(download.durable) == len(held)
        assert download.best >= download.received or download.ended


@pytest.mark.law(10)
@settings(max_examples=50)
@given(data=st.data())
def test_what_waits_can_say_for_what(stream, commands, make_order, data):
    """A waiting download waits for a time or for a reason, or nobody would ever wake it."""
    for walk in walked(stream, commands, data, make_order(2), 30):
        download = walk.download
        if download.state is State.WAITING:
            assert (download.not_before_ns is None) != (download.blocked is None)
            assert download.message is not None
        if download.state in RUNNING:
            assert download.not_before_ns is None
            assert download.blocked is None
        if download.state is State.FAILED:
            assert download.cause


@settings(max_examples=50)
@given(data=st.data())
def test_the_fold_of_a_beginning_goes_on_to_the_same_state(stream, commands, make_order, data):
    """Replaying from a snapshot and replaying from nothing agree, wherever the snapshot was taken (law 3)."""
    *_, walk = walked(stream, commands, data, make_order(2), 30)
    facts = [(event, at_ns) for at_ns, event in enumerate(walk.events)]
    whole = fold(ID, facts)
    cut = data.draw(st.integers(0, len(facts)))
    assert fold(ID, facts[cut:], fold(ID, facts[:cut])) == whole
    assert whole is not None
    assert (whole.version, whole.updated_at_ns) == (len(facts), len(facts) - 1)


@settings(max_examples=40)
@given(data=st.data())
def test_a_worker_is_named_as_long_as_it_may_write(stream, commands, make_order, data):
    """Running and stopping downloads have an owner; a queued, waiting or ended one has none (law 6)."""
    for walk in walked(stream, commands, data, make_order(), 30):
        download = walk.download
        assert (download.worker is not None) == (download.state in RUNNING | STOPPING)


@pytest.mark.row("S1.3")
@pytest.mark.row("S1.7")
def test_an_event_that_the_table_does_not_know_is_damage(reached):
    """Every absent key is refused, and only those."""
    assert set(SAMPLES) == {event for row in TRANSITIONS.values() for event in row} - {e.Queued}
    for state, download in reached.items():
        for kind, event in SAMPLES.items():
            if kind in TRANSITIONS[state]:
                assert evolve(download, event, stream=ID, at_ns=0).state is TRANSITIONS[state][kind]
            else:
                with pytest.raises(LogDamaged):
                    evolve(download, event, stream=ID, at_ns=0)


@pytest.mark.row("S1.7")
def test_a_stream_that_does_not_begin_with_an_order_is_damage(make_order):
    """A log whose beginning is missing is not read as something else, nor is one with two beginnings."""
    with pytest.raises(LogDamaged):
        evolve(None, e.Paused(), stream=ID, at_ns=0)
    with pytest.raises(LogDamaged):
        fold(ID, [(e.Queued(order=make_order()), 0)] * 2)


def test_the_fold_of_nothing_is_nothing():
    """A stream without events is no download."""
    assert fold(ID, []) is None


def test_every_state_can_be_reached_by_commands(reached):
    """The states of the table are states of real downloads."""
    assert {state: download.state for state, download in reached.items()} == {state: state for state in State}


def test_an_order_sets_priority_and_times(make_order):
    """What was asked for is there from the first event on."""
    download = fold(ID, [(e.Queued(order=make_order(priority=7)), 5)])
    assert (download.priority, download.added_at_ns, download.updated_at_ns, download.version) == (7, 5, 5, 1)


@pytest.mark.row("S0.2")
def test_the_pace_is_what_this_attempt_added_over_the_time_it_took(stream):
    """Resumed bytes do not count, and a clock that steps back gives no rate."""
    walk = stream()
    walk.start()
    walk.vouch(0, 100)
    walk.do(c.Stop(attempt=1, reason="closing"))
    walk.start()
    assert walk.download.pace is None
    walk.vouch(100, 150)
    assert walk.download.pace == 50.0
    more = e.Progressed(attempt=2, pieces=(Piece(150, 900, "sha256:00"),))
    before = evolve(walk.download, more, stream=ID, at_ns=0)
    assert before.pace == 50.0


def test_an_end_has_the_time_of_its_first_word(stream):
    """Removing what had failed does not make it have failed later; trying again takes the end back."""
    walk = stream()
    walk.start()
    walk.falter(budget=0)
    ended = walk.download.ended_at_ns
    assert ended == walk.now_ns
    walk.do(c.Cancel())
    assert walk.download.ended_at_ns == ended
    walk.do(c.Discard(size=0))
    walk.do(c.Retry())
    assert walk.download.ended_at_ns is None


@pytest.mark.row("S1.5")
def test_litter_is_what_nobody_wants_and_still_lies_there(reached, stream):
    """A part file of what was cancelled or removed, or a published file that was asked away."""
    assert {state for state, download in reached.items() if download.litter} == {State.CANCELLED, State.REMOVED}
    never_started = stream()
    never_started.do(c.Cancel())
    assert not never_started.download.litter
    asked_away = attrs.evolve(reached[State.REMOVED], part=None, remove_files=True)
    assert asked_away.litter


@pytest.mark.law(4)
def test_a_restart_forgets_what_belonged_to_the_old_bytes(stream, reports_of):
    """Validator and size were those of the version that was given up."""
    walk = stream()
    walk.start()
    walk.do(reports_of(1, walk.download)["probe"])
    walk.vouch(0, 10)
    assert walk.download.validator is not None
    walk.do(c.StartOver(attempt=1, reason="changed"))
    assert (walk.download.validator, walk.download.total, walk.download.durable) == (None, None, ())


@pytest.mark.law(4)
def test_another_source_is_not_measured_by_the_validator_of_the_last(stream, make_order, reports_of):
    """ETags of two hosts say nothing of each other."""
    walk = stream(make_order(2))
    walk.start()
    walk.do(reports_of(1, walk.download)["probe"])
    walk.falter()
    assert (walk.download.source, walk.download.validator) == (1, None)


@pytest.mark.row("S2.1")
def test_the_outcome_is_what_completed_says(reached):
    """Path, size, digest, assurance, transport, tier and start are the event's."""
    done = reached[State.COMPLETED]
    assert done.received == 100
    assert (done.path, done.total, done.digest, done.assurance) == ("file.bin", 100, "sha256:00", "length")
    assert (done.transport, done.tier, done.resumed_from, done.cached) == ("http", 2, 0, False)
    assert (done.cause, done.message, done.durable) == (None, None, ())


@pytest.mark.row("S2.4")
def test_a_server_may_name_the_file_and_need_not(stream, reports_of):
    """The path that was settled stays until an answer settles another."""
    walk = stream()
    walk.start()
    probe = reports_of(1, walk.download)["probe"]
    walk.do(probe)
    assert walk.download.path == "file.bin"
    walk.do(attrs.evolve(probe, path="named.bin"))
    assert walk.download.path == "named.bin"


def test_the_first_start_is_the_start(stream):
    """Later attempts do not make a download younger."""
    walk = stream()
    walk.start()
    first = walk.download.started_at_ns
    assert first == walk.now_ns
    walk.falter()
    walk.start()
    assert walk.download.started_at_ns == first


@pytest.mark.law(10)
def test_what_was_cancelled_by_nobody_says_why(reached):
    """A skip has its reason; a person's cancel needs none."""
    for reason, message in (("skipped", "skipped"), ("", None)):
        event = e.Cancelled(reason=reason)
        assert evolve(reached[State.ACTIVE], event, stream=ID, at_ns=0).message == message


def test_ended_is_what_nothing_happens_to_by_itself(reached):
    """Four states are ends."""
    assert {state for state, download in reached.items() if download.ended} == ENDED
