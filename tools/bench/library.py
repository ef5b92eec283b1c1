"""The bench's history as an application of the event library would keep it: its event classes, mapper and transcoder.

Both sides of the replay comparison decode to the same fidelity: typed events that hold typed values. The library does
that with a transcoding for each type, as its documentation shows; only decoding is measured, nothing is folded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import attrs
from eventsourcing.domain import DomainEvent
from eventsourcing.persistence import DatetimeAsISO, JSONTranscoder, Mapper, Transcoding, UUIDAsHex

from lading.domain import events as e
from lading.domain.pieces import Piece
from lading.domain.requests import Order, Source
from lading.domain.validators import Validator
from lading.tools.bench import history


@dataclass(frozen=True, kw_only=True)
class Queued(DomainEvent):
    """Somebody wants this."""

    order: Order


@dataclass(frozen=True, kw_only=True)
class Started(DomainEvent):
    """A worker took it."""

    attempt: int
    worker: UUID
    storage: str
    path: str
    part: str


@dataclass(frozen=True, kw_only=True)
class Probed(DomainEvent):
    """The server answered."""

    attempt: int
    url: str
    status: int
    total: int
    validator: Validator


@dataclass(frozen=True, kw_only=True)
class Progressed(DomainEvent):
    """These pieces are durable."""

    attempt: int
    pieces: list[Piece]


@dataclass(frozen=True, kw_only=True)
class Completed(DomainEvent):
    """The final name holds the content."""

    attempt: int
    path: str
    size: int
    digest: str
    assurance: str
    url: str
    validator: Validator


_KINDS = {
    e.Queued: Queued,
    e.Started: Started,
    e.Probed: Probed,
    e.Progressed: Progressed,
    e.Completed: Completed,
}


def _changed(value: attrs.AttrsInstance) -> dict[str, Any]:
    """Return the fields of a value that differ from their defaults: what our own codec stores, too."""
    fields = attrs.fields(type(value))
    return {field.name: word for field in fields if (word := getattr(value, field.name)) != field.default}


class _AsWords(Transcoding):
    """A value object as the dictionary of its fields."""

    def encode(self, obj: Any) -> dict[str, Any]:
        """Return the fields."""
        return _changed(obj)

    def decode(self, data: dict[str, Any]) -> Any:
        """Make the value of its fields."""
        return self.type(**data)


class _SourceAsWords(_AsWords):
    type, name = Source, "source"


class _OrderAsWords(_AsWords):
    type, name = Order, "order"


class _ValidatorAsWords(_AsWords):
    type, name = Validator, "validator"


class _PieceAsWords(_AsWords):
    type, name = Piece, "piece"


def mapper() -> Mapper[UUID]:
    """Return the library's mapper with its JSON transcoder and a transcoding for each type of value."""
    transcoder = JSONTranscoder()
    for transcoding in (
        UUIDAsHex(),
        DatetimeAsISO(),
        _SourceAsWords(),
        _OrderAsWords(),
        _ValidatorAsWords(),
        _PieceAsWords(),
    ):
        transcoder.register(transcoding)
    return Mapper(transcoder)


def events(downloads: int) -> Iterator[DomainEvent]:
    """Yield the events of downloads, as the library has them."""
    worker = uuid4()
    for number in range(downloads):
        id = uuid4()
        for version, event in enumerate(history.events(number, worker), start=1):
            kind = _KINDS[type(event)]
            words = {name: getattr(event, name) for name in kind.__annotations__}
            words = {name: list(word) if isinstance(word, tuple) else word for name, word in words.items()}
            yield kind(originator_id=id, originator_version=version, timestamp=datetime.now(tz=UTC), **words)
