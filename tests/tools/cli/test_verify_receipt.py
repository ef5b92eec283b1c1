"""`lading verify-receipt` says of each thing whether it holds, and ends well only where who issued it is known."""

from __future__ import annotations

import base64
import io
import json
import os
import sys

import pytest

pytestmark = pytest.mark.row("C.5")

CHECKS = ["envelope", "checkpoint", "inclusion", "stream", "statement"]


@pytest.fixture
def key(lading, origin, small):
    """A home that has issued r.json; its verifier key."""
    lading("get", origin.url(small.name), "--key", "k")
    lading("receipt", "k", "-o", "r.json")
    return lading("checkpoint", "--key").out.strip()


def test_each_check_is_a_line(lading, key, small):
    """In order; with a file one more."""
    rows = lading.rows("verify-receipt", "r.json", "--key", key)
    assert [row["check"] for row in rows[:-1]] == CHECKS
    assert all(row["ok"] for row in rows)
    assert rows[-1]["digest"] == small.digest()
    assert rows[-1]["key"] == key
    assert rows[-1]["key_known"]
    lines = lading("verify-receipt", "r.json", "--key", key, "--file", small.name).out.splitlines()
    assert [line.split()[:2] for line in lines[:-1]] == [["ok", name] for name in (*CHECKS, "file")]
    assert lines[-1].startswith("sound: ")


def test_keys_come_as_words_or_in_a_file(lading, key, folder):
    """Any of them may be the one; what is no key is a mistake of whoever typed it."""
    other = "example.org/log+1b9861e3+Aek7aYuaYWVvrpvw4zgMUPPhsiEI3IvkxKSgBTGNmNGI"
    (folder / "keys").write_text(f"# ours\n\n{key}\n")
    lading("verify-receipt", "r.json", "--key-file", "keys")
    lading("verify-receipt", "r.json", "--key-file", lading.home / "keys" / "signing.pub")
    for wrong in ("x", f"{key[:-4]}AAAA", ""):
        assert "verifier key" in lading("verify-receipt", "r.json", "--key", wrong, code=2).err
    (folder / "keys").write_text("# none\n")
    assert "no list of keys" in lading("verify-receipt", "r.json", "--key-file", "keys", code=2).err
    assert other != key


def test_without_a_key_it_says_what_it_cannot_say(lading, key):
    """All holds, and the exit code is 1: anybody can have made it."""
    said = lading("verify-receipt", "r.json", code=1)
    assert said.out.splitlines()[-1].startswith("consistent: ")
    assert "anybody can have made it" in said.err
    said = lading("--json", "verify-receipt", "r.json", code=1)
    assert said.trouble["kind"] == "SignerUnknown"
    assert (said.rows[-1]["ok"], said.rows[-1]["key_known"]) == (False, False)


def test_the_first_thing_that_does_not_hold_is_the_last_line(lading, key, folder, small):
    """Exit code 4, and which it was."""
    envelope = json.loads((folder / "r.json").read_text())
    envelope["payload"] = base64.b64encode(base64.b64decode(envelope["payload"]) + b" ").decode()
    (folder / "changed.json").write_text(json.dumps(envelope))
    said = lading("--json", "verify-receipt", "changed.json", "--key", key, code=4)
    assert said.rows == [{"check": "envelope", "ok": False, "message": said.trouble["error"]}]
    assert lading("verify-receipt", "changed.json", code=4).out.startswith("FAIL  envelope")
    said = lading("--json", "verify-receipt", "r.json", "--key", key, "--file", "r.json", code=4)
    assert [(row["check"], row["ok"]) for row in said.rows[-2:]] == [("statement", True), ("file", False)]


def test_what_is_none_is_said_to_be_none(lading, key, folder):
    """Exit code 2: cut short, something else, or not there."""
    whole = (folder / "r.json").read_bytes()
    (folder / "short.json").write_bytes(whole[: len(whole) // 2])
    for name in ("short.json", "small.bin", "nothing.json", "."):
        assert lading("--json", "verify-receipt", name, "--key", key, code=2).trouble["kind"] == "NotAReceipt"


def test_it_may_come_through_a_pipe(lading, key, folder, monkeypatch):
    """As `lading receipt` prints it."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((folder / "r.json").read_bytes())))
    lading("verify-receipt", "-", "--key", key)


@pytest.mark.parametrize(("option", "code"), [(None, 2), ("--file", 4), ("--key-file", 2)])
def test_a_pipe_that_nobody_writes_to_is_not_waited_for(lading, key, folder, option, code):
    """Neither as the receipt nor as the file or the keys; click is told that it is there."""
    os.mkfifo(folder / "pipe")
    words = ["pipe"] if option is None else ["r.json", option, "pipe"]
    assert "it is not a regular file" in lading("verify-receipt", *words, code=code).err
