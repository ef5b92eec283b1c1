"""A victim as its parent holds it: a process that is told when to go on, tells what is so, and is killed in the end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import attrs

from lading.tools.torture import victim
from lading.tools.torture.victim import Plan

GRACE_S = 20.0


class Process:
    """A victim at its plan; ends with its context, if not before.

    Args:
        plan: What it is to do.
        errors: File that gets its stderr.
        environ: What is added to its environment.
    """

    def __init__(self, plan: Plan, errors: Path, environ: Mapping[str, str]) -> None:
        self._command = [sys.executable, "-m", victim.__name__, json.dumps(attrs.asdict(plan))]
        self._path = errors
        self._environ = {**os.environ, **environ}
        self._timers: list[threading.Timer] = []

    def __enter__(self) -> Self:
        with self._path.open("wb") as errors:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=self._environ,
                start_new_session=True,
            )
        self._at(victim.LONGEST_S + GRACE_S, signal.SIGABRT)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for timer in self._timers:
            timer.cancel()
        self._process.kill()
        self._process.__exit__(kind, error, trace)

    def lines(self) -> Iterator[dict[str, Any]]:
        """Walk what it tells, until it has ended."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            yield json.loads(line)

    def go(self) -> None:
        """Let it go on; one that has ended meanwhile need not."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            os.write(self._process.stdin.fileno(), b"go\n")

    def kill_after(self, seconds: float) -> None:
        """Kill it when so much time has passed from now on."""
        self._at(seconds, signal.SIGKILL)

    def kill(self) -> None:
        """Kill it now."""
        self._process.kill()

    def wait(self) -> int:
        """Wait until it has ended, and return its exit code; negative, the signal that ended it."""
        return self._process.wait()

    def last_words(self) -> str:
        """Return the end of what it said on stderr."""
        return self._path.read_text(errors="replace")[-3000:].strip()

    def _at(self, seconds: float, number: signal.Signals) -> None:
        timer = threading.Timer(seconds, self._process.send_signal, [number])
        timer.daemon = True
        timer.start()
        self._timers.append(timer)
