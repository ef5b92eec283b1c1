"""An HTTP server that is honest, slow, broken or lying on demand, and knows the truth about what it serves.

The demo, the torture, the benches and the tests download from it: nothing that Lading claims about servers needs the
internet to be tried. `Origin` runs beside an engine in threads, `OriginProcess` in a process of its own
(`python -m lading.tools.origin`); `Resource` makes bytes from a seed, `Behaviour` says as data what goes wrong.
"""

from lading.tools.origin.behaviour import (
    HONEST,
    NO_ETAG,
    STRONG_ETAG,
    WEAK_ETAG,
    Behaviour,
    Change,
    Drip,
    Drop,
    Framing,
    IfRange,
    Modified,
    Ranges,
    Redirect,
    Refusal,
    Stall,
)
from lading.tools.origin.content import Content, Page, Resource
from lading.tools.origin.process import OriginProcess
from lading.tools.origin.server import Origin
from lading.tools.origin.traffic import Exchange

__all__ = [
    "HONEST",
    "NO_ETAG",
    "STRONG_ETAG",
    "WEAK_ETAG",
    "Behaviour",
    "Change",
    "Content",
    "Drip",
    "Drop",
    "Exchange",
    "Framing",
    "IfRange",
    "Modified",
    "Origin",
    "OriginProcess",
    "Page",
    "Ranges",
    "Redirect",
    "Refusal",
    "Resource",
    "Stall",
]
