"""`lading receipt` gives one file that proves what happened to a download."""

from __future__ import annotations

import json

import pytest

import lading as library

pytestmark = pytest.mark.row("C.5")


@pytest.fixture
def key(lading, origin, small):
    """A home with a completed download that is called k; its verifier key."""
    lading("get", origin.url(small.name), "--key", "k")
    return lading("checkpoint", "--key").out.strip()


def test_it_goes_to_stdout_or_into_a_new_file(lading, key, folder, small):
    """Two receipts of one thing say the same, and who gets one is told what it needs beside it."""
    printed = lading("receipt", "k")
    assert printed.err == ""
    assert lading("receipt", "k", "-o", "-").out == printed.out
    said = lading("receipt", "k", "-o", "r.json")
    assert said.out == "r.json\n"
    assert "lading checkpoint --key" in said.err
    assert (folder / "r.json").read_text() == printed.out
    assert library.verify_receipt(folder / "r.json", key, file=folder / small.name).digest == small.digest()


def test_a_row_tells_what_is_in_it(lading, key, small):
    """For programs; without -o the receipt is the one object."""
    row = lading.row("receipt", "k", "-o", "r.json")
    assert (row["path"], row["digest"], row["key"]) == ("r.json", small.digest(), key)
    assert row["events"] <= row["size"]
    assert json.loads(lading("--json", "receipt", "k").out).keys() == {"payload", "payloadType", "signatures"}


def test_nothing_is_overwritten(lading, key, folder):
    """What lies there stays."""
    (folder / "r.json").write_text("mine")
    said = lading("receipt", "k", "-o", "r.json", code=1)
    assert "is there already" in said.err
    assert (folder / "r.json").read_text() == "mine"
    assert lading("--json", "receipt", "k", "-o", "no/r.json", code=2).trouble["kind"] == "UsageError"


def test_what_is_not_complete_has_one_only_when_it_is_asked_for(lading, key, origin):
    """The hint says how."""
    lading("get", origin.url("missing"), "--key", "b", code=1)
    trouble = lading("--json", "receipt", "b", code=2).trouble
    assert (trouble["kind"], "--any" in trouble["hint"]) == ("IllegalCommand", True)
    lading("receipt", "b", "--any", "-o", "b.json")
    row = lading.rows("verify-receipt", "b.json", "--key", key)[-1]
    assert (row["state"], row["digest"]) == ("failed", None)
    assert lading("receipt", "nobody", code=2).err.startswith("error: there is no download")


def test_it_works_beside_a_running_engine(lading, working, key, origin, eventually, small):
    """Which signs in its own time; the receipt of what has just ended is signed at once, by whoever asks."""
    id = lading.add(origin.url(small.name), "-o", "again")
    eventually(lambda: lading.row("show", id)["state"] == "completed")
    lading("receipt", id, "-o", "r.json")
    rows = lading.rows("verify-receipt", "r.json", "--key", key, "--file", "again")
    assert rows[-1]["ok"]
    assert working.popen.poll() is None
