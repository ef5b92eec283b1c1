"""What is left on the disk is judged by what the log says, and nothing is given up that the log has not given up."""

from __future__ import annotations

from uuid import UUID

import attrs
import pytest

from lading.domain import commands as c
from lading.domain import events as e
from lading.domain import upkeep
from lading.domain.decide import decide
from lading.domain.download import Download
from lading.domain.evolving import evolve
from lading.domain.requests import Order, Source
from lading.domain.states import RUNNING, STOPPING, State
from lading.domain.upkeep import Look, Presence

pytestmark = pytest.mark.row("S3.6")

NEVER = 2**62


@pytest.fixture
def completed(reached):
    return attrs.evolve(reached[State.COMPLETED], total=100, digest="sha256:aa", ended_at_ns=1000)


def look(size=100, mtime_ns=0, *, is_file=True):
    return Look(size, mtime_ns, "/f", is_file=is_file)


@pytest.mark.row("S3.12")
@pytest.mark.parametrize(
    ("seen", "digest", "presence", "valid"),
    [
        (look(), None, Presence.VALID, True),
        (look(), "sha256:aa", Presence.VALID, True),
        (look(), "sha256:bb", Presence.NOT_VALID, False),
        (look(99), None, Presence.NOT_VALID, False),
        (look(is_file=False), None, Presence.NOT_VALID, False),
        (None, None, Presence.ABSENT, False),
    ],
)
def test_a_published_file_is_valid_not_valid_or_absent(completed, seen, digest, presence, valid):
    """By its size, by its digest where there is one, and by whether it is there; and the reason is told."""
    verdict = upkeep.judge(completed, seen, digest)
    assert (verdict.presence, verdict.valid) == (presence, valid)
    assert bool(verdict.reason) is not valid


def test_only_what_was_written_to_since_or_was_wrong_before_is_in_doubt(completed):
    """A look is quick: everything else is believed by its size."""
    assert not upkeep.is_doubtful(completed, look(mtime_ns=1000))
    assert upkeep.is_doubtful(completed, look(mtime_ns=1001))
    assert upkeep.is_doubtful(attrs.evolve(completed, invalid="it has changed"), look())
    assert not upkeep.is_doubtful(completed, look(99, 1001)), "its size says enough"


def test_the_log_is_told_once_and_of_what_was_looked_at(completed):
    """Once wrong, once right again, and nothing of a download that has changed since."""
    lost, there = upkeep.judge(completed, None), upkeep.judge(completed, look())
    word = upkeep.word(completed, lost)
    assert [type(event) for event in decide(completed, word)] == [e.Invalidated]
    wrong = attrs.evolve(completed, invalid="it is missing")
    assert upkeep.word(wrong, lost) is None
    assert upkeep.word(completed, there) is None
    assert [type(event) for event in decide(wrong, upkeep.word(wrong, there))] == [e.Confirmed]
    later = attrs.evolve(completed, version=completed.version + 3)
    assert decide(later, word) == ()
    assert decide(attrs.evolve(wrong, version=wrong.version + 1), upkeep.word(wrong, there)) == ()


@pytest.mark.parametrize("state", [state for state in State if state is not State.COMPLETED])
def test_nothing_is_told_of_a_file_that_is_not_published(reached, state):
    """There is nothing to be wrong."""
    assert all(upkeep.word(reached[state], upkeep.judge(reached[state], seen)) is None for seen in (None, look()))


@pytest.mark.row("S3.3")
@pytest.mark.parametrize("state", State)
def test_only_failures_and_what_was_cancelled_long_ago_expire(reached, state):
    """And never what somebody has wanted since, however long ago it failed."""
    download = attrs.evolve(reached[state], ended_at_ns=1000)
    stale = state in {State.FAILED, State.CANCELLED}
    assert [type(x) for x in decide(download, c.Expire(before_ns=1001))] == ([e.Removed] if stale else [])
    assert decide(download, c.Expire(before_ns=1000)) == ()


def part(download, attempt=None, suffix=""):
    return f".f.{download.id.hex[-8:]}.{attempt or download.attempt}.part{suffix}"


@pytest.mark.row("S0.3")
@pytest.mark.law(2)
@pytest.mark.parametrize("state", State)
def test_a_part_is_an_orphan_only_when_its_own_download_has_done_with_it(reached, state):
    """While a download runs, none of its parts is; else those that are not its part, and of a completed one, all."""
    download = attrs.evolve(reached[state], attempt=3)
    own = part(download)
    download = attrs.evolve(download, part=own)
    rests = state not in RUNNING | STOPPING
    assert upkeep.is_orphan(part(download, 2), part(download, 2), [download]) is rests
    assert upkeep.is_orphan(own, own, [download]) is (state is State.COMPLETED)
    assert upkeep.is_orphan(own + ".new", own + ".new", [download]) is (state is State.COMPLETED)
    assert not upkeep.is_orphan(part(download, 4), part(download, 4), [download]), "of an attempt that never was"
    kept = part(download, 2).replace(".part", ".kept")
    assert not upkeep.is_orphan(kept, kept, [download]), "what was put aside is not swept"


@pytest.mark.row("S0.3")
def test_a_name_that_no_download_stands_for_is_somebody_elses(reached):
    """And where two could have made it, both must have done with it."""
    done, running = (attrs.evolve(reached[state], attempt=1, part=None) for state in (State.COMPLETED, State.ACTIVE))
    name = part(done)
    assert upkeep.is_orphan(name, name, [done])
    assert not upkeep.is_orphan(name, name, [])
    assert not upkeep.is_orphan(name, name, [done, running])


@pytest.mark.parametrize(
    "name",
    ["f", ".f.part", ".f.0000000g.1.part", ".f.00000000.0.part", ".f.00000000.1.part.old", "f.00000000.1.part",
     ".00000000.1.part", ".f.00000000.0.kept", ".f.00000000.1.part.new.new",
     ".f.ABCDEF00.1.part"],
)  # fmt: skip
def test_what_only_looks_like_a_part_is_none(name):
    """The name is the first proof of three."""
    assert not upkeep.is_part_name(name)
    assert not upkeep.is_orphan(name, name, [])


@pytest.mark.law(2)
@pytest.mark.parametrize(
    ("changes", "orphan"),
    [
        ({"state": State.CANCELLED, "part": None}, True),
        ({"state": State.REMOVED, "part": None}, True),
        ({"state": State.CANCELLED, "part": ".f.00000001.1.part"}, False),
        ({"state": State.CANCELLED, "part": ".f.00000001.1.kept", "quarantined_until_ns": 5}, False),
        ({"state": State.REMOVED, "part": None, "remove_files": True}, False),
        ({"state": State.COMPLETED, "part": None}, False),
        ({"state": State.QUEUED, "part": ".f.00000001.1.kept"}, False),
    ],
)
def test_what_was_put_aside_is_an_orphan_only_once_it_was_said_that_it_goes(changes, orphan):
    """Between the word and the deed an engine may die; before the word it is somebody's."""
    order = Order(sources=(Source(url="https://a.example/f"),))
    download = Download(**{"id": UUID(int=1), "order": order, "attempt": 1, "path": "f", **changes})
    assert upkeep.is_orphan(".f.00000001.1.kept", ".f.00000001.1.kept", [download]) is orphan


@pytest.mark.law(5)
@pytest.mark.parametrize("state", [State.QUEUED, State.ACTIVE, State.FAILED, State.PAUSED, State.CANCELLED])
@pytest.mark.parametrize(
    ("seen", "digest", "presence"),
    [
        (look(), None, Presence.NOT_VALID),
        (look(99), "sha256:bb", Presence.NOT_VALID),
        (look(99), "sha256:aa", Presence.VALID),
        (None, None, Presence.ABSENT),
    ],
)
def test_what_is_to_be_replaced_is_judged_until_it_is(reached, state, seen, digest, presence):
    """By its digest alone, since the size that is known may be that of what comes; the log is told nothing."""
    download = attrs.evolve(reached[state], total=100, digest="sha256:aa", path="f", unmended="it has changed")
    verdict = upkeep.judge(download, seen, digest)
    assert verdict.presence is presence
    assert upkeep.watched(download) == "f"
    assert upkeep.is_doubtful(download, look(99))
    assert upkeep.word(download, verdict) is None


@pytest.mark.law(5)
@pytest.mark.parametrize("command", [c.Repair(), c.Retry(overwrite=True)])
def test_a_damaged_file_is_remembered_until_it_is_replaced_or_given_up(completed, command):
    """Whatever lets the download go on, for whatever it stops, and if its removal is taken back."""

    def after(download, *events):
        for event in events:
            download = evolve(download, event, stream=download.id, at_ns=5)
        return download

    damaged = after(completed, e.Invalidated(reason="it has changed"))
    assert damaged.wrong == "it has changed"
    asked = after(damaged, *decide(damaged, command))
    for events in [(), (e.Paused(),), (e.Cancelled(),), (e.Cancelled(), e.Restored()), (e.Removed(), e.Restored())]:
        assert after(asked, *events).wrong == "it has changed"
    assert after(asked, e.Removed()).wrong is None
    plain = after(damaged, *decide(damaged, c.Retry()))
    assert plain.wrong is None, "nothing that lies there is to be replaced"
