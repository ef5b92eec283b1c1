"""Programs that are run for somebody: with what they are told on stdin, and for a bounded time."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence

import trio


class ProgramFailed(Exception):
    """It could not be started, did not end in time, or ended with an exit code; says which, and nothing else."""


async def run(
    arguments: Sequence[str], *, stdin: bytes, environ: Mapping[str, str], timeout_s: float, quiet: bool = True
) -> None:
    """Run a program, without a shell, in a process group of its own; whatever ends this, ends the whole group.

    Args:
        arguments: the program, looked up as a shell does, and what it is given.
        stdin: what it reads; one that reads nothing of it may do so.
        environ: what its environment has beside ours.
        timeout_s: longest that it may take.
        quiet: drop what it prints; else that goes where ours goes, but to stderr.

    Raises:
        ProgramFailed: as that says.
    """
    try:
        process = await trio.lowlevel.open_process(
            list(arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL if quiet else 2,
            stderr=subprocess.DEVNULL if quiet else None,
            env={**os.environ, **environ},
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it cannot be called so"
        raise ProgramFailed(f"it cannot be started: {reason}") from None
    code: int | None = None
    try:
        with trio.move_on_after(timeout_s):
            assert process.stdin is not None
            with contextlib.suppress(trio.BrokenResourceError):
                async with process.stdin:
                    await process.stdin.send_all(stdin)
            code = await process.wait()
    finally:
        with trio.CancelScope(shield=True):
            _end(process.pid, over=code is not None)
            await process.wait()
    if code is None:
        raise ProgramFailed(f"it did not end within {timeout_s:g} s")
    if code:
        raise ProgramFailed(f"it ended with exit code {code}" if code > 0 else f"signal {-code} ended it")


def _end(group: int, *, over: bool) -> None:
    """Kill a process group; of one whose leader has ended in time, what that has started may go on by itself."""
    if not over:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
