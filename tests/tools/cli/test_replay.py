"""`lading replay` shows any view as it stood then."""

from __future__ import annotations

import datetime as dt
import json
import signal
import time

import pytest

from lading.tools.cli import moments

pytestmark = pytest.mark.row("C.6")

SHOWN = {"queue": ("list",), "history": ("history",)}


def views(lading) -> list[str]:
    return sorted(path.name for path in lading.home.glob("views-*"))


@pytest.fixture
def told(lading, origin, small):
    """What the verbs said after each of some acts, by the position that the log had then."""
    said = {}

    def note() -> None:
        position = lading.rows("log")[-1]["position"]
        rows = {view: lading.rows(*words) for view, words in SHOWN.items()}
        rows["progress"] = [lading.row("show", row["id"]) for row in rows["queue"]]
        said[position] = rows

    for words in (
        ("add", "http://a.test/1", "http://b.test/2", "--tag", "x"),
        ("pause", "--tag", "x"),
        ("get", origin.url(small.name), "--key", "k"),
        ("pause", "--queue"),
        ("cancel", "--tag", "x"),
    ):
        lading(*words)
        note()
    lading("remove", "k")
    note()
    lading("resume", "--queue")
    return said


def test_each_view_is_what_its_verb_said_then(lading, told):
    """In the same rows, field for field; the queue is what is replayed when nobody says which."""
    for position, rows in told.items():
        assert lading.rows("replay", "--to", position) == rows["queue"]
        for view in ("progress", "history"):
            assert lading.rows("replay", "--to", position, "--view", view) == rows[view]


def test_without_a_place_it_is_the_end(lading, told):
    """Which the views have as well."""
    assert lading.rows("replay") == lading.rows("list")
    assert lading.rows("replay", "--at", "now", "--view", "history") == lading.rows("history")


def test_people_get_the_columns_of_the_verbs(lading, told):
    """And are told how far the log had come."""
    for view, verb in (("queue", "list"), ("history", "history")):
        assert lading("replay", "--view", view).out == lading(verb).out
    said = lading("replay", "--to", 2)
    assert "as of position 2, " in said.err
    progress = lading("replay", "--view", "progress", "--limit", 1)
    (first, *_) = lading.rows("list")
    assert progress.out == lading("show", first["id"]).out


def test_the_options_choose(lading, told):
    """One download, and so many rows."""
    position, rows = next((at, rows) for at, rows in told.items() if rows["history"])
    for view in ("queue", "progress"):
        (row,) = lading.rows("replay", "--to", position, "--view", view, "--id", "k")
        assert row == next(row for row in rows[view] if row["key"] == "k")
    assert lading.rows("replay", "--to", position, "--view", "history", "--id", "k") == rows["history"]
    assert lading.rows("replay", "--to", position, "--limit", 1) == rows["queue"][:1]


def test_a_time_that_the_log_shows_includes_its_event(lading, told):
    """To the microsecond, as programs have it, and to the second, as people do."""
    events = lading.rows("log")
    for event in (events[2], events[-1]):
        later = [other["position"] for other in events if other["at"] <= event["at"]]
        found = lading.rows("replay", "--at", event["at"])
        assert found == lading.rows("replay", "--to", max(later))
        same = [other["position"] for other in events if other["at"][:19] <= event["at"][:19]]
        assert lading.rows("replay", "--at", f"{event['at'][:19]}Z") == lading.rows("replay", "--to", max(same))


def test_before_the_first_event_nothing_had_happened(lading, told):
    """That is an answer, and no error."""
    said = lading("replay", "--at", "2001-02-03")
    assert (said.out, said.err.splitlines()[0]) == ("", "nothing had happened yet")
    assert lading.rows("replay", "--to", 0) == []


FAR = ("2262-04-12", "2554-07-22", "2554-12-31T23:59:59Z", "2600-01-01", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59")
LONG_AGO = ("1970-01-01T00:00:00Z", "1969-12-31", "1677-09-20", "0001-01-01", "0001-01-01T00:00:00+23:59")


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/Adak"])
def test_a_time_later_than_every_event_is_the_end_whatever_the_year(lading, told, monkeypatch, zone):
    """For every verb that takes a time, up to the last second that can be written; one that is earlier, nothing."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        end = {view: lading.rows("replay", "--view", view) for view in ("queue", "progress", "history")}
        for at in FAR:
            assert {view: lading.rows("replay", "--at", at, "--view", view) for view in end} == end
            assert lading.row("why", "k", "--at", at)["causes"] == lading.row("why", "k")["causes"]
            assert lading.rows("diff", 0, at) == lading.rows("diff", 0)
            assert lading.rows("diff", at) == []
        for at in LONG_AGO:
            assert lading.rows("replay", "--at", at) == []
            assert "no download" in lading("why", "k", "--at", at, code=2).err
            assert lading.rows("diff", at) == lading.rows("diff", 0)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--to", 10_000), "has not come to position 10000"),
        (("--to", 1, "--at", "now"), "two places"),
        (("--at", "yesterday"), "is not a time such as"),
        (("--set", "retries=1"), "nothing to set in what has happened"),
    ],
)
def test_what_cannot_be_meant_is_refused(lading, words, message):
    """With a hint."""
    lading.add("http://a.test/1")
    trouble = lading("--json", "replay", *words, code=2).trouble
    assert message in trouble["error"]
    assert trouble["hint"]


@pytest.mark.long
def test_a_replay_works_beside_a_running_engine(lading, working, origin, large, eventually):
    """The engine goes on, and nothing of the replay is left."""
    id = lading.add(origin.url(large.name))
    eventually(lambda: lading.row("list")["received"] > 0)
    position = next(row["position"] for row in lading.rows("log") if row["event"] == "Queued")
    (then,) = lading.rows("replay", "--to", position)
    assert (then["id"], then["state"], then["received"]) == (id, "queued", 0)
    assert len(views(lading)) == 1
    assert lading.row("list")["state"] in {"active", "verifying", "completed"}
    assert working.popen.poll() is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_replay_that_is_broken_off_leaves_nothing(lading, spawn, eventually, number):
    """Neither on Ctrl-C, nor on kill -9, after which the next look at the home clears away."""
    lading("add", *(f"http://a.test/{n}" for n in range(400)))
    lading("list", "--limit", 1)
    before = views(lading)
    process = spawn("--json", "replay", "--view", "progress")  # nobody reads its answer, so it waits in the midst of it
    eventually(lambda: len(views(lading)) == 2)
    said = process.end(number)
    if number == signal.SIGINT:
        assert said.code == 130
        assert views(lading) == before
    else:
        assert said.code == -9
        assert len(views(lading)) == 2
        lading("list", "--limit", 1)
        assert views(lading) == before


def test_why_tells_the_causes_up_to_then(lading, told):
    """What came later is no cause of how it was."""
    position = next(iter(told))
    id = told[position]["queue"][0]["id"]
    then = lading.row("why", id, "--to", position)
    assert (then["state"], [cause["event"] for cause in then["causes"]]) == ("queued", ["Queued"])
    assert lading.row("why", id)["state"] == "cancelled"
    assert f"{id} was queued" in lading("why", id, "--to", position).out


# -- times -------------------------------------------------------------------------------------------------------------

NOON_NS = int(dt.datetime(2031, 5, 4, 12, tzinfo=dt.UTC).timestamp()) * 10**9
SECOND_NS = 10**9


@pytest.mark.parametrize(
    ("text", "at_ns"),
    [
        ("2031-05-04T12:00:00Z", NOON_NS + SECOND_NS - 1),
        ("2031-05-04 12:00:00Z", NOON_NS + SECOND_NS - 1),
        ("20310504T120000Z", NOON_NS + SECOND_NS - 1),
        ("2031-05-04T12:00:00.000001Z", NOON_NS + 1_999),
        ("2031-05-04T14:00:00+02:00", NOON_NS + SECOND_NS - 1),
        ("2031-05-04T12:00Z", NOON_NS),
        ("1900-01-01", 0),
        ("2h", NOON_NS - 7_200 * SECOND_NS),
        ("1.5m ago", NOON_NS - 90 * SECOND_NS),
        ("3D AGO", NOON_NS - 3 * 86_400 * SECOND_NS),
        ("now", NOON_NS),
        ("noon", None),
        ("12", None),
        ("9999-99-99", None),
    ],
)
def test_times_are_read_as_people_write_them(text, at_ns):
    """ISO 8601, or so long ago; and what is no time is none."""
    assert moments.read(text, NOON_NS) == at_ns


def test_a_time_without_a_zone_is_local(monkeypatch):
    """As on the clock on the wall."""
    local = dt.datetime(2031, 5, 4, 12, 0, 0).astimezone()  # the very question
    assert moments.read("2031-05-04 12:00", 0) == int(local.timestamp()) * 10**9


def test_digits_alone_are_a_position():
    """Everything else is a time, but for the word that means the end."""
    convert = moments.PLACE.convert
    assert convert("12", None, None) == moments.Place(position=12)
    assert convert("head", None, None) == moments.Place()
    assert convert("2031-05-04T12:00Z", None, None) == moments.Place(at_ns=NOON_NS)


def test_list_replay_and_export_keep_one_order(lading, folder):
    """That of asking, whatever states the downloads have gone through since."""
    ids = [lading.add(f"http://127.0.0.1:9/{number}", "--key", f"k{number}") for number in range(6)]
    for words in (("pause", "k1"), ("cancel", "k3"), ("pause", "k4"), ("resume", "k1"), ("prioritise", "k5", "9")):
        lading(*words)
    lading("export", "queue", "--to", "q.jsonl")
    exported = [json.loads(line)["id"] for line in (folder / "q.jsonl").read_text().splitlines()]
    for rows in (lading.rows("list"), lading.rows("replay", "--view", "queue")):
        assert [row["id"] for row in rows if row["state"] != "cancelled"] == exported
    assert exported == [str(id) for number, id in enumerate(ids) if number != 3]
