"""The log: its pages, its records and indexes, and what they say.

The pages of an LMDB file are walked without LMDB, so that nothing can come of it; LMDB reads the records then, and with
them the pages that hold them. Every log is read to its end: each event must be one that this program knows, and follow
on its stream. A database has checksums of its own, or none.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from uuid import UUID

from lading.adapters import codec
from lading.adapters.lmdb import verify
from lading.adapters.lmdb.residency import give_back
from lading.adapters.lmdb.structure import structure
from lading.checks.subject import Finding, Subject
from lading.domain.errors import LogDamaged, StoreNewer
from lading.domain.ports import Log, Recorded
from lading.home import EngineLock, expect_log
from lading.log_prefix import pages as pages_of

MOST_STREAMS = 50_000


def pages(subject: Subject) -> Iterator[Finding]:
    """Walk every page of the log's file; beside an engine, which writes it, that is left to another time."""
    folder = subject.lmdb_folder
    if folder is None:
        return
    if subject.log_url is None and folder.exists():
        expect_log(subject.home)
    if EngineLock(subject.home).is_vacant():
        for message in structure(folder):
            yield Finding("log", f"pages: {message}")


def records(subject: Subject) -> Iterator[Finding]:
    """Hold records, index and topics of an LMDB log against one another."""
    folder = subject.lmdb_folder
    if folder is not None:
        for found in verify.verify(folder, strict=True, progress=subject.progress):
            yield Finding("log", f"{found.kind}: {found.message}", position=found.position)


def events(subject: Subject) -> Iterator[Finding]:
    """Open every event, and see that it follows on its stream; behind one that is no record nobody can tell that."""
    streams: _Streams | None = _Streams(subject.log)
    folder, head = subject.lmdb_folder, subject.log.head()
    subject.counts["events"] = 0
    for page in pages_of(subject.log):
        if isinstance(page, LogDamaged):
            streams = None
            yield Finding("log", page.message, position=page.position)
            continue
        for recorded in page:
            why = _unreadable(recorded) or (None if streams is None else streams.misfit(recorded))
            if why is not None:
                yield Finding("log", why, id=str(recorded.stream), position=recorded.position)
        subject.counts["events"] += len(page)
        subject.progress(page[-1].position, head)
        if folder is not None:
            give_back()


def _unreadable(recorded: Recorded) -> str | None:
    try:
        codec.open_envelope(recorded)
    except LogDamaged as damage:
        return damage.message
    except StoreNewer as newer:
        return f"event {recorded.position}: {newer.message}"
    return None


class _Streams:
    """The last versions of the streams that were met last; of any other, its events before are asked for."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._last: OrderedDict[UUID, int] = OrderedDict()

    def misfit(self, recorded: Recorded) -> str | None:
        """Return why an event does not follow on its stream, None when it does."""
        stream, version = recorded.stream, recorded.version
        last = self._last.pop(stream, None)
        if last is None:
            try:
                last = 0 if version == 1 else self._before(self._log.stream(stream), recorded.position)
            except LogDamaged as damage:
                return damage.message
        self._last[stream] = version
        if len(self._last) > MOST_STREAMS:
            self._last.popitem(last=False)
        return None if version == last + 1 else f"version {version} of its stream follows {last}"

    @staticmethod
    def _before(held: Sequence[Recorded], position: int) -> int:
        return max((each.version for each in held if each.position < position), default=0)
