"""`decide`: one right answer for every command in every state, to the owner of the file alone, and always an end."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain import commands as c
from lading.domain import events as e
from lading.domain.decide import decide
from lading.domain.errors import Fenced, IllegalCommand, InvalidSetting, LadingError
from lading.domain.evolving import evolve
from lading.domain.faults import BUNDLE, POLICIES, Cause
from lading.domain.requests import LEAST_PRIORITY, MOST_PRIORITY
from lading.domain.states import ENDED, RUNNING, STOPPING, TRANSITIONS, State
from lading.domain.validators import Validator

CONTROL = ("pause", "resume", "retry", "cancel", "remove", "remove files", "prioritise")

ANSWERS = """
            pause    resume   retry    cancel     remove   files    prioritise     start    block    unblock  discard    limit         refresh                 finish   restore  quarantine   invalidate   confirm  expire   forget     shred
queued      Paused   -        -        Cancelled  Removed  Removed  Reprioritised  Started  Blocked  -        -          LimitChanged  SourceReplaced          illegal  illegal  -            -            -        -        Forgotten  -
waiting     Paused   Resumed  Resumed  Cancelled  Removed  Removed  Reprioritised  Started  Blocked  -        -          LimitChanged  SourceReplaced          illegal  illegal  -            -            -        -        Forgotten  -
active      Paused   -        -        Cancelled  Removed  Removed  Reprioritised  fenced   illegal  -        -          LimitChanged  illegal                 illegal  illegal  -            -            -        -        Forgotten  -
verifying   Paused   -        -        Cancelled  Removed  Removed  Reprioritised  fenced   illegal  -        -          LimitChanged  illegal                 illegal  illegal  -            -            -        -        Forgotten  -
pausing     -        illegal  illegal  Cancelled  Removed  Removed  Reprioritised  fenced   illegal  -        -          LimitChanged  illegal                 illegal  illegal  -            -            -        -        Forgotten  -
cancelling  illegal  illegal  illegal  -          Removed  Removed  illegal        fenced   illegal  -        -          illegal       illegal                 illegal  illegal  -            -            -        -        Forgotten  -
removing    illegal  illegal  illegal  illegal    -        -        illegal        fenced   illegal  -        -          illegal       illegal                 illegal  illegal  -            -            -        -        Forgotten  -
paused      -        Resumed  Resumed  Cancelled  Removed  Removed  Reprioritised  fenced   illegal  -        -          LimitChanged  SourceReplaced          illegal  illegal  -            -            -        -        Forgotten  -
completed   illegal  illegal  illegal  illegal    Removed  Removed  illegal        fenced   illegal  -        -          illegal       illegal                 illegal  illegal  -            Invalidated  -        -        Forgotten  -
failed      illegal  illegal  Resumed  Cancelled  Removed  Removed  Reprioritised  fenced   illegal  -        -          LimitChanged  SourceReplaced,Resumed  illegal  illegal  -            -            -        Removed  Forgotten  -
cancelled   illegal  illegal  illegal  -          Removed  Removed  illegal        fenced   illegal  -        Discarded  illegal       illegal                 illegal  illegal  Quarantined  -            -        Removed  Forgotten  -
removed     illegal  illegal  illegal  illegal    -        -        illegal        fenced   illegal  -        Discarded  illegal       illegal                 illegal  illegal  Quarantined  -            -        -        Forgotten  -
"""  # noqa: E501 # a table
REPORTS = """
            active                     verifying       pausing        cancelling  removing
probe       Probed                     illegal         Probed         fenced      fenced
join        Joined                     illegal         Joined         fenced      fenced
vouch       Progressed                 illegal         Progressed     fenced      fenced
reject      PieceRejected              PieceRejected   PieceRejected  fenced      fenced
start-over  Restarted                  Restarted       fenced         fenced      fenced
changed     ResourceChanged,Restarted  illegal         fenced         fenced      fenced
verify      Verified                   illegal         fenced         fenced      fenced
complete    Completed                  Completed       Completed      fenced      fenced
falter      RetryScheduled             RetryScheduled  fenced         fenced      fenced
fail        Failed                     Failed          fenced         fenced      fenced
block       Blocked                    Blocked         fenced         fenced      fenced
degrade     Degraded                   illegal         Degraded       fenced      fenced
stop        Stopped                    Stopped         Stopped        Stopped     Stopped
"""


def cells(table: str) -> list[tuple[str, str, str]]:
    """Read a table: what a line begins with, what its column is called, the cell."""
    head, *lines = [line.split() for line in table.strip().splitlines()]
    return [(line[0], name, cell) for line in lines for name, cell in zip(head, line[1:], strict=True)]


def answer(download, command) -> str:
    """Return the names of the events, or which refusal."""
    try:
        made = decide(download, command)
    except Fenced:
        return "fenced"
    except IllegalCommand:
        return "illegal"
    return ",".join(type(event).__name__ for event in made) or "-"


def refusal(download, command) -> LadingError | None:
    """Return what a command is refused with, or None when it is not."""
    try:
        decide(download, command)
    except LadingError as error:
        return error
    return None


def test_the_tables_are_whole(reached, verbs, reports_of):
    """Every state has an answer to every verb, and every state that has an owner to each of its reports."""
    asked = {verb.replace("remove files", "files") for verb in verbs}
    assert {(state, verb) for state, verb, _ in cells(ANSWERS)} == {(state, verb) for state in State for verb in asked}
    told = {report.replace(" ", "-") for report in reports_of(1, reached[State.ACTIVE])}
    assert {(report, state) for report, state, _ in cells(REPORTS)} == {
        (report, state) for report in told for state in RUNNING | STOPPING
    }


@pytest.mark.row("S1.3")
@pytest.mark.row("S1.5")
@pytest.mark.parametrize(("state", "verb", "expected"), cells(ANSWERS))
def test_each_verb_has_one_right_answer_in_each_state(reached, verbs, state, verb, expected):
    """The table is the contract of the control verbs: events, nothing, or a refusal."""
    assert answer(reached[State(state)], verbs["remove files" if verb == "files" else verb]) == expected


@pytest.mark.law(6)
@pytest.mark.parametrize(("report", "state", "expected"), cells(REPORTS))
def test_each_report_of_the_owner_has_one_right_answer_in_each_state(reached, reports_of, state, report, expected):
    """Asked to stop, a worker may only say its last words; to a pause it may add what it had finished."""
    download = reached[State(state)]
    assert answer(download, reports_of(download.attempt, download)[report.replace("-", " ")]) == expected


@pytest.mark.law(6)
@pytest.mark.parametrize("state", sorted(set(State) - RUNNING - STOPPING))
def test_nobody_owns_a_download_that_does_not_run(reached, reports_of, state):
    """Once it rests or has ended, even the last attempt is fenced, whatever it reports."""
    download = reached[state]
    assert {answer(download, report) for report in reports_of(download.attempt, download).values()} == {"fenced"}


@pytest.mark.law(6)
@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("off", [-1, 1])
def test_the_report_of_another_attempt_is_fenced_in_every_state(reached, reports_of, state, off):
    """A worker that was superseded, or never was, has no word."""
    download = reached[state]
    assert {answer(download, report) for report in reports_of(download.attempt + off, download).values()} == {"fenced"}


@pytest.mark.row("S1.3")
def test_every_arrow_of_the_table_is_made_by_some_decision(reached, verbs, reports_of, stream, make_order):
    """An arrow that nothing can take would be a claim that no test can check."""
    blocked, mirrored, endless = stream(), stream(make_order(2)), stream()
    blocked.do(verbs["block"])
    mirrored.start()
    endless.start()
    staged = evolve(blocked.download, e.Blocked(reason=BUNDLE), stream=blocked.download.id, at_ns=0)
    after = [
        evolve(reached[state], event, stream=reached[state].id, at_ns=0)
        for state, event in (
            (State.CANCELLED, e.Discarded(size=10)),
            (State.CANCELLED, e.Quarantined(size=10, until_ns=5)),
            (State.REMOVED, e.Quarantined(size=10, until_ns=5)),
            (State.COMPLETED, e.Invalidated(reason="it is gone")),
            (State.COMPLETED, e.Removed()),
        )
    ]
    after.append(evolve(after[-1], e.Discarded(size=0), stream=after[-1].id, at_ns=0))
    replaced = attrs.evolve(reached[State.COMPLETED], replaced=".file.bin.old")
    kept = attrs.evolve(reached[State.COMPLETED], invalid="something lies there", kept=".file.bin.kept")
    after += [evolve(one, e.Forgotten(), stream=one.id, at_ns=0) for one in reached.values()]
    taken = {(None, e.Queued)}
    others = (blocked.download, mirrored.download, endless.download, staged, replaced, kept, *after)
    for download in (*reached.values(), *others):
        unblock = c.Unblock(reason=download.blocked or "nothing")
        for command in (*verbs.values(), unblock, *reports_of(download.attempt, download).values()):
            before = download
            try:
                made = decide(download, command)
            except (Fenced, IllegalCommand):
                continue
            for event in made:
                taken.add((before.state, type(event)))
                before = evolve(before, event, stream=before.id, at_ns=before.updated_at_ns)
    assert taken == {(before, event) for before, row in TRANSITIONS.items() for event in row}


@pytest.mark.row("S1.3")
@pytest.mark.law(3)
@settings(max_examples=100)
@given(data=st.data(), steps=st.integers(1, 40))
def test_whatever_is_commanded_every_event_is_legal_and_folds(stream, make_order, commands, data, steps):
    """No sequence of commands makes an event that the table refuses, and a refusal always says what to do."""
    walk = stream(make_order(data.draw(st.integers(1, 3))))
    for _ in range(steps):
        before = walk.download
        command = data.draw(commands(before))
        refused = refusal(before, command)
        if refused is not None:
            assert isinstance(refused, Fenced) or (isinstance(refused, IllegalCommand) and refused.hint)
            continue
        made = walk.do(command)
        state = before.state
        for event in made:
            state = TRANSITIONS[state][type(event)]
        assert walk.download.state is state
        attempt = getattr(command, "attempt", None)
        assert attempt is None or (attempt == before.attempt and before.state in RUNNING | STOPPING)


@pytest.mark.row("S3.12")
@pytest.mark.parametrize("verb", CONTROL)
def test_asking_again_for_what_was_just_asked_changes_nothing(reached, verbs, verb):
    """Control verbs are idempotent: once is enough, twice does no harm and is no error."""
    for download in reached.values():
        if refusal(download, verbs[verb]) is None:
            after = download
            for event in decide(download, verbs[verb]):
                after = evolve(after, event, stream=download.id, at_ns=0)
            assert decide(after, verbs[verb]) == ()


def test_an_order_is_taken_once(stream, make_order):
    """A stream has one order; nothing can be done with a stream that has none."""
    queued = stream()
    with pytest.raises(IllegalCommand):
        decide(queued.download, c.Submit(order=make_order()))
    with pytest.raises(IllegalCommand):
        decide(None, c.Pause())


@pytest.mark.parametrize("priority", [LEAST_PRIORITY - 1, MOST_PRIORITY + 1, 10**30])
def test_a_priority_that_no_request_could_have_is_refused(reached, priority):
    """What the log cannot store is refused before it gets there."""
    with pytest.raises(InvalidSetting) as caught:
        decide(reached[State.QUEUED], c.Prioritise(priority=priority))
    assert caught.value.hint


@pytest.mark.parametrize("priority", [LEAST_PRIORITY, MOST_PRIORITY])
def test_the_outermost_priorities_are_taken(reached, priority):
    """The bounds are the last values that a request can have, too."""
    assert decide(reached[State.QUEUED], c.Prioritise(priority=priority)) == (e.Reprioritised(priority=priority),)


def test_a_file_is_taken_off_the_disk_only_when_it_is_there_and_that_was_asked(reached):
    """`remove --files` of what never completed has no published file to remove."""
    for state, download in reached.items():
        for files in (False, True):
            for event in decide(download, c.Remove(files=files)):
                assert event.files == (files and state is State.COMPLETED)


def test_discarding_is_said_once(reached):
    """Files that are gone cannot go again."""
    for state in (State.CANCELLED, State.REMOVED):
        download = reached[state]
        (event,) = decide(download, c.Discard(size=10))
        gone = evolve(download, event, stream=download.id, at_ns=0)
        assert decide(gone, c.Discard(size=10)) == ()


@pytest.mark.parametrize("state", [State.QUEUED, State.ACTIVE, State.VERIFYING])
def test_an_overwriting_is_never_dropped_without_a_word(reached, state):
    """What goes on without it has to be paused first; what does it already need not be told twice."""
    plain = reached[state]
    overwriting = attrs.evolve(plain, overwrite=True)
    assert decide(plain, c.Retry()) == decide(overwriting, c.Retry(overwrite=True)) == ()
    for download in (plain, attrs.evolve(overwriting, repairs=True)):
        with pytest.raises(IllegalCommand, match="overwrite") as refused:
            decide(download, c.Retry(overwrite=True))
        assert "lading pause ID" in refused.value.hint
    paused = attrs.evolve(reached[State.PAUSED], overwrite=True, repairs=True)
    assert decide(paused, c.Retry(overwrite=True)) == (e.Resumed(fresh=True, overwrite=True),)


def test_a_cancelled_download_can_be_tried_again_once_its_files_are_gone(reached):
    """Not before: the sweep would take the files of the new attempt."""
    download = reached[State.CANCELLED]
    with pytest.raises(IllegalCommand):
        decide(download, c.Retry())
    (event,) = decide(download, c.Discard(size=10))
    assert decide(evolve(download, event, stream=download.id, at_ns=0), c.Retry()) == (e.Resumed(fresh=True),)


def test_blocking_again_for_the_same_reason_is_not_said_again(stream):
    """A scheduler that looks every second must not write every second (law 9)."""
    waiting = stream()
    assert waiting.do(c.Block(reason="network", message="offline"))
    assert waiting.do(c.Block(reason="network", message="offline")) == ()
    assert waiting.do(c.Block(reason="disk", message="full"))


def test_only_the_reason_that_blocks_can_unblock(stream):
    """That the network is back does not make room on the disk."""
    waiting = stream()
    waiting.do(c.Block(reason="disk", message="full"))
    assert waiting.do(c.Unblock(reason="network")) == ()
    assert waiting.do(c.Unblock(reason="disk")) == (e.Unblocked(reason="disk"),)
    assert waiting.download.state is State.QUEUED


def test_a_start_that_cannot_use_the_part_says_so_at_once(stream):
    """Bytes that the new attempt does not have are given up in the same breath, so that the log claims no more."""
    again = stream()
    again.start()
    again.vouch(0, 10)
    again.do(c.Stop(attempt=1, reason="closing"))
    started, restarted = again.start(reuse=False)
    assert (started.resumed_from, restarted.discarded, again.download.received) == (0, 10, 0)


@pytest.mark.law(2)
def test_a_start_is_fenced_when_the_download_has_changed_since_it_was_looked_at(stream):
    """Whoever took the part in hand before it was cancelled and tried again would vouch for a file that is gone."""
    again = stream()
    again.start()
    again.vouch(0, 10)
    again.do(c.Stop(attempt=1, reason="closing"))
    looked = again.download.version
    again.do(c.Cancel())
    again.do(c.Discard(size=10))
    again.do(c.Retry())
    with pytest.raises(Fenced):
        again.start(version=looked)
    assert again.start(version=again.download.version)


@pytest.mark.row("S2.1")
def test_an_attempt_tells_from_which_byte_it_goes_on(stream):
    """What was there before is counted as resumed, and no longer once it is given up."""
    again = stream()
    again.start()
    again.vouch(0, 10)
    again.do(c.Stop(attempt=1, reason="closing"))
    again.start()
    assert again.download.resumed_from == 10
    again.do(c.Reject(attempt=2, start=4, end=10, reason="damaged"))
    assert again.download.resumed_from == 4
    again.vouch(4, 20)
    assert again.download.resumed_from == 4
    again.do(c.StartOver(attempt=2, reason="changed"))
    assert again.download.resumed_from == 0


def run_out(stream, make_order, *, sources, budget, holds, start_over, advance=0, most=200):
    """Let every attempt break after `holds` bytes (each time `advance` more); return how many there were."""
    download = stream(make_order(sources))
    for attempt in range(1, most + 1):
        download.start()
        if start_over and download.download.durable:
            download.do(c.StartOver(attempt=attempt, reason="no ranges"))
        if holds:
            download.vouch(0, holds + advance * attempt)
        if isinstance(download.falter(budget=budget)[-1], e.Failed):
            return attempt
    return most


@pytest.mark.row("S3.4")
@pytest.mark.law(9)
@pytest.mark.parametrize("start_over", [False, True])
@pytest.mark.parametrize("budget", [0, 1, 3, 10])
@pytest.mark.parametrize("holds", [0, 500])
def test_a_server_that_always_breaks_at_one_place_ends_as_failed(stream, make_order, budget, holds, start_over):
    """One attempt and then as many retries as allowed, whether the bytes are kept or fetched anew each time."""
    attempts = run_out(stream, make_order, sources=1, budget=budget, holds=holds, start_over=start_over)
    assert attempts == 1 + budget


@pytest.mark.row("S3.4")
def test_a_server_that_gets_further_each_time_goes_on(stream, make_order):
    """Every durable byte past the previous best brings a new budget."""
    assert run_out(stream, make_order, sources=1, budget=1, holds=10, start_over=False, advance=1, most=50) == 50


@pytest.mark.row("S3.4")
def test_a_lost_file_that_is_fetched_again_makes_progress_from_its_first_byte(stream, reports_of):
    """What was held when it was complete is held no more: the budget is renewed like that of any other download."""
    walk = stream()
    walk.start()
    walk.vouch(0, 10)
    walk.do(reports_of(1, walk.download)["complete"])
    walk.do(c.Invalidate(reason="it is missing"))
    walk.do(c.Retry())
    walk.start(reuse=False)
    walk.falter()
    assert walk.download.spent == 1
    walk.start()
    walk.vouch(0, 5)
    assert (walk.download.spent, walk.download.best) == (0, 5)


@pytest.mark.row("S3.4")
def test_coming_back_to_the_previous_best_is_no_progress(stream):
    """The budget is renewed by the byte after the best, not by those before it."""
    download = stream()
    download.start()
    download.vouch(0, 100)
    download.falter()
    download.start()
    download.do(c.StartOver(attempt=2, reason="no ranges"))
    download.vouch(0, 100)
    assert download.download.spent == 1
    download.vouch(100, 101)
    assert download.download.spent == 0


def test_a_retry_by_a_person_brings_a_new_budget_and_a_resume_does_not(stream):
    """`retry` means: once more from the start of the count; `resume` only ends the wait."""
    download = stream()
    download.start()
    download.falter()
    assert download.download.spent == 1
    download.do(c.Resume())
    assert (download.download.spent, download.download.not_before_ns) == (1, None)
    download.start()
    download.falter()
    download.do(c.Retry())
    assert download.download.spent == 0


@pytest.mark.row("S2.1")
def test_while_nothing_is_held_the_next_source_is_tried_at_once(stream, make_order):
    """Another source costs no bytes then, and the round of sources is gone through."""
    download = stream(make_order(3))
    tried = []
    for _ in range(4):
        download.start()
        tried.append(download.download.source)
        download.falter(budget=10)
    assert tried == [0, 1, 2, 0]


@pytest.mark.row("S2.1")
@pytest.mark.law(4)
def test_without_a_digest_a_source_is_left_only_when_its_retries_are_spent(stream, make_order):
    """What is held belongs to that source: leaving at the first hiccup would throw it away."""
    download = stream(make_order(2))
    download.start()
    download.vouch(0, 100)
    made = []
    for _ in range(4):
        made.append([type(event) for event in download.falter()])
        download.start()
    assert made == [*[[e.RetryScheduled]] * 3, [e.FellBack, e.RetryScheduled]]
    assert download.download.source == 1


@pytest.mark.row("S2.1")
def test_with_a_digest_the_next_source_goes_on_from_the_durable_byte(stream, make_order):
    """The digest will tell, so nothing is given up by going elsewhere."""
    download = stream(make_order(2, digest="sha256:" + "0" * 64))
    download.start()
    download.vouch(0, 100)
    fell, _ = download.falter()
    assert (fell.source, download.download.received) == (1, 100)


@pytest.mark.row("S2.1", "S2.4")
@pytest.mark.law(4)
def test_after_sources_were_mixed_in_vain_each_gets_its_turn_alone(stream, make_order):
    """Nobody can tell which of them it was; so the attempt's own comes first, by itself."""
    download = stream(make_order(2, digest="sha256:" + "0" * 64))
    tried = []
    for mixed in (True, False, False):
        download.start()
        tried.append(download.download.source)
        if mixed:
            download.do(c.Join(attempt=1, source=1, url="https://b.example/", validator=Validator()))
        last = download.falter(Cause.DIGEST)
        assert download.download.alone
    assert tried == [0, 0, 1]
    assert [type(event) for event in last] == [e.Failed]


@pytest.mark.row("S2.1")
def test_a_source_that_refuses_leaves_the_word_to_the_others(stream, make_order):
    """A cause that no retry cures still lets each of the other sources have its turn, without a wait."""
    download = stream(make_order(3))
    for source in range(3):
        download.start()
        made = download.falter(Cause.REFUSED)
        if source < 2:
            assert made[1].not_before_ns == 0
    assert [type(event) for event in made] == [e.Failed]


def test_what_lies_with_this_machine_is_not_put_on_the_source(stream, make_order):
    """A full disk or a taken name would meet every mirror alike."""
    for cause in (Cause.DISK, Cause.DESTINATION):
        download = stream(make_order(2))
        download.start()
        assert not any(isinstance(event, e.FellBack) for event in download.falter(cause))


@pytest.mark.law(9)
def test_publishing_that_keeps_failing_ends_although_there_are_mirrors(stream, make_order):
    """A falter after `Verified` cannot fall back, so it must not be scheduled for ever."""
    download = stream(make_order(2))
    for attempt in range(1, 20):
        download.start()
        download.do(c.Verify(attempt=attempt, digest="sha256:00", size=1, inode=1))
        if isinstance(download.falter(Cause.TLS)[-1], e.Failed):
            return
    pytest.fail("it never ended")


@pytest.mark.law(9)
@pytest.mark.row("S3.4")
@settings(max_examples=200)
@given(
    causes=st.lists(st.tuples(st.sampled_from(Cause), st.booleans(), st.booleans()), min_size=1, max_size=30),
    sources=st.integers(1, 5),
    budget=st.integers(0, 8),
    held=st.integers(0, 50),
    digest=st.booleans(),
)
def test_without_progress_every_sequence_of_faults_ends(stream, make_order, causes, sources, budget, held, digest):
    """However the causes are chosen, a budget of n and m sources give at most n + m attempts."""
    download = stream(make_order(sources, digest="sha256:" + "0" * 64 if digest else None))
    if held:
        download.start()
        download.vouch(0, held)
        download.do(c.Stop(attempt=1, reason="closing"))
    first = download.download.attempt
    for turn in range(budget + sources + 1):
        cause, start_over, verify = causes[turn % len(causes)]
        download.start()
        attempt = download.download.attempt
        if start_over:
            download.do(c.StartOver(attempt=attempt, reason="no ranges"))
            if held:
                download.vouch(0, held)
        if verify:
            download.do(c.Verify(attempt=attempt, digest="sha256:00", size=held, inode=1))
        if isinstance(download.falter(cause, budget=budget)[-1], e.Failed):
            break
    assert download.download.state is State.FAILED
    assert download.download.attempt - first <= budget + sources


@pytest.mark.row("S1.4")
@pytest.mark.parametrize("cause", [cause for cause, policy in POLICIES.items() if policy.most == 0])
def test_what_no_retry_cures_fails_at_once(stream, cause):
    """A refusal is final, and says what would help where something would."""
    download = stream()
    download.start()
    (failed,) = download.falter(cause)
    assert isinstance(failed, e.Failed)
    assert failed.cause == cause


@pytest.mark.row("S1.4")
def test_the_wait_that_a_server_asks_for_is_written_down(stream):
    """`why` can tell until when, and a restart does not forget it."""
    download = stream()
    download.start()
    (scheduled,) = download.falter(Cause.BUSY, now_ns=1_000, retry_after_s=7.0)
    assert scheduled.not_before_ns == 7_000_001_000
    assert download.download.not_before_ns == scheduled.not_before_ns


def test_only_what_has_ended_tells_when(reached):
    """An end has a time, and nothing else has one."""
    for state, download in reached.items():
        assert (download.ended_at_ns is not None) == (state in ENDED) == download.ended


def test_refusals_are_errors_of_the_tree(reached, verbs):
    """What a verb is refused with can be caught as Lading's, and says what to do."""
    for download in reached.values():
        for command in verbs.values():
            error = refusal(download, command)
            assert error is None or isinstance(error, Fenced) or (error.hint and error.exit_code == 2)


FORGETTING = {
    State.QUEUED: "Forgotten,Blocked",
    State.WAITING: "Forgotten,Blocked",
    State.ACTIVE: "Forgotten,Paused",
    State.VERIFYING: "Forgotten,Paused",
}


@pytest.mark.law(7)
@pytest.mark.parametrize("state", State)
def test_what_runs_by_its_secrets_stops_and_what_needs_them_says_so(reached, state):
    """Forgetting is possible in every state, once; what waits for its bundle needs them no more."""
    download = reached[state]
    secret = attrs.evolve(download, order=attrs.evolve(download.order, secret=True))
    assert answer(secret, c.Forget()) == FORGETTING.get(state, "Forgotten")
    assert answer(attrs.evolve(secret, forgotten=True), c.Forget()) == "-"
    if state is State.WAITING:
        assert answer(attrs.evolve(secret, blocked=BUNDLE), c.Forget()) == "Forgotten"


@pytest.mark.law(7)
def test_no_secret_comes_while_the_one_before_is_being_shredded(reached, verbs):
    """Else it would go with it; afterwards it may come, and may be forgotten again."""
    secret = attrs.evolve(reached[State.PAUSED], order=attrs.evolve(reached[State.PAUSED].order, secret=True))
    for command, expected in (
        (verbs["forget"], "Forgotten"),
        (verbs["refresh"], "illegal"),
        (verbs["shred"], "KeyShredded"),
        (verbs["shred"], "-"),
        (verbs["refresh"], "SourceReplaced"),
        (verbs["forget"], "Forgotten"),
    ):
        assert answer(secret, command) == expected
        for event in decide(secret, command) if expected != "illegal" else ():
            secret = evolve(secret, event, stream=secret.id, at_ns=0)
