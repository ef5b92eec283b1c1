"""What an answer is decided from, and what it is once decided."""

from __future__ import annotations

from email.utils import formatdate

import attrs

from lading.tools.origin.behaviour import Behaviour, Framing, Modified
from lading.tools.origin.content import Content
from lading.tools.origin.wire import Header, HttpRequest

EPOCH = 1_700_000_000
VERSION_S = 3600


@attrs.frozen
class Case:
    """One request to one resource, and what the origin knows when it answers.

    Attributes:
        request: What was asked.
        content: Of what.
        behaviour: How that is treated.
        ordinal: Requests to it before this one, since that behaviour was set.
        now: Seconds since 1970.
    """

    request: HttpRequest
    content: Content
    behaviour: Behaviour
    ordinal: int
    now: float

    @property
    def version(self) -> int:
        """Which version the resource has at this request."""
        change = self.behaviour.change
        return change.version if change and self.ordinal >= change.after else 0

    @property
    def claimed_version(self) -> int:
        """Which version the validators speak of."""
        change = self.behaviour.change
        return 0 if change and change.keeps_validators else self.version

    @property
    def etag(self) -> str:
        """The ETag, empty for none."""
        return self.behaviour.etag.replace("{tag}", self.content.tag(self.claimed_version))

    @property
    def last_modified(self) -> str:
        """The Last-Modified, empty for none."""
        return "" if self.behaviour.modified is Modified.NONE else formatdate(self.modified_at, usegmt=True)

    @property
    def modified_at(self) -> int:
        """When the claimed version came to be, in seconds since 1970."""
        return EPOCH + self.claimed_version * VERSION_S

    @property
    def date(self) -> str:
        """The Date, which a fresh Last-Modified equals."""
        fresh = self.behaviour.modified is Modified.FRESH
        return self.last_modified if fresh else formatdate(self.now, usegmt=True)

    @property
    def framing(self) -> Framing:
        """What can end the body, given what the client understands and whether we know the length."""
        framing = self.behaviour.framing
        if framing is Framing.LENGTH and self.behaviour.gzip:
            framing = Framing.CHUNKED
        if framing is Framing.CHUNKED and self.request.version == "HTTP/1.0":
            framing = Framing.CLOSE
        return framing


@attrs.frozen
class Reply:
    """An answer: which bytes of which content, under which head.

    Attributes:
        status: The status code.
        content: Whose bytes follow the head (of a HEAD: would follow).
        version: Of the content.
        start: The first byte.
        end: The byte after the last.
        headers: Every header field, in order.
    """

    status: int
    content: Content
    version: int
    start: int
    end: int
    headers: tuple[Header, ...] = ()

    @property
    def has_content(self) -> bool:
        """Whether this delivers the resource, whole or in part; anything else is delivered honestly."""
        return self.status in (200, 206)
