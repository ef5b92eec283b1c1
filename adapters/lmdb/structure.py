"""Whether the pages of an environment are as they must be, walked without LMDB, so that nothing can come of it.

Damage that no record shows lies here too: in the list of free pages, say, of which the next commit would believe that
it may write over pages that are in use.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import lmdb

from lading.adapters.lmdb.ground import DATA_FILE, read_meta

MOST_TRIES = 3
MOST_TOLD = 100


def structure(folder: Path) -> list[str]:
    """Return what is wrong with the pages of an environment that rests; nothing when it is written all the time.

    Raises:
        LogDamaged: it does not begin as an LMDB file must.
        StoreUnavailable: it cannot be read.
    """
    walk: Callable[[str], list[str]] = lmdb.verify.verify
    data = folder / DATA_FILE
    for _ in range(MOST_TRIES):
        before = read_meta(data)
        if before is None:
            return []
        try:
            problems = walk(str(folder))
        except lmdb.verify.VerifyError as error:
            problems = [str(error)]
        if read_meta(data) == before:
            return [str(problem) for problem in problems[:MOST_TOLD]]
    return []
