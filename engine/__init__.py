"""Lading, an event-sourced download engine: every byte that arrives has a bill of lading.

    async with lading.open_engine(home, downloads=folder) as engine:
        download = await engine.submit(lading.Request(url, digest="sha256:…"))
        outcome = await engine.wait(download.id)

    path = lading.download(url, "file.bin")

Names are loaded when they are first used, so that `import lading` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lading.acts import Taken
    from lading.blocking import download
    from lading.bootstrap import open_engine
    from lading.bundles import BundleStatus
    from lading.domain.bundle import BundlePolicy
    from lading.domain.bundle_requests import BundleRequest
    from lading.domain.download import Download
    from lading.domain.errors import IntegrityError, LadingError, StoreError, TransferError, UsageError
    from lading.domain.facts import Fact
    from lading.domain.health import Health
    from lading.domain.hold import Hold
    from lading.domain.requests import IfExists, Request, Resume
    from lading.domain.states import State
    from lading.engine import Engine
    from lading.mishaps import EngineWarning
    from lading.outcome import Outcome, Overall
    from lading.projections.figures import Statistics
    from lading.receipts import Receipt, verify_receipt
    from lading.repairing import Repair
    from lading.retuning import SettingsWarning
    from lading.settings import Settings

_HOMES = {
    "BundlePolicy": "lading.domain.bundle",
    "BundleRequest": "lading.domain.bundle_requests",
    "BundleStatus": "lading.bundles",
    "Download": "lading.domain.download",
    "Engine": "lading.engine",
    "EngineWarning": "lading.mishaps",
    "Fact": "lading.domain.facts",
    "Health": "lading.domain.health",
    "Hold": "lading.domain.hold",
    "IfExists": "lading.domain.requests",
    "IntegrityError": "lading.domain.errors",
    "LadingError": "lading.domain.errors",
    "Outcome": "lading.outcome",
    "Overall": "lading.outcome",
    "Receipt": "lading.receipts",
    "Repair": "lading.repairing",
    "Request": "lading.domain.requests",
    "Resume": "lading.domain.requests",
    "Settings": "lading.settings",
    "SettingsWarning": "lading.retuning",
    "State": "lading.domain.states",
    "Statistics": "lading.projections.figures",
    "StoreError": "lading.domain.errors",
    "Taken": "lading.acts",
    "TransferError": "lading.domain.errors",
    "UsageError": "lading.domain.errors",
    "download": "lading.blocking",
    "open_engine": "lading.bootstrap",
    "verify_receipt": "lading.receipts",
}

__all__ = [
    "BundlePolicy",
    "BundleRequest",
    "BundleStatus",
    "Download",
    "Engine",
    "EngineWarning",
    "Fact",
    "Health",
    "Hold",
    "IfExists",
    "IntegrityError",
    "LadingError",
    "Outcome",
    "Overall",
    "Receipt",
    "Repair",
    "Request",
    "Resume",
    "Settings",
    "SettingsWarning",
    "State",
    "Statistics",
    "StoreError",
    "Taken",
    "TransferError",
    "UsageError",
    "download",
    "open_engine",
    "verify_receipt",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)
