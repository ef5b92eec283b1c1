"""What these tests stand on: a log, a store, and other processes that use them too."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lading.adapters.lmdb import GroundWarning, LMDBLog, LMDBStore

Child = subprocess.Popen[str]
Start = Callable[..., Child]


@pytest.fixture(autouse=True)
def _anywhere() -> None:
    """These tests run in containers too, whose layered file systems are warned of; `test_ground` tests the warning."""
    warnings.filterwarnings("ignore", category=GroundWarning)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LMDBLog]:
    """An empty log in `tmp_path / "log"`."""
    made = LMDBLog(tmp_path / "log")
    yield made
    made.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LMDBStore]:
    """An empty store in `tmp_path / "store"`."""
    made = LMDBStore(tmp_path / "store")
    yield made
    made.close()


@pytest.fixture
def start() -> Iterator[Start]:
    """Start another Python process that runs some code with arguments; it is killed when the test is over."""
    children: list[Child] = []

    def run(code: str, *arguments: object) -> Child:
        child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        return child

    yield run
    for child in children:
        child.kill()
        child.communicate()
