"""One request of an exchange: where it goes and what it carries there; and where a redirect leads from it. Pure."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes, urljoin, urlsplit, urlunsplit

import attrs

from lading.domain import urls
from lading.domain.errors import InvalidURL
from lading.domain.ports import Call

OURS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "keep-alive",
        "range",
        "te",
        "transfer-encoding",
        "upgrade",
    }
)
"""What the exchange itself needs to say: a caller's header of such a name is not sent."""


@attrs.frozen(kw_only=True)
class Hop:
    """One request: a URL without userinfo and fragment, the caller's headers for its origin, and our own.

    `is_downgraded` tells that the request goes in the clear, after one that did not.
    """

    url: str = attrs.field(repr=False)
    private: Mapping[str, str] = attrs.field(repr=False)
    public: Mapping[str, str]
    is_downgraded: bool = False

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """All headers to send; a private one takes the place of ours of the same name."""
        merged = {**self.public, **self.private}
        return [(name.encode(), value.encode(errors="surrogateescape")) for name, value in merged.items()]

    def follow(self, location: str) -> Hop | None:
        """Return the hop to which a Location header leads (RFC 9110 §10.2.2), or None when that is no URL of ours.

        Across origins, which https to http is too, nothing private goes along.
        """
        try:
            target = urljoin(self.url, location.strip().replace(" ", "%20"))
            urls.parse(target)
        except (InvalidURL, ValueError):
            return None
        url, authorization = split_userinfo(target)
        stays = urls.origin(url) == urls.origin(self.url)
        in_clear = urls.origin(url)[0] == "http"
        return attrs.evolve(
            self,
            url=url,
            private={**(self.private if stays else {}), **authorization},
            is_downgraded=in_clear and (self.is_downgraded or urls.origin(self.url)[0] == "https"),
        )


def first(call: Call, agent: str) -> Hop:
    """Return the hop that begins the exchange for `call`, in which we call ourselves `agent`."""
    url, authorization = split_userinfo(call.url)
    given = {name.lower(): value for name, value in call.headers.items() if name.lower() not in OURS}
    public = {"user-agent": agent, "accept": "*/*", "accept-encoding": "identity"}
    if call.range is not None:
        public["range"] = call.range
        if call.if_range is not None:
            public["if-range"] = call.if_range
    elif call.if_none_match is not None:
        public["if-none-match"] = call.if_none_match
    elif call.if_modified_since is not None:
        public["if-modified-since"] = call.if_modified_since
    return Hop(url=url, private={**authorization, **given}, public=public)


def split_userinfo(url: str) -> tuple[str, dict[str, str]]:
    """Take userinfo and fragment out of a URL; the former comes back as Basic authorization (RFC 7617)."""
    parts = urlsplit(url)
    userinfo, _, host = parts.netloc.rpartition("@")
    bare = urlunsplit((parts.scheme, host, parts.path, parts.query, ""))
    if not userinfo:
        return bare, {}
    user, _, password = userinfo.partition(":")
    credentials = b64encode(unquote_to_bytes(user) + b":" + unquote_to_bytes(password)).decode("ascii")
    return bare, {"authorization": f"Basic {credentials}"}
