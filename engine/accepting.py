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

from lading.auditing import Audit, Claim, Discrepancy, claims
from lading.backup import SETTINGS, Manifest
from lading.domain.errors import BackupDamaged, LadingError
from lading.domain.ports import Log
from lading.opening import anchor_files, lineage
from lading.settings import load
from lading.vouching import Vouchers


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
    try:
        files = anchor_files(load(back.home / SETTINGS, environ))
    except LadingError as error:
        yield f"its anchors were not asked: {error.message}"
        return
    vouchers = Vouchers(back.home, back.name, anchored=files, lineage=lambda: lineage(back.log, back.name))
    for name in files:
        try:
            vouchers.last_at(name)
        except LadingError as error:
            yield error.message
    yield from (found.message for found in Audit(back.log, claims(vouchers)).discrepancies())
