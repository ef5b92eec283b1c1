"""A command line on a home of its own, in this process or in one of its own, and an origin to download from."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lading.tools.cli import main
from lading.tools.origin import Behaviour, Origin, Resource

PATIENCE_S = 30


class Said(NamedTuple):
    """What came of one command."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The JSON objects on stdout."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def trouble(self) -> dict[str, Any]:
        """The last JSON object on stderr."""
        return json.loads(self.err.splitlines()[-1])


class Cli:
    """`lading --home HOME …`, run in this process."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._capsys = capsys

    def __call__(self, *arguments: object, code: int = 0) -> Said:
        """Run a command, and see that it ends with this exit code."""
        self._capsys.readouterr()
        found = main(["--home", str(self.home), *map(str, arguments)])
        said = Said(found, *self._capsys.readouterr())
        assert said.code == code, said
        return said

    def rows(self, *arguments: object, code: int = 0) -> list[dict[str, Any]]:
        """Run a command with --json and return the objects that it printed."""
        return self("--json", *arguments, code=code).rows

    def row(self, *arguments: object, code: int = 0) -> dict[str, Any]:
        """Run a command with --json and return the one object that it printed."""
        (row,) = self.rows(*arguments, code=code)
        return row

    def add(self, *arguments: object) -> str:
        """Queue one download and return its id."""
        return self("add", *arguments).out.strip()


class Process:
    """`lading --home HOME …` in a process of its own."""

    def __init__(self, home: Path, arguments: tuple[object, ...], **settings: Any) -> None:
        command = [sys.executable, "-m", "lading", "--home", str(home), *map(str, arguments)]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | settings
        self.popen = subprocess.Popen(command, text=True, **pipes)

    def end(self, number: int | None = None) -> Said:
        """Send it a signal, if one is given, and wait for its end."""
        if number is not None:
            self.popen.send_signal(number)
        out, err = self.popen.communicate(timeout=PATIENCE_S)
        return Said(self.popen.returncode, out or "", err or "")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder, where downloads go, and in an environment that says nothing of Lading."""
    for name in [name for name in os.environ if name.startswith("LADING_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NO_COLOR", "1")
    made = tmp_path / "files"
    made.mkdir()
    monkeypatch.chdir(made)
    return made


@pytest.fixture
def lading(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Return the command line on a home that is not made yet."""
    return Cli(tmp_path / "home", capsys)


@pytest.fixture
def spawn(lading: Cli) -> Iterator[Callable[..., Process]]:
    """Return what runs the command line in a process of its own; those that are left are killed."""
    started: list[Process] = []

    def spawn(*arguments: object, **settings: Any) -> Process:
        started.append(Process(lading.home, arguments, **settings))
        return started[-1]

    yield spawn
    for process in started:
        if process.popen.poll() is None:
            process.end(signal.SIGKILL)
        for pipe in (process.popen.stdin, process.popen.stdout, process.popen.stderr):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def small() -> Resource:
    """A resource that is there at once."""
    return Resource("small.bin", 100_000, "small")


@pytest.fixture
def large() -> Resource:
    """A resource that takes some seconds."""
    return Resource("large.bin", 24_000_000, "large")


@pytest.fixture
def origin(small: Resource, large: Resource) -> Iterator[Origin]:
    """Serve both."""
    with Origin([small, large]) as origin:
        origin.set(large.name, Behaviour(rate=8_000_000))
        yield origin


def eventually(condition: Callable[[], Any]) -> Any:
    """Wait until what another process does makes `condition` return something true, and return that."""
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("it never came to that")


@pytest.fixture(name="eventually")
def _eventually() -> Callable[[Callable[[], Any]], Any]:
    return eventually


@pytest.fixture
def working(lading: Cli, spawn: Callable[..., Process]) -> Process:
    """Run `lading run --forever` in a process of its own; this returns when it owns the home."""
    process = spawn("run", "--forever")
    eventually(lambda: (lading.home / "log").exists() and lading.rows("log"))
    return process


@pytest.fixture
def on_terminal(spawn, monkeypatch):
    """Return what runs the command line on a terminal of so many columns, and returns what it shows, line by line."""

    def run(width, *arguments, kind="dumb"):
        monkeypatch.setenv("COLUMNS", str(width))
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        monkeypatch.setenv("TERM", kind)
        process = spawn(*arguments, stdout=theirs)
        os.close(theirs)
        shown = b""
        while True:
            try:
                shown += (chunk := os.read(ours, 65536))
            except OSError:  # the other side is closed
                break
            if not chunk:
                break
        os.close(ours)
        assert process.end().code == 0
        return shown.decode().splitlines()

    return run
