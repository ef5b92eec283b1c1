"""`lading replay --simulate`: a real incident, made with a real engine against a server that misbehaves."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from lading.tools.origin import Behaviour, Drop, Origin, Refusal, Resource

pytestmark = pytest.mark.row("C.6")

SIZE = 150_000
NAMES = [f"part-{number}.bin" for number in range(7)]


@pytest.fixture
def made(lading):
    """An incident: a slow server, one that is busy and says for how long, one that fails, one that breaks off."""
    with Origin([Resource(name, SIZE, name) for name in NAMES]) as origin:
        for name in NAMES:
            origin.set(name, Behaviour(rate=300_000))
        origin.set(NAMES[1], Behaviour(refusals=(Refusal(503, times=1),)))
        origin.set(NAMES[3], Behaviour(drop=Drop(after=90_000, times=1), rate=300_000))
        origin.set(NAMES[4], Behaviour(refusals=(Refusal(404, times=None),)))
        origin.set(NAMES[5], Behaviour(refusals=(Refusal(429, times=1, retry_after_s=1),)))
        lading("add", *map(origin.url, NAMES))
        lading("run", "--concurrency", "2", code=1)
    lading("incident", "what.incident", "--set", "concurrency=2")
    return "what.incident"


@pytest.mark.long
def test_a_real_incident_is_decided_again_and_otherwise(lading, made):
    """Order and retries agree in full; one at a time takes longer; without retries failures come at once."""
    *rows, totals = lading.rows("replay", "--simulate", made)
    assert totals["totals"] is True
    assert totals["fidelity"]["order"] == totals["fidelity"]["retries"] == totals["fidelity"]["ends"] == 1.0
    assert totals["fidelity"]["all"] == 1.0
    assert [row for row in rows if row["differs"]] == []
    assert totals["recorded"]["retries"] == totals["simulated"]["retries"] == 3
    assert totals["recorded"]["failed"] == 1
    assert abs(totals["simulated"]["makespan"] - totals["recorded"]["makespan"]) < 0.5
    waits = [row["simulated"] for row in rows if row["simulated"].get("whole_host")]
    assert [0.9 < wait["delay"] <= 1.0 for wait in waits] == [True]

    *rows, one = lading.rows("replay", "--simulate", made, "--set", "concurrency=1")
    assert one["simulated"]["waiting"] > one["again"]["waiting"]
    assert one["differ"] == sum(row["differs"] for row in rows) > 0
    running = 0
    times = sorted((row["simulated"]["at"], row["decision"] == "start") for row in rows if row["decision"] != "wait")
    for _, is_start in times:
        running += 1 if is_start else -1
        assert running in {0, 1}

    *rows, none = lading.rows("replay", "--simulate", made, "--set", "retries=0")
    assert none["simulated"]["retries"] == 0
    assert none["simulated"]["failed"] == 4
    ends = [row for row in rows if row["decision"] == "end" and row["number"] == 1 and row["differs"]]
    assert {(row["recorded"]["what"], row["simulated"]["what"]) for row in ends} == {("retries", "fails")}
    assert len(ends) == 3

    said = lading("replay", "--simulate", made, "--set", "retries=0")
    assert "retries after" in said.out
    assert "WITH retries=0" in said.out
    assert "(100 %)" in said.out


@pytest.mark.long
def test_another_process_says_the_same_to_the_byte(lading, origin, small):
    """However that happens to order what has no order."""
    lading("get", *[origin.url(small.name)] * 4, "--if-exists", "rename", "--no-cache")
    lading("incident", "what.incident")
    words = [
        sys.executable,
        "-m",
        "lading",
        "--json",
        "replay",
        "--simulate",
        "what.incident",
        "--set",
        "concurrency=1",
    ]
    said = [
        subprocess.run(words, capture_output=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed}).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1]
    assert said[0].count(b"\n") == 9


def test_what_nothing_was_decided_in_says_so(lading, origin, small):
    """A queue that nobody worked is an incident too."""
    lading("add", origin.url(small.name))
    lading("incident", "what.incident")
    said = lading("replay", "--simulate", "what.incident")
    assert said.err == "no decision differs\n"
    assert "Nothing was decided in it." in said.out


def test_what_cannot_be_read_or_set_is_refused(lading, origin, small, folder):
    """2 for what cannot be meant, 4 for what is damaged; nothing is said on stdout."""
    made = "what.incident"
    lading("get", origin.url(small.name))
    lading("incident", made, "--force")
    assert "no setting 'speed'" in lading("replay", "--simulate", made, "--set", "speed=9", code=2).err
    assert "schedule cannot be tried" in lading("replay", "--simulate", made, "--set", "schedule=", code=2).err
    assert "does not exist" in lading("replay", "--simulate", "nothing", code=2).err
    whole = (folder / made).read_bytes()
    (folder / made).write_bytes(whole[:-9])
    said = lading("replay", "--simulate", made, code=4)
    assert said.out == ""
    assert "damaged" in said.err
    assert lading("--json", "replay", "--simulate", made, code=4).trouble["kind"] == "IntegrityError"
