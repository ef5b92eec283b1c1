"""The exchange: connect, ask, follow redirects, give the answer; over one pool of connections for a whole engine."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version

import httpx
import trio

from lading.adapters.http import hop, trouble
from lading.adapters.http.discretion import unheard
from lading.adapters.http.hop import Hop
from lading.adapters.http.reply import HTTPXReply
from lading.adapters.http.witness import Witness
from lading.domain.errors import TransferError
from lading.domain.ports import Call

REDIRECTS = frozenset({301, 302, 303, 307, 308})
CONNECT_TIMEOUT_S = 30.0
READ_TIMEOUT_S = 60.0
REDIRECTS_MAX = 10
CONNECTIONS_MAX = 256
IDLE_S = 30.0
_LOCATION = "lading.location"

AGENT = f"lading/{version('lading')}"


class HTTPXTransport:
    """Fetches http and https sources with httpx; one for an engine, shared by its transfers.

    Args:
        connect_timeout_s: for a free place in the pool, and for a connection with its TLS handshake, each.
        read_timeout_s: for each silence, of the head and of the body.
        redirects_max: how many redirects one exchange follows.
        connections_max: how many connections are open at once, those that wait for another use included.
        ssl_context: what certificates are trusted; None trusts the usual authorities.
        trust_env: believe the environment about proxies (HTTPS_PROXY, NO_PROXY, …) and certificates (SSL_CERT_FILE).
    """

    def __init__(
        self,
        *,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        read_timeout_s: float = READ_TIMEOUT_S,
        redirects_max: int = REDIRECTS_MAX,
        connections_max: int = CONNECTIONS_MAX,
        ssl_context: ssl.SSLContext | None = None,
        trust_env: bool = False,
    ) -> None:
        self._redirects_max = redirects_max
        self._answer_timeout_s = connect_timeout_s + read_timeout_s
        self._client = httpx.AsyncClient(
            verify=True if ssl_context is None else ssl_context,
            trust_env=trust_env,
            timeout=httpx.Timeout(read_timeout_s, connect=connect_timeout_s, pool=connect_timeout_s),
            limits=httpx.Limits(
                max_connections=connections_max,
                max_keepalive_connections=connections_max,
                keepalive_expiry=IDLE_S,
            ),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            event_hooks={"response": [_take_location]},
        )

    @property
    def name(self) -> str:
        """What `Started` and `Completed` call it."""
        return "httpx"

    @contextlib.asynccontextmanager
    async def exchange(self, call: Call) -> AsyncIterator[HTTPXReply]:
        """Ask, follow redirects (bounded; secrets stripped across origins), and give the final answer.

        Raises:
            TransferError: there was no answer; the message holds no secret.
        """
        reply = await self._follow(hop.first(call, AGENT))
        try:
            yield reply
        finally:
            await reply.aclose()

    async def aclose(self) -> None:
        """Close what is pooled."""
        await self._client.aclose()

    async def _follow(self, at: Hop) -> HTTPXReply:
        for _ in range(self._redirects_max + 1):
            response = await self._ask(at)
            reply = HTTPXReply(response, at.url)
            location = response.extensions.get(_LOCATION)
            if response.status_code not in REDIRECTS or not location:
                return reply
            await reply.aclose()
            target = at.follow(location)
            if target is None:
                raise trouble.lost_way(at.url, "it redirects to something that is no http or https URL")
            at = target
        raise trouble.lost_way(at.url, f"more than {self._redirects_max} redirects")

    async def _ask(self, at: Hop) -> httpx.Response:
        """Send one request and wait for its head.

        A kept connection may have been closed by the server just as it was chosen, or hold bytes that nobody asked for;
        a request that got no answer on such a one is sent once more (RFC 9112 §9.3.1).
        """
        failure, was_kept = await self._send(at)
        if was_kept and isinstance(failure, TransferError):
            failure, _ = await self._send(at)
        if isinstance(failure, TransferError):
            raise failure
        return failure

    async def _send(self, at: Hop) -> tuple[httpx.Response | TransferError, bool]:
        """Return the answer or why there is none, and whether the connection was one that had served before."""
        witness = Witness()
        try:
            request = httpx.Request("GET", at.url, headers=at.headers, extensions={"trace": witness})
            with unheard(), trio.fail_after(self._answer_timeout_s):
                response = await self._client.send(request, stream=True, auth=None, follow_redirects=False)
        except Exception as error:  # noqa: BLE001 # the text of an unforeseen one may hold a secret
            was_kept = not witness.connected and isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError)
            return trouble.before_head(error, at.url), was_kept
        witness.response = response
        return response, not witness.connected


async def _take_location(response: httpx.Response) -> None:
    """Put Location where httpx does not look: it would build, and fail on, a redirect that nobody told it to follow."""
    for location in response.headers.get_list("location")[:1]:
        response.extensions[_LOCATION] = location
        del response.headers["location"]
