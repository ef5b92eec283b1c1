"""`lading hooks` shows who is told of events, and tries one."""

from __future__ import annotations

import json

import attrs
import pytest

from lading.domain.hooks import Hook

pytestmark = pytest.mark.row("S1.6")


@pytest.fixture
def hooked(lading, folder):
    """A home with a hook that writes down what it is told; where it does."""
    lading.home.mkdir()
    told = folder / "told"
    (lading.home / "settings.toml").write_text(f"[hooks.note]\ncommand = \"sh -c 'cat >> {told}'\"\n")
    return told


def test_a_download_is_told_to_a_hook_before_the_verb_ends(lading, origin, small, hooked):
    """And the hook's row says so."""
    row = lading.row("hooks")
    assert (row["name"], row["tells"], row["delivered"], row["lag"], row["position"]) == ("note", "sh", 0, 0, None)
    lading("get", origin.url(small.name))
    (told,) = map(json.loads, hooked.read_text().splitlines())
    (download,) = lading.rows("list")
    assert (told["id"], told["event"]) == (download["id"], "completed")
    row = lading.row("hooks")
    assert (row["delivered"], row["failures"], row["error"], row["troubled"]) == (1, 0, None, False)
    assert row["lag"] == 0, "what the engine said at its end is not for this hook"
    assert "note" in lading("hooks").out


def test_a_sample_tries_a_hook(lading, hooked):
    """Exit code 0 when it was taken, 1 when not, 2 when there is none of that name."""
    assert lading.row("hooks", "test", "note")["delivered"]
    assert json.loads(hooked.read_text())["event"] == "test"
    (lading.home / "settings.toml").write_text('[hooks.note]\ncommand = "false"\n')
    assert lading.row("hooks", "test", "note", code=1)["error"] == "the program failed: it ended with exit code 1"
    assert "note" in lading("hooks", "test", "other", code=2).err


@pytest.mark.law(7)
def test_a_hook_that_fails_is_told_with_its_error_and_without_its_secrets(lading, origin, small, hooked):
    """Neither the list nor the settings nor the log show a token that stands in a command or a URL."""
    settings = lading.home / "settings.toml"
    settings.write_text('[hooks.note]\ncommand = "false s3cret"\n[hooks.web]\nurl = "http://127.0.0.1:1/s3cret"\n')
    lading("get", origin.url(small.name))
    said = lading("hooks")
    rows = lading.rows("hooks")
    assert {row["failures"] for row in rows} <= {1, 2}, "an engine that closes during a pause asks once more"
    assert rows[1]["tells"] == "127.0.0.1:1"
    shown = said.out + said.err + json.dumps(rows) + lading("config").out + json.dumps(lading.rows("log"))
    assert "s3cret" not in shown
    assert "exit code 1" in said.out
    assert [row["lag"] for row in rows] == [1, 1]
    found = {row["check"]: row for row in lading.rows("health")}
    assert (found["hook note"]["status"], found["hook web"]["status"]) == ("warn", "warn")
    assert "exit code 1" in found["hook note"]["value"]
    assert "lading hooks test note" in found["hook note"]["hint"]
    assert "s3cret" not in json.dumps(found)


def test_where_there_are_no_hooks_it_is_said_how_one_is_made(lading):
    """And not a row."""
    lading.home.mkdir()
    lading("config")
    assert "lading config set hooks.NAME.command" in lading("hooks").err
    hint = lading("--json", "hooks", "test", "x", code=2).trouble["hint"]
    assert hint == "there are none: `lading config set hooks.x.command PROGRAM` makes one"


def test_the_help_tells_of_each_setting_of_a_hook(lading):
    """They stand in no other place that people look at first."""
    said = lading("hooks", "--help").out
    assert [field.name for field in attrs.fields(Hook) if f"\n  {field.name}  " not in said] == []
