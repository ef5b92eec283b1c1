"""LMDB: a persistence module for `eventsourcing`, and beside it the lean log and store that Lading itself uses.

    record, tables, overlay       how things lie in an environment
    ground, locks, registry       whether, and by whom, an environment may be opened; once per process
    environment, handle, gate     one open environment: its transactions, its growing map, its readers
    headroom, bell                room for the next commits; waiting for them
    faults, settlement            what errors mean; what became of a commit that failed
    log, store                    `LMDBLog` and `LMDBStore`: the domain's ports `Log` and `Store`
    recorders, tracking, …        what `PERSISTENCE_MODULE=lading.adapters.lmdb` gives an application
    verify                        whether what is stored is what was stored
    residency                     how who reads all of it gives memory back

`README.md` in this folder shows the module used alone. The library looks for exactly one factory in this namespace.
"""

from lading.adapters.lmdb.datastore import LMDBDatastore
from lading.adapters.lmdb.factory import LMDBFactory
from lading.adapters.lmdb.ground import GroundWarning
from lading.adapters.lmdb.log import LMDBLog
from lading.adapters.lmdb.recorders import LMDBAggregateRecorder, LMDBApplicationRecorder, LMDBProcessRecorder
from lading.adapters.lmdb.store import LMDBStore
from lading.adapters.lmdb.subscription import LMDBSubscription
from lading.adapters.lmdb.tracking import LMDBTrackingRecorder

__all__ = [
    "GroundWarning",
    "LMDBAggregateRecorder",
    "LMDBApplicationRecorder",
    "LMDBDatastore",
    "LMDBFactory",
    "LMDBLog",
    "LMDBProcessRecorder",
    "LMDBStore",
    "LMDBSubscription",
    "LMDBTrackingRecorder",
]
