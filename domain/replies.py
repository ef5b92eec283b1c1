"""What to ask a server for, and what its answer is worth: law 4, never splice two versions of a resource.

`plan` turns the state of a download into a question; `judge` turns the head of the answer into a verdict before one
byte of its body is looked at. Both are pure: a hostile server is a table of heads here, and no socket.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import attrs

from lading.domain import faults, sent_digests, spans, validators
from lading.domain.download import Download
from lading.domain.faults import Cause
from lading.domain.pieces import Piece
from lading.domain.requests import Resume
from lading.domain.validators import Validator

OVERLAP_BYTES = 16 * 1024
"""How many of the bytes that are held a resume asks for again: some servers say one range and send another."""

_NUMBER = r"[0-9]{1,18}"
_CONTENT_RANGE = re.compile(rf"\s*bytes\s+(?:({_NUMBER})-({_NUMBER})|\*)\s*/\s*({_NUMBER}|\*)\s*", re.IGNORECASE)
_SUFFIXES = {
    "gzip": (".gz", ".tgz", ".svgz"),
    "x-gzip": (".gz", ".tgz", ".svgz"),
    "compress": (".z",),
    "x-compress": (".z",),
    "br": (".br",),
    "zstd": (".zst", ".tzst"),
}


@attrs.frozen(kw_only=True)
class Ask:
    """What to ask for: the bytes from `start` up to `end`, guarded by `if_range` when a strong validator is known.

    Without `end` it is all the rest. Asked for as well are the last `overlap` bytes before it, which we hold: the
    answer counts only if it begins with the same. With `is_proof`, that alone proves of which version the rest is.
    """

    start: int = 0
    end: int | None = None
    if_range: str | None = None
    overlap: int = 0
    is_proof: bool = False

    @property
    def first(self) -> int:
        """The first byte that is asked for."""
        return self.start - self.overlap

    @property
    def is_range(self) -> bool:
        """Whether it is for less than the whole file."""
        return self.first > 0 or self.end is not None


@attrs.frozen(kw_only=True)
class Head:
    """The head of an answer; names of `headers` in lower case, `url` the public URL that answered in the end.

    `framed` tells that the protocol marks the end of every body, as HTTP/2 does, whatever the headers say.
    """

    status: int
    headers: Mapping[str, str]
    url: str
    framed: bool = False

    @property
    def length(self) -> int | None:
        """Content-Length in bytes, or None when there is none that can be believed (RFC 9112 §6.3).

        A length that was sent twice, as `5, 5`, is one length (RFC 9110 §8.6).
        """
        if "transfer-encoding" in self.headers:
            return None
        values = {value.strip() for value in self.headers.get("content-length", "").split(",")}
        value = values.pop()
        return int(value) if not values and re.fullmatch(_NUMBER, value) else None


@attrs.frozen(kw_only=True)
class Receive:
    """The body is what we want: drop its first `skip` bytes, write the rest at `offset`, expect `total` in the end.

    It ends at byte `until` of the file, if that is known. `framed` tells that the end of the body is marked by the
    protocol (chunks, HTTP/2) although its length is not known.
    """

    offset: int
    skip: int = 0
    until: int | None
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
class Unguarded:
    """The version is the one that we hold, and the range was forgotten all the same: ask again without If-Range.

    So do caches that take any If-Range for a reason to send the whole; what they send for a plain range can be judged
    by its own validators.
    """


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


Verdict = Receive | Afresh | Unguarded | Whole | Reject


def plan(download: Download, last: Piece | None = None, *, guarded: bool = True) -> Ask | None:
    """Return what to ask for to fill the first gap, or None when nothing proves that it would fit to what we hold.

    None means: give up what we hold, then ask for the whole. Some of what is held is asked for again, since a server
    may say one range and send another. `last` is the last piece of the durable prefix; under `--resume lenient`,
    fetching it again and finding it equal is proof enough where nothing is held but the prefix. Not `guarded`, it goes
    without If-Range.
    """
    held = download.durable
    if not held:
        return Ask()
    start = spans.prefix(held)
    known = download.validator
    if not is_provable(download):
        if download.order.resume is not Resume.LENIENT or known is None or last is None or held != ((0, last.end),):
            return None
        return Ask(start=start, overlap=last.size, is_proof=True)
    following = next((low for low, _ in held if low > start), None)
    overlap = min(OVERLAP_BYTES, start // 2)
    if_range = known.if_range if known and guarded else None
    return Ask(start=start, end=following, if_range=if_range, overlap=overlap)


def is_provable(download: Download) -> bool:
    """Tell whether a range can be proved to be of the version that we hold; resumes and splits stand on it (law 4)."""
    known = download.validator
    return download.expected is not None or (known is not None and bool(known.if_range or known.digest))


def judge(ask: Ask, head: Head, download: Download, *, now_s: float) -> Verdict:
    """Say what the answer `head` to `ask` is worth for `download`.

    A range is only what it says it is: 206, bytes, a Content-Range that covers the start that we asked for and goes no
    further than we asked, the same total, no validator that contradicts what we hold (RFC 9110 §14.4, §15.3.7). A 206
    that begins earlier is used from where we asked; any other 206 proves nothing, and we start over. A 200 to a range
    is the whole file: we start over with it. A 206 that nobody asked for is worth something only if it is the whole
    file, and then as much as a 200.
    """
    if head.status in {200, 206}:
        trouble = _unreadable(head)
        if trouble is not None:
            return Reject(cause=Cause.PROTOCOL, message=trouble)
    if head.status == 200:
        return _whole_body(ask, head, download, head.length)
    if head.status == 206:
        return _partial_body(ask, head, download)
    if head.status == 416 and ask.is_range:
        return _unsatisfiable(ask, head, download)
    cause = faults.of_status(head.status)
    wait_s = retry_after(head.headers.get("retry-after"), now_s=now_s) if cause in {Cause.BUSY, Cause.SERVER} else None
    return Reject(cause=cause, message=f"the server answered {head.status}", retry_after_s=wait_s)


def is_of_another_size(verdict: Verdict, download: Download) -> bool:
    """Tell whether an answer is surely of other bytes than those that are known of, whatever its validators say."""
    sent = verdict.validator if isinstance(verdict, Afresh | Receive) else None
    return sent is not None and None not in {sent.length, download.total} and sent.length != download.total


def retry_after(header: str | None, *, now_s: float) -> float | None:
    """Read Retry-After, seconds or a date (RFC 9110 §10.2.3), as seconds from `now_s` (UTC since 1970)."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return min(float(header.strip()), faults.LONGEST_RETRY_AFTER_S)
    at = validators.seconds(header)
    return None if at is None else max(0.0, at - now_s)


def _unreadable(head: Head) -> str | None:
    """Say why a body under this head is not the bytes of the file, or not to be told from what follows it; or None.

    A coding that the file's name tells too, as when a server calls every `.tar.gz` gzip-coded, is part of the file.
    """
    coding = head.headers.get("content-encoding", "").strip().lower()
    if coding not in {"", "identity"}:
        path = urlsplit(head.url).path.lower()
        if not path.endswith(_SUFFIXES.get(coding, ())):
            return f"the body is {coding}-coded although identity was asked for"
    framing = head.headers.get("transfer-encoding")
    if framing is not None:
        return None if framing.strip().lower() == "chunked" else f"the body is framed as {framing!r}, not in chunks"
    if "content-length" in head.headers and head.length is None:
        return "Content-Length is not a number"
    return None


def _whole_body(ask: Ask, head: Head, download: Download, length: int | None) -> Verdict:
    receive = Receive(
        offset=0,
        until=length,
        total=length,
        framed=head.framed or "transfer-encoding" in head.headers,
        validator=validators.from_headers(head.headers, length, sent_digests.of_file(head.headers, whole=True)),
    )
    if not ask.is_range and not download.durable:
        return receive
    known = download.validator
    is_same = known is not None and _is_repeated(known, receive.validator) and not known.differs(receive.validator)
    if ask.if_range is not None and is_same:
        return Unguarded()
    return Afresh(
        reason="the server sent the whole file, not the rest of it",
        validator=receive.validator,
        receive=receive,
    )


def _partial_body(ask: Ask, head: Head, download: Download) -> Verdict:
    sent = _sent_range(ask, head)
    if isinstance(sent, str):
        return Afresh(reason=sent) if ask.is_range else Reject(cause=Cause.PROTOCOL, message=sent)
    first, until, total = sent
    if not ask.is_range:
        return _whole_body(ask, head, download, total)
    validator = validators.from_headers(head.headers, total, sent_digests.of_file(head.headers, whole=False))
    known = download.validator
    if known is not None and known.differs(validator):
        return Afresh(reason="the resource has changed", validator=validator)
    if download.total is not None and download.total != total:
        return Afresh(reason="the size of the resource has changed", validator=validator)
    if not ask.is_proof and not _same(known, validator, download, guarded=ask.if_range is not None):
        return Afresh(reason="the range does not say of which version it is", validator=validator)
    return Receive(
        offset=ask.start,
        skip=ask.start - first,
        until=until,
        total=total,
        framed=head.length is None,
        validator=_merged(known, validator),
    )


def _sent_range(ask: Ask, head: Head) -> tuple[int, int, int] | str:
    """Return the bytes, from and up to, and the total size of a 206 that can be used, or why it cannot be.

    See RFC 9110 §14.4 and §15.3.7.
    """
    if head.headers.get("content-type", "").strip().lower().startswith("multipart/byteranges"):
        return "several ranges were sent, one was asked for"
    match = _CONTENT_RANGE.fullmatch(head.headers.get("content-range", ""))
    if match is None or match[1] is None:
        return "206 without a Content-Range that can be read"
    if match[3] == "*":
        return "206 without the total size of the file"
    first, last, total = int(match[1]), int(match[2]), int(match[3])
    if not first <= ask.first <= min(ask.start, total - 1) <= last < min(total, ask.end or total):
        asked = f"from {ask.first}" if ask.end is None else f"{ask.first}-{ask.end - 1}"
        return f"asked for bytes {asked}, was sent {first}-{last} of {total}"
    if head.length is not None and head.length != last - first + 1:
        return "Content-Length and Content-Range contradict each other"
    if not ask.is_range and last != total - 1:
        return f"asked for the whole file, was sent {first}-{last} of {total}"
    return first, last + 1, total


def _is_repeated(known: Validator, sent: Validator) -> bool:
    """Tell whether an answer bears the strong validator again that we know."""
    if known.strong_etag is not None:
        return sent.etag == known.etag
    return known.if_range is not None and sent.last_modified == known.last_modified


def _same(known: Validator | None, sent: Validator, download: Download, *, guarded: bool) -> bool:
    """Tell whether a range that contradicts nothing is proved to be of the version that we hold (law 4).

    A digest of the whole is proof in the end, one that the server states again is now. Else our If-Range held; but some
    servers and caches ignore it, so the range must show the ETag again that it was about, as RFC 9110 §15.3.7 has it
    (of a Last-Modified it does not ask that). Without an If-Range it must show again whatever it was.
    """
    if download.expected is not None or (known is not None and known.digest and known.digest == sent.digest):
        return True
    if known is None:
        return True
    if known.if_range is None:
        return False
    return (guarded and known.strong_etag is None) or _is_repeated(known, sent)


def _merged(known: Validator | None, sent: Validator) -> Validator:
    if known is None:
        return sent
    return attrs.evolve(
        sent,
        etag=sent.etag or known.etag,
        last_modified=sent.last_modified or known.last_modified,
        digest=sent.digest or known.digest,
    )


def _unsatisfiable(ask: Ask, head: Head, download: Download) -> Verdict:
    match = _CONTENT_RANGE.fullmatch(head.headers.get("content-range", ""))
    if match is None or match[1] is not None or match[3] == "*" or ask.is_proof:
        return Afresh(reason="the server has no bytes from where we asked")
    total = int(match[3])
    validator, known = validators.from_headers(head.headers, total), download.validator
    if known is not None and known.differs(validator):
        return Afresh(reason="the resource has changed", validator=validator)
    if not total == ask.start == spans.prefix(download.durable) or download.total not in {None, total}:
        return Afresh(reason="the size of the resource has changed", validator=validator)
    return Whole(total=total)
