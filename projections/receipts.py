"""Receipts: what the log tells of one download, as an in-toto Statement whose every word can be shown to be true.

    _type, subject, predicateType    in-toto's (in-toto.io/Statement/v1): the file by name and digest
    predicate                        what happened, in short; the log, its key and its checkpoint; and of each event
                                     what its leaf is made of, the head of its proof, and what it says

`statement` is a function of the events with their proofs, the checkpoint and the key, and of nothing else. Whoever is
given a receipt makes the statement again out of the events that it brings, each of which it has shown to be in the log
of whoever signed, and sees that it is the same: so no field can be changed or left out, and none has to be believed.

That also means that version 1 is what this makes, for ever. What would make another statement of the same events is
version 2, beside this one.

A download that is not complete has no file to vouch for, and in-toto knows no statement without a subject: its subject
is then what happened, by the SHA-256 of its leaves one after the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from lading.domain import events as e
from lading.domain import ledger, proofs
from lading.domain.digests import Digest
from lading.domain.download import Download
from lading.domain.errors import LogDamaged
from lading.domain.evolving import evolve
from lading.domain.facts import Fact
from lading.domain.notes import Checkpoint, Note, VerifierKey
from lading.domain.packing import pack
from lading.domain.ports import Recorded
from lading.domain.validators import Validator
from lading.projections.instants import iso

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://lading.example/receipt/v1"
PAYLOAD = "application/vnd.in-toto+json"
MOST_EVENTS = 50_000
"""Of so many events of one download there is a receipt; it has about 150 MB then."""

Words = dict[str, Any]
_OUTCOMES: Mapping[type[e.Event], str] = {
    e.Completed: "completed",
    e.Failed: "failed",
    e.RetryScheduled: "faltered",
    e.Blocked: "blocked",
    e.Stopped: "stopped",
}


@attrs.frozen(kw_only=True)
class Proven:
    """One event: as the log has it, as it is read, its words as they are stored, its place in the ledger and proof."""

    record: Recorded
    fact: Fact
    context: Any
    payload: Any
    ordinal: int
    path: tuple[bytes, ...]

    @property
    def leaf(self) -> bytes:
        """Its leaf."""
        _, stream, version, topic, state = self.record
        return ledger.leaf(stream, version, topic, state)


def statement(proven: Iterable[Proven], note: Note, key: VerifierKey) -> Words:
    """Return what is to be signed of a download: its events, in order, with their proofs under one checkpoint.

    Raises:
        LogDamaged: these are not the events of a download.
    """
    rows: list[Words] = []

    def noting() -> Iterator[Proven]:
        for each in proven:
            rows.append(row(each))
            yield each

    made = heading(noting(), note, key)
    made["predicate"]["events"] = rows
    return made


def heading(proven: Iterable[Proven], note: Note, key: VerifierKey) -> Words:
    """Return a statement without its events, which are looked at once, one after the other.

    Raises:
        LogDamaged: these are not the events of a download.
    """
    download, attempts, leaves = _fold(proven)
    return {
        "_type": STATEMENT,
        "subject": [_subject(download, leaves)],
        "predicateType": PREDICATE,
        "predicate": {
            **_summary(download),
            "attempts": attempts,
            "log": {"origin": Checkpoint.parse(note.text).origin, "key": str(key)},
            "checkpoint": str(note),
        },
    }


def row(proven: Proven) -> Words:
    """Return what a statement has of one event."""
    _, stream, version, topic, state = proven.record
    return {
        "stream": str(stream),
        "version": version,
        "topic": topic,
        "ordinal": proven.ordinal,
        "state": pack(state),
        "proof": proofs.head(proven.ordinal, proven.path),
        "at": iso(proven.fact.at_ns),
        "id": str(proven.fact.id),
        "context": proven.context,
        "event": proven.payload,
    }


def _fold(proven: Iterable[Proven]) -> tuple[Download, list[Words], bytes]:
    """Return what the events of one download come to, its attempts, and its leaves one after the other."""
    download: Download | None = None
    attempts: list[Words] = []
    running: Words | None = None
    leaves = bytearray()
    for each in proven:
        fact = each.fact
        leaves += each.leaf
        download = evolve(download, fact.event, stream=fact.stream, at_ns=fact.at_ns)
        match fact.event:
            case e.Started():
                running = _begun(fact, download)
                attempts.append(running)
            case event if running is not None:
                if isinstance(event, e.Probed | e.Completed):
                    running |= {"final_url": event.url, "validator": _validator(event.validator)}
                if type(event) in _OUTCOMES:
                    running |= {"ended_at": iso(fact.at_ns), "outcome": _OUTCOMES[type(event)], "error": _error(event)}
                    running = None
    if download is None:
        raise LogDamaged("a download without events is none")
    return download, attempts, bytes(leaves)


def _is_of_a_file(download: Download) -> bool:
    """Tell whether a receipt vouches for a file: whether this is complete, or was, and nobody has begun anew since."""
    return None not in {download.assurance, download.digest, download.total, download.path}


def _subject(download: Download, leaves: bytes) -> Words:
    if _is_of_a_file(download):
        digest = Digest.parse(str(download.digest))
        return {"name": str(download.path).rpartition("/")[2], "digest": {digest.algorithm: digest.hex}}
    return {"name": f"urn:uuid:{download.id}", "digest": {"sha256": hashlib.sha256(leaves).hexdigest()}}


def _summary(download: Download) -> Words:
    order, whole = download.order, _is_of_a_file(download)
    return {
        "download": str(download.id),
        "state": download.state.shown,
        "sources": [source.url for source in order.sources],
        "expected_digest": order.digest,
        "url": download.url,
        "path": _path(download),
        "size": download.total if whole else None,
        "digest": download.digest if whole else None,
        "assurance": download.assurance,
        "validator": _validator(download.validator),
        "transport": download.transport,
        "cached": download.cached,
        "invalid": download.invalid,
        "added_at": iso(download.added_at_ns),
        "started_at": iso(download.started_at_ns),
        "ended_at": iso(download.ended_at_ns),
    }


def _path(download: Download) -> str | None:
    """Return where the file is or will be: below the download folder, or a whole path."""
    found = download.path
    return f"/{found.lstrip('/')}" if found is not None and download.order.root == "/" else found


def _begun(fact: Fact, download: Download) -> Words:
    return {
        "attempt": download.attempt,
        "url": download.order.sources[download.source].url,
        "final_url": None,
        "validator": None,
        "resumed_from": download.resumed_from,
        "started_at": iso(fact.at_ns),
        "ended_at": None,
        "outcome": None,
        "error": None,
    }


def _validator(known: Validator | None) -> Words | None:
    if known is None:
        return None
    return {
        "etag": known.etag,
        "last_modified": known.last_modified,
        "date": known.date,
        "length": known.length,
        "digest": known.digest,
    }


def _error(event: e.Event) -> str | None:
    match event:
        case e.Failed() | e.RetryScheduled():
            return f"{event.cause}: {event.message}"
        case e.Blocked() | e.Stopped():
            return event.reason
        case _:
            return None
