"""HTTP/1.1 and TLS by way of httpx on trio: the port `Transport`.

The rules of this room:

- What the caller gave for one origin (headers, userinfo) goes to that origin only. Redirects are followed here, one by
  one; the first that leaves the origin, or goes from https to http, loses all of it for good (law 7).
- No text of another library's exception gets out, nor the exception itself as a cause: a header, a query or a Location
  may be quoted in it. What is said is ours: the public host, and the class of the failure.
- Bytes that arrived are given to the caller before the failure that followed them. An end is only an end if the
  protocol said so: whatever else stops a body is remembered and said again, never taken for its end (law 5).
- Nothing waits for ever: connecting, the whole head and each silence in a body have their limits (law 9).
- Cookies are neither kept nor sent.
"""

from lading.adapters.http.transport import HTTPXTransport

__all__ = ["HTTPXTransport"]
