"""What this machine tells of processes and files, through psutil and the kernel's own pages."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from lading.domain.health import Process


class SystemProcesses:
    """The processes and files of this machine; what it does not tell, or not to us, is None."""

    def process(self, pid: int | None = None) -> Process | None:
        """Return what a process uses, this one unless another is named; None when it is not there or not ours."""
        import psutil

        try:
            process = psutil.Process(pid)
            with process.oneshot():
                times = process.cpu_times()
                return Process(
                    pid=process.pid,
                    resident_bytes=process.memory_info().rss,
                    own_bytes=_own_bytes(process.pid),
                    cpu_s=times.user + times.system,
                    open_files=process.num_fds(),
                    most_files=_most_files(process),
                    threads=process.num_threads(),
                )
        except (psutil.Error, OSError):
            return None

    def holder(self, lock: str) -> int | None:
        """Return the process that says in the lock file at this path that it holds it, and has it open.

        The number alone proves nothing: its process may have ended, or be one of another container.
        """
        import psutil

        try:
            words = Path(lock).read_bytes()
            if not words.strip().isdigit():
                return None
            pid = int(words)
            with contextlib.suppress(OSError):
                if any(os.path.samefile(file.path, lock) for file in psutil.Process(pid).open_files()):
                    return pid
        except (psutil.Error, OSError, OverflowError, ValueError):
            return None
        return None

    def occupied(self, path: str) -> int | None:
        """Return the bytes that a file occupies on its disk, or None when it is not there."""
        try:
            return os.stat(path).st_blocks * 512
        except OSError:
            return None


def _own_bytes(pid: int) -> int | None:
    """Return the resident memory of a process that maps no file, as Linux tells it."""
    try:
        for line in Path(f"/proc/{pid}/status").read_bytes().splitlines():
            name, _, rest = line.partition(b":")
            if name == b"RssAnon":
                return int(rest.split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        return None
    return None


def _most_files(process: object) -> int | None:
    import psutil

    if not isinstance(process, psutil.Process) or not hasattr(process, "rlimit"):
        return None
    with contextlib.suppress(psutil.Error, OSError):
        soft: int = process.rlimit(psutil.RLIMIT_NOFILE)[0]
        return soft if soft > 0 else None
    return None
