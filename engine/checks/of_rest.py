"""What a home keeps beside log and views: settings, secrets, and how far hooks have been told.

Settings are the user's own words, so that only what cannot be meant is wrong with them. The vault seals what it keeps,
and the log has a name of each URL that only the vault's key can make: so a secret that is damaged, gone, or of another
time than the log is found without telling it. A cursor lies within the log.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from uuid import UUID

from lading.adapters.lmdb.ground import DATA_FILE
from lading.adapters.lmdb.store import LMDBStore
from lading.adapters.lmdb.structure import structure
from lading.adapters.vault import SealedVault
from lading.adapters.vault.strongroom import newest
from lading.checks.subject import Finding, Subject
from lading.cursors import FOLDER, FileCursors
from lading.domain.errors import IntegrityError, InvalidSetting, LadingError
from lading.domain.evolving import fold
from lading.home import EngineLock
from lading.settings import load

WANTED_BY = ("queued", "active", "verifying", "waiting", "paused")
"""The states in which a download will need its secrets."""


def settings(subject: Subject) -> Iterator[Finding]:
    """Read the settings of the home."""
    try:
        load(subject.home.settings_path, os.environ)
    except InvalidSetting as error:
        yield Finding("settings", error.message, path=str(subject.home.settings_path))


def hooks(subject: Subject) -> Iterator[Finding]:
    """See that each hook has come to a place that there is in the log."""
    folder = subject.home.path / FOLDER
    names = sorted(path.name for path in folder.iterdir() if path.name[0] != ".") if folder.is_dir() else []
    head = subject.log.head() if names else 0
    cursors = FileCursors(subject.home.path)
    for name in names:
        path = str(folder / name)
        try:
            cursor = cursors.load(name)
        except LadingError as error:
            yield Finding("hook", error.message, path=path)
            continue
        if cursor is not None and not 0 <= cursor.position <= head:
            told = f"the hook {name} has been told up to position {cursor.position}, and the log ends at {head}"
            yield Finding("hook", told, path=path, position=cursor.position)


def vault(subject: Subject) -> Iterator[Finding]:
    """Open every secret, and see that the ones that will be needed are there and are those of which the log speaks.

    Those that were forgotten are meant to be gone: what needs them is blocked until it is given others.
    """
    folder = subject.home.vault_path
    if not folder.is_dir():
        return
    rewritten, place = newest(folder)
    if rewritten == 1 and not (place / DATA_FILE).exists():
        return
    sealed = SealedVault(folder, lambda path: LMDBStore(path, create=False))
    try:
        problems = structure(place) if EngineLock(subject.home).is_vacant() else []
        if problems:
            yield Finding("vault", f"pages of the vault: {problems[0]}", path=str(folder))
            return
        for number, id in enumerate(sealed.kept(), start=1):
            yield from _secret(subject, sealed, id)
            subject.progress(number)
        yield from _missing(subject, sealed)
    except LadingError as error:
        yield Finding("vault", error.message, path=str(folder))
    finally:
        sealed.close()


def _secret(subject: Subject, sealed: SealedVault, id: UUID) -> Iterator[Finding]:
    try:
        kept = sealed.recall(id)
    except IntegrityError as error:
        yield Finding("vault", error.message, id=str(id))
        return
    if kept is None:
        yield Finding("vault", f"the secrets of the download {id} were sealed by another key", id=str(id))
        return
    download = fold(id, ((fact.event, fact.at_ns) for fact in subject.reading.stream(id)))
    if download is None:  # it was to be queued, and nobody got as far as that
        return
    sources = zip(download.order.sources, kept.urls, strict=False)
    named = [source.handle == sealed.handle(url) for source, url in sources if source.handle is not None]
    if not all(named) or len(kept.urls) != len(download.order.sources):
        yield Finding("vault", f"the secrets of the download {id} are not those of which the log speaks", id=str(id))


def _missing(subject: Subject, sealed: SealedVault) -> Iterator[Finding]:
    reading = subject.reading
    reading.catch_up()
    for state in WANTED_BY:
        for download in reading.downloads(state=state):
            if download.order.secret and not download.forgotten and sealed.recall(download.id) is None:
                message = f"the secrets of the download {download.id} are not in the vault"
                yield Finding("vault", f"{message}; `lading refresh-url` gives it others", id=str(download.id))
