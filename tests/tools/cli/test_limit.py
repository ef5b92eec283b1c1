"""`lading limit` changes what downloads may use, running ones of another process too, and says so in the log."""

from __future__ import annotations

import signal
import time

import pytest

pytestmark = pytest.mark.row("S2.11")


def test_a_limit_is_kept_with_the_download_and_taken_away(lading):
    """Connections stay as they are unless they are named."""
    id = lading.add("http://a.test/1", "--connections", 3)
    for words, rate, connections in (
        (("500K",), 500 << 10, 3),
        (("1M", "--connections", 2), 1 << 20, 2),
        (("none",), None, 2),
        (("none", "--connections", 0), None, None),
    ):
        lading("limit", id, *words)
        shown = lading.row("show", id)
        assert (shown["limit_rate"], shown["connections"]) == (rate, connections)
    assert [row["event"] for row in lading.rows("log")].count("LimitChanged") == 4
    told = [cause["text"].partition(" by ")[0] for cause in lading.row("why", id)["causes"][1:]]
    assert told == [
        "limited to 500.0 KiB a second, 3 connections",
        "limited to 1.0 MiB a second, 2 connections",
        "limited to 2 connections",
        "left without limits of its own",
    ]


def test_all_or_those_of_a_tag_are_limited_where_that_changes_anything(lading):
    """As the other verbs of control do."""
    lading.add("http://a.test/1", "--tag", "slow")
    lading.add("http://a.test/2")
    assert len(lading.rows("limit", "--tag", "slow", "1K")) == 1
    assert len(lading.rows("limit", "--all", "1K")) == 1
    assert "nothing to do" in lading("limit", "--all", "1K").err


@pytest.mark.parametrize(
    "words", [("--all",), ("--all", "fast"), ("--all", "0"), ("--all", "1K", "--connections", "65"), ("1K",)]
)
def test_what_cannot_be_meant_is_refused(lading, words):
    """As a question of usage, and nothing is changed."""
    lading.add("http://a.test/1")
    lading("limit", *words, code=2)
    assert lading.row("show", lading.row("list")["id"])["limit_rate"] is None


def test_rates_are_set_as_people_write_them_and_tables_are_shown(lading):
    """In the file too; what cannot be meant is refused, and what is allowed is told."""
    rows = {row["name"]: row["value"] for row in lading.rows("config", "set", "limit_rate", "2M")}
    assert rows["limit_rate"] == 2 << 20
    file = lading.home / "settings.toml"
    file.write_text(file.read_text() + '[host."a.example"]\nlimit_rate = "10K"\n')
    rows = {row["name"]: row for row in lading.rows("config", "set", "schedule", "22:00-06:00 unlimited")}
    assert rows['host."a.example".limit_rate']["value"] == 10 << 10
    assert rows['host."a.example".limit_rate']["origin"] == str(file)
    assert rows["schedule"]["value"] == "22:00-06:00 unlimited"
    trouble = lading("--json", "config", "set", "schedule", "22:00-6 unlimited", code=2).trouble
    assert "'22:00-6 unlimited'" in trouble["error"]
    assert "HH:MM-HH:MM" in trouble["hint"]


@pytest.mark.long
def test_a_running_process_goes_by_limits_and_settings_that_change(lading, origin, small, spawn, eventually):
    """It would take a quarter of an hour, by either of two limits; both are taken away while it runs."""
    lading("config", "set", "limit_rate", "100")
    working = spawn("run", "--forever")
    id = lading.add(origin.url(small.name), "--limit-rate", "100")
    eventually(lambda: lading.row("show", id)["state"] == "active")
    lading("config", "set", "limit_rate", "0")
    lading("limit", id, "none")
    lading("wait", id)
    assert lading.row("show", id)["state"] == "completed"
    assert len(origin.requests) == 1
    (lading.home / "settings.toml").write_text("concurrency = 0")
    time.sleep(2.5)
    said = working.end(signal.SIGINT)
    assert said.err.count("the old settings hold") == 1
    assert "concurrency cannot be 0" in said.err
