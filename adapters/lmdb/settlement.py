"""What to do when a commit fails: find out whether it took place, before anybody is told.

LMDB flushes the new pages first and then writes the page that makes them count. If that last write fails, the
change may be there or not, now or after a restart. So the store is asked; and what it says is believed only after
one more commit has succeeded, since that one flushes what the failed one may have left in memory alone. (When the
new pages themselves could not be flushed, the change cannot be there, and the answer is what made the commit fail.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lading.adapters.lmdb.environment import Environment
from lading.adapters.lmdb.faults import CommitUnknown
from lading.adapters.lmdb.format import META
from lading.domain.errors import StoreUnavailable

if TYPE_CHECKING:
    from lmdb import Transaction

_SETTLED_KEY = b"settled"


def write_surely(
    environment: Environment, work: Callable[[Transaction[bytes]], None], landed: Callable[[Transaction[bytes]], bool]
) -> None:
    """Run `work` in a write transaction and commit it; should that fail, tell by `landed` whether it took place.

    Args:
        environment: where; its format has been checked.
        work: puts the change; it may run again from its start.
        landed: tells, within a later transaction, whether the change is there.

    Raises:
        DiskFull: no room; nothing was stored, and the same call succeeds once there is some.
        StoreUnavailable: nothing was stored, or the message says that this is open.
    """
    try:
        environment.attempt(work)
    except CommitUnknown as unknown:
        _settle(environment, landed, unknown)


def _settle(environment: Environment, landed: Callable[[Transaction[bytes]], bool], unknown: CommitUnknown) -> None:
    def confirm(txn: Transaction[bytes]) -> None:
        if not landed(txn):
            raise unknown.error from unknown.__cause__
        txn.put(_SETTLED_KEY, txn.id().to_bytes(8, "big"), db=environment.tables[META])

    try:
        environment.attempt(confirm)
    except CommitUnknown as again:
        raise StoreUnavailable(
            f"two commits failed, and whether the first took place is open: {again.error}",
            hint="look into the system's log; after a restart the store shows what it holds",
        ) from unknown
