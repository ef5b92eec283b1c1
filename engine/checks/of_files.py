"""Files: those that were published against their digests, parts that rest against their pieces.

Of a file that is not what was published its pieces tell which bytes of it are not. One that is to be repaired or
fetched again is judged until another has taken its place. A part is only looked at while nobody works on it: what runs
is judged by its own attempt.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from lading.checks.subject import Finding, Subject
from lading.domain import digests, holdings, spans, upkeep
from lading.domain.digests import Digest
from lading.domain.download import Download
from lading.domain.pieces import Piece
from lading.domain.states import RUNNING, STOPPING, State
from lading.domain.upkeep import Presence, Verdict
from lading.projections import destinations, progress
from lading.reading import Reading
from lading.views import ROWS

PAGE = 1000
READ_BYTES = 4 * 1024 * 1024


def files(subject: Subject) -> Iterator[Finding]:
    """Read every file that the log speaks of."""
    reading, counts = subject.reading, subject.counts
    reading.catch_up()
    counts |= {"files": 0, "parts": 0, "unchecked": 0}
    of = sum(reading.counts().values())
    for seen, (download, current) in enumerate(_downloads(reading), start=1):
        base = subject.roots.get(download.order.root)
        if base is None:
            counts["unchecked"] += download.has_published
        elif download.has_published and current:
            counts["files"] += 1
            yield from _file(subject, download, base / (download.path or ""))
        if base is not None and _rests(download):
            counts["parts"] += 1
            yield from _part(reading, download, base / (download.part or ""))
        subject.progress(seen, of)


def _file(subject: Subject, download: Download, path: Path) -> Iterator[Finding]:
    presence, message = _judge(path, download)
    word = upkeep.word(download, Verdict(presence=presence, reason=message.removeprefix(f"{path} ")))
    if word is not None:
        subject.say((download.id, word))
    if not message or (download.unmended is not None and not _stands(subject.reading, download)):
        return
    damaged = None
    if presence is Presence.NOT_VALID and (download.unmended is None or download.repairs):
        pieces = holdings.published(fact.event for fact in subject.reading.stream(download.id))
        damaged = _damaged(path, pieces, download.total or 0) if pieces else None
    where = "" if not damaged else f"; of its {download.total} bytes {_ranges(damaged)} are not what was published"
    yield Finding(
        "file",
        message + where,
        id=str(download.id),
        path=str(path),
        damaged=[list(span) for span in damaged] if damaged else None,
    )


def _part(reading: Reading, download: Download, path: Path) -> Iterator[Finding]:
    """Hold a part against the pieces that the log vouches for, unless somebody has taken it up meanwhile."""
    pieces = holdings.standing(fact.event for fact in reading.stream(download.id))
    if not pieces:
        return
    try:
        damaged = _damaged(path, pieces, 0)
        message = f"{path} is a part of which {_ranges(damaged)} are not what the log vouches for"
    except FileNotFoundError:
        damaged, message = ((0, spans.size(download.durable)),), f"{path} is missing, a part that the log vouches for"
    if damaged and _stands(reading, download):
        yield Finding("part", message, id=str(download.id), path=str(path), damaged=[list(span) for span in damaged])


def _stands(reading: Reading, download: Download) -> bool:
    """Tell whether nothing has happened to a download since it was read."""
    reading.catch_up()
    now = reading.get(download.id)
    return now is not None and now.version == download.version


def _ranges(damaged: spans.Spans) -> str:
    told = ", ".join(f"{start} to {end}" for start, end in damaged[:8])
    return told if len(damaged) <= 8 else f"{told} and {len(damaged) - 8} more ranges"


def _damaged(path: Path, pieces: tuple[Piece, ...], total: int) -> spans.Spans:
    """Return which bytes are not what the pieces tell, and those up to `total` of which none tells."""
    bad: spans.Spans = ()
    covered: spans.Spans = ()
    with path.open("rb", buffering=0) as file:
        for piece in pieces:
            covered = spans.union(covered, piece.start, piece.end)
            if not piece.fits(os.pread(file.fileno(), piece.size, piece.start)):
                bad = spans.union(bad, piece.start, piece.end)
    for start, end in spans.gaps(covered, total):
        bad = spans.union(bad, start, end)
    return bad


def _downloads(reading: Reading) -> Iterator[tuple[Download, bool]]:
    """Walk what is complete, each with whether its file is the last that was published under its path; and parts.

    Each look at the views is short, however long the files take.
    """
    after: UUID | None = None
    while True:
        with reading.views.read() as reader:
            page = list(progress.ids(reader, after=after, limit=PAGE))
            found = [progress.get(reader, id, ROWS) for id in page]
            done = [(d, _is_last(reader, d)) for d in found if d is not None and (d.has_published or _rests(d))]
        if not page:
            return
        after = page[-1]
        yield from done


def _rests(download: Download) -> bool:
    """Tell whether a download has a part at which nobody works."""
    return download.part is not None and bool(download.durable) and download.state not in RUNNING | STOPPING


def _is_last(reader: Any, download: Download) -> bool:
    for id in destinations.claims(reader, download.order.root, download.path or ""):
        claimant = progress.get(reader, id, ROWS)
        if claimant is not None and claimant.state is State.COMPLETED:
            return id == download.id
    return True


def _judge(path: Path, download: Download) -> tuple[Presence, str]:
    """Return whether the file at `path` is what was published, and what is wrong with it."""
    expected = Digest.parse(download.digest or "")
    try:
        size = os.stat(path).st_size
        if size != download.total and download.unmended is None:
            return Presence.NOT_VALID, f"{path} has {size} bytes, and {download.total} were published"
        found = _digest(path, expected.algorithm)
    except FileNotFoundError:
        return Presence.ABSENT, f"{path} is missing"
    except OSError as error:
        return Presence.UNKNOWN, f"{path} cannot be read: {error.strerror}"
    if found == expected.hex:
        return Presence.VALID, ""
    return Presence.NOT_VALID, f"{path} has changed: {expected.algorithm}:{found} is not {expected}"


def _digest(path: Path, algorithm: str) -> str:
    running = digests.hasher(algorithm)
    buffer = memoryview(bytearray(READ_BYTES))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            running.update(buffer[:count])
    return running.hexdigest()
