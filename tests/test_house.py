"""The house: what is installed is what is here, rooms are found where they are looked for, and none is too full."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = {"engine": "lading", "domain": "lading.domain", "projections": "lading.projections",
         "adapters": "lading.adapters", "tools": "lading.tools"}  # fmt: skip
FULL_ROOM_LINES = 420
LONGEST_FUNCTION_LINES = 90


def python_files() -> list[Path]:
    """Every module that is installed."""
    return sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def packages_here() -> set[str]:
    """The packages that the folders make."""
    found = set()
    for room, package in ROOMS.items():
        for init in (ROOT / room).rglob("__init__.py"):
            inner = init.parent.relative_to(ROOT / room).parts
            found.add(".".join((package, *inner)))
    return found


@pytest.mark.row("C.8")
def test_every_folder_is_listed_as_a_package():
    """A folder with modules that pyproject does not list would be missing from the wheel."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert packages_here() == set(listed)


@pytest.mark.long
@pytest.mark.row("C.8")
def test_the_wheel_holds_every_module_and_the_decisions(tmp_path):
    """What `pip install` puts on a machine is all of it."""
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), "."]
    copied = tmp_path / "source"
    subprocess.run(["git", "clone", "-q", "--no-hardlinks", str(ROOT), str(copied)], check=True)
    subprocess.run(build, check=True, cwd=copied)
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    for path in (p for room in ROOMS for p in (copied / room).rglob("*.py")):
        room, *rest = path.relative_to(copied).parts
        assert "/".join((*ROOMS[room].split("."), *rest)) in held
    assert "lading/py.typed" in held
    assert any(name.startswith("lading/domain/decisions/0001") for name in held)
    assert "lading/domain/RECEIPTS.md" in held


@pytest.mark.row("C.8")
def test_rooms_are_not_importable_by_their_bare_names(tmp_path):
    """A bare `import domain` would make a second class of every event."""
    for room in ("domain", "projections", "adapters", "engine"):
        done = subprocess.run([sys.executable, "-c", f"import {room}"], cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode != 0


def test_the_version_is_told_from_an_empty_folder(tmp_path):
    """`python -m lading --version` works wherever one stands."""
    done = subprocess.run(
        [sys.executable, "-m", "lading", "--version"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "0." in done.stdout


def test_no_room_is_overfull():
    """A module that has grown past its size has become two concepts."""
    overfull = {
        str(p.relative_to(ROOT)): n for p in python_files() if (n := len(p.read_text().splitlines())) > FULL_ROOM_LINES
    }
    assert overfull == {}


def test_no_function_is_too_long():
    """What does not fit on a screen cannot be read."""
    long = {}
    for path in python_files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                lines = node.end_lineno - node.lineno
                if lines > LONGEST_FUNCTION_LINES:
                    long[f"{path.relative_to(ROOT)}:{node.name}"] = lines
    assert long == {}


def test_every_room_says_what_it_is_for():
    """A module without a docstring leaves the reader to guess."""
    assert [str(p) for p in python_files() if not ast.get_docstring(ast.parse(p.read_text()))] == []


def test_no_room_has_a_name_that_says_nothing():
    """`utils` is where concepts go to be forgotten."""
    nothing = {"utils", "util", "helpers", "helper", "common", "base", "misc"}
    assert [str(p) for p in python_files() if p.stem in nothing] == []


def test_no_room_is_dead():
    """A module that nobody imports, runs or tests is gone in all but name."""
    sources = {
        p: p.read_text()
        for p in (*python_files(), *(ROOT / "tests").rglob("*.py"), ROOT / "pyproject.toml", ROOT / "README.md")
    }
    dead = []
    for path in python_files():
        if path.stem in {"__init__", "__main__", "link"}:
            continue
        room, *inner = path.relative_to(ROOT).with_suffix("").parts
        name = path.stem
        if not any(name in text for other, text in sources.items() if other != path):
            dead.append(".".join((ROOMS[room], *inner)))
    assert dead == []
