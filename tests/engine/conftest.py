"""What the tests of the engine share: the story of a log, ports that tell each step, and the laws at any moment.

Everything is handed out by session fixtures, so that hypothesis may use it, and so that no test imports another.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from uuid import UUID

import pytest

from lading.adapters import codec
from lading.buffers import POOL_BYTES, Buffers
from lading.domain import events as e
from lading.domain import holdings
from lading.domain.download import Download
from lading.domain.evolving import evolve
from lading.domain.facts import Fact
from lading.domain.ports import Log
from lading.domain.states import ENDED
from lading.testing.simulation import FOLDER, World

E = TypeVar("E", bound=e.Event)
Tell = Callable[[str], None]


class Chronicle:
    """The facts of a log as a test asks for them."""

    def __init__(self, log: Log) -> None:
        self.facts: list[Fact] = []
        while page := log.read(self.facts[-1].position if self.facts else 0, 1000):
            self.facts += map(codec.open_envelope, page)

    def of(self, id: UUID) -> list[e.Event]:
        """The events of one stream."""
        return [fact.event for fact in self.facts if fact.stream == id]

    def names(self, id: UUID) -> list[str]:
        """What happened to one download, in words."""
        return [type(event).__name__ for event in self.of(id)]

    def all(self, kind: type[E], id: UUID | None = None) -> list[E]:
        """The events of one kind, of one stream or of all."""
        return [f.event for f in self.facts if isinstance(f.event, kind) and id in {None, f.stream}]

    def times(self, kind: type[e.Event], id: UUID | None = None) -> list[float]:
        """When events of one kind were recorded, in seconds since 1970."""
        return [f.at_ns / 1e9 for f in self.facts if isinstance(f.event, kind) and id in {None, f.stream}]

    def started(self) -> list[UUID]:
        """The downloads in the order in which their attempts started."""
        return [fact.stream for fact in self.facts if isinstance(fact.event, e.Started)]

    def downloads(self) -> Iterator[Download]:
        """Every download as the fold of its events leaves it."""
        states: dict[UUID, Download] = {}
        for fact in self.facts:
            if fact.stream in states or isinstance(fact.event, e.Queued):
                states[fact.stream] = evolve(states.get(fact.stream), fact.event, stream=fact.stream, at_ns=fact.at_ns)
        yield from states.values()


class Telling:
    """A port that tells before and after each call that changes something; the parts that it opens tell as well."""

    CHANGES = frozenset({"append", "open_part", "publish", "unlink", "set_aside", "write", "flush", "truncate"})

    def __init__(self, inner: Any, tell: Tell) -> None:
        self.inner = inner
        self._tell = tell

    def __getattr__(self, name: str) -> Any:
        member = getattr(self.inner, name)
        if name not in self.CHANGES:
            return member

        def call(*args: Any, **named: Any) -> Any:
            self._tell(f"before {name}")
            result = member(*args, **named)
            self._tell(f"after {name}")
            return Telling(result, self._tell) if name == "open_part" and result is not None else result

        return call


def payload(size: int, seed: int = 0) -> bytes:
    """Bytes of which no two windows are alike."""
    return random.Random(seed).randbytes(size)


def unlawful(world: World, truth: dict[str, bytes]) -> list[str]:
    """Say what is wrong with a world at this very moment, whatever happens next; `truth` is the content by URL.

    Law 2: each byte that the log vouches for is durable. Law 5: what has its final name is complete.
    """
    wrong: list[str] = []
    chronicle = Chronicle(world.log)
    finals: dict[str, set[bytes]] = {}
    for download in chronicle.downloads():
        content = truth.get(download.order.url, b"")
        if download.path is not None:
            finals.setdefault(f"{FOLDER}/{download.path}", set()).add(content)
        if download.state in ENDED or download.part is None:
            continue
        held = world.disk.durable(f"{FOLDER}/{download.part}") or b""
        standing = holdings.standing(chronicle.of(download.id))
        if sum(piece.size for piece in standing) != download.received:
            wrong.append(f"{download.id}: the pieces are not what the state says")
        wrong += [
            f"{download.id}: {piece.start}-{piece.end} is logged and not durable"
            for piece in standing
            if not piece.fits(held[piece.start : piece.end])
        ]
    for path in world.disk.paths():
        name = path.rpartition("/")[2]
        if not (name.startswith(".") and name.endswith((".part", ".kept"))) and world.disk.durable(
            path
        ) not in finals.get(path, ()):
            wrong.append(f"{path} has its final name and is not what it should be")
    return wrong


@pytest.fixture(scope="session")
def tale() -> type[Chronicle]:
    """Reads a log."""
    return Chronicle


@pytest.fixture(scope="session")
def telling() -> type[Telling]:
    """Makes a port tell its steps."""
    return Telling


@pytest.fixture(scope="session", name="payload")
def _payload() -> Callable[..., bytes]:
    """Makes bytes."""
    return payload


@pytest.fixture(scope="session", name="unlawful")
def _unlawful() -> Callable[[World, dict[str, bytes]], list[str]]:
    """Looks for broken laws."""
    return unlawful


@pytest.fixture(scope="session")
def all_given_back() -> Callable[[Buffers], bool]:
    """Tells whether nobody holds a buffer of a pool."""

    def tell(buffers: Buffers) -> bool:
        idle = sum(len(buffer) for kind in buffers._idle.values() for buffer in kind)
        return buffers._left + idle == POOL_BYTES

    return tell
