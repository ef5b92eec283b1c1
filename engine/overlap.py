"""Bytes that we hold, asked for again: what a server sends is compared with them before anything of it is believed.

A Content-Range is a claim. Servers and caches exist that make the right one and send the file from its beginning, and a
file of the right size with the wrong bytes is the worst that a downloader can make.
"""

from __future__ import annotations

from lading.domain.ports import Reply
from lading.holding import Holding

BUFFER_BYTES = 64 * 1024


async def agrees(reply: Reply, skip: int, held: Holding, start: int, end: int) -> bool:
    """Tell whether a body, behind its first `skip` bytes, goes on with what we hold from `start` up to `end`.

    Raises:
        TransferError: the body broke off.
    """
    buffer = memoryview(bytearray(BUFFER_BYTES))
    at = start - skip
    while at < end:
        count = await reply.receive_into(buffer[: end - at])
        if not count:
            return False
        ours = buffer[max(0, start - at) : count]
        if len(ours) and ours != await held.read(max(start, at), len(ours)):
            return False
        at += count
    return True
