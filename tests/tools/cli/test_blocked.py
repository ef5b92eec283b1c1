"""A download that has lost its secret waits for somebody, and nobody waits for it in vain."""

from __future__ import annotations

import shutil

import pytest


@pytest.fixture
def bereft(lading, origin, small):
    """Return the id of a download whose URL had a query, which the vault has lost."""
    id = lading.add(origin.url(small.name) + "?token=canary")
    shutil.rmtree(lading.home / "vault")
    return id


def test_run_ends_with_exit_code_1_and_says_what_to_do(lading, spawn, bereft):
    """It does not wait for what will not come by itself; nor does `wait`, before or after."""
    said = spawn("run").end()
    assert (said.code, said.out) == (1, "")
    assert "secret" in said.err
    assert "hint: the vault does not have this download's secrets any more" in said.err
    assert f"`lading refresh-url {bereft} URL`" in said.err
    row = lading.row("list")
    assert (row["state"], row["why"].startswith("blocked by secret")) == ("waiting", True)
    waited = spawn("wait", bereft).end()
    assert waited.code == 1
    assert "hint: the vault does not have" in waited.err
    assert "canary" not in said.err + waited.err


def test_who_waits_already_is_told_when_it_is_found(lading, spawn, bereft, eventually):
    """The engine that finds it is another's."""
    waiting = spawn("wait", bereft)
    assert "no engine works" in waiting.popen.stderr.readline()
    spawn("run").end()
    said = waiting.end()
    assert (said.code, "hint: the vault does not have" in said.err) == (1, True)


def test_a_program_is_told_the_same(lading, spawn, bereft):
    """One object for the download, one for the trouble."""
    said = spawn("--json", "run").end()
    assert (said.code, said.trouble["exit_code"]) == (1, 1)
    assert [(row["id"], row["state"], "refresh-url" in row["hint"]) for row in said.rows] == [(bereft, "waiting", True)]
