"""The engine that the demo starts, and kills: works the queue of a home until it is empty."""

from __future__ import annotations

import sys

import trio

import lading


async def _work(home: str, folder: str) -> None:
    async with lading.open_engine(
        home, downloads=folder, role="owner", disk_free_percent=0, memory_percent=100
    ) as engine:
        await engine.wait_idle()


if __name__ == "__main__":
    trio.run(_work, sys.argv[1], sys.argv[2])
