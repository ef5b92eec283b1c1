"""What happened: every download that has ended, the latest end first, and every attempt of every download.

    he ‖ ended (u64) ‖ id           → (empty)   every download that has ended
    ht ‖ text(tag) ‖ ended ‖ id     → (empty)   … by each of its tags
    hu ‖ text(URL) ‖ ended ‖ id     → (empty)   … by the public URL that was asked for
    ha ‖ id ‖ attempt (u64)         → JSON      one attempt, from its start on

The row of an ended download is made of its state when it is asked for. A download that is taken up again leaves the
first three until it ends again; its attempts stay. One that is archived leaves all four: the archive has its rows, and
the log its events, of which `told` makes its attempts again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

import orjson

from lading.domain import events as e
from lading.domain.download import Download
from lading.domain.errors import ViewsDamaged
from lading.domain.evolving import evolve
from lading.domain.facts import Fact
from lading.domain.ports import Reader
from lading.domain.states import ENDED, RUNNING, STOPPING, State
from lading.projections import progress
from lading.projections.batch import Batch, Change, RowCodec, Step
from lading.projections.instants import iso
from lading.projections.keys import number, read_number, text

ENDING, TAG, URL, ATTEMPT = b"he", b"ht", b"hu", b"ha"
_ID_BYTES = 16
_UNDER_WAY = RUNNING | STOPPING
_OUTCOMES: dict[type[e.Event], str] = {
    e.Completed: "completed",
    e.Failed: "failed",
    e.RetryScheduled: "faltered",
    e.Blocked: "blocked",
    e.Stopped: "stopped",
}
_GIVEN_UP = frozenset({e.Cancelled, e.Removed})
_OF_ATTEMPTS: frozenset[type[e.Event]] = frozenset({e.Started, *_OUTCOMES, *_GIVEN_UP})
KINDS_OF_ATTEMPTS = frozenset(kind.__name__ for kind in _OF_ATTEMPTS)
"""The events that a row of an attempt is made of, by name."""

Row = dict[str, Any]


def apply(batch: Batch, changes: Sequence[Change]) -> None:
    """File what has ended, take out what goes on, and write down the attempts."""
    for change in changes:
        _, _, before, after, steps = change
        if before is not None and before.state in ENDED:
            batch.replace(_endings(before), _endings(after))
        elif after.state in ENDED:
            batch.replace({}, _endings(after))
        if after.archived:
            for key, _ in batch.scan(ATTEMPT + change.id.bytes):
                batch.delete(bytes(key))
        for fact, _, _ in steps:
            if type(fact.event) in _OF_ATTEMPTS:
                _write_attempts(batch, change)
                break


def _endings(download: Download) -> dict[bytes, bytes]:
    """Return the rows of a download that has ended and was not archived; there are none of any other."""
    if download.state not in ENDED or download.archived:
        return {}
    last = number(download.ended_at_ns or 0) + download.id.bytes
    keys = [ENDING + last, URL + text(download.order.url) + last]
    keys += [TAG + text(tag) + last for tag in download.order.tags]
    return dict.fromkeys(keys, b"")


def _write_attempts(batch: Batch, change: Change) -> None:
    attempts: dict[bytes, Row] = {}
    for fact, before, after in change.steps:
        kind = type(fact.event)
        if kind not in _OF_ATTEMPTS:
            continue
        key = _key(change.id, after.attempt)
        if kind is e.Started:
            attempts[key] = _begun(fact, after)
        elif before is not None and before.state in _UNDER_WAY:
            attempt = attempts.get(key) or _held(batch, key, change.id)
            attempts[key] = _given_up(attempt, before) if kind in _GIVEN_UP else _over(attempt, fact, after)
    for key, attempt in attempts.items():
        batch.put(key, orjson.dumps(attempt))


def _key(id: UUID, attempt: int) -> bytes:
    return ATTEMPT + id.bytes + number(attempt)


def _held(batch: Batch, key: bytes, id: UUID) -> Row:
    held = batch.get(key)
    if held is None:
        raise ViewsDamaged(f"the views lack the last attempt of {id}", stream=id)
    attempt: Row = orjson.loads(held)
    return attempt


def began_ns(batch: Batch, id: UUID, attempt: int) -> int:
    """Return when an attempt that had started before the batch did start (UTC, ns).

    Raises:
        ViewsDamaged: the views lack it.
    """
    started: int = _held(batch, _key(id, attempt), id)["started_at_ns"]
    return started


def _begun(fact: Fact, after: Download) -> Row:
    return {
        "attempt": after.attempt,
        "started_at_ns": fact.at_ns,
        "url": after.order.sources[after.source].url,
        "transport": after.transport,
        "path": after.path,
    }


def _given_up(attempt: Row, before: Download) -> Row:
    """Note what an attempt had brought when somebody gave the download up, by which its bytes stop counting."""
    return {"bytes": _brought(before), **attempt}


def _over(attempt: Row, fact: Fact, after: Download) -> Row:
    event = fact.event
    over: Row = {"bytes": _brought(after), **attempt}
    over["path"], over["ended_at_ns"], over["outcome"] = after.path, fact.at_ns, _OUTCOMES[type(event)]
    match event:
        case e.Completed():
            over["digest"], over["assurance"], over["url"] = event.digest, event.assurance, event.url
        case e.Failed() | e.RetryScheduled():
            over["error"] = f"{event.cause}: {event.message}"
        case e.Blocked():
            over["error"] = f"{event.reason}: {event.message}"
        case _:
            pass
    return over


def _brought(download: Download) -> int:
    return 0 if download.cached else max(0, download.received - download.resumed_from)


def ended(
    reader: Reader, codec: RowCodec, *, limit: int | None = None, tag: str | None = None, url: str | None = None
) -> Iterator[Row]:
    """Walk the downloads that have ended, the latest end first, each as a row of the history.

    Args:
        reader: a look at the views.
        codec: what reads the states of downloads.
        limit: how many at most.
        tag: only those with this tag.
        url: only those of which this public URL was asked for.

    Raises:
        ViewsDamaged: the state of one is missing or cannot be read.
    """
    return islice(_ended(reader, codec, tag, url), limit)


def _ended(reader: Reader, codec: RowCodec, tag: str | None, url: str | None) -> Iterator[Row]:
    tagged = ENDING if tag is None else TAG + text(tag)
    prefix = tagged if url is None else URL + text(url)
    for key, _ in reader.scan(prefix, reverse=True):
        download = _download(reader, UUID(bytes=key[-_ID_BYTES:]), codec)
        if tag is None or tag in download.order.tags:
            yield row(download)


def row(download: Download) -> Row:
    """Return a download that has ended as a row of the history.

    `bytes` is the size of a completed file, else what is still held of it.
    """
    success = download.assurance is not None
    return {
        "id": str(download.id),
        "url": download.order.url,
        "tags": list(download.order.tags),
        "started_at": iso(download.started_at_ns),
        "ended_at": iso(download.ended_at_ns),
        "bytes": (download.total or 0) if success else download.received,
        "success": success,
        "error": progress.error(download),
        "digest": download.digest if success else None,
        "assurance": download.assurance,
        "path": progress.path(download),
        "transport": download.transport,
        "attempts": download.attempt,
        "state": download.state.shown,
    }


def attempts(reader: Reader, id: UUID, codec: RowCodec) -> Iterator[Row]:
    """Walk the attempts of a download, the latest first, each as a row of the history.

    `attempts` is the number of the attempt, `url` the one that it fetched from, `bytes` what it brought; `state` is
    active, completed, failed, faltered (a retry follows), blocked or stopped.

    Raises:
        ViewsDamaged: the state of the download, or an attempt, cannot be read.
    """
    prefix = ATTEMPT + id.bytes
    download = None
    for _, value in reader.scan(prefix, reverse=True):
        download = download or _download(reader, id, codec)
        try:
            attempt: Row = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise ViewsDamaged(f"an attempt of {id} cannot be read", stream=id) from error
        yield _attempt(download, attempt)


def told(facts: Iterable[Fact], codec: RowCodec) -> list[Row]:
    """Return the attempts of a download as its own facts, from the first on, tell them: as `attempts` does."""
    steps: list[Step] = []
    state: Download | None = None
    for fact in facts:
        before, state = state, evolve(state, fact.event, stream=fact.stream, at_ns=fact.at_ns)
        steps.append((fact, before, state))
    if state is None:
        return []
    batch = Batch(_Nothing(), codec)
    _write_attempts(batch, Change(state.id, 0, None, state, steps))
    rows = (batch.ahead(_key(state.id, number)) for number in range(state.attempt, 0, -1))
    return [_attempt(state, orjson.loads(row)) for row in rows if row is not None]


class _Nothing:
    """A look at a store that holds nothing."""

    def get(self, key: bytes) -> bytes | None:  # noqa: ARG002
        return None

    def scan(self, prefix: bytes, **_: object) -> Iterator[tuple[bytes, bytes]]:  # noqa: ARG002
        return iter(())


def _attempt(download: Download, attempt: Row) -> Row:
    state = attempt.get("outcome", State.ACTIVE.shown)
    return {
        "id": str(download.id),
        "url": attempt["url"],
        "tags": list(download.order.tags),
        "started_at": iso(attempt["started_at_ns"]),
        "ended_at": iso(attempt.get("ended_at_ns")),
        "bytes": attempt.get("bytes"),
        "success": state == _OUTCOMES[e.Completed],
        "error": attempt.get("error"),
        "digest": attempt.get("digest"),
        "assurance": attempt.get("assurance"),
        "path": progress.below(download.order, attempt["path"]),
        "transport": attempt["transport"],
        "attempts": attempt["attempt"],
        "state": state,
    }


def closed(
    reader: Reader, before_ns: int, codec: RowCodec, *, after: bytes | None = None
) -> Iterator[tuple[bytes, Download]]:
    """Walk the downloads that ended before a time (UTC), the longest ago first, each with its key.

    With `after`, only those behind the one with that key.
    """
    for found, _ in reader.scan(ENDING, start=None if after is None else after + b"\0"):
        key = bytes(found)
        if read_number(key[len(ENDING) : -_ID_BYTES]) >= before_ns:
            return
        yield key, _download(reader, UUID(bytes=key[-_ID_BYTES:]), codec)


def _download(reader: Reader, id: UUID, codec: RowCodec) -> Download:
    download = progress.get(reader, id, codec)
    if download is None:
        raise ViewsDamaged(f"the views lack the download {id}", stream=id)
    return download
