"""The views: whether they stand on this log, and whether a fresh fold of it comes to the same.

Views lag behind their log and never run ahead of it, since they are folded from what is durable. So they are a witness,
if a silent one: where they have seen an event that the log does not have, the log was cut short since, or an older copy
was put back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lading.adapters.lmdb.residency import give_back
from lading.adapters.lmdb.store import LMDBStore
from lading.adapters.lmdb.structure import structure
from lading.checks.subject import Finding, Subject
from lading.current import FORMAT, LOG, VIEWS_FORMAT, stand
from lading.domain.errors import IntegrityError, StoreNewer
from lading.domain.ports import Reader
from lading.generations import HomeGenerations
from lading.home import EngineLock
from lading.projections.keys import number

_VIEWS = {
    b"p": "progress", b"r": "roster", b"q": "queue", b"h": "history", b"f": "failures", b"d": "destinations",
    b"l": "litter", b"u": "upkeep", b"c": "hold", b"a": "acts", b"b": "bundles", b"s": "statistics",
    b"m": "ledger",
}  # fmt: skip


def witness(subject: Subject) -> Iterator[Finding]:
    """See whether the log has the event that the views have seen last, when they are of this log."""
    log_id = str(getattr(subject.log, "log_id", ""))
    generations = HomeGenerations(subject.home.path)
    current = generations.current()
    if current is None or not log_id:
        return
    folder = generations.folder(current)
    try:
        if EngineLock(subject.home).is_vacant():
            for message in structure(folder):
                yield Finding("view", f"pages of the views: {message}; `lading rebuild` makes them anew")
                return
        store = LMDBStore(folder, metasync=False, create=False)
        try:
            with store.read() as reader:
                at, event = stand(reader)
                ours = reader.get(FORMAT) == number(VIEWS_FORMAT) and reader.get(LOG) == log_id.encode()
        finally:
            store.close()
    except (IntegrityError, StoreNewer) as error:
        yield Finding("view", f"the views cannot be read: {error.message}; `lading rebuild` makes them anew")
        return
    if ours and at and not subject.reading.views.stands_on(at, event):
        message = f"the views have seen an event at position {at} which the log does not have"
        yield Finding("log", f"{message}: it was cut short, or an older copy was put back", position=at)


@contextmanager
def standing(subject: Subject) -> Iterator[Reader | None]:
    """Open the views as they stand, without bringing them up to date; None where there are none of this log.

    Raises:
        ViewsDamaged, StoreNewer: they cannot be read.
    """
    generations = HomeGenerations(subject.home.path)
    current, log_id = generations.current(), str(getattr(subject.log, "log_id", ""))
    if current is None:
        yield None
        return
    store = LMDBStore(generations.folder(current), metasync=False, create=False)
    try:
        with store.read() as reader:
            ours = reader.get(FORMAT) == number(VIEWS_FORMAT) and reader.get(LOG) == log_id.encode()
            yield reader if ours else None
    finally:
        store.close()


def fold(subject: Subject) -> Iterator[Finding]:
    """Fold the log afresh, and hold the views against that."""
    sound = True

    def progress(done: int, of: int) -> None:
        subject.progress(done, of)
        give_back()

    for key in subject.reading.views.verify(progress=progress):
        sound = False
        view = _VIEWS.get(key[:1], "unknown")
        yield Finding("view", f"the view {view} differs from a fresh fold at the key {key.hex()}")
    subject.counts["views"] = sound
