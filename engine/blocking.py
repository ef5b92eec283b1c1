"""One download in one call, without an event loop in sight."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any
from uuid import UUID

import trio

from lading.bootstrap import open_engine
from lading.domain.errors import StoreError, TransferError
from lading.domain.requests import Request
from lading.outcome import Outcome

VACANCY_LOOK_S = 1.0


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
        DestinationTaken: the file exists, and `if_exists` does not say what to do about that.
        TransferError: it failed; the message says why, `hint` what to do.
        StoreError: the home cannot be used.
    """
    wanted = Request(url, path=None if path is None else os.fspath(path), **request)
    if home is not None:
        outcome = trio.run(_work_on, wanted, Path(home))
    else:
        with tempfile.TemporaryDirectory(prefix="lading-") as folder:
            outcome = trio.run(_work_once, wanted, Path(folder))
    if outcome.path is None:
        message = outcome.error or f"the download was {outcome.state}"
        raise TransferError(message, cause=outcome.cause or "unknown", hint=outcome.hint)
    return Path(outcome.path)


async def _work_on(request: Request, home: Path) -> Outcome:
    """Download on a home that others may work on too: follow its engine while there is one, and take over after it."""
    id: UUID | None = None
    while True:
        async with open_engine(home) as engine:
            id = id or (await engine.submit(request)).id
            with trio.move_on_after(float("inf") if engine.role == "owner" else VACANCY_LOOK_S):
                return await engine.wait(id)


async def _work_once(request: Request, home: Path) -> Outcome:
    """Download on a home that is gone afterwards, and leave no part that nobody could go on from."""
    async with open_engine(home, retention_s=0) as engine:
        id = (await engine.submit(request)).id
        outcome: Outcome | None = None
        try:
            outcome = await engine.wait(id)
        finally:
            if outcome is None or not outcome.ok:
                with contextlib.suppress(StoreError), trio.CancelScope(shield=True):
                    await engine.remove(id)
        return outcome
