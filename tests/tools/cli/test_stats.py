"""`lading stats` tells people, programs and Prometheus the same."""

from __future__ import annotations

from uuid import UUID

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from lading.adapters import codec
from lading.domain import events as e
from lading.domain.ports import Entry
from lading.home import open_home
from lading.opening import open_own_log
from lading.projections import figures
from lading.tools.cli.verbs import stats

pytestmark = pytest.mark.row("S2.7")

WORKER = UUID(int=5)


@pytest.fixture
def done(lading, origin, small):
    """One download that completed, one that failed, one that is queued."""
    lading("get", origin.url(small.name), origin.url("missing"), "--retries", "0", code=1)
    lading("add", origin.url(small.name), "-o", "later")


def test_programs_get_one_object(lading, done, small):
    """With counts, rates, bytes and durations."""
    row = lading.row("stats")
    assert (row["queued"], row["completed"], row["failed"], row["success_rate"]) == (3, 1, 1, 0.5)
    assert row["failed_by_cause"] == {"refused": 1}
    assert row["received_bytes"] == small.size
    assert row["took"]["count"] == sum(row["took"]["buckets"].values()) == 1


def test_people_get_a_line_for_each_subject(lading, done):
    """Sizes and shares as everywhere else."""
    said = lading("stats").out.splitlines()
    assert said[0].split() == ["downloads", "3", "queued,", "1", "completed,", "1", "failed", "(50.0", "%)"]
    assert any(line.split() == ["received", "97.7", "KiB", "(0", "B", "of", "it", "again)"] for line in said)


@pytest.mark.parametrize("by", stats.GROUPINGS)
def test_they_are_told_apart_by_host_cause_and_day(lading, done, by):
    """A row for each; programs and people get the same ones."""
    (row,) = lading.rows("stats", "--by", by)
    assert row["failed"] == 1
    titles, first = lading("stats", "--by", by).out.splitlines()
    assert titles.split()[0] == by.upper()
    assert first.split()[0] == row[by]


def test_the_groupings_of_the_help_are_those_there_are():
    """They are written out there so that the help needs no views."""
    assert stats.GROUPINGS == figures.GROUPINGS


def test_nothing_to_tell_apart_is_nothing_on_stdout(lading):
    """People are told so."""
    lading("run")
    said = lading("stats", "--by", "host")
    assert (said.out, said.err) == ("", "nothing has happened yet\n")


@pytest.mark.row("S3.9")
def test_a_collector_gets_metrics(lading, done):
    """That a strict parser reads; a form of its own, which goes with no other."""
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(lading("stats", "--openmetrics").out)
        for sample in family.samples
    }
    assert samples["lading_failed_total", "refused"] == 1
    assert samples["lading_downloads", "queued"] == 1
    assert lading("stats", "--openmetrics", "--by", "host", code=2).err.startswith("error: --openmetrics is a form")


@pytest.mark.row("S3.10")
def test_the_log_tells_state_changes_retries_recovery_and_maintenance_with_their_counts(lading):
    """The events are the structured log: one object a line, each with its fields."""
    lading("get", "http://127.0.0.1:1/x", "--retries", "1", code=1)
    found = {"interrupted": 2, "resumable": 1, "published": 1, "vanished": 0, "cleaned": 3, "bytes_vouched": 50}
    tidied = {"failures": 1, "orphans": 2, "quarantined": 3, "evicted": 4, "invalidated": 5, "bytes_reclaimed": 40}
    note(lading, e.Recovered(worker=WORKER, bytes_discarded=7, **found), e.Maintained(worker=WORKER, **tidied))
    rows = {row["event"]: row for row in lading.rows("log")}
    assert rows.keys() >= {"EngineOpened", "Queued", "Started", "RetryScheduled", "Failed", "EngineClosed"}
    assert rows["RetryScheduled"]["data"].items() >= {"attempt": 1, "cause": "network"}.items()
    assert rows["RetryScheduled"]["data"]["not_before_ns"] > 0
    assert rows["Recovered"]["data"].items() >= (found | {"bytes_discarded": 7}).items()
    assert rows["Maintained"]["data"].items() >= tidied.items()
    row = lading.row("stats")
    assert (row["retries"], row["recovered"]["interrupted"], row["reclaimed_bytes"]) == (1, 2, 40)


def note(lading, *events):
    """Append events to the log of a home, on a stream of an engine."""
    log = open_own_log(open_home(lading.home, new_id=None))
    entries = [
        Entry(WORKER, version, event.TOPIC, codec.seal(event, id=UUID(int=version), at_ns=0))
        for version, event in enumerate(events, 1)
    ]
    log.append([entries])
    log.close()
