"""One download in one call, without an event loop in sight."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import trio

from lading.domain.errors import TransferError
from lading.domain.requests import Request
from lading.domain.states import State


def download(
    url: str,
    path: str | os.PathLike[str] | None = None,
    *,
    home: str | os.PathLike[str] | None = None,
    **request: Any,
) -> Path:
    """Download one file and return its path; blocks, and may be called from any thread.

    Args:
        url: what to fetch.
        path: the file to make; without it the name comes from the server or the URL, in the current folder.
        home: where the log is kept; by default a temporary home that is gone afterwards.
        request: further fields of `lading.Request`, such as `digest=` and `headers=`.

    Raises:
        UsageError: the request cannot be meant.
        TransferError: it failed; the message says why, `hint` what to do.
        StoreError: the home cannot be used.
    """
    wanted = Request(url, path=None if path is None else os.fspath(path), **request)
    if home is not None:
        return trio.run(_download, wanted, Path(home))
    with tempfile.TemporaryDirectory(prefix="lading-") as folder:
        return trio.run(_download, wanted, Path(folder))


async def _download(request: Request, home: Path) -> Path:
    from lading.bootstrap import open_engine

    async with open_engine(home) as engine:
        queued = await engine.submit(request)
        outcome = await engine.wait(queued.id)
    if outcome.state is not State.COMPLETED or outcome.path is None:
        message = outcome.error or f"the download was {outcome.state}"
        raise TransferError(message, cause=outcome.cause or "unknown", hint=outcome.hint)
    return Path(outcome.path)
