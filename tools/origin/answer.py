"""Which answer a request gets: pure, from the request, the content, its behaviour and two numbers.

`ANSWERS` are rules in order; the first that has an answer gives it. `HEADERS` says which header fields an answer with
content bears, by what they follow from. What a range is answered with stands in `lading.tools.origin.ranges`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from email.utils import formatdate, parsedate_to_datetime

import attrs

from lading.tools.origin.behaviour import Framing, Ranges
from lading.tools.origin.case import Case, Reply
from lading.tools.origin.content import Page
from lading.tools.origin.ranges import RANGES, asked_span
from lading.tools.origin.wire import Header, phrase

Rule = Callable[[Case], Reply | None]


def answer(case: Case) -> Reply:
    """Return the answer, its head complete."""
    reply = next(filter(None, (rule(case) for rule in ANSWERS)))
    headers = [("Date", case.date), *reply.headers]
    if reply.has_content or reply.status == 304:
        headers += itertools.chain.from_iterable(fields(case, reply) for fields in HEADERS.values())
    else:
        headers += [("Content-Length", str(reply.end)), ("Content-Type", reply.content.media_type)]
    headers += case.behaviour.headers
    if not keeps_alive(case, reply):
        headers.append(("Connection", "close"))
    return attrs.evolve(reply, headers=tuple(headers))


def keeps_alive(case: Case, reply: Reply) -> bool:
    """Whether another request may follow on this connection."""
    spoilt = reply.has_content and (case.framing is Framing.CLOSE or case.behaviour.length_lie != 0)
    return case.request.keeps_alive and case.behaviour.keep_alive and not spoilt


def status_page(status: int, *headers: Header) -> Reply:
    """Return an answer without the content: a line of text that says the status."""
    body = b"" if status == 304 else f"{status} {phrase(status)}\n".encode()
    return Reply(status, Page("", body, media_type="text/plain"), 0, 0, len(body), headers)


def _forbidden_method(case: Case) -> Reply | None:
    return None if case.request.method in ("GET", "HEAD") else status_page(405, ("Allow", "GET, HEAD"))


def _unauthorised(case: Case) -> Reply | None:
    wanted = case.behaviour.authorization
    if wanted is None or case.request.headers.get("authorization") == wanted:
        return None
    return status_page(401, _CHALLENGE)


def _refused(case: Case) -> Reply | None:
    before = case.ordinal
    for refusal in case.behaviour.refusals:
        if refusal.times is not None and before >= refusal.times:
            before -= refusal.times
            continue
        headers = [_CHALLENGE] if refusal.status == 401 else []
        if refusal.retry_after_s is not None:
            seconds = refusal.retry_after_s
            moment = formatdate(case.now + seconds, usegmt=True) if refusal.as_date else str(seconds)
            headers.append(("Retry-After", moment))
        return status_page(refusal.status, *headers)
    return None


def _redirected(case: Case) -> Reply | None:
    redirect = case.behaviour.redirect
    if redirect is None:
        return None
    path = case.request.target.partition("?")[0]
    return status_page(redirect.status, ("Location", redirect.to or f"{path}?hop={case.ordinal + 1}"))


def _changed(case: Case) -> Reply | None:
    """412 when the client's condition no longer holds (RFC 9110 §13.1.1, §13.1.4)."""
    headers = case.request.headers
    if "if-match" in headers:
        met = _lists(headers["if-match"], case.etag, weakly=False)
    else:
        met = _unmodified_since(headers.get("if-unmodified-since"), case) is not False
    return None if met else status_page(412)


def _unchanged(case: Case) -> Reply | None:
    """304 when the client has this version already (RFC 9110 §13.1.2, §13.1.3)."""
    headers = case.request.headers
    if "if-none-match" in headers:
        known = _lists(headers["if-none-match"], case.etag, weakly=True)
    else:
        known = _unmodified_since(headers.get("if-modified-since"), case) is True
    return status_page(304) if known else None


def _part(case: Case) -> Reply | None:
    span = asked_span(case)
    if span is None:
        return None
    first, end = span
    part = RANGES[case.behaviour.ranges](first, end, case.content.size)
    if part is None:
        return None
    if first >= end or part.first >= part.end:
        return status_page(416, ("Content-Range", f"bytes */{case.content.size}"))
    length = part.end - part.first
    sent_from = part.first if part.sent_from is None else part.sent_from
    claim = ("Content-Range", f"bytes {part.first}-{part.end - 1}/{part.total}")
    return Reply(206, case.content, case.version, sent_from, sent_from + length, (claim,))


def _whole(case: Case) -> Reply:
    return Reply(200, case.content, case.version, 0, case.content.size)


ANSWERS: tuple[Rule, ...] = (
    _forbidden_method,
    _unauthorised,
    _refused,
    _redirected,
    _changed,
    _unchanged,
    _part,
    _whole,
)

_CHALLENGE = ("WWW-Authenticate", 'Basic realm="origin"')


def _lists(tags: str, etag: str, *, weakly: bool) -> bool:
    """Whether a list of entity tags holds ours (RFC 9110 §8.8.3.2); `*` holds any."""
    if tags.strip() == "*":
        return True
    known = [tag.strip() for tag in tags.split(",")]
    if weakly:
        return bool(etag) and etag.removeprefix("W/") in [tag.removeprefix("W/") for tag in known]
    return etag in known and not etag.startswith("W/")


def _unmodified_since(date: str | None, case: Case) -> bool | None:
    """Whether the resource is no younger than `date`; None when there is no telling."""
    if date is None or not case.last_modified:
        return None
    try:
        return case.modified_at <= parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None


def _framed(case: Case, reply: Reply) -> Iterable[Header]:
    if reply.has_content and case.framing is Framing.LENGTH:
        yield "Content-Length", str(max(0, reply.end - reply.start + case.behaviour.length_lie))
    if reply.has_content and case.framing is Framing.CHUNKED:
        yield "Transfer-Encoding", "chunked"


def _given(name: str, value: Callable[[Case], str | None]) -> Callable[[Case, Reply], Iterable[Header]]:
    """Return a rule for the header field `name`, which is left out when its value is empty."""
    return lambda case, _reply: [(name, given)] if (given := value(case)) else []


HEADERS: Mapping[str, Callable[[Case, Reply], Iterable[Header]]] = {
    "etag": _given("ETag", lambda case: case.etag),
    "modified": _given("Last-Modified", lambda case: case.last_modified),
    "ranges": _given("Accept-Ranges", lambda case: "" if case.behaviour.ranges is Ranges.IGNORED else "bytes"),
    "framing": _framed,
    "gzip": _given("Content-Encoding", lambda case: "gzip" if case.behaviour.gzip else ""),
    "disposition": _given("Content-Disposition", lambda case: case.behaviour.disposition),
    "media_type": _given("Content-Type", lambda case: case.content.media_type),
}
