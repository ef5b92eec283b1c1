"""Opening a home to look at it: the part of the composition root that needs neither an event loop nor a network.

The command line's looking verbs stand on this, so that they answer before an engine could have been put together.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from lading.adapters.lmdb.store import LMDBStore
from lading.domain.errors import LogDamaged
from lading.domain.ports import Log
from lading.home import Home, expect_log, remember_log
from lading.logs import DEFAULT, is_missing, open_log, place_of
from lading.reading import Reading
from lading.views import Views

if TYPE_CHECKING:
    from lading.inspection import Inspector
    from lading.notary import Notary
    from lading.settings import Settings
    from lading.vouching import Ancestor


def default_home() -> Path:
    """Return the home to use when nobody names one: `LADING_HOME`, else the platform's state directory."""
    named = os.environ.get("LADING_HOME")
    if named:
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_state_dir("lading"))


def open_views(home: Home, log: Log) -> Views:
    """Open the views of a log in a home; those of a log that ended with its process are made anew."""
    return Views(
        log,
        lambda folder: LMDBStore(folder, metasync=False),
        home.path,
        log_id=str(getattr(log, "log_id", "")),
    )


def open_own_log(home: Home, log_url: str | None = None) -> Log:
    """Open the log of a home, the one that lies in it unless `log_url` names another.

    Raises:
        StoreUnavailable, StoreNewer: it cannot be used.
        LogDamaged: it is damaged; or the home had one of its own, and that is gone.
    """
    url = log_url or DEFAULT
    if url != DEFAULT:
        _expect_elsewhere(home, url)
        return open_log(url, home.path)
    expect_log(home)
    log = open_log(url, home.path)
    try:
        remember_log(home, str(getattr(log, "log_id", "")))
    except BaseException:
        log.close()
        raise
    return log


def _expect_elsewhere(home: Home, url: str) -> None:
    """Refuse a log that was signed and whose file is gone: an empty one in its place would look like one of nothing."""
    from lading.vouching import FOLDER

    if is_missing(url, home.path) and (home.path / FOLDER / _named_by_place(home, url)).exists():
        raise LogDamaged(
            "the log of this home is gone: no file lies where its URL says",
            hint="see whether its disk is there; put it back from a copy, or restore a backup",
        )


def open_notary(home: Home, log: Log, views: Views, settings: Settings, log_url: str | None = None) -> Notary | None:
    """Return who signs checkpoints of a log in a home, and checks them; None for a log that ends with the process."""
    from lading.notary import Notary

    named = name_for_signing(home, log, log_url)
    if named is None:
        return None
    files = anchor_files(settings)
    return Notary(home.path, named, views, anchored=files, lineage=lambda: lineage(log, named))


def name_for_signing(home: Home, log: Log, log_url: str | None = None) -> str | None:
    """Return by which name checkpoints are kept of a log; None for one that ends with the process.

    A log that has no id goes by the home and where it lies, however its URL is spelt; nothing is told but a digest. One
    that was moved here by a backup keeps its name, so that all that was signed of it, here and at anchors, holds it.
    """
    if not getattr(log, "lasting", True):
        return None
    named = str(getattr(log, "log_id", ""))
    return home.names.get(named, named) if named else _named_by_place(home, log_url or DEFAULT)


def _named_by_place(home: Home, url: str) -> str:
    named = hashlib.sha256(home.id.bytes + place_of(url, home.path).encode()).hexdigest()[:32]
    return home.names.get(named, named)


def anchor_files(settings: Settings) -> dict[str, Path]:
    """Return the files outside of a home to which its checkpoints are appended, by name."""
    return {name: Path(anchor.file) for name, anchor in settings.anchors.items() if anchor.file}


def lineage(log: Log, log_id: str) -> Iterator[Ancestor]:
    """Yield the logs that a log was before it was repaired, the last one first, as it tells itself."""
    from lading.adapters import codec
    from lading.domain.events import LogRepaired
    from lading.vouching import Ancestor

    known: set[UUID] = set()
    kept: int | None = None
    while True:
        try:
            stream = UUID(log_id)
        except ValueError:
            return
        if stream in known:
            return
        known.add(stream)
        said = [codec.open_envelope(record).event for record in log.stream(stream)]
        repaired = next((event for event in said if isinstance(event, LogRepaired)), None)
        if repaired is None or repaired.before is None:
            return
        log_id = str(repaired.before)
        had = repaired.cut - 1
        kept = had if kept is None else min(kept, had)
        yield Ancestor(log_id, kept, bytes.fromhex(repaired.root) if repaired.root and kept == had else None)
        yield Ancestor(repaired.before.hex, kept)  # so a log is named that has no id of its own


def inspector(reading: Reading, downloads: Path | None = None) -> Inspector:
    """Return what looks at the files of downloads; `downloads` is the download folder of the home's program, if any."""
    from lading.adapters.disk import LocalDisk
    from lading.adapters.threads import WorkerThreads
    from lading.inspection import Inspector
    from lading.placing import Places

    roots = {"/": "/"} | ({} if downloads is None else {"downloads": os.path.abspath(downloads)})
    disk = LocalDisk()
    return Inspector(reading, disk, Places(roots, disk, WorkerThreads(), reading.claims.owner))


def open_reading(home: Home, log_url: str | None = None) -> Reading:
    """Open the read side of a home, without an engine.

    Raises:
        StoreUnavailable, StoreNewer, IntegrityError: the log or the views cannot be used.
    """
    log = open_own_log(home, log_url)
    return Reading(log, open_views(home, log))


def known_handle(home: Home, url: str) -> str | None:
    """Return the name under which the log of a home would know a whole URL; None where it has never kept a secret.

    Raises:
        StoreUnavailable: the key of the home cannot be read.
    """
    from lading.adapters.vault import SealedVault
    from lading.adapters.vault.sealed import KEY_FILE

    if not (home.vault_path / KEY_FILE).exists():
        return None
    vault = SealedVault(home.vault_path, LMDBStore)
    try:
        return vault.handle(url)
    finally:
        vault.close()
