"""What httpx and what it stands on may log of our exchanges: nothing.

At INFO httpx logs the whole URL of each request, at DEBUG httpcore and hpack log heads and quote broken chunks, and
the jar of cookies can be made to tell them: secrets, all of them (law 7). What other users of these libraries in the
process do is still logged.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from contextvars import ContextVar

_ours: ContextVar[bool] = ContextVar("ours", default=False)


def _is_not_ours(_: logging.LogRecord) -> bool:
    return not _ours.get()


_LOGGERS = (
    "httpx",
    *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")),
    "hpack.hpack",
    "hpack.table",
    "http.cookiejar",
)
for _name in _LOGGERS:
    logging.getLogger(_name).addFilter(_is_not_ours)


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Keep what the libraries do for this task in this context out of their logs."""
    token = _ours.set(True)
    try:
        yield
    finally:
        _ours.reset(token)
