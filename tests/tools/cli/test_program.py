"""The program: fast to start, plain in what goes wrong, and quiet where nobody listens."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from lading.domain.errors import DiskFull, LogDamaged, StoreNewer, StoreUnavailable, UsageError
from lading.tools.cli import homes, trouble
from lading.version import VERSION

HEAVY = ["trio", "httpx", "rich", "lmdb", "cattrs", "orjson", "eventsourcing", "cryptography"]


def loaded(*arguments):
    """Return which heavy packages a command loads."""
    program = f"""
import sys
from lading.tools.cli import main
main({list(map(str, arguments))!r})
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    return set(eval(said.stderr.splitlines()[-1]))


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["get", "--help"]])
def test_help_and_version_load_nothing_heavy(words):
    """They are there at once."""
    assert not loaded(*words)


def test_looking_loads_no_network_and_no_event_loop(lading):
    """It needs neither."""
    lading.add("http://a.test/1")
    for verb in ["list", "history", "log"]:
        assert not loaded("--home", lading.home, verb) & {"trio", "httpx", "cryptography", "rich"}


def test_downloading_into_a_pipe_loads_nothing_that_draws(tmp_path):
    """Neither ours nor that of httpx's own command line, which it loads wherever it finds one."""
    program = """
import sys
from lading.tools.cli import main
print(main(), "httpx" in sys.modules, "rich" in sys.modules, file=sys.stderr)
"""
    words = ["--home", tmp_path / "home", "get", "-d", tmp_path, "http://127.0.0.1:9/"]
    said = subprocess.run(
        [sys.executable, "-c", program, *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
        env=os.environ | {"LADING_RETRIES": "0"},
    )
    assert said.stderr.splitlines()[-1] == "1 True False"


def test_the_version_is_that_of_the_package(lading):
    """In one line."""
    assert lading("--version").out == f"lading {VERSION}\n"


@pytest.mark.parametrize("words", [["frob"], ["list", "--frob"], ["list", "--limit", "many"], ["show"], []])
def test_usage_is_exit_code_2_with_a_hint(lading, words):
    """In the same shape for people and for programs."""
    said = lading("--json", *words, code=2)
    assert said.trouble.keys() == {"error", "hint", "kind", "exit_code"}
    assert said.trouble["hint"]
    assert said.out == ""


def test_a_verb_that_is_nearly_one_is_guessed(lading):
    """As a hint, not as a deed."""
    assert "hint: did you mean list?" in lading("lst", code=2).err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("m", hint="h"), 2),
        (StoreUnavailable("m", hint="h"), 3),
        (StoreNewer("m", hint="h"), 3),
        (LogDamaged("m", hint="h"), 4),
        (ExceptionGroup("g", [UsageError("u"), ExceptionGroup("g", [LogDamaged("m", hint="h")])]), 4),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_error_has_its_exit_code(lading, monkeypatch, error, code):
    """Message, hint, class and code, in JSON one object."""

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(homes, "looking", fail)
    said = lading("--json", "list", code=code)
    assert said.trouble["exit_code"] == code
    if code != 130:
        assert (said.trouble["error"], said.trouble["hint"]) == ("m", "h")
    assert "Traceback" not in lading("list", code=code).err


def test_a_home_without_room_is_a_store_that_cannot_be_used(lading, monkeypatch):
    """A download that meets a full disk waits for room; what a verb meets is the home's own disk."""

    def fail(*_, **__):
        raise DiskFull("no room for the log")

    monkeypatch.setattr(homes, "looking", fail)
    assert "where the home lies" in lading("--json", "list", code=3).trouble["hint"]


def test_what_nobody_foresaw_is_told_without_its_message(lading, monkeypatch):
    """It may quote a secret; its trace is for those who ask, scrubbed of what was typed."""

    def fail(*_, **__):
        raise ValueError("https://user:canary@host/?token=canary")

    monkeypatch.setattr(homes, "working", fail)
    words = ["add", "https://user:canary@host/?token=canary"]
    said = lading(*words, code=1)
    assert "ValueError" in said.err
    assert "LADING_DEBUG" in said.err
    assert "canary" not in said.err
    monkeypatch.setenv(trouble.DEBUG, "1")
    said = lading(*words, code=1)
    assert "Traceback" in said.err
    assert "canary" not in said.err


@pytest.mark.parametrize(
    "words",
    [
        ["show", "x", "https://user:canary@host/"],
        ["why", "https://host/?token=canary"],
        ["list", "--header", "Cookie: canary"],
        ["get", "--header=canary", "http://localhost/"],
        ["https://host/#canary"],
    ],
)
@pytest.mark.long
def test_a_secret_that_is_typed_in_the_wrong_place_is_not_repeated(lading, words):
    """Errors are copied into mails and tickets."""
    lading("config", "set", "retries", "1")
    said = lading("--json", *words, code=2)
    assert "canary" not in said.out + said.err


def test_a_reader_that_has_had_enough_is_no_trouble(lading, tmp_path):
    """`lading list | head -1` says nothing on stderr."""
    (tmp_path / "list").write_text("".join(f"http://a.test/{number}\n" for number in range(3000)))
    lading("add", "-i", tmp_path / "list")
    command = f"{sys.executable} -m lading --home {lading.home} list | head -1"
    said = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (0, "")


def test_an_answer_that_cannot_be_written_is_exit_code_1(lading):
    """A full disk is not success."""
    lading.add("http://a.test/1")
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "lading", "--home", str(lading.home), "list", "--json"]
        said = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    assert said.returncode == 1
    assert json.loads(said.stderr.splitlines()[0])["kind"] == "OutputError"


def test_the_home_is_that_of_the_environment_unless_named(lading, monkeypatch, tmp_path):
    """`--home` wins."""
    monkeypatch.setenv("LADING_HOME", str(tmp_path / "other"))
    lading.add("http://a.test/1")
    assert not (tmp_path / "other").exists()
    said = subprocess.run(
        [sys.executable, "-m", "lading.tools.cli", "add", "http://a.test/2"], capture_output=True, check=False
    )
    assert said.returncode == 0
    assert (tmp_path / "other" / "home.json").exists()


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2M", 2 << 20),
        ("2MiB", 2 << 20),
        ("1.5g", 3 << 29),
        ("500", 500),
        ("500B", 500),
        ("4 KB", 4096),
        ("1T", 1 << 40),
    ],
)
def test_sizes_are_powers_of_1024(text, size):
    """As in curl and aria2."""
    from lading.tools.cli.units import parse_size

    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "M", "-1", "2X", "2 M M", "1e3", "0x10"])
def test_what_is_no_size_is_none(text):
    """Nothing is guessed."""
    from lading.tools.cli.units import parse_size

    assert parse_size(text) is None


@pytest.mark.parametrize("words", [["--json", "--version"], ["--version", "--json"]])
def test_the_version_is_an_object_to_programs(lading, words):
    """Wherever --json stands."""
    assert lading(*words).rows == [{"version": VERSION}]
