"""kill -9 at every step of a repair of the log: the home has its damaged log, as it was, or the repaired one."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest

from lading.adapters import codec
from lading.domain import events as e
from lading.domain.errors import LogDamaged
from lading.domain.ports import Entry
from lading.home import open_home
from lading.opening import open_own_log
from lading.tools.torture.steps import Step, moments

pytestmark = [pytest.mark.row("S2.14"), pytest.mark.law(3)]

VICTIM = Path(__file__).with_name("log_repair_victim.py")
SOUND, ALL = 30, 40


def _sealed(number: int) -> Entry:
    worker = UUID(int=number)
    event = e.EngineOpened(worker=worker, version="0")
    return Entry(worker, 1, event.TOPIC, codec.seal(event, id=worker, at_ns=number))


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose log is damaged at one of its records."""
    home = tmp_path_factory.mktemp("kills") / "home"
    open_home(home, new_id=UUID(int=7))
    log = open_own_log(open_home(home, new_id=None))
    for first in range(1, ALL, 10):
        log.append([[_sealed(number) for number in range(first, first + 10)]])
    log.close()
    data = home / "log" / "data.mdb"
    content = data.read_bytes()
    victim = _sealed(SOUND + 1).state
    assert victim in content
    data.write_bytes(content.replace(victim, victim[:-3] + b"?" + victim[-2:]))
    return home


def repair(home: Path, step: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(VICTIM), str(home), *([step] if step else [])]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def copied(damaged: Path, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-a", "--sparse=always", damaged, target], check=True)
    return target


def steps(damaged: Path, scratch: Path) -> list[Step]:
    """Return every moment of every step that a repair takes on the home."""
    done = repair(copied(damaged, scratch))
    assert done.returncode == 0, done.stderr
    return [
        Step(moment, action, thing, number)
        for action, thing, count in json.loads(done.stdout)
        for number in range(1, count + 1)
        for moment in moments((action, thing))
    ]


def state(home: Path) -> str:
    """Tell which log a home has, as whoever opens it finds it."""
    try:
        log = open_own_log(open_home(home, new_id=None))
    except LogDamaged as error:
        return f"neither: {error}"
    try:
        facts = [codec.open_envelope(recorded) for recorded in log.read(0, SOUND)]
        assert [fact.at_ns for fact in facts] == list(range(1, SOUND + 1))
        try:
            after = log.read(SOUND, 100)
        except LogDamaged:
            return "damaged"
        (word,) = map(codec.open_envelope, after)
        assert isinstance(word.event, e.LogRepaired)
        assert (home / word.event.aside / "data.mdb").exists()
        return "repaired"
    finally:
        log.close()


def killed_at(step: Step, damaged: Path, scratch: Path) -> str:
    """Kill a repair at a step, look, and repair again; return what was found."""
    home = copied(damaged, scratch)
    done = repair(home, str(step))
    if step.moment == "after" and step.action in {"unlink", "rmdir"} and done.returncode == 0:
        return state(home)  # there was nothing to remove, and so nothing after it
    assert done.returncode == -signal.SIGKILL, (step, done.stdout, done.stderr)
    found = state(home)
    assert found in {"damaged", "repaired"}, (step, found)
    again = repair(home)
    assert again.returncode == 0, (step, again.stderr)
    assert state(home) == "repaired", step
    original = (damaged / "log" / "data.mdb").read_bytes()
    assert len([path for path in home.glob("log.damaged-*") if (path / "data.mdb").read_bytes() == original]) == 1, step
    assert json.loads((home / "home.json").read_text()).keys() == {"format", "id", "log", "sum"}
    return found


@pytest.mark.parametrize(
    ("step", "found"),
    [("after replace marker 1", "damaged"), ("after rename log.damaged-1 1", "repaired")],
)
def test_a_repair_that_is_killed_leaves_one_of_the_logs(step: str, found: str, damaged: Path, tmp_path: Path) -> None:
    """Where the home changes over: it was announced, and the place of the log is empty."""
    assert killed_at(Step.parse(step), damaged, tmp_path / "home") == found


@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_step_of_a_repair_may_be_the_last(damaged: Path, tmp_path: Path) -> None:
    """Every step on the disk, before and after it."""
    every = steps(damaged, tmp_path / "home")
    assert len(every) > 20
    found = {killed_at(step, damaged, tmp_path / "home") for step in every}
    assert found == {"damaged", "repaired"}
