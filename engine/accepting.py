"""What is to be believed of a home that comes back: its log, held against what was signed of it.

What the backup itself brings has to agree: the root that it speaks of, and every checkpoint of this log. What anchors
outside know may be more. Then the backup is older than its home was, or its history is another; it is made into a home
all the same, since one wants one's data, and people are told; so it is where a key cannot be read. The home itself
refuses to be written to from then on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from lading.adapters.notebook import Notebook
from lading.adapters.signing import is_signed, read_keys
from lading.auditing import Audit, Claim, Discrepancy, claims
from lading.backup import SETTINGS, Manifest
from lading.domain.errors import BackupDamaged, LadingError
from lading.domain.notes import Checkpoint
from lading.domain.ports import Log
from lading.opening import anchor_files, predecessors
from lading.settings import load
from lading.vouching import KEYS, Vouchers, origin


class Restored(NamedTuple):
    """A home before it gets its name: where it lies until then, what its backup says, and its log, filled."""

    home: Path
    manifest: Manifest
    log: Log

    @property
    def name(self) -> str:
        """By which name its checkpoints are kept; empty where there are none."""
        return self.manifest.signed or self.manifest.log


def hold(back: Restored) -> None:
    """Hold the log against what came with it.

    Raises:
        BackupDamaged: it is not the log that was signed.
    """
    audit = Audit(back.log, (claim for claim in _claims(back) if isinstance(claim, Claim)))
    for found in audit.discrepancies():
        raise BackupDamaged(f"the log in the backup is not what was signed: {found.message}")
    if back.manifest.root not in {None, audit.root.hex()}:
        raise BackupDamaged("the events in the backup are not those of whose ledger it speaks")


def _claims(back: Restored) -> Iterator[Claim | Discrepancy]:
    return claims(Vouchers(back.home, back.name)) if back.name else iter(())


def doubts(back: Restored, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield why the home will not be written to: what cannot be believed in it, and what its anchors know of its log.

    Its settings name the anchors. What they say and the log does not bear out is told, and nothing is raised.
    """
    yield from (claim.message for claim in _claims(back) if isinstance(claim, Discrepancy))
    try:
        files = anchor_files(load(back.home / SETTINGS, environ))
        keys = read_keys(back.home / KEYS)
    except LadingError as error:
        yield f"its anchors were not asked: {error.message}"
        return
    known: list[Claim] = []
    for name, path in files.items():
        where = f"the anchor {name!r} ({path})"
        try:
            note = Notebook(path).last()
            found = None if note is None else Checkpoint.parse(note.text)
        except LadingError as error:
            yield f"{where} cannot be asked: {error.message}"
            continue
        if note is None or found is None:
            continue
        if found.origin != origin(back.name):
            if found.origin not in map(origin, predecessors(back.log, back.name)):
                yield f"{where} is of another log, {found.origin}"
            continue
        known.append(Claim(where, found))
        if not is_signed(note, keys):
            yield f"{where} was not signed with a key that is in the backup"
    if known:
        known.sort(key=lambda claim: claim.checkpoint.size)
        yield from (found.message for found in Audit(back.log, known).discrepancies())
