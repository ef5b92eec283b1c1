"""What the domain asks of the world, as Protocols that the domain owns.

An adapter implements a port; `lading.testing` ships an in-memory implementation of each, so that a test (ours or an
embedder's) can own time, chance, the disk, the network and the log. Ports that work on files, logs and stores are plain
blocking functions: the engine decides which thread they run in. Only what waits for a network is async.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import NamedTuple, Protocol, TypeVar
from uuid import UUID

import attrs

from lading.domain.replies import Head
from lading.domain.requirements import Conditions
from lading.domain.routes import Route

T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)


class Entry(NamedTuple):
    """One event on its way into a log: `version` counts from 1 in its `stream`, `state` is the sealed envelope."""

    stream: UUID
    version: int
    topic: str
    state: bytes


class Recorded(NamedTuple):
    """One event as a log holds it: `position` is its order in the whole log, strictly increasing, gaps allowed."""

    position: int
    stream: UUID
    version: int
    topic: str
    state: bytes


@attrs.frozen
class Conflict:
    """The answer to a request whose versions did not continue their streams; nothing of that request was stored."""

    stream: UUID
    expected: int
    found: int


class Log(Protocol):
    """An append-only log of events in streams; every method may block, and may be called from any thread."""

    def append(self, requests: Sequence[Sequence[Entry]]) -> Sequence[tuple[int, ...] | Conflict]:
        """Store each request whole or not at all, in order, in one durable commit.

        The first entry of a stream in a request must carry the version after the stream's last, and further ones must
        follow on; else that request alone answers `Conflict` and the others are stored.

        Returns:
            For each request the positions of its entries, durable when this returns, or its `Conflict`.

        Raises:
            StoreUnavailable: nothing was stored, and the log says why (full disk, closed, damaged).
        """
        ...

    def read(self, after: int = 0, limit: int = 1000) -> Sequence[Recorded]:
        """Return at most `limit` events whose position is greater than `after`, in order of position."""
        ...

    def stream(self, stream: UUID, after: int = 0) -> Sequence[Recorded]:
        """Return the events of one stream whose version is greater than `after`, in order of version."""
        ...

    def head(self) -> int:
        """Return the position of the last event, 0 when there is none; cheap enough to poll every few milliseconds."""
        ...

    def close(self) -> None:
        """Let go of the log; a second call does nothing."""
        ...


class Reader(Protocol):
    """A consistent look at an ordered key-value store, valid until its context ends."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value under `key`, or None."""
        ...

    def scan(
        self, prefix: bytes, *, start: bytes | None = None, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """Walk the keys that begin with `prefix` in byte order (backwards when `reverse`).

        With `start`, begin at that key (inclusive; going backwards, at the last key ≤ `start`).
        """
        ...


class Transaction(Reader, Protocol):
    """A reader that can also write; what it wrote is visible to its own reads, and to others once committed."""

    def put(self, key: bytes, value: bytes) -> None:
        """Store `value` under `key` (1 to 511 bytes)."""
        ...

    def delete(self, key: bytes) -> None:
        """Remove `key` if it is there."""
        ...

    def change(self, rows: Mapping[bytes, bytes | None]) -> None:
        """Store each value under its key, and remove the keys that have None, as `put` and `delete` would."""
        ...


class Store(Protocol):
    """An ordered key-value store with transactions; views and the vault stand on it."""

    def read(self) -> AbstractContextManager[Reader]:
        """Open a consistent look; keep it short, an open reader keeps old pages alive."""
        ...

    def write(self) -> AbstractContextManager[Transaction]:
        """Open the one write transaction: committed when the context ends well, undone when it raises."""
        ...

    def close(self) -> None:
        """Let go of the store; a second call does nothing."""
        ...


class Clock(Protocol):
    """Time, twice: what people call now, and what measures durations."""

    def now_ns(self) -> int:
        """Return UTC as nanoseconds since 1970; may step backwards."""
        ...

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; never steps backwards."""
        ...

    def local_minute(self) -> int:
        """Return the minute of the day by the clock on the wall, from 0 to 1439."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Chance(Protocol):
    """Randomness that a test can seed: jitter and ids."""

    def uniform(self, low: float, high: float) -> float:
        """Return a number in [low, high]."""
        ...

    def uuid(self, now_ns: int) -> UUID:
        """Return a new time-ordered id (UUIDv7, RFC 9562 §5.7)."""
        ...


class Machine(Protocol):
    """The machine that this engine runs on, as far as the system tells of it."""

    def look(self, *, metered: bool) -> Conditions:
        """Look at memory and network, and (`metered`) whether the network is paid for by the byte; may block."""
        ...


class Begun(Protocol[R_co]):
    """A work under way, which nobody has to wait for."""

    async def result(self) -> R_co:
        """Return what it returned, or raise what it raised, once it is done; to be asked once.

        Waits for it even if the caller is cancelled.
        """
        ...


class Hand(Protocol):
    """Does one work after the other, in the order in which they were begun, and goes on to the next by itself."""

    def begin(self, work: Callable[[], T]) -> Begun[T]:
        """Have `work` done after all that was begun before, whatever became of that; a work may begin works too."""
        ...


class Threads(Protocol):
    """Where blocking work runs: worker threads in production, in line under a simulation."""

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` off the event loop and return what it returns; not abandoned when the caller is cancelled."""
        ...

    def hand(self) -> Hand:
        """Return a new hand, which costs nothing while it has nothing to do."""
        ...


@attrs.frozen(kw_only=True)
class Call:
    """One exchange to make: the whole URL and headers, secrets included; never logged, never shown.

    Asked for are the bytes from `start` up to `end`, without an `end` all the rest. With `if_none_match`, or else
    `if_modified_since`, the whole file is asked for only if it is another than the one of which we know that. The
    `route` is that of the attempt that it is made for.
    """

    url: str = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    start: int = 0
    end: int | None = None
    if_range: str | None = None
    if_none_match: str | None = None
    if_modified_since: str | None = None
    route: Route = attrs.field(factory=Route, eq=False, repr=False)

    @property
    def range(self) -> str | None:
        """What the Range header says (RFC 9110 §14.2), None when the whole file is asked for."""
        if self.end is None:
            return f"bytes={self.start}-" if self.start else None
        return f"bytes={self.start}-{self.end - 1}"


class Reply(Protocol):
    """The head of an answer, and its body on request."""

    @property
    def head(self) -> Head:
        """Status, headers (lower-case names) and the public URL that answered after redirects."""
        ...

    async def receive_into(self, buffer: memoryview) -> int:
        """Wait for more of the body, put it at the start of `buffer`, and return how many bytes; 0 is its end.

        Raises:
            TransferError: the body broke off, stalled or timed out; bytes returned before were good.
        """
        ...


class Transport(Protocol):
    """A way to fetch a source; made for the job of one engine and shared by its transfers."""

    @property
    def name(self) -> str:
        """What `Started` and `Completed` call it."""
        ...

    def exchange(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        """Ask, follow redirects (bounded; secrets stripped across origins), and give the final answer.

        Raises:
            TransferError: there was no answer; the message holds no secret.
        """
        ...

    async def aclose(self) -> None:
        """Close what is pooled."""
        ...


@attrs.frozen(kw_only=True)
class Secrets:
    """What was taken out of a request: whole URLs in the order of the sources, and headers with their values.

    `secret_path` tells that the paths of the URLs are secret too.
    """

    urls: tuple[str, ...] = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    secret_path: bool = False


class Vault(Protocol):
    """Where secrets lie, under a key for each download; every method may block."""

    def handle(self, url: str) -> str:
        """Return a name for a whole URL that does not tell it: an HMAC under this home's key."""
        ...

    def keep(self, secrets: Sequence[tuple[UUID, Secrets]]) -> None:
        """Store the secrets of these downloads, durably, in one commit, before anything of them is logged."""
        ...

    def exchange(self, download: UUID, before: Secrets | None, after: Secrets | None) -> bool:
        """Put `after` in the place of `before`, durably, if that is what there is; None is nothing.

        So what was forgotten meanwhile does not come back by somebody who had looked at it before.
        """
        ...

    def recall(self, download: UUID) -> Secrets | None:
        """Return the secrets of a download, or None when the vault has none (never had, or forgotten)."""
        ...

    def forget(self, downloads: Sequence[UUID]) -> None:
        """Shred the keys of these downloads, and leave nothing of them or of what they sealed in the vault."""
        ...

    def close(self) -> None:
        """Let go of the vault; a second call does nothing."""
        ...
