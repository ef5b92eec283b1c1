"""The exchange: connect, ask, follow redirects, give the answer; over one pool of connections for a whole engine."""

from __future__ import annotations

import functools
import os
import ssl
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING
from urllib.request import getproxies

import httpx
import trio

from lading.adapters.http import hop, identity, trouble
from lading.adapters.http.cookies import Cookies
from lading.adapters.http.credentials import Logins
from lading.adapters.http.discretion import unheard
from lading.adapters.http.heads import Question
from lading.adapters.http.hop import Hop
from lading.adapters.http.pool import split
from lading.adapters.http.proxies import Proxies
from lading.adapters.http.reply import Answered, HTTPXReply, texts
from lading.adapters.http.wire import WireTransport
from lading.domain.ports import Call
from lading.domain.routes import Route

if TYPE_CHECKING:
    from lading.adapters.http.lanes import LanesTransport

REDIRECTS = frozenset({301, 302, 303, 307, 308})
CONNECT_TIMEOUT_S = 30.0
READ_TIMEOUT_S = 60.0
REDIRECTS_MAX = 10
CONNECTIONS_MAX = 256
IDLE_S = 30.0

AGENT = f"lading/{version('lading')}"


class HTTPXTransport:
    """Fetches http and https sources with transports of httpx; one for an engine, shared by its transfers.

    They are used without httpx's client: what that does with redirects, cookies and logs is not wanted here, and for a
    small file it would be a good part of the work. Most is asked by our own `WireTransport`, whose bodies are received
    into the caller's buffer; what the environment, when it is believed, wants to go through a proxy, and what is to go
    over HTTP/2, by httpx's own. So is all of an attempt whose route says so, or in which ours fails by its own fault.
    What the environment and the files named here say is read once, when this is made; who is trusted, when somebody is
    to be.

    Args:
        connect_timeout_s: for a free place in the pool, and for a connection with its TLS handshake, each.
        read_timeout_s: for each silence, of the head and of the body.
        redirects_max: how many redirects one exchange follows.
        connections_max: how many connections are open at once, those that wait for another use included.
        ssl_context: what certificates are trusted; None trusts the usual authorities.
        trust_env: believe the environment about proxies (HTTPS_PROXY, NO_PROXY, …) and certificates (SSL_CERT_FILE).
        netrc: with `trust_env`, take logins for hosts from `~/.netrc`, or the file that NETRC names.
        cookies: a cookies.txt in Netscape format.
        client_certificate: a certificate of ours in PEM format, for servers that ask for one.
        client_key: its key, where that lies in another file.
        http2: speak HTTP/2 with https servers that do.

    Raises:
        InvalidSetting: one of the files or proxies cannot be used, or a package for it is missing.
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
        netrc: bool = False,
        cookies: str | None = None,
        client_certificate: str | None = None,
        client_key: str | None = None,
        http2: bool = False,
    ) -> None:
        self._redirects_max = redirects_max
        self._answer_timeout_s = connect_timeout_s + read_timeout_s
        self._timeout = httpx.Timeout(read_timeout_s, connect=connect_timeout_s, pool=connect_timeout_s).as_dict()
        trusted = functools.cache(lambda: ssl_context or identity.authorities(trust_env=trust_env))
        if client_certificate is not None or client_key is not None or identity.is_named(trust_env=trust_env):
            identity.add(trusted(), client_certificate, client_key)
        self._cookies = Cookies.of_file(cookies) if cookies is not None else None
        self._logins = Logins(os.environ.get("NETRC")) if netrc and trust_env else None
        self._wire = WireTransport(trusted, connections_max=connections_max, idle_s=IDLE_S)
        self._proxies = Proxies(getproxies() if trust_env else {})
        self._proxied: dict[str, LanesTransport] = {}
        self._lanes: LanesTransport | None = None
        self._plain: LanesTransport | None = None
        self._new_plain = partial(_lanes, trusted, connections_max=connections_max)
        if http2 or self._proxies.all:
            from lading.adapters.http.lanes import LanesTransport

            lanes = partial(LanesTransport, trusted(), http2=http2, connections_max=connections_max, idle_s=IDLE_S)
            self._proxied = {proxy: lanes(proxy=proxy) for proxy in self._proxies.all}
            self._lanes = lanes() if http2 else None

    @property
    def name(self) -> str:
        """What `Started` and `Completed` call it."""
        return "httpx"

    def exchange(self, call: Call) -> Exchange:
        """Ask, follow redirects (bounded; secrets stripped across origins), and give the final answer.

        Raises:
            TransferError: there was no answer; the message holds no secret.
        """
        return Exchange(self, call)

    async def aclose(self) -> None:
        """Close what is pooled."""
        for transport in (self._wire, self._lanes, self._plain, *self._proxied.values()):
            if transport is not None:
                await transport.aclose()

    async def follow(self, call: Call) -> HTTPXReply:
        """Ask, and wherever it is redirected to, and return the final answer, to be closed."""
        at, cookies = hop.first(call, AGENT), self._cookies
        for _ in range(self._redirects_max + 1):
            answered = await self._ask(at, cookies, call.route)
            if answered.status not in REDIRECTS:
                return HTTPXReply(answered, at.url)
            names = texts(answered.fields)
            locations = [value for name, value in names if name == "location"]
            reply = HTTPXReply(answered, at.url)
            if not locations:
                return reply
            await reply.aclose()
            target = at.follow(locations[0])
            if target is None:
                raise trouble.lost_way(at.url, "it redirects to something that is no http or https URL")
            if any(name == "set-cookie" for name, _ in names):
                cookies = (cookies or Cookies.none()).after(answered.fields, self._request(at, cookies))
            at = target
        raise trouble.lost_way(at.url, f"more than {self._redirects_max} redirects")

    async def _ask(self, at: Hop, cookies: Cookies | None, route: Route) -> Answered:
        """Send one request and wait for its head."""
        try:
            return await self._send(at, cookies, route)
        except Exception as error:  # noqa: BLE001 # the text of an unforeseen one may hold a secret
            failure = trouble.before_head(error, at.url)
        raise failure

    async def _send(self, at: Hop, cookies: Cookies | None, route: Route) -> Answered:
        """Send a request by the transport for it; by httpx's own once more where ours has failed by its own fault."""
        until_s = trio.current_time() + self._answer_timeout_s
        transport = self._to(at.url, route)
        if transport is self._wire:
            try:
                return await self._send_plainly(at, cookies, until_s)
            except Exception as error:
                if not trouble.is_ours(error):
                    raise
                route.give_up(f"our own transport failed: {type(error).__name__}")
            transport = self._to(at.url, route)
        with unheard(), trio.fail_at(until_s):
            return Answered.of(await transport.handle_async_request(self._request(at, cookies)))

    async def _send_plainly(self, at: Hop, cookies: Cookies | None, until_s: float) -> Answered:
        """Send a request by our own transport, without what httpx would make of it where nothing needs that."""
        fields = self._fields(at) if cookies is None else self._request(at, cookies).headers.raw
        origin, target, host = split(at.url)
        if not any(name.lower() == b"host" for name, _ in fields):
            fields = [(b"Host", host), *fields]
        question = Question(target, fields, self._timeout, until_s)
        answer, stream = await self._wire.ask(origin, question)
        return Answered(answer.status, answer.fields, framed=False, stream=stream)

    def _fields(self, at: Hop) -> list[tuple[bytes, bytes]]:
        """Return what to send: what the caller gave for this origin comes before what the user's files know of it."""
        fields = at.headers
        if self._logins and "authorization" not in at.private and not at.is_downgraded:
            authorization = self._logins.authorization(at.url)
            if authorization is not None:
                fields.append((b"authorization", authorization.encode("ascii")))
        return fields

    def _request(self, at: Hop, cookies: Cookies | None) -> httpx.Request:
        """Return what to send as httpx has it, cookies included."""
        request = httpx.Request("GET", at.url, headers=self._fields(at), extensions={"timeout": self._timeout})
        if cookies is not None and "cookie" not in at.private:
            cookies.add_to(request)
        return request

    def _to(self, url: str, route: Route) -> httpx.AsyncBaseTransport:
        """Return the transport that asks the host of a URL for an attempt."""
        if self._proxied or self._lanes is not None:
            parsed = httpx.URL(url)
            proxy = self._proxies.of(parsed.scheme, parsed.host)
            if proxy is not None:
                return self._proxied[proxy]
            if self._lanes is not None and parsed.scheme == "https":
                return self._lanes
        if route.own:
            return self._wire
        if self._plain is None:
            self._plain = self._new_plain()
        return self._plain


class Exchange:
    """One exchange under way: entered, it has its answer; left, it has let go of it."""

    __slots__ = ("_call", "_reply", "_transport")

    def __init__(self, transport: HTTPXTransport, call: Call) -> None:
        self._transport = transport
        self._call = call
        self._reply: HTTPXReply | None = None

    async def __aenter__(self) -> HTTPXReply:
        self._reply = await self._transport.follow(self._call)
        return self._reply

    async def __aexit__(self, *_: object) -> None:
        if self._reply is not None:
            await self._reply.aclose()


def _lanes(trusted: Callable[[], ssl.SSLContext], *, connections_max: int) -> LanesTransport:
    """Return httpx's own transport, which is loaded only when it is needed."""
    from lading.adapters.http.lanes import LanesTransport

    return LanesTransport(trusted(), connections_max=connections_max, idle_s=IDLE_S)
