"""`lading list` shows the queue to people and to programs."""

from __future__ import annotations

import pytest

from lading.domain.states import SHOWN
from lading.tools.cli.frame import DOWNLOAD_STATES


@pytest.fixture
def queued(lading):
    """Three downloads, one of them tagged, one paused."""
    lading("add", "http://a.test/1", "--tag", "x")
    lading("add", "http://a.test/2", "http://a.test/3")
    lading("pause", lading.rows("list")[2]["id"])
    return lading.rows("list")


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ((), "123"),
        (("--state", "paused"), "3"),
        (("--tag", "x"), "1"),
        (("--limit", "2"), "12"),
        (("--limit", "0"), ""),
    ],
)
def test_the_options_choose(lading, queued, options, found):
    """In the order of asking."""
    assert [row["url"][-1] for row in lading.rows("list", *options)] == list(found)


def test_what_is_removed_is_shown_on_demand(lading, queued):
    """And only then."""
    lading("remove", queued[0]["id"])
    assert len(lading.rows("list")) == 2
    assert [row["id"] for row in lading.rows("list", "--state", "removed")] == [queued[0]["id"]]


def test_a_pipe_gets_aligned_text_without_colours(lading, queued):
    """Each row has the same columns."""
    first, *rows = lading("list").out.splitlines()
    assert first.split() == ["ID", "STATE", "DONE", "SIZE", "RATE", "LEFT", "WHAT", "WHY"]
    assert [row.split()[:2] for row in rows] == [[row["id"], row["state"]] for row in queued]
    assert "\x1b" not in "".join(rows)


def test_what_waits_or_failed_says_why_in_its_row(lading, origin):
    """As --json does; what is only to have its turn says nothing."""
    lading("get", origin.url("missing"), "--retries", "0", code=1)
    lading("add", "http://a.test/1")
    first, *rows = lading("list").out.splitlines()
    failed = lading.rows("list")[0]["why"]
    assert [row[first.index("WHY") :] for row in rows] == [failed, ""]
    lading("pause", "--queue")
    held = lading("list").out.splitlines()[-1]
    assert held.endswith(lading.rows("list")[1]["why"])


def test_an_empty_list_is_empty(lading):
    """People are told, and stdout stays empty."""
    lading("run")
    said = lading("list")
    assert (said.out, said.err) == ("", "there is nothing to list\n")


def test_totals_are_of_what_has_not_ended(lading, origin, small, queued):
    """The bytes of what is not known are not invented."""
    lading("cancel", queued[1]["id"])
    total = lading.row("list", "--total")
    assert (total["downloads"], total["queued"], total["total"], total["percent"]) == (2, 1, None, None)
    assert total["states"] == dict.fromkeys(SHOWN, 0) | {"queued": 1, "paused": 1, "cancelled": 1}
    assert lading.row("list", "--total", "--tag", "x")["downloads"] == 1
    assert lading.row("list", "--total", "--state", "paused")["downloads"] == 1


def test_totals_of_all_agree_with_totals_of_each(lading, queued):
    """The views' own sums and those over the rows say the same."""
    lading("add", "http://b.test/1", "--tag", "x")
    whole, part = lading.row("list", "--total"), lading.row("list", "--total", "--tag", "x")
    rest = [lading.row("list", "--total", "--state", state) for state in SHOWN]
    assert whole["downloads"] == sum(row["downloads"] for row in rest) == 4
    assert part["downloads"] == 2


def test_the_states_of_the_help_are_the_states_there_are():
    """They are written out there so that the help needs no domain."""
    assert DOWNLOAD_STATES == SHOWN


def test_a_home_that_is_not_there_is_exit_code_3_and_is_not_made(lading):
    """Looking changes nothing."""
    said = lading("--json", "list", code=3)
    assert said.trouble["kind"] == "StoreUnavailable"
    assert said.trouble["hint"]
    assert not lading.home.exists()


def test_totals_say_what_is_not_known_in_words(lading, queued):
    """A dash of a dash says nothing to people."""
    *_, figures = lading("list", "--total").out.splitlines()
    assert figures == "0 B, size unknown, time left unknown"
