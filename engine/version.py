"""The version of this installation, read from its metadata once."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("lading")
except PackageNotFoundError:
    VERSION = "0+unknown"
