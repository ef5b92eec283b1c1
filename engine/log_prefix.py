"""The valid prefix of a log, and how it is copied into another one.

It ends before the first event that is missing, cannot be read, is of no kind that is known, or does not follow on its
stream. A log in a database may hold rows that are no records; whoever walks all of it steps over them one by one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from lading.adapters import codec
from lading.adapters.lmdb.format import FORMAT
from lading.auditing import Audit
from lading.domain.errors import LogDamaged, StoreNewer
from lading.domain.facts import Fact
from lading.domain.ports import Conflict, Entry, Log, Recorded

BATCH = 1000
PAGE = 2000

Progress = Callable[[int, int | None], None]


class Source(Protocol):
    """What a prefix can be taken of: a damaged LMDB log, or any log that can be opened.

    `format` is that of its tables, `entries` how many events it says that it has; None where it does not say.
    """

    @property
    def format(self) -> int | None: ...  # noqa: D102 # as the class says

    @property
    def entries(self) -> int | None: ...  # noqa: D102 # as the class says

    def prefix(self) -> Iterator[Recorded | str]:
        """Yield the events from the first on as long as they can be believed, and then why the next one cannot be."""
        ...


class OpenLog:
    """A log that can be opened, as a `Source`."""

    format = None
    entries = None

    def __init__(self, log: Log) -> None:
        self._log = log

    def prefix(self) -> Iterator[Recorded | str]:
        """Yield the events from the first on as long as they are records, and then why the next one is none."""
        try:
            for page in pages(self._log):
                if isinstance(page, LogDamaged):
                    yield page.message
                    return
                yield from page
        except LogDamaged as damage:
            yield damage.message


def pages(log: Log) -> Iterator[Sequence[Recorded] | LogDamaged]:
    """Yield a log in pages, and what is wrong with each row of it that is no record.

    The page that such a row is in is read event by event.

    Raises:
        LogDamaged: it cannot be told where the damage is.
    """
    after, bad = 0, 0
    while True:
        try:
            page = log.read(after, 1 if after < bad else PAGE)
        except LogDamaged as damage:
            if damage.position is None or damage.position <= after:
                raise
            if after < bad:
                after = damage.position
                yield damage
            bad = damage.position
            continue
        if not page:
            return
        after = page[-1].position
        yield page


def copy(
    source: Source, target: Log, *, accept_loss: bool = False, progress: Progress = lambda _, __: None
) -> tuple[int, str]:
    """Copy the prefix of a log into an empty one; return how many events that are, and why the next could not be taken.

    Raises:
        StoreNewer: that is so because it may be of a newer Lading, and such a loss is not accepted.
    """
    taken, batch = 0, list[Recorded]()
    if source.format is not None and source.format > FORMAT and not accept_loss:
        raise _newer(StoreNewer(f"the log says that it has format {source.format}"))
    for found in source.prefix():
        reason = unreadable(found)
        if isinstance(reason, StoreNewer) and not accept_loss:
            raise _newer(reason)
        if reason is not None:
            added, misfit = _append(target, batch)
            return taken + added, misfit or str(reason)
        assert isinstance(found, Recorded)
        batch.append(found)
        if len(batch) == BATCH:
            added, misfit = _append(target, batch)
            taken, batch = taken + added, []
            progress(taken, source.entries)
            if misfit is not None:
                return taken, misfit
    added, misfit = _append(target, batch)
    return taken + added, misfit or ""


def root(log: Log) -> str:
    """Return the Merkle root of all that a log has."""
    audit = Audit(log, ())
    for _ in audit.discrepancies():
        continue
    return audit.root.hex()


def unreadable(found: Recorded | str) -> Exception | None:
    """Return why an event cannot be taken, None when it can."""
    if isinstance(found, str):
        return LogDamaged(found)
    try:
        codec.open_envelope(found)
    except (LogDamaged, StoreNewer) as error:
        return error
    return None


def facts(records: Iterator[Recorded]) -> Iterator[Fact]:
    """Yield what events say, of those that can be opened."""
    for recorded in records:
        with contextlib.suppress(LogDamaged, StoreNewer):
            yield codec.open_envelope(recorded)


def _append(target: Log, batch: list[Recorded]) -> tuple[int, str | None]:
    """Append events, and return how many that are, and why the next one does not follow on its stream, if so."""
    if not batch:
        return 0, None
    entries = [Entry(*recorded[1:]) for recorded in batch]
    (answer,) = target.append([entries])
    if not isinstance(answer, Conflict):
        return len(batch), None
    for number, entry in enumerate(entries):
        (answer,) = target.append([[entry]])
        if isinstance(answer, Conflict):
            return number, f"version {entry.version} of the stream {entry.stream} follows {answer.found}"
    return len(batch), None


def _newer(error: StoreNewer) -> StoreNewer:
    error.hint += "; if just that is what is damaged, `lading repair --log --accept-loss` goes on from before it"
    return error
