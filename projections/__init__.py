"""Pure folds of the log into views, written once over an ordered key-value port and good for every log.

Each view answers one question. Its module documents the keys that it keeps, and has `apply`, which keeps them up to
date, and the queries, which read them through a `lading.domain.ports.Reader`:

    progress       how far is this download (the whole state of each, by id)
    roster         which downloads are there, by state and tag, how many, how many bytes
    queue          what runs next, and what the others wait for
    history        what happened: every end and every attempt
    failures       what has failed and why
    destinations   who owns a final path
    litter         what is left to sweep
    upkeep         what is to be looked at on the disk: folders with parts, stale failures, published files
    hold           what keeps the whole queue from starting anything
    statistics     what it all comes to: how often, how many bytes, how long
    bundles        which downloads belong together, and how they stand together
    acts           what people did, and can undo
    ledger         the Merkle tree over all of it

`fold` takes facts from the log and hands each view what changed; `batch` says why the size of a batch never shows.
Views are disposable: dropped and folded again, they are the same, byte for byte.
"""

from __future__ import annotations

from lading.projections import (
    bundles,
    destinations,
    failures,
    history,
    hold,
    litter,
    progress,
    queue,
    roster,
    statistics,
    upkeep,
)
from lading.projections.batch import View, Witness

VIEWS: tuple[View, ...] = (
    progress,
    roster,
    queue,
    history,
    failures,
    destinations,
    litter,
    bundles,
    statistics,
    upkeep,
)
WITNESSES: tuple[Witness, ...] = (
    hold,
    bundles,
    statistics,
)
