"""HTTP and TLS by way of httpx on trio: the port `Transport`.

`transport` is the port: it asks, and follows redirects by `hop`. It asks by a transport of our own for httpx: `wire`,
on a `pool` of `connection`s, reads `heads` (`plain` ones itself, others with h11) and `bodies` straight into the
caller's memory; what httpx makes of a request and an answer it does without, unless somebody needs that. What `proxies`
sends through a proxy, and what is to go over HTTP/2, goes by httpx's own transport instead: `borrowed`, watched by a
`witness`, and in `lanes`. `reply` makes one thing of both. What the user's files know of a host is added on the way:
logins (`credentials`), `cookies`, and who we are under TLS (`identity`). `extras` are packages that not everybody has;
`trouble` has the words for what goes wrong, `discretion` keeps silent.

The rules of this room:

- What the caller gave for one origin (headers, userinfo) goes to that origin only. Redirects are followed here, one by
  one; the first that leaves the origin, or goes from https to http, loses all of it for good (law 7).
- What the user's files know of a host goes to that host, wherever the exchange came from, if the caller gave nothing of
  the kind for it; a login does not go in the clear once the exchange was under TLS.
- No text of another library's exception gets out, nor the exception itself as a cause: a header, a query or a Location
  may be quoted in it. What is said is ours: the public host, and the class of the failure.
- Bytes that arrived are given to the caller before the failure that followed them. An end is only an end if the
  protocol said so: whatever else stops a body is remembered and said again, never taken for its end (law 5).
- Never is a byte put into the caller's buffer that is not the body's; a connection with bytes behind a body is cut.
- Nothing waits for ever: connecting, the whole head and each silence in a body have their limits (law 9).
  Nobody goes without a turn because another's connection is fast.
- Cookies that a redirect sets are for the later requests of its own exchange, and then forgotten; those of an answer
  are neither kept nor shown. What a file of cookies holds is sent, and the file never changed.
"""

from lading.adapters.http.transport import CONNECTIONS_MAX, HTTPXTransport

__all__ = ["CONNECTIONS_MAX", "HTTPXTransport"]
