"""POSTs to URLs that may hold a secret, of which nothing is logged and nothing told."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import httpx
import trio

from lading.adapters.http import identity, trouble
from lading.adapters.http.discretion import unheard
from lading.domain.errors import TransferError


class Poster:
    """Posts; whom it trusts under TLS is read once and not on the event loop, which it would hold up each time.

    `trust_env` believes the environment about proxies and certificates.
    """

    def __init__(self, *, trust_env: bool) -> None:
        self._trust_env = trust_env
        self._trusted = functools.cache(lambda: identity.authorities(trust_env=trust_env))

    async def post(self, url: str, *, body: bytes, headers: Mapping[str, str], timeout_s: float) -> int:
        """Post `body`, and return the status of the answer; no redirect is followed, and the answer's body is not read.

        Raises:
            TransferError: there was no answer in time; the message names the host and nothing else of the URL.
        """
        try:
            with unheard(), trio.fail_after(timeout_s):
                trusted = await trio.to_thread.run_sync(self._trusted)
                async with (
                    httpx.AsyncClient(timeout=timeout_s, trust_env=self._trust_env, verify=trusted) as client,
                    client.stream("POST", url, content=body, headers=dict(headers)) as response,
                ):
                    return response.status_code
        except Exception as error:  # noqa: BLE001 # the text of an unforeseen one may hold a secret
            failure: TransferError = trouble.before_head(error, url)
        raise failure from None
