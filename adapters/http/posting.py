"""One POST to a URL that may hold a secret, of which nothing is logged and nothing told."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
import trio

from lading.adapters.http import trouble
from lading.adapters.http.discretion import unheard
from lading.domain.errors import TransferError


async def post(url: str, *, body: bytes, headers: Mapping[str, str], timeout_s: float, trust_env: bool) -> int:
    """Post `body`, and return the status of the answer; redirects are not followed, and the answer's body is not read.

    Raises:
        TransferError: there was no answer in time; the message names the host and nothing else of the URL.
    """
    try:
        with unheard(), trio.fail_after(timeout_s):
            async with (
                httpx.AsyncClient(timeout=timeout_s, trust_env=trust_env) as client,
                client.stream("POST", url, content=body, headers=dict(headers)) as response,
            ):
                return response.status_code
    except Exception as error:  # noqa: BLE001 # the text of an unforeseen one may hold a secret
        failure: TransferError = trouble.before_head(error, url)
    raise failure from None
