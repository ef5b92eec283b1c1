"""Whose environment it is, and whether this program understands it: a format number and an id, in the table `meta`."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from lading.adapters.lmdb.environment import Environment
from lading.adapters.lmdb.record import number, pack_number
from lading.domain.errors import StoreNewer, StoreUnavailable

if TYPE_CHECKING:
    from lmdb import Transaction

FORMAT = 1
META = b"meta"
FORMAT_KEY = b"format"
ID_KEY = b"log-id"


def check_format(environment: Environment, *, create: bool = True, new_id: uuid.UUID | None = None) -> uuid.UUID:
    """Return the environment's id, after making sure that this program understands what lies there.

    One that is new is given the id `new_id`, or else a random one.

    Raises:
        StoreNewer: a later program wrote it.
        StoreUnavailable: it is another program's, or empty and `create` is not set.
    """
    found = _read(environment)
    if found is None:
        if not create:
            raise StoreUnavailable(f"there is no store in {environment.folder}", hint="check the path")
        environment.open_tables([META])
        environment.write(lambda txn: _stamp(txn, environment, new_id or uuid.uuid4()))
        found = _read(environment)
    if found is None or len(found[0]) != 8 or len(found[1]) != 16:
        raise _foreign(environment)
    if number(found[0]) > FORMAT:
        raise StoreNewer(f"{environment.folder} has format {number(found[0])}, this program reads up to {FORMAT}")
    return uuid.UUID(bytes=found[1])


def _read(environment: Environment) -> tuple[bytes, bytes] | None:
    names = environment.table_names()
    if not names:
        return None
    if META not in names:
        raise _foreign(environment)
    environment.open_tables([META], create=False)
    table = environment.tables[META]
    held, log_id = environment.read(lambda txn: (txn.get(FORMAT_KEY, db=table), txn.get(ID_KEY, db=table)))
    if held is None and log_id is None and names == [META]:
        return None  # its maker was stopped between making the table and filling it
    return held or b"", log_id or b""


def _stamp(txn: Transaction[bytes], environment: Environment, new_id: uuid.UUID) -> None:
    table = environment.tables[META]
    txn.put(ID_KEY, new_id.bytes, overwrite=False, db=table)
    txn.put(FORMAT_KEY, pack_number(FORMAT), overwrite=False, db=table)


def _foreign(environment: Environment) -> StoreUnavailable:
    return StoreUnavailable(
        f"{environment.folder} is an LMDB environment of another program; it was left as it is",
        hint="choose another folder",
    )
