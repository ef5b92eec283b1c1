"""Health is judged by a table: what is found, how bad it is, what to do; what is unknown is held against nobody."""

from __future__ import annotations

import attrs
import pytest

from lading.domain import health
from lading.domain.health import GIB, Process, Signed, Space, Status, Told, Vitals, judge

pytestmark = [pytest.mark.row("S2.7"), pytest.mark.row("S3.9")]

WELL = Vitals(
    working=True,
    process=Process(
        pid=7, resident_bytes=GIB, own_bytes=GIB // 4, cpu_s=1.5, open_files=40, most_files=1024, threads=9
    ),
    position=10,
    log_bytes=4096,
    states={"queued": 2, "active": 1, "completed": 5},
    completed=5,
    home=Space(folder="/home", free_bytes=50 * GIB, kept_bytes=GIB // 16),
    folders=(Space(folder="/downloads", free_bytes=50 * GIB),),
    partial_bytes=100,
    partial_downloads=1,
)
IDLE = attrs.evolve(WELL, working=False, process=None, states={"completed": 5})


def space(free_bytes, folder="/home"):
    return Space(folder=folder, free_bytes=free_bytes, kept_bytes=GIB // 16)


def using(**changes):
    """Return vitals in which the process uses something else."""
    return attrs.evolve(WELL, process=attrs.evolve(WELL.process, **changes))


def signed(events, under, **more):
    """Return vitals in which the log is signed so far."""
    return attrs.evolve(WELL, signed=Signed(events=events, signed=under, **more))


@pytest.mark.parametrize(
    ("vitals", "check", "status", "said"),
    [
        (WELL, "engine", "ok", "works on this home"),
        (IDLE, "engine", "ok", "none is needed"),
        (attrs.evolve(IDLE, states={"active": 2}), "engine", "warn", "without a word, and left 2 downloads"),
        (attrs.evolve(IDLE, states={"stopping": 1}), "engine", "warn", "left 1 download as"),
        (attrs.evolve(IDLE, states={"queued": 3}), "engine", "warn", "3 downloads could run"),
        (attrs.evolve(IDLE, states={"waiting": 3}, blocked={"secret": 3}), "engine", "ok", "none is needed"),
        (WELL, "queue", "ok", "2 queued, 1 active"),
        (IDLE, "queue", "ok", "empty"),
        (attrs.evolve(WELL, paused=True), "queue", "warn", "paused, 2 queued"),
        (attrs.evolve(WELL, held={"network": "there is none"}), "queue", "warn", "blocked by network: there is none"),
        (attrs.evolve(WELL, blocked={"secret": 2}), "blocked by secret", "warn", "until somebody does something"),
        (attrs.evolve(WELL, blocked={"disk": 1}), "blocked by disk", "warn", "1 download, until that passes"),
        (attrs.evolve(WELL, blocked={"bundle": 1}), "blocked by bundle", "ok", "until that passes"),
        (WELL, "failures", "ok", "0 failed and 5 completed"),
        (attrs.evolve(WELL, failed=1), "failures", "warn", "1 failed"),
        (attrs.evolve(WELL, invalid=1), "published files", "warn", "1 file known to be gone or changed"),
        (attrs.evolve(WELL, hooks={"h": Told(lag=3)}), "hook h", "ok", "3 events behind"),
        (attrs.evolve(WELL, hooks={"h": Told(lag=3000)}), "hook h", "warn", "3,000 events behind"),
        (attrs.evolve(IDLE, hooks={"h": Told(lag=1)}), "hook h", "warn", "1 event behind"),
        (attrs.evolve(IDLE, hooks={"h": Told(given_up=2)}), "hook h", "ok", "0 events behind, 2 given up"),
        (
            attrs.evolve(WELL, hooks={"h": Told(lag=1, failures=2, error="no")}),
            "hook h",
            "warn",
            "failed 2 times in a row: no; 1 event behind",
        ),
        (attrs.evolve(WELL, failed=10, completed=1), "failures", "warn", "10 failed"),
        (attrs.evolve(WELL, failed=10, completed=0), "failures", "fail", "10 failed and 0 completed"),
        (WELL, "views", "ok", "0 events behind"),
        (attrs.evolve(WELL, lag=100_000), "views", "ok", "100,000 events behind"),
        (attrs.evolve(WELL, lag=100_001), "views", "warn", "100,001 events behind"),
        (WELL, "log", "ok", "10 events, 4.0 KiB"),
        (attrs.evolve(WELL, log_bytes=None), "log", "ok", "size unknown"),
        (WELL, "home: free space", "ok", "50.0 GiB, /home"),
        (attrs.evolve(WELL, home=space(GIB)), "home: free space", "warn", "1.0 GiB"),
        (attrs.evolve(WELL, home=space(GIB // 16)), "home: free space", "fail", "64.0 MiB"),
        (attrs.evolve(WELL, home=space(None)), "home: free space", "ok", "unknown"),
        (attrs.evolve(WELL, folders=(space(0, "/a"),)), "downloads: free space", "fail", "0 B, /a"),
        (using(own_bytes=GIB + 1), "memory", "warn", "1.0 GiB of its own"),
        (using(own_bytes=None, resident_bytes=None), "memory", "ok", "unknown of its own, unknown resident"),
        (using(open_files=819), "open files", "ok", "819 of at most 1024"),
        (using(open_files=820), "open files", "warn", "820 of"),
        (using(open_files=973), "open files", "fail", "973 of"),
        (using(open_files=None, most_files=None), "open files", "ok", "unknown of at most unknown"),
        (WELL, "process", "ok", "7, processor time 1.5 s"),
        (using(cpu_s=None), "process", "ok", "time unknown"),
        (attrs.evolve(WELL, process=None), "process", "ok", "not known here"),
        (WELL, "partial data", "ok", "100 B of 1 download"),
        (attrs.evolve(WELL, quarantined_bytes=5), "quarantine", "ok", "5 B"),
        (attrs.evolve(WELL, to_shred=1), "secrets", "ok", "of 1 download were given up"),
        (attrs.evolve(IDLE, to_shred=2), "secrets", "warn", "still to be shredded"),
        (signed(10, 0), "checkpoint", "ok", "none was signed yet"),
        (signed(10, 7), "checkpoint", "ok", "3 events since"),
        (signed(100_001, 1), "checkpoint", "ok", "100,000 events since"),
        (signed(100_002, 1), "checkpoint", "warn", "100,001 events since"),
        (signed(100_001, 0), "checkpoint", "warn", "none was signed yet"),
        (signed(1, 7, trouble="it is behind"), "checkpoint", "fail", "it is behind"),
        (signed(7, 7, anchors={"a": None}), "anchor a", "ok", "nothing is known to be wrong"),
        (signed(7, 7, anchors={"a": "it is gone"}), "anchor a", "warn", "it is gone"),
    ],
)
def test_each_finding_is_as_bad_as_it_is(vitals, check, status, said):
    """And whatever is not fine says what to do about it."""
    (found,) = [finding for finding in judge(vitals).findings if finding.check == check]
    assert found.status.value == status
    assert said in found.value
    assert bool(found.hint) == (status != "ok")


def test_a_home_that_is_well_has_nothing_but_good_findings():
    """Each check once, and no warning."""
    found = judge(WELL)
    assert found.status is Status.OK
    assert len({finding.check for finding in found.findings}) == len(found.findings)


def test_the_worst_finding_is_the_status():
    """One failure outweighs any number of warnings."""
    assert judge(attrs.evolve(WELL, paused=True)).status is Status.WARN
    assert judge(attrs.evolve(WELL, paused=True, home=space(0))).status is Status.FAIL


def test_who_is_not_there_uses_nothing():
    """Without an engine, nothing is said of a process."""
    assert not {"process", "memory", "open files"} & {finding.check for finding in judge(IDLE).findings}
    assert health.WORKED_ON == ("active", "verifying", "stopping")
