"""Processes in memory: a test says what they use, and of everything else nothing is known."""

from __future__ import annotations

from lading.domain.health import Process


class MemoryProcesses:
    """Processes by their numbers, None being the one that asks; who holds which lock; what files occupy."""

    def __init__(self) -> None:
        self.processes: dict[int | None, Process] = {None: Process(pid=1)}
        self.holders: dict[str, int] = {}
        self.sizes: dict[str, int] = {}

    def process(self, pid: int | None = None) -> Process | None:
        """Return what a process uses."""
        return self.processes.get(pid)

    def holder(self, lock: str) -> int | None:
        """Return who holds a lock."""
        return self.holders.get(lock)

    def occupied(self, path: str) -> int | None:
        """Return the bytes that a file occupies."""
        return self.sizes.get(path)
