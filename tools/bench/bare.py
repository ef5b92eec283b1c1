"""The same work without an engine: one receives, one writes past the page cache, one digests, and all is flushed.

    python -m lading.tools.bench.bare URL PATH

No log, no checkpoints, nothing to resume from, and no answer to anything that goes wrong. It exists to be raced: what
plain threads take on a machine is about the least that Python can take there, and what is above it is the engine.
"""

from __future__ import annotations

import http.client
import mmap
import os
import sys
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from io import FileIO
from urllib.parse import urlsplit

from lading.domain import digests

BUFFER_BYTES = 4 * 1024 * 1024
BUFFERS = 8
BLOCK_BYTES = 4096


def fetch(url: str, path: str) -> str:
    """Download `url`, which must not be empty, to `path`, and return its digest."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    with closing(kind(parts.netloc)) as connection:
        connection.request("GET", parts.path)
        with connection.getresponse() as reply, open(path, "xb", buffering=0) as file, _past_cache(path) as past:
            assert reply.status == http.client.OK
            assert reply.length, "room is set aside for all of it"
            os.posix_fallocate(file.fileno(), 0, reply.length)
            return _store(reply, file, past)


def _past_cache(path: str) -> FileIO:
    return FileIO(os.open(path, os.O_WRONLY | getattr(os, "O_DIRECT", 0)), "w")


def _store(reply: http.client.HTTPResponse, file: FileIO, past: FileIO) -> str:
    whole, pieces = digests.hasher(), digests.hasher(digests.OF_PIECES)

    def write(data: memoryview, start: int) -> None:
        much = len(data) // BLOCK_BYTES * BLOCK_BYTES
        os.pwrite(past.fileno(), data[:much], start)
        os.pwrite(file.fileno(), data[much:], start + much)

    def digest(data: memoryview) -> None:
        whole.update(data)
        pieces.update(data)

    free = deque(memoryview(mmap.mmap(-1, BUFFER_BYTES)) for _ in range(BUFFERS))
    under_way: deque[tuple[memoryview, Future[None], Future[None]]] = deque()
    at = 0
    with ThreadPoolExecutor(1) as writer, ThreadPoolExecutor(1) as digester:
        while reply.length or under_way:
            if reply.length and free:
                buffer = free.popleft()
                data = buffer[: reply.readinto(buffer)]
                assert data, "the body broke off"
                under_way.append((buffer, writer.submit(write, data, at), digester.submit(digest, data)))
                at += len(data)
            else:
                buffer, *works = under_way.popleft()
                for work in works:
                    work.result()
                free.append(buffer)
    os.fdatasync(file.fileno())
    return whole.hexdigest()


if __name__ == "__main__":
    print(fetch(sys.argv[1], sys.argv[2]))
