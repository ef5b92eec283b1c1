"""A long line on one machine: a process that passes bytes on, late and no faster than it is told.

    python -m lading.tools.bench.delay --to PORT --round-trip SECONDS --rate BYTES [--shared]

It prints the port that it listens on, and serves until its stdin closes. Each connection costs a round trip before it
is open; what is sent arrives half a round trip later. The rate is of what comes from the server: of each connection, as
where a server limits them, or with `--shared` of all together, as where a line is full.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import math
import subprocess
import sys
from collections.abc import Iterator

import trio

CHUNK = 16 * 1024
AHEAD = 4096
"""How many chunks may be on the way: the line's own buffers, which must not be what limits it."""

_Chunk = tuple[float, bytes]


class Line:
    """Paces what goes through it to so many bytes a second."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._free_at_s = -math.inf

    async def pass_through(self, count: int) -> None:
        """Wait until `count` more bytes have gone through."""
        self._free_at_s = max(self._free_at_s, trio.current_time()) + count / self._rate
        await trio.sleep_until(self._free_at_s)


@contextlib.contextmanager
def delayed(port: int, *, round_trip_s: float, rate: float, shared: bool = False) -> Iterator[int]:
    """Reach a port of this machine over a long line, in a process of its own; gives the port to ask instead."""
    command = [sys.executable, "-m", __name__, "--to", str(port), "--round-trip", str(round_trip_s)]
    command += ["--rate", str(rate), *(["--shared"] if shared else [])]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.communicate()


async def serve(to: int, round_trip_s: float, rate: float, *, shared: bool) -> None:
    """Listen, say where, and pass on until stdin closes."""
    common = Line(rate) if shared else None

    async def pass_on(near: trio.SocketStream) -> None:
        with contextlib.suppress(OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            await trio.sleep(round_trip_s)
            async with near, await trio.open_tcp_stream("127.0.0.1", to) as far, trio.open_nursery() as nursery:
                nursery.start_soon(_carry, near, far, Line(math.inf), round_trip_s / 2)
                await _carry(far, near, common or Line(rate), round_trip_s / 2)
                nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(functools.partial(trio.serve_tcp, pass_on, 0, host="127.0.0.1"))
        print(listener.socket.getsockname()[1], flush=True)
        await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)
        nursery.cancel_scope.cancel()


async def _carry(source: trio.SocketStream, target: trio.SocketStream, line: Line, delay_s: float) -> None:
    """Carry bytes one way until that way ends."""
    send, receive = trio.open_memory_channel[_Chunk](AHEAD)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_deliver, receive, target)
        async with send:
            with contextlib.suppress(trio.BrokenResourceError):
                while data := await source.receive_some(CHUNK):
                    await line.pass_through(len(data))
                    await send.send((trio.current_time() + delay_s, data))


async def _deliver(receive: trio.MemoryReceiveChannel[_Chunk], target: trio.SocketStream) -> None:
    with contextlib.suppress(trio.BrokenResourceError):
        async for at_s, data in receive:
            await trio.sleep_until(at_s)
            await target.send_all(data)
        await target.send_eof()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", type=int, required=True)
    parser.add_argument("--round-trip", type=float, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--shared", action="store_true")
    options = parser.parse_args()
    trio.run(functools.partial(serve, options.to, options.round_trip, options.rate, shared=options.shared))
