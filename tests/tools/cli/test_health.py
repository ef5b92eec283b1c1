"""`lading health` tells whether anything is wrong, in words, in JSON, as metrics, and by its exit code."""

from __future__ import annotations

from uuid import UUID

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from lading.adapters import codec
from lading.domain import events as e
from lading.domain.ports import Entry
from lading.home import open_home
from lading.opening import open_own_log

pytestmark = [pytest.mark.row("S2.7"), pytest.mark.row("S3.9")]


def checks(lading, **expected):
    """Return the findings by what was looked at."""
    return {row["check"]: row for row in lading.rows("health", **expected)}


def test_a_home_that_is_well_is_exit_code_0(lading, origin, small):
    """Each finding with its status, a sentence, and figures for programs."""
    lading("get", origin.url(small.name))
    found = checks(lading)
    assert {row["status"] for row in found.values()} == {"ok"}
    assert found["failures"]["figures"] == {"failed": 0, "completed": 1}
    assert found["log"]["figures"]["size_bytes"] > 0
    assert found["home: free space"]["figures"]["folder"] == str(lading.home)
    lines = lading("health").out.splitlines()
    assert lines[0] == "ok    engine                 no engine works on this home, and none is needed"
    assert len(lines) == len(found)


def test_how_it_is_has_a_colour_on_a_terminal_whose_owner_wants_any(lading, on_terminal, monkeypatch):
    """Green is well; a terminal that knows no colours, NO_COLOR, and what is no terminal get none."""
    lading("add", "http://a.test/1")
    monkeypatch.delenv("NO_COLOR")
    assert on_terminal(120, "health", kind="xterm")[0].startswith("\x1b[33mwarn \x1b[0m engine")
    assert on_terminal(120, "health")[0].startswith("warn  engine")
    monkeypatch.setenv("NO_COLOR", "1")
    assert on_terminal(120, "health", kind="xterm")[0].startswith("warn  engine")
    assert lading("health").out.startswith("warn  engine")


def test_a_warning_is_told_with_a_hint_and_is_exit_code_0(lading, folder):
    """Something waits, and nobody works; the folder that it is to go to is looked at as well."""
    lading("add", "http://a.test/1")
    found = checks(lading)
    assert found["engine"]["status"] == "warn"
    assert "lading run" in found["engine"]["hint"]
    assert found["downloads: free space"]["figures"]["folder"] == str(folder)
    assert lading("health").out.startswith("warn ")


def test_a_failure_is_exit_code_1(lading, origin):
    """Nothing of ten has come right."""
    lading("get", *(origin.url(f"missing-{number}") for number in range(10)), "--retries", "0", code=1)
    assert checks(lading, code=1)["failures"]["status"] == "fail"
    assert "FAIL  failures" in lading("health", code=1).out


def test_published_files_that_are_known_to_have_changed_are_a_warning(lading, origin, small, folder):
    """Once somebody has looked, and until the file is right again or nobody cares for it any more."""
    id = lading.row("get", origin.url(small.name))["id"]
    with (folder / small.name).open("ab") as file:
        file.write(b"more")
    lading("files")
    assert (found := checks(lading)["published files"])["status"] == "warn"
    assert found["figures"] == {"invalid": 1}
    lading("remove", id)
    assert "published files" not in checks(lading)


def test_a_home_that_is_not_there_is_exit_code_3(lading):
    """Looking makes none."""
    assert lading("health", code=3).err
    assert not lading.home.exists()


def test_the_engine_of_another_process_is_looked_at(lading, working):
    """Its memory, time and files, not those of the program that asks."""
    found = checks(lading)
    assert found["engine"]["figures"] == {"working": 1}
    assert found["process"]["figures"]["pid"] == working.popen.pid
    assert found["memory"]["figures"]["own_bytes"] > 0
    assert found["open files"]["figures"]["open_files"] > 0


def test_how_far_the_views_were_behind_is_told(lading):
    """Before the asking has brought them up to date."""
    lading("add", "http://a.test/1")
    lading("list")
    log = open_own_log(open_home(lading.home, new_id=None))
    worker = UUID(int=5)
    sealed = codec.seal(e.EngineClosed(worker=worker), id=worker, at_ns=0)
    log.append([[Entry(worker, version, e.EngineClosed.TOPIC, sealed)] for version in (1, 2, 3)])
    log.close()
    assert [checks(lading)["views"]["figures"]["lag"] for _ in range(2)] == [3, 0]


@pytest.mark.row("C.5")
def test_how_far_the_log_is_signed_is_told_and_what_is_wrong_with_that(lading, origin, small, tmp_path):
    """Events since the last checkpoint; an anchor that cannot be read; a checkpoint that the log does not fit."""
    anchor = tmp_path / "anchor"
    lading.home.mkdir(exist_ok=True)
    (lading.home / "settings.toml").write_text(f'[anchors.safe]\nfile = "{anchor}"\n')
    lading("add", "http://a.test/1")
    assert checks(lading)["checkpoint"]["value"] == "none was signed yet"
    lading("get", origin.url(small.name))
    found = checks(lading)
    assert (found["checkpoint"]["figures"], found["checkpoint"]["status"]) == ({"unsigned": 0}, "ok")
    assert found["anchor safe"]["status"] == "ok"
    lading("add", "http://a.test/2")
    assert checks(lading)["checkpoint"]["figures"] == {"unsigned": 1}
    assert "lading_unsigned_events 1" in lading("health", "--openmetrics").out
    anchor.write_text("no note\n")
    found = checks(lading, code=1)
    assert found["anchor safe"]["status"] == "fail"
    assert "no signed note" in found["anchor safe"]["value"]
    (book,) = (lading.home / "checkpoints").iterdir()
    book.write_text("no note\n")
    assert checks(lading, code=1)["checkpoint"]["status"] == "fail"


def test_secrets_that_are_still_to_be_shredded_are_told(lading):
    """Until an engine has done it."""
    id = lading.row("add", "http://a.test/1?t=secret")["id"]
    assert "secrets" not in checks(lading)
    lading("forget", id, "--no-wait")
    found = checks(lading)["secrets"]
    assert (found["status"], found["figures"]) == ("warn", {"to_shred": 1})
    assert "lading_secrets_to_shred 1" in lading("health", "--openmetrics").out


def test_a_collector_gets_metrics(lading, origin, small):
    """That a strict parser reads."""
    lading("get", origin.url(small.name))
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(lading("health", "--openmetrics").out)
        for sample in family.samples
    }
    assert samples["lading_health", "failures"] == 0
    assert samples["lading_engine_working",] == 0
    assert samples["lading_free_bytes", "home"] > 0
    assert lading("--json", "health", "--openmetrics", code=2).trouble["kind"] == "UsageError"
