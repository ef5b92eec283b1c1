"""Forgetting is killed at its steps: the vault works before or after, and the next engine finishes what was begun."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lading.tools.torture.steps import Step, moments

pytestmark = [
    pytest.mark.law(2),
    pytest.mark.law(7),
    pytest.mark.filterwarnings("ignore::lading.adapters.lmdb.ground.GroundWarning"),
]

VICTIM = Path(__file__).with_name("forget_victim.py")
SECRET, OTHER = "http://127.0.0.1:1/a?token=sesame-open", "http://127.0.0.1:1/b?token=another-one"


@pytest.fixture(scope="module")
def ask():
    """Have a victim do something, and return what it said and how it ended."""
    nursery = subprocess.Popen(
        [sys.executable, "-W", "ignore", VICTIM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert nursery.stdin is not None
    assert nursery.stdout is not None

    def ask(do: str, **words):
        nursery.stdin.write(json.dumps({"do": do, **words}) + "\n")
        nursery.stdin.flush()
        said: dict = {}
        while "ended" not in said:
            said |= json.loads(nursery.stdout.readline())
        assert "error" not in said, (do, said)
        return said

    yield ask
    nursery.stdin.close()
    nursery.wait(20)
    nursery.stdout.close()


@pytest.fixture(scope="module")
def made(ask, tmp_path_factory):
    """A home with two secrets, their ids, what the vault has of the first, and the steps of forgetting it."""
    folder = tmp_path_factory.mktemp("made")
    told = ask("make", home=str(folder / "home"))
    shutil.copytree(folder / "home", folder / "whole")
    steps = ask("forget", home=str(folder / "whole"), id=told["ids"][0])["steps"]
    return folder / "home", told, [(action, thing, count) for action, thing, count in steps if thing]


def lies_in(folder: Path, record: bytes) -> list[str]:
    """The files of a vault in which any part of a record is, or what it sealed."""
    parts = [record[at : at + 24] for at in range(9, len(record) - 24, 8)] + [b"sesame-open"]
    return [path.name for path in folder.rglob("*") if path.is_file() and any(p in path.read_bytes() for p in parts)]


def hold(ask, made, home: Path, step: Step | None) -> None:
    """Kill a forget at a step, and see that nothing is lost and nothing is left."""
    source, told, _ = made
    record, ids = bytes.fromhex(told["record"]), told["ids"]
    shutil.copytree(source, home)
    assert lies_in(home / "vault", record) != [], "the search finds it"
    ended = ask("forget", home=str(home), id=ids[0], kill="" if step is None else str(step))["ended"]
    is_missed = step is None or (step.moment, step.action) == ("after", "unlink")  # of what is not there, say
    assert ended in {-signal.SIGKILL, 0 if is_missed else -signal.SIGKILL}, step
    held = ask("vault", home=str(home), ids=ids)["held"]
    assert held[1] == OTHER, step
    assert held[0] in {SECRET, None}, step
    left = ask("recover", home=str(home), id=ids[0])
    if held[0] is None:
        assert left["forgotten"], f"{step}: it was in the log before"
    assert left["events"].count("Forgotten") == left["events"].count("KeyShredded") == int(left["forgotten"]), step
    again = ask("vault", home=str(home), ids=ids)["held"]
    assert again == ([None, OTHER] if left["forgotten"] else [SECRET, OTHER]), step
    if left["forgotten"]:
        assert lies_in(home / "vault", record) == [], step
        assert len([path for path in (home / "vault").iterdir() if "store" in path.name]) == 1, step


def steps_of(counts) -> list[Step]:
    """Every moment of every step in the vault and in the log."""
    return [
        Step(moment, action, thing, number)
        for action, thing, count in counts
        if thing in {"vault", "log"}
        for number in range(1, count + 1)
        for moment in moments((action, thing))
    ]


def test_the_steps_are_those_of_a_vault_that_is_written_anew(made):
    """Else the kills below would hit nothing."""
    found = {(action, thing) for action, thing, _ in made[2]}
    assert {("commit", "vault"), ("rename", "vault"), ("unlink", "vault"), ("pwrite", "vault")} <= found
    assert len(steps_of(made[2])) > 60


SAMPLE = 6


@pytest.mark.long
def test_a_forget_that_is_killed_is_not_begun_or_finished_later(ask, made, tmp_path):
    """At some steps spread over all of it."""
    steps = steps_of(made[2])
    for number, step in enumerate([None, *steps[:: len(steps) // SAMPLE + 1]]):
        hold(ask, made, tmp_path / str(number), step)


@pytest.mark.long
@pytest.mark.timeout(240)
def test_a_forget_is_killed_at_every_other_step(ask, made, tmp_path):
    """From its first to its last."""
    for number, step in enumerate(steps_of(made[2])[::2]):
        hold(ask, made, tmp_path / str(number), step)
        shutil.rmtree(tmp_path / str(number))
