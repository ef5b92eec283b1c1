"""The README: every command in it runs, every block of Python runs, and its picture is the table's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from lading.tools import diagram
from lading.tools.origin import Behaviour, Origin, Resource

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
NAMES = (
    "disc.iso", "a.bin", "b.bin", "c.bin", "d.bin", "later.bin", "e.bin", "f.bin",
    "mind.bin", "signed.bin", "licence.txt", "film.mkv", "shard-1.bin", "shard-2.bin",
)  # fmt: skip
BIG = Resource("big.iso", 300_000)
SETUP = {"python -m pip install . && lading demo", "python -m pip install -e '.[dev]' && pytest"}


def commands() -> list[str]:
    """The lines of the README's console blocks that begin with a prompt."""
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def python_blocks() -> list[str]:
    """The README's blocks of Python."""
    return re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def origin():
    """An origin that stands in for example.org."""
    copies = (BIG, attrs.evolve(BIG, name="copy.iso"))
    with Origin([*copies, *(Resource(name, 200_000 + 1000 * number) for number, name in enumerate(NAMES))]) as origin:
        origin.set("later.bin", Behaviour())
        yield origin


@pytest.fixture
def environment(tmp_path):
    """The environment of a newcomer: a home of its own, and this installation's commands first."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    digest = BIG.digest().partition(":")[2]
    return os.environ | {"LADING_HOME": str(tmp_path / "home"), "PATH": path, "NO_COLOR": "1", "DIGEST": digest}


def test_the_state_diagram_is_drawn_from_the_table():
    """A picture that could differ from the table would be worse than none."""
    assert diagram.between(README) == diagram.block()


def test_the_set_up_is_the_two_commands_that_ci_runs():
    """The README promises two commands; CI and the demo's test run what they say."""
    assert {command for command in commands() if "pip install" in command} == SETUP


@pytest.mark.long
@pytest.mark.timeout(180)
def test_every_command_of_the_tour_runs(origin, environment, tmp_path):
    """Each command does what the README says, one after the other, and none fails."""
    for command in commands():
        if command in SETUP:
            continue
        local = command.replace("https://example.org/", origin.root)
        done = subprocess.run(
            ["bash", "-c", local],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
    held = ("film/licence.txt", "film/film.mkv", "shards/shard-1.bin", "shards/shard-2.bin")
    for name in ("disc.iso", "files/a.bin", "files/b.bin", "files/c.bin", "files/d.bin", *held):
        resource = Resource(Path(name).name, 200_000 + 1000 * NAMES.index(Path(name).name))
        assert (tmp_path / name).read_bytes() == resource.read()
    assert (tmp_path / "big.iso").read_bytes() == BIG.read()


def test_every_block_of_python_runs(origin, environment, tmp_path):
    """The library does what the README says."""
    assert len(python_blocks()) == 2
    for block in python_blocks():
        local = block.replace("https://example.org/", origin.root)
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", local],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "f.bin").exists()
    assert (tmp_path / "files" / "e.bin").exists()
