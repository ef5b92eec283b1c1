"""LMDB."""

from lading.adapters.lmdb.log import LMDBLog
from lading.adapters.lmdb.store import LMDBStore

__all__ = ["LMDBLog", "LMDBStore"]
