"""What to ask a server for, and what its answer is worth: law 4, never splice two versions of a resource.

`plan` turns the state of a download into a question; `judge` turns the head of the answer into a verdict before one
byte of its body is looked at. Both are pure: a hostile server is a table of heads here, and no socket.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import attrs
from lading.domain import faults, validators
from lading.domain.download import Download
from lading.domain.faults import Cause
from lading.domain.validators import Validator

_CONTENT_RANGE = re.compile(r"^\s*bytes\s+(?:(\d+)-(\d+)|\*)\s*/\s*(\d+|\*)\s*$", re.IGNORECASE)


@attrs.frozen(kw_only=True)
class Ask:
    """What to ask for: the bytes from `start`, guarded by `if_range` when a strong validator is known."""

    start: int = 0
    if_range: str | None = None


@attrs.frozen(kw_only=True)
class Head:
    """The head of an answer; names of `headers` in lower case, `url` the public URL that answered in the end."""

    status: int
    headers: Mapping[str, str]
    url: str

    @property
    def length(self) -> int | None:
        """Content-Length in bytes, or None when there is none that can be believed (RFC 9112 §6.3)."""
        if "transfer-encoding" in self.headers:
            return None
        value = self.headers.get("content-length", "").strip()
        return int(value) if value.isdecimal() and len(value) < 19 else None


@attrs.frozen(kw_only=True)
class Receive:
    """The body is what we want: drop its first `skip` bytes, write the rest at `offset`, expect `total` in the end.

    `framed` tells that the end of the body is marked by the protocol (chunks) although its length is not known.
    """

    offset: int
    skip: int = 0
    total: int | None
    framed: bool
    validator: Validator


@attrs.frozen(kw_only=True)
class Afresh:
    """What we hold belongs to other bytes: give it up. With `receive`, this answer is the whole file from byte 0."""

    reason: str
    validator: Validator | None = None
    receive: Receive | None = None


@attrs.frozen(kw_only=True)
class Whole:
    """Nothing is missing: the server confirms that the file has the `total` bytes that we hold."""

    total: int


@attrs.frozen(kw_only=True)
class Reject:
    """The answer is of no use, for this cause."""

    cause: Cause
    message: str
    retry_after_s: float | None = None


Verdict = Receive | Afresh | Whole | Reject


def plan(download: Download) -> Ask | None:
    """Return what to ask for to go on from the durable prefix, or None when nothing proves that the rest would fit.

    None means: give up what we hold, then ask for the whole.
    """
    start = _prefix(download)
    if start == 0:
        return Ask()
    if_range = download.validator.if_range if download.validator else None
    if if_range is None and download.order.digest is None:
        return None
    return Ask(start=start, if_range=if_range)


def judge(ask: Ask, head: Head, download: Download, *, now_s: float) -> Verdict:
    """Say what the answer `head` to `ask` is worth for `download`.

    A range is only what it says it is: 206, bytes, a Content-Range that covers the start that we asked for, the same
    total, no validator that contradicts what we hold (RFC 9110 §14.4, §15.3.7). A 206 that begins earlier is used from
    where we asked. A 200 to a range is the whole file: we start over with it.
    """
    if head.status in {200, 206}:
        coding = head.headers.get("content-encoding", "identity").strip().lower()
        if coding not in {"identity", ""}:
            return Reject(cause=Cause.PROTOCOL, message=f"the body is {coding}-coded although identity was asked for")
    if head.status == 200:
        return _whole_body(ask, head, download)
    if head.status == 206:
        return _partial_body(ask, head, download)
    if head.status == 416 and ask.start:
        return _unsatisfiable(ask, head)
    cause = faults.of_status(head.status)
    wait_s = retry_after(head.headers.get("retry-after"), now_s=now_s) if cause in {Cause.BUSY, Cause.SERVER} else None
    return Reject(cause=cause, message=f"the server answered {head.status}", retry_after_s=wait_s)


def retry_after(header: str | None, *, now_s: float) -> float | None:
    """Read Retry-After, seconds or a date (RFC 9110 §10.2.3), as seconds from `now_s` (UTC since 1970)."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return min(float(header.strip()), faults.LONGEST_RETRY_AFTER_S)
    at = validators.seconds(header)
    return None if at is None else max(0.0, at - now_s)


def _prefix(download: Download) -> int:
    return download.durable[0][1] if download.durable and download.durable[0][0] == 0 else 0


def _whole_body(ask: Ask, head: Head, download: Download) -> Verdict:
    chunked = "chunked" in head.headers.get("transfer-encoding", "").lower()
    receive = Receive(
        offset=0,
        total=head.length,
        framed=chunked,
        validator=validators.from_headers(head.headers, head.length),
    )
    if ask.start == 0 and not download.durable:
        return receive
    return Afresh(
        reason="the server sent the whole file, not the rest of it",
        validator=receive.validator,
        receive=receive,
    )


def _partial_body(ask: Ask, head: Head, download: Download) -> Verdict:
    match = _CONTENT_RANGE.match(head.headers.get("content-range", ""))
    if match is None or match[1] is None:
        return Reject(cause=Cause.PROTOCOL, message="206 without a Content-Range that can be read")
    first, last = int(match[1]), int(match[2])
    total = None if match[3] == "*" else int(match[3])
    if first > ask.start or last < first or last < ask.start or (total is not None and last >= total):
        return Reject(cause=Cause.PROTOCOL, message=f"asked for bytes from {ask.start}, was sent {first}-{last}")
    if head.length is not None and head.length != last - first + 1:
        return Reject(cause=Cause.PROTOCOL, message="Content-Length and Content-Range contradict each other")
    if total is None:
        return Reject(cause=Cause.PROTOCOL, message="206 without the total size of the file")
    validator = validators.from_headers(head.headers, total)
    known = download.validator
    if known is not None and known.differs(validator):
        return Afresh(reason="the resource has changed", validator=validator)
    if ask.start and download.total is not None and download.total != total:
        return Afresh(reason="the size of the resource has changed", validator=validator)
    return Receive(
        offset=ask.start,
        skip=ask.start - first,
        total=total,
        framed=head.length is None,
        validator=_merged(known, validator),
    )


def _merged(known: Validator | None, sent: Validator) -> Validator:
    if known is None:
        return sent
    return attrs.evolve(sent, etag=sent.etag or known.etag, last_modified=sent.last_modified or known.last_modified)


def _unsatisfiable(ask: Ask, head: Head) -> Verdict:
    match = _CONTENT_RANGE.match(head.headers.get("content-range", ""))
    if match is not None and match[1] is None and match[3] == str(ask.start):
        return Whole(total=ask.start)
    return Afresh(reason="the server has no bytes from where we asked")
