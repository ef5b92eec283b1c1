"""Real processes on a real disk, killed with kill -9 while a bundle becomes visible: never is a part of it left."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lading.tools.origin import Origin, Resource

pytestmark = [pytest.mark.row("S3.8"), pytest.mark.law(5), pytest.mark.law(6), pytest.mark.long]

MEMBERS, KILLS = 20, 100
MOST_KILLS = 300
"""So many at most, until some have come at each kind of moment; where in time these lie, the machine decides."""


class Forks:
    """Asks the victims' parent for one after the other."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, **words: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        words = json.loads(self._process.stdout.readline())
        assert "error" not in words, words
        return words


@pytest.fixture
def forks() -> Iterator[Forks]:
    """The parent of all victims."""
    command = [sys.executable, str(Path(__file__).with_name("bundle_victim.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Forks(process)
        assert process.stdin is not None
        process.stdin.close()


def copied(source: Path, target: Path) -> tuple[Path, Path]:
    """Copy home and downloads, these by links, so that every part is the very file that was verified."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    subprocess.run(["cp", "-a", "--sparse=always", source / "home", target / "home"], check=True)
    subprocess.run(["cp", "-al", source / "files", target / "files"], check=True)
    return target / "home", target / "files"


def seen(files: list[str], truth: dict[str, bytes], folder: Path) -> set[str]:
    """The final names among these, each with its whole content."""
    found = set(files) & set(truth)
    assert all((folder / name).read_bytes() == truth[name] for name in found)
    return found


@pytest.mark.timeout(300)
@pytest.mark.parametrize("policy", ["all_or_nothing", "roll_forward"])
def test_killed_at_any_instant_all_or_none_is_visible_after_recovery(policy, forks, tmp_path):
    """A hundred kills at random instants of publishing; the engine after each finds all or none, and finishes."""
    template, chance = tmp_path / "template", random.Random(policy)
    (template / "files").mkdir(parents=True)
    resources = [Resource(f"{number}.bin", 3000 + number) for number in range(MEMBERS)]
    together = policy == "all_or_nothing"
    paths = {r.name: f"{r.name}" if together else f"{n % 3}/{r.name}" for n, r in enumerate(resources)}
    truth = {f"film/{paths[r.name]}" if together else paths[r.name]: r.read() for r in resources}
    with Origin(resources) as origin:
        members = [[origin.url(r.name), paths[r.name]] for r in resources]
        forks.ask(
            do="stage", home=str(template / "home"), downloads=str(template / "files"), policy=policy, members=members
        )
        assert forks.hear() == {"ended": 0}
    lasts_s = [_published(forks, *copied(template, tmp_path / "whole"), truth) for _ in range(3)]
    found: list[int] = []
    while len(found) < KILLS or (len(found) < MOST_KILLS and not _is_telling(found, together=together)):
        home, files = copied(template, tmp_path / "victim")
        forks.ask(do="publish", home=str(home), downloads=str(files))
        pid = forks.hear()["pid"]
        time.sleep(chance.uniform(0, 1.1 * max(lasts_s)))
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        assert forks.hear()["ended"] in {0, -signal.SIGKILL}
        left = [str(path.relative_to(files)) for path in files.rglob("*") if path.is_file()]
        found.append(len(set(left) & set(truth)))
        _published(forks, home, files, truth)
    assert _is_telling(found, together=together), "kills came before and after, and in between where there is one"


def _is_telling(found: list[int], *, together: bool) -> bool:
    """Tell whether kills came before and after, and, where files appear one by one, also in between."""
    return {0, MEMBERS} <= set(found) and (together or bool(set(found) - {0, MEMBERS}))


def _published(forks: Forks, home: Path, files: Path, truth: dict[str, bytes]) -> float:
    """Let an engine recover, see that all or none is visible then, and that it finishes; return how long that took."""
    forks.ask(do="publish", home=str(home), downloads=str(files))
    recovered, began_s = forks.hear(), time.monotonic()
    visible = set(recovered["files"]) & set(truth)
    assert visible in (set(), set(truth)), f"{len(visible)} of {len(truth)} are visible after recovery"
    assert forks.hear() == {"ended": 0}
    lasted_s = time.monotonic() - began_s
    left = [str(path.relative_to(files)) for path in files.rglob("*") if path.is_file()]
    assert seen(left, truth, files) == set(left) == set(truth)
    return lasted_s
