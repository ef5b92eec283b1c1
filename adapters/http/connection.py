"""One connection to a server: a non-blocking socket, plain or under TLS, that receives into the memory of its caller.

It is not hidden behind streams on purpose: the bytes of a body go from the kernel, or out of OpenSSL, straight to where
they are wanted. A receive tries first and waits only if there is nothing. So that a connection which always has
something starves nobody, each megabyte of it, a small call counted as some kilobytes, is one turn of the event loop.
"""

from __future__ import annotations

import math
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress

import httpx
import trio
from trio.lowlevel import checkpoint, wait_readable, wait_writable

TURN_BYTES = 4 * 1024 * 1024
CALL_BYTES = 16 * 1024
"""Other tasks get their turn after so many bytes; a receive counts as the second of these, if it brought less."""
AHEAD_BYTES = 32 * 1024
"""How much is received at once where nobody can say yet how much belongs to what: heads, and between chunks."""

_NOT_YET = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


async def connect(host: str, port: int, tls: ssl.SSLContext | None, *, timeout_s: float | None) -> Connection:
    """Open a connection, with its TLS handshake when there is a context for it.

    Raises:
        httpx.ConnectTimeout: all of that took too long.
        httpx.ConnectError: there is nobody, or TLS found fault; what exactly is its cause.
    """
    try:
        with trio.fail_after(math.inf if timeout_s is None else timeout_s):
            stream = await trio.open_tcp_stream(host, port)
            sock = socket.socket(fileno=stream.socket.detach())
            try:
                sock.settimeout(0)
                return Connection(sock if tls is None else await _shake_hands(sock, tls, host))
            except BaseException:
                sock.close()
                raise
    except trio.TooSlowError as error:
        raise httpx.ConnectTimeout("no connection in time") from error
    except OSError as error:
        raise httpx.ConnectError("no connection") from error


async def _shake_hands(sock: socket.socket, tls: ssl.SSLContext, host: str) -> ssl.SSLSocket:
    secured = tls.wrap_socket(
        sock, server_hostname=host, do_handshake_on_connect=False, suppress_ragged_eofs=False
    )  # takes the descriptor over, and closes it when it fails
    try:
        while True:
            try:
                secured.do_handshake()
            except ssl.SSLWantReadError:
                await wait_readable(secured)
            except ssl.SSLWantWriteError:
                await wait_writable(secured)
            else:
                return secured
    except BaseException:
        secured.close()
        raise


class Connection:
    """A connected non-blocking socket, for one task at a time."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._take = self._take_records if isinstance(sock, ssl.SSLSocket) else sock.recv_into
        self._held = memoryview(b"")
        self._untold: OSError | None = None
        self._owed_bytes = 0
        self._is_at_end = False
        self._was_told_so = False

    @property
    def holds(self) -> int:
        """How many bytes were received that nobody has taken."""
        return len(self._held)

    @property
    def ended_cleanly(self) -> bool:
        """Whether the server said by TLS's close_notify that this is the end; without it anybody may have cut it."""
        return self._was_told_so

    async def send_all(self, data: bytes, *, timeout_s: float | None, until_s: float = math.inf) -> None:
        """Send all of `data`.

        Raises:
            httpx.WriteTimeout: nothing could be sent for so long, or not all of it until then (trio's time).
            httpx.WriteError: the connection broke.
        """
        left, longest_s = memoryview(data), math.inf if timeout_s is None else timeout_s
        try:
            while left:
                try:
                    left = left[self._sock.send(left) :]
                except _NOT_YET as error:
                    ready = wait_readable if isinstance(error, ssl.SSLWantReadError) else wait_writable
                    patience_s = min(longest_s, max(0.0, until_s - trio.current_time()))
                    await self._wait(ready, patience_s, httpx.WriteTimeout)
        except OSError as error:
            raise httpx.WriteError("the connection broke") from error

    async def receive_into(self, buffer: memoryview, *, timeout_s: float | None) -> int:
        """Put what there is at the start of `buffer` and return how many bytes; 0 is the end of the connection.

        Raises:
            httpx.ReadTimeout: nothing came for so long.
            httpx.ReadError: the connection broke; bytes returned before were good.
        """
        if self._held:
            return self._take_held(buffer)
        if self._owed_bytes >= TURN_BYTES:
            self._owed_bytes = 0
            await checkpoint()
        while not self._is_at_end:
            try:
                if self._untold is not None:
                    raise self._untold
                count = self._take(buffer[:TURN_BYTES])
            except (BlockingIOError, ssl.SSLWantReadError):
                await self._wait(wait_readable, timeout_s, httpx.ReadTimeout)
            except ssl.SSLWantWriteError:
                await self._wait(wait_writable, timeout_s, httpx.ReadTimeout)
            except OSError as error:
                self._untold = error
                raise httpx.ReadError("the connection broke") from error
            else:
                self._owed_bytes += max(count, CALL_BYTES)
                if not count:
                    self._is_at_end = True
                return count
        return 0

    async def receive_ahead(self, *, timeout_s: float | None) -> int:
        """Wait for more than is held, hold it too, and return how many bytes it is; 0 is the end of the connection.

        Raises:
            httpx.ReadTimeout: nothing came for so long.
            httpx.ReadError: the connection broke.
        """
        held, self._held = self._held, memoryview(b"")
        room = memoryview(bytearray(AHEAD_BYTES))
        count = 0
        try:
            count = await self.receive_into(room, timeout_s=timeout_s)
        finally:
            self._held = memoryview(bytes(held) + room[:count]) if held else room[:count]
        return count

    def hold(self, data: bytes) -> None:
        """Hold these bytes, which were received but belong to what comes next."""
        self._held = memoryview(data)

    def peek(self, most: int) -> bytes:
        """Return the first of the held bytes, at most so many, and go on holding them."""
        return bytes(self._held[:most])

    def skip(self, count: int) -> None:
        """Count the first `count` of the held bytes as taken."""
        self._held = self._held[count:] or memoryview(b"")

    def is_quiet(self) -> bool:
        """Tell whether it is open and has nothing for us: between answers, anything to be read is unasked for.

        Under TLS it takes a look inside: tickets may arrive at any time, and mean nothing.
        """
        if self._held or self._is_at_end or self._untold is not None:
            return False
        try:
            self._sock.recv(1)
        except _NOT_YET:
            return True
        except OSError:
            pass
        return False

    def close(self) -> None:
        """Close it at once; under TLS the server is told, if that can be done without waiting."""
        with suppress(OSError, ValueError):
            if isinstance(self._sock, ssl.SSLSocket):
                self._sock.unwrap()
        self._sock.close()

    def _take_held(self, buffer: memoryview) -> int:
        count = min(len(buffer), len(self._held))
        buffer[:count] = self._held[:count]
        self.skip(count)
        return count

    def _take_records(self, buffer: memoryview) -> int:
        """Take one TLS record after the other, as many as have arrived; what failed behind them is told later."""
        got = 0
        try:
            while got < len(buffer):
                count = self._sock.recv_into(buffer[got:])
                if not count:
                    self._is_at_end = self._was_told_so = True
                    break
                got += count
        except ssl.SSLZeroReturnError:
            self._is_at_end = self._was_told_so = True
        except ssl.SSLEOFError:
            self._is_at_end = True
        except _NOT_YET:
            if not got:
                raise
        except OSError as error:
            if not got:
                raise
            self._untold = error
        return got

    async def _wait(
        self,
        ready: Callable[[socket.socket], Awaitable[None]],
        timeout_s: float | None,
        failure: type[httpx.TimeoutException],
    ) -> None:
        self._owed_bytes = 0
        with trio.move_on_after(math.inf if timeout_s is None else timeout_s) as scope:
            await ready(self._sock)
        if scope.cancelled_caught:
            raise failure("nothing for too long")
