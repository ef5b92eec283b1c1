"""`lading repair ID` fetches the damaged pieces of a file and nothing else, or leaves it as it is and says why."""

from __future__ import annotations

import signal

import pytest

from lading.domain.pieces import SMALLEST_CELL
from lading.tools.origin import Behaviour, Change, Drop, IfRange, Modified, Ranges, Refusal

pytestmark = [pytest.mark.row("S3.6"), pytest.mark.row("S2.14")]

CELL = SMALLEST_CELL
LATE = Drop(after=3 * CELL, times=1)


def flip(path, *offsets):
    """Change one bit at each of these bytes of a file."""
    data = bytearray(path.read_bytes())
    for offset in offsets:
        data[offset] ^= 1
    path.write_bytes(data)


@pytest.fixture
def fetched(lading, origin, large, folder):
    """A completed download of several pieces; its file, and what was in it."""
    origin.set(large.name, Behaviour())
    lading("get", origin.url(large.name), "--key", "k", "--connections", "1", "--no-cache")
    path = folder / large.name
    return path, path.read_bytes()


def sent(origin, before):
    """Return how many bytes of bodies were sent since so many requests."""
    return sum(exchange.sent for exchange in origin.wait_idle()[before:])


def test_only_the_damaged_pieces_are_fetched(lading, origin, fetched, folder):
    """Two bits of 24 MB cost two pieces and some overlap, and the damaged file is kept aside."""
    path, content = fetched
    flip(path, CELL + 5, 4 * CELL + 1)
    rotten, before = path.read_bytes(), len(origin.requests)
    found, ended = lading.rows("repair", "k")
    assert found["damaged"] == [[CELL, 2 * CELL], [4 * CELL, 5 * CELL]]
    assert (found["repairs"], found["bytes"], ended["state"]) == (True, 2 * CELL, "completed")
    assert path.read_bytes() == content
    assert 2 * CELL <= sent(origin, before) <= 2 * CELL + 200_000
    attempts = [lading.row("show", "k", "--at-byte", cell * CELL + 5)["attempt"] for cell in range(6)]
    assert attempts == [1, 2, 1, 1, 2, 1], "what was kept was brought by whoever brought it"
    (kept,) = folder.glob(".*.kept")
    assert kept.read_bytes() == rotten
    assert lading.row("verify", "--files", "--views")["ok"]
    kinds = [row["event"] for row in lading.rows("log", "--id", "k")]
    assert kinds[kinds.index("Invalidated") :][:2] == ["Invalidated", "Resumed"]


def test_a_sound_file_costs_nothing(lading, origin, fetched):
    """It is said to be sound, nothing is asked and nothing is logged."""
    events, before = len(lading.rows("log")), len(origin.requests)
    row = lading.row("repair", "k")
    assert (row["repairs"], row["damaged"], row["bytes"]) == (False, [], 0)
    assert len(origin.requests) == before
    kinds = {row["event"] for row in lading.rows("log")[events:]}
    assert kinds <= {"EngineOpened", "EngineClosed"}


@pytest.mark.law(4)
def test_another_version_is_never_spliced_into_it(lading, origin, large, fetched):
    """The server has another file now: that is said, the damaged one stays, and `retry --overwrite` takes the new."""
    path, _ = fetched
    flip(path, 7)
    rotten = path.read_bytes()
    origin.set(large.name, Behaviour(change=Change()))
    said = lading("--json", "repair", "k", code=1)
    ended = said.rows[-1]
    assert ended["state"] == "failed"
    assert "another version" in ended["error"]
    assert "--overwrite" in ended["hint"]
    assert path.read_bytes() == rotten
    lading("retry", "k", "--overwrite")
    lading("run")
    assert path.read_bytes() != rotten
    assert lading.row("verify", "--files")["ok"]


@pytest.mark.law(4)
def test_a_server_that_lies_about_its_version_is_found_out_by_the_digest(lading, origin, large, fetched):
    """Same validators, other bytes: nothing is published; once the server is honest again, it is repaired."""
    path, content = fetched
    flip(path, 3 * CELL)
    rotten = path.read_bytes()
    origin.set(large.name, Behaviour(change=Change(keeps_validators=True)))
    assert lading("--json", "repair", "k", code=1).rows[-1]["state"] == "failed"
    assert path.read_bytes() == rotten
    origin.set(large.name, Behaviour())
    assert lading.rows("repair", "k")[-1]["state"] == "completed"
    assert path.read_bytes() == content


def test_a_repair_that_is_asked_for_already_is_seen_to_its_end(lading, origin, large, fetched):
    """So it is after one that was killed: what is queued to be repaired, or runs, is not called well, and goes on."""
    path, content = fetched
    flip(path, 7)
    origin.set(large.name, Behaviour(rate=4_000_000))
    lading("repair", "k", "--no-wait")
    said = lading("repair", "k")
    assert " already, and goes on" in said.err
    assert "nothing to repair" not in said.err
    assert path.read_bytes() == content


def test_a_small_file_is_fetched_whole(lading, origin, small, folder):
    """It has no pieces, and the digest that was published judges it."""
    lading("get", origin.url(small.name), "--key", "s", "--no-cache")
    path = folder / small.name
    content = path.read_bytes()
    flip(path, 9)
    found, ended = lading.rows("repair", "s")
    assert found["damaged"] == [[0, small.size]]
    assert (ended["state"], path.read_bytes()) == ("completed", content)


def test_a_file_that_is_cut_short_or_gone_comes_back(lading, origin, fetched):
    """What is missing of it is damaged, and of one that is gone that is everything."""
    path, content = fetched
    path.write_bytes(content[: 2 * CELL + 10])
    before = len(origin.requests)
    found, _ = lading.rows("repair", "k")
    assert found["damaged"] == [[2 * CELL, len(content)]]
    assert sent(origin, before) < len(content) - 2 * CELL + 200_000
    assert path.read_bytes() == content
    path.unlink()
    lading("clean", "--older-than", "0s")
    assert lading.rows("repair", "k")[0]["damaged"] == [[0, len(content)]]
    assert path.read_bytes() == content


def test_beside_a_running_engine_it_appends_and_the_owner_does_it(lading, origin, fetched, working):
    """The client says what is damaged; who owns the home repairs it."""
    path, content = fetched
    flip(path, 12)
    assert lading.rows("repair", "k")[-1]["state"] == "completed"
    assert path.read_bytes() == content


def test_what_cannot_be_meant_is_refused(lading, fetched):
    """Each with exit code 2."""
    lading("repair", code=2)
    lading("repair", "nobody", code=2)
    lading("repair", "k", "--accept-loss", code=2)
    lading("repair", "--log", "k", code=2)


def test_what_was_not_complete_is_judged_piece_by_piece(lading, origin, large, folder, spawn, eventually):
    """A paused part with a rotten piece goes on with the others."""
    origin.set(large.name, Behaviour(rate=6_000_000))
    running = spawn("get", origin.url(large.name), "--key", "p", "--connections", "1", "--no-cache")
    eventually(lambda: any(folder.glob(".*.part")) and next(folder.glob(".*.part")).stat().st_size > 2 * CELL)
    lading("pause", "p")
    running.end(signal.SIGINT)
    (part,) = folder.glob(".*.part")
    flip(part, 100)
    origin.set(large.name, Behaviour())
    lading.rows("repair", "p")
    assert (folder / large.name).stat().st_size == large.size
    assert "PieceRejected" in [row["event"] for row in lading.rows("log", "--id", "p")]
    assert lading.row("verify", "--files")["ok"]


def test_a_server_without_ranges_sends_it_whole(lading, origin, large, fetched):
    """The digest that was published judges it all the same."""
    path, content = fetched
    flip(path, 5, 3 * CELL)
    origin.set(large.name, Behaviour(ranges=Ranges.IGNORED))
    assert lading.rows("repair", "k")[-1]["state"] == "completed"
    assert path.read_bytes() == content


@pytest.mark.law(4)
@pytest.mark.parametrize(
    "answers",
    [Behaviour(), Behaviour(ranges=Ranges.IGNORED), Behaviour(if_range=IfRange.IGNORED), Behaviour(drop=LATE)],
    ids=["ranges", "no ranges", "ranges of whatever it has", "broken once"],
)
@pytest.mark.parametrize("etag", ['"moved"', 'W/"moved"'])
def test_the_bytes_decide_whether_it_is_another_version_and_no_validator(etag, answers, lading, origin, large, fetched):
    """The server says that the file is another one, and its digest is the published one: all of it comes, alone."""
    path, content = fetched
    flip(path, CELL + 5)
    before = len(origin.requests)
    origin.set(large.name, answers | Behaviour(etag=etag, modified=Modified.NONE))
    assert lading.rows("repair", "k")[-1]["state"] == "completed"
    assert path.read_bytes() == content
    assert sent(origin, before) >= len(content), "no byte of what was held was joined to what came"
    attempts = {lading.row("show", "k", "--at-byte", cell * CELL + 5)["attempt"] for cell in range(6)}
    assert 1 not in attempts
    assert lading.row("verify", "--files", "--views")["ok"]


@pytest.mark.law(4)
def test_a_server_that_has_the_old_bytes_back_repairs_what_it_could_not(lading, origin, large, fetched):
    """While it has others nothing is taken over from the damaged file to be mixed with them, and nothing published."""
    path, content = fetched
    flip(path, 7)
    rotten = path.read_bytes()
    origin.set(large.name, Behaviour(change=Change()))
    for _ in range(2):
        before = len(origin.requests)
        assert "another version" in lading("--json", "repair", "k", code=1).rows[-1]["error"]
        assert path.read_bytes() == rotten
    assert "range" not in origin.requests[before].headers
    origin.set(large.name, Behaviour(etag='"back"', modified=Modified.NONE))
    assert lading.rows("repair", "k")[-1]["state"] == "completed"
    assert path.read_bytes() == content


def see_said(lading, path, *, damaged):
    """See that everything that looks at files says of one whether it is what was published."""
    verified = lading("--json", "verify", "--files", code=4 if damaged else 0).rows
    assert [finding["path"] for finding in verified if finding["kind"] == "file"] == [str(path)] * damaged
    (file,) = lading.rows("files", "k")
    found = ("not valid", False) if damaged else ("valid", True)
    assert (file["state"], file["valid"], file["path"]) == (*found, str(path))
    (row,) = lading.rows("list")
    assert ("has changed" in row["why"]) is damaged
    sick = [row["status"] for row in lading.rows("health") if row.get("check") == "published files"]
    assert sick == ["warn"] * damaged


@pytest.mark.law(5)
@pytest.mark.law(10)
@pytest.mark.parametrize("end", ["repaired", "overwritten", "removed"])
def test_a_file_that_could_not_be_repaired_is_said_to_be_damaged_until_that_has_passed(
    end, lading, origin, large, fetched
):
    """Whatever becomes of the download: its damaged file lies under its final name still."""
    path, _ = fetched
    flip(path, CELL + 5)
    lading("verify", "--files", code=4)
    origin.set(large.name, Behaviour(change=Change()))
    lading("repair", "k", code=1)
    see_said(lading, path, damaged=True)
    for act in ("retry", "pause", "cancel"):
        lading(act, "k")
        see_said(lading, path, damaged=True)
    lading("retry", "k", "--overwrite")
    origin.set(large.name, Behaviour(refusals=(Refusal(404, times=None),)))
    lading("run", code=1)
    see_said(lading, path, damaged=True)
    origin.set(large.name, Behaviour(change=Change()) if end == "overwritten" else Behaviour())
    if end == "removed":
        lading("remove", "k")
        assert lading.row("verify", "--files")["ok"]
    else:
        lading("retry", "k", "--overwrite")
        lading("run")
        see_said(lading, path, damaged=False)


def test_an_overwriting_of_what_is_queued_to_be_repaired_is_refused_and_the_hint_works(lading, origin, large, fetched):
    """Else it would be queued as the repair that it was, and fail of the same; asked twice, it is done once."""
    path, _ = fetched
    flip(path, 7)
    rotten = path.read_bytes()
    origin.set(large.name, Behaviour(change=Change()))
    lading("repair", "k", code=1)
    lading("retry", "k")
    trouble = lading("--json", "retry", "k", "--overwrite", code=2).trouble
    assert "overwrite" in trouble["error"]
    commands = [part for part in trouble["hint"].split("`") if part.startswith("lading ")]
    assert [command.split()[1] for command in commands] == ["pause", "retry"]
    for command in (*commands, commands[-1]):
        lading(*command.split()[1:])
    lading("run")
    assert path.read_bytes() != rotten
    assert lading.row("verify", "--files")["ok"]


@pytest.mark.law(3)
@pytest.mark.law(5)
@pytest.mark.parametrize("moment", ["Started", "Progressed"])
@pytest.mark.long
def test_a_killed_repair_goes_on_where_it_was(moment, lading, origin, large, fetched, spawn, eventually, folder):
    """kill -9 in the midst of it: the damaged file lies there still, and `run` makes it whole for its pieces alone."""
    path, content = fetched
    flip(path, CELL + 5, 2 * CELL, 3 * CELL)
    rotten = path.read_bytes()
    origin.set(large.name, Behaviour(rate=500_000))
    before = len(origin.requests)
    repairing = spawn("repair", "k")

    def has_come():
        kinds = [row["event"] for row in lading.rows("log", "--id", "k")]
        return moment in kinds[kinds.index("Invalidated") :] if "Invalidated" in kinds else False

    eventually(has_come)
    repairing.end(signal.SIGKILL)
    assert path.read_bytes() == rotten
    origin.set(large.name, Behaviour())
    lading("run")
    assert path.read_bytes() == content
    assert sent(origin, before) <= 5 * CELL
    assert not list(folder.glob(".*.part"))
    assert lading.row("verify", "--files", "--views")["ok"]


def test_a_file_that_rots_again_is_repaired_again(lading, origin, fetched, folder):
    """What the first repair had put aside goes, by an event of its own; the file that was damaged last is kept."""
    path, content = fetched
    for offset in (5, CELL + 5, 2 * CELL):
        flip(path, offset)
        rotten = path.read_bytes()
        assert lading.rows("repair", "k")[-1]["state"] == "completed"
        assert path.read_bytes() == content
        (kept,) = folder.glob(".*.kept")
        assert kept.read_bytes() == rotten
    kinds = [row["event"] for row in lading.rows("log", "--id", "k")]
    assert kinds.count("Discarded") == 2
    assert kinds[kinds.index("Discarded") :][:2] == ["Discarded", "Resumed"]
    path.write_bytes(b"edited")
    assert lading.row("retry", "k", "--overwrite")["state"] == "queued"
    lading("run")
    assert path.read_bytes() == content
    (kept,) = folder.glob(".*.kept")
    assert kept.read_bytes() == b"edited"


def test_what_was_there_before_the_download_is_no_damaged_copy_of_it(lading, origin, small, folder):
    """It stays, and the hint says where it is; when it was moved away, the repair goes on."""
    path = folder / small.name
    path.write_bytes(b"mine")
    lading("get", origin.url(small.name), "--key", "s", "--no-cache", "--if-exists", "overwrite")
    content = path.read_bytes()
    flip(path, 9)
    (kept,) = folder.glob(".*.kept")
    assert kept.name in lading("--json", "repair", "s", code=2).trouble["hint"]
    assert kept.read_bytes() == b"mine"
    kept.rename(folder / "mine")
    assert lading.rows("repair", "s")[-1]["state"] == "completed"
    assert (path.read_bytes(), (folder / "mine").read_bytes()) == (content, b"mine")


def test_an_undo_says_that_a_repair_cannot_be_undone_and_takes_nothing_older_back(lading, fetched):
    """Only who lets it stand comes to what was before it."""
    path, content = fetched
    flip(path, 5)
    lading("repair", "k")
    said = lading("--json", "undo", code=2).trouble
    assert "repair cannot be undone" in said["error"]
    assert "--skip" in said["hint"]
    assert path.read_bytes() == content
    assert lading.row("undo", "--skip")["command"] == "resume"
    assert lading.row("undo")["command"] == "add"
