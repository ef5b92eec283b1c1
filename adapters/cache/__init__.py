"""The cache in a folder: contents as files under their digests, and an index of them in a store."""

from __future__ import annotations

from lading.adapters.cache.folder import FolderCache
from lading.adapters.cache.index import Index

__all__ = ["FolderCache", "Index"]
