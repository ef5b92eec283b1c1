"""What an answer is worth, as tables of heads: never splice two versions of a resource (law 4)."""

from __future__ import annotations

from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.domain import replies
from lading.domain.download import Download
from lading.domain.pieces import Piece
from lading.domain.replies import Afresh, Ask, Head, Receive, Reject, Unguarded, Whole
from lading.domain.requests import Order, Resume, Source
from lading.domain.states import State
from lading.domain.validators import Validator

pytestmark = [pytest.mark.law(4), pytest.mark.row("S2.4")]

URL = "https://a.example/file.bin"
OLD, LATER = "Tue, 15 Nov 1994 12:45:26 GMT", "Tue, 15 Nov 1994 18:45:26 GMT"
STRONG = Validator(etag='"one"', length=100)
DATED = Validator(last_modified=OLD, date=LATER, length=100)
WEAK = Validator(etag='W/"one"', length=100)
DIGEST = "sha256:" + "0" * 64
STATED = Validator(digest=DIGEST, length=100)


def held(*durable: tuple[int, int], validator: Validator | None = STRONG, total: int | None = 100, **order) -> Download:
    """Return a running download that holds these bytes of a file of 100."""
    given_order = Order(sources=(Source(url=URL),), **order)
    return Download(
        id=UUID(int=1), state=State.ACTIVE, order=given_order, durable=durable, validator=validator, total=total
    )


@pytest.fixture(autouse=True)
def _nothing_twice(monkeypatch):
    """Nothing that is held is asked for again, but where a test says so: the tables are easier to read like that."""
    monkeypatch.setattr(replies, "OVERLAP_BYTES", 0)


NEW = held(validator=None, total=None)
HALF = held((0, 50))
HALF_DATED = held((0, 50), validator=DATED)
HALF_BY_DIGEST = held((0, 50), validator=None, digest=DIGEST)
HOLE = held((20, 50))
TORN = held((0, 10), (20, 50))


def judged(
    download: Download, status: int, url: str = URL, last: Piece | None = None, **headers: str
) -> replies.Verdict:
    """Judge the answer to what `plan` would ask for this download; headers are given with underscores."""
    ask = replies.plan(download, last)
    assert ask is not None
    head = Head(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}, url=url)
    return replies.judge(ask, head, download, now_s=1_000_000.0)


def in_short(verdict: replies.Verdict) -> str:
    """Write a verdict so that it fits into a table."""
    match verdict:
        case Receive(offset=offset, skip=skip, total=total, framed=framed):
            return f"receive {offset} skip {skip} of {total}{' framed' if framed else ''}"
        case Afresh(receive=None):
            return "afresh"
        case Afresh(receive=receive):
            return f"afresh, {in_short(receive)}"
        case Unguarded():
            return "unguarded"
        case Whole(total=total):
            return f"whole {total}"
        case Reject(cause=cause, retry_after_s=None):
            return f"reject {cause}"
        case Reject(cause=cause, retry_after_s=seconds):
            return f"reject {cause} after {seconds:g}"


PLANS = [
    (NEW, Ask()),
    (HALF, Ask(start=50, if_range='"one"')),
    (HALF_DATED, Ask(start=50, if_range=OLD)),
    (HALF_BY_DIGEST, Ask(start=50)),
    (held((0, 50), digest=DIGEST), Ask(start=50, if_range='"one"')),
    (held((0, 50), validator=WEAK), None),
    (held((0, 50), validator=WEAK, digest=DIGEST), Ask(start=50)),
    (held((0, 50), validator=STATED), Ask(start=50)),
    (held((0, 50), validator=None), None),
    (held((0, 50), validator=Validator()), None),
    (held((0, 50), validator=WEAK, resume=Resume.LENIENT), None),
    (HOLE, Ask(end=20, if_range='"one"')),
    (held((20, 50), validator=WEAK), None),
    (held((0, 10), (20, 50)), Ask(start=10, end=20, if_range='"one"')),
    (held((0, 10), (20, 50), (60, 70), digest=DIGEST, validator=None), Ask(start=10, end=20)),
]


@pytest.mark.parametrize(("download", "expected"), PLANS)
def test_a_resume_is_asked_for_only_with_proof(download, expected):
    """From the durable prefix, under a strong validator or towards an expected digest; else everything anew."""
    assert replies.plan(download) == expected


LAST = Piece(30, 50, "sha256:00")


@pytest.mark.parametrize(
    ("download", "last", "expected"),
    [
        (held((0, 50), validator=WEAK, resume=Resume.LENIENT), LAST, Ask(start=50, overlap=20, is_proof=True)),
        (held((0, 50), validator=Validator(), resume=Resume.LENIENT), LAST, Ask(start=50, overlap=20, is_proof=True)),
        (held((0, 50), validator=WEAK, resume=Resume.LENIENT), Piece(30, 40, "sha256:00"), None),
        (held((0, 50), validator=WEAK, resume=Resume.LENIENT), None, None),
        (held((0, 50), validator=WEAK), LAST, None),
        (held((0, 50), (60, 70), validator=WEAK, resume=Resume.LENIENT), LAST, None),
        (held((0, 50), resume=Resume.LENIENT), LAST, Ask(start=50, if_range='"one"')),
        (held((0, 50), validator=None, digest=DIGEST, resume=Resume.LENIENT), LAST, Ask(start=50)),
        (held(resume=Resume.LENIENT), LAST, Ask()),
    ],
)
def test_a_piece_is_proof_only_where_a_lenient_user_has_no_better(download, last, expected):
    """It must end where the durable prefix ends, or the rest would not follow on it."""
    assert replies.plan(download, last) == expected


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (206, {"content_range": "bytes 30-99/100"}, "receive 50 skip 20 of 100 framed"),
        (206, {"content_range": "bytes 20-99/100", "content_length": "80"}, "receive 50 skip 30 of 100"),
        (206, {"content_range": "bytes 50-99/100"}, "afresh"),
        (206, {"content_range": "bytes 30-98/99"}, "afresh"),
        (206, {"content_range": "bytes 30-99/100", "etag": '"two"'}, "afresh"),
        (200, {"content_length": "100"}, "afresh, receive 0 skip 0 of 100"),
        (416, {"content_range": "bytes */100"}, "afresh"),
        (416, {"content_range": "bytes */50"}, "afresh"),
        (416, {"content_range": "bytes */30"}, "afresh"),
    ],
)
def test_a_range_that_is_to_prove_itself_still_has_to_fit(status, headers, expected):
    """From where the piece begins, of the same size; and a file that ends where the piece begins is not whole."""
    download = held((0, 50), validator=WEAK, resume=Resume.LENIENT)
    assert in_short(judged(download, status, last=LAST, **headers)) == expected
    if status == 416:
        of_unknown_size = held((0, 50), validator=Validator(), total=None, resume=Resume.LENIENT)
        assert in_short(judged(of_unknown_size, status, last=LAST, **headers)) == "afresh"


ETAG = {"etag": '"one"'}
WHOLE_FILES = [
    # what we hold, the head of the answer, what it is worth
    (NEW, {"content_length": "100"}, "receive 0 skip 0 of 100"),
    (NEW, {"content_length": "0"}, "receive 0 skip 0 of 0"),
    (NEW, {"content_length": " 100 "}, "receive 0 skip 0 of 100"),
    (NEW, {"content_length": "100, 100"}, "receive 0 skip 0 of 100"),
    (NEW, {"content_length": "100, 101"}, "reject protocol"),
    (NEW, {"content_length": "100,"}, "reject protocol"),
    (NEW, {"content_length": ""}, "reject protocol"),
    (NEW, {"content_length": "many"}, "reject protocol"),
    (NEW, {"content_length": "-1"}, "reject protocol"),
    (NEW, {"content_length": "+100"}, "reject protocol"),
    (NEW, {"content_length": "1e2"}, "reject protocol"),
    (NEW, {"content_length": "１００"}, "reject protocol"),
    (NEW, {"content_length": "9" * 19}, "reject protocol"),
    (NEW, {"content_length": "9" * 5000}, "reject protocol"),
    (NEW, {}, "receive 0 skip 0 of None"),
    (NEW, {"transfer_encoding": "chunked"}, "receive 0 skip 0 of None framed"),
    (NEW, {"transfer_encoding": "Chunked "}, "receive 0 skip 0 of None framed"),
    (NEW, {"transfer_encoding": "chunked", "content_length": "100"}, "receive 0 skip 0 of None framed"),
    (NEW, {"transfer_encoding": "chunked", "content_length": "junk"}, "receive 0 skip 0 of None framed"),
    (NEW, {"transfer_encoding": "gzip, chunked"}, "reject protocol"),
    (NEW, {"transfer_encoding": "x-chunked"}, "reject protocol"),
    (NEW, {"content_length": "100", "content_encoding": "identity"}, "receive 0 skip 0 of 100"),
    (NEW, {"content_length": "100", "content_encoding": ""}, "receive 0 skip 0 of 100"),
    (NEW, {"content_length": "100", "content_encoding": "gzip"}, "reject protocol"),
    (NEW, {"content_length": "100", "content_encoding": "GZIP"}, "reject protocol"),
    (NEW, {"content_length": "100", "content_encoding": "br"}, "reject protocol"),
    (NEW, {"content_length": "100", "content_encoding": "gzip, br"}, "reject protocol"),
    (HALF, {"content_length": "100"} | ETAG, "unguarded"),
    (HALF, {"content_length": "100", "etag": '"two"'}, "afresh, receive 0 skip 0 of 100"),
    (HALF, {"content_length": "70"}, "afresh, receive 0 skip 0 of 70"),
    (HALF, {"transfer_encoding": "chunked"}, "afresh, receive 0 skip 0 of None framed"),
    (HALF, {"content_length": "50", "content_range": "bytes 50-99/100"} | ETAG, "afresh, receive 0 skip 0 of 50"),
    (HOLE, {"content_length": "100"} | ETAG, "unguarded"),
]


@pytest.mark.parametrize(("download", "headers", "expected"), WHOLE_FILES)
def test_a_200_is_the_whole_file_and_nothing_else(download, headers, expected):
    """What was held is given up for it; a body whose end or coding cannot be told is refused (RFC 9112 §6.3)."""
    assert in_short(judged(download, 200, **headers)) == expected


REST = {"content_range": "bytes 50-99/100", "content_length": "50"} | ETAG
RANGES = [
    (HALF, REST, "receive 50 skip 0 of 100"),
    (HALF, REST | {"content_range": "BYTES  50-99/100 "}, "receive 50 skip 0 of 100"),
    (HALF, ETAG | {"content_range": "bytes 50-99/100"}, "receive 50 skip 0 of 100 framed"),
    (
        HALF,
        ETAG | {"content_range": "bytes 50-99/100", "transfer_encoding": "chunked"},
        "receive 50 skip 0 of 100 framed",
    ),
    (HALF, ETAG | {"content_range": "bytes 50-59/100", "content_length": "10"}, "receive 50 skip 0 of 100"),
    (HALF, ETAG | {"content_range": "bytes 30-99/100", "content_length": "70"}, "receive 50 skip 20 of 100"),
    (HALF, ETAG | {"content_range": "bytes 0-99/100", "content_length": "100"}, "receive 50 skip 50 of 100"),
    (HALF, ETAG | {"content_range": "bytes 0-49/100", "content_length": "50"}, "afresh"),
    (HALF, ETAG | {"content_range": "bytes 51-99/100", "content_length": "49"}, "afresh"),
    (HALF, ETAG | {"content_range": "bytes 50-49/100"}, "afresh"),
    (HALF, ETAG | {"content_range": "bytes 99-50/100"}, "afresh"),
    (HALF, ETAG | {"content_range": "bytes 50-100/100"}, "afresh"),
    (HALF, ETAG | {"content_range": "bytes 50-100/101", "content_length": "51"}, "afresh"),
    (HALF, ETAG | {"content_range": "bytes 50-89/90", "content_length": "40"}, "afresh"),
    (HALF, ETAG | {"content_range": "bytes 50-99/*", "content_length": "50"}, "afresh"),
    (HALF, ETAG | {"content_range": "bytes */100"}, "afresh"),
    (HALF, ETAG | {"content_range": "bytes 50-99"}, "afresh"),
    (HALF, ETAG | {"content_range": "items 50-99/100"}, "afresh"),
    (HALF, ETAG | {"content_range": "bytes 50-99/100, bytes 0-9/100"}, "afresh"),
    (HALF, ETAG | {"content_range": "bytes ٥٠-99/100"}, "afresh"),
    (HALF, ETAG | {"content_range": f"bytes 50-{'9' * 18}/{'9' * 19}"}, "afresh"),
    (HALF, ETAG | {"content_range": f"bytes 50-{'9' * 5000}/*"}, "afresh"),
    (HALF, ETAG | {"content_range": ""}, "afresh"),
    (HALF, ETAG, "afresh"),
    (HALF, REST | {"content_length": "49"}, "afresh"),
    (HALF, REST | {"content_length": "100"}, "afresh"),
    (HALF, REST | {"content_length": "fifty"}, "reject protocol"),
    (HALF, REST | {"transfer_encoding": "gzip, chunked"}, "reject protocol"),
    (HALF, ETAG | {"content_type": "multipart/byteranges; boundary=x", "content_length": "50"}, "afresh"),
    (HALF, REST | {"content_type": "Multipart/Byteranges; boundary=x"}, "afresh"),
    (HALF, REST | {"content_encoding": "gzip"}, "reject protocol"),
    (HALF, REST | {"etag": '"two"'}, "afresh"),
    (HALF, REST | {"etag": 'W/"one"'}, "afresh"),
    (HALF, {name: value for name, value in REST.items() if name != "etag"}, "afresh"),
    (held((0, 50), resume=Resume.LENIENT), {**REST, "etag": ""}, "afresh"),
    (held((0, 50), resume=Resume.LENIENT), {**REST, "etag": '"two"'}, "afresh"),
    (held((0, 50), digest=DIGEST), {**REST, "etag": ""}, "receive 50 skip 0 of 100"),
    (held((0, 50), digest=DIGEST), {**REST, "etag": '"two"'}, "afresh"),
    (HALF_BY_DIGEST, REST, "receive 50 skip 0 of 100"),
    (HALF_BY_DIGEST, ETAG | {"content_range": "bytes 50-119/120", "content_length": "70"}, "afresh"),
    (HALF_DATED, {**REST, "etag": "", "last_modified": OLD}, "receive 50 skip 0 of 100"),
    (HALF_DATED, {**REST, "etag": ""}, "receive 50 skip 0 of 100"),
    (HALF_DATED, {**REST, "etag": "", "last_modified": LATER}, "afresh"),
    (held((0, 50), total=None, validator=Validator(etag='"one"')), REST, "receive 50 skip 0 of 100"),
    (NEW, {"content_range": "bytes 0-99/100", "content_length": "100"}, "receive 0 skip 0 of 100"),
    (NEW, {"content_range": "bytes 0-49/100", "content_length": "50"}, "reject protocol"),
    (NEW, {"content_range": "bytes 5-99/100", "content_length": "95"}, "reject protocol"),
    (NEW, {"content_range": "bytes 0-99/*", "content_length": "100"}, "reject protocol"),
    (NEW, {"content_length": "100"}, "reject protocol"),
    (NEW, {"content_type": "multipart/byteranges; boundary=x"}, "reject protocol"),
    (HOLE, ETAG | {"content_range": "bytes 0-99/100"}, "afresh"),
    (HOLE, ETAG | {"content_range": "bytes 0-20/100"}, "afresh"),
    (HOLE, ETAG | {"content_range": "bytes 0-19/100", "content_length": "20"}, "receive 0 skip 0 of 100"),
    (HOLE, ETAG | {"content_range": "bytes 0-9/100", "content_length": "10"}, "receive 0 skip 0 of 100"),
    (HOLE, {"content_range": "bytes 0-19/100", "content_length": "20"}, "afresh"),
    (TORN, ETAG | {"content_range": "bytes 10-19/100", "content_length": "10"}, "receive 10 skip 0 of 100"),
    (TORN, ETAG | {"content_range": "bytes 5-19/100", "content_length": "15"}, "receive 10 skip 5 of 100"),
    (TORN, ETAG | {"content_range": "bytes 10-99/100", "content_length": "90"}, "afresh"),
    (TORN, ETAG | {"content_range": "bytes 10-19/120", "content_length": "10"}, "afresh"),
]


@pytest.mark.parametrize(("download", "headers", "expected"), RANGES)
def test_a_206_is_only_what_it_proves_to_be(download, headers, expected):
    """Bytes, the start asked for, the same total, the same version; else everything anew (RFC 9110 §15.3.7)."""
    assert in_short(judged(download, 206, **headers)) == expected


@pytest.mark.parametrize(
    ("download", "headers", "expected"),
    [
        (HALF, ETAG | {"content_range": "bytes 40-99/100", "content_length": "60"}, "receive 50 skip 10 of 100"),
        (HALF, ETAG | {"content_range": "bytes 30-99/100", "content_length": "70"}, "receive 50 skip 20 of 100"),
        (HALF, ETAG | {"content_range": "bytes 50-99/100", "content_length": "50"}, "afresh"),
        (HALF, ETAG | {"content_range": "bytes 40-45/100", "content_length": "6"}, "afresh"),
        (HALF, ETAG | {"content_range": "bytes 40-50/100", "content_length": "11"}, "receive 50 skip 10 of 100"),
        (HALF_BY_DIGEST, {"content_range": "bytes 40-99/100"}, "receive 50 skip 10 of 100 framed"),
        (TORN, ETAG | {"content_range": "bytes 5-19/100", "content_length": "15"}, "receive 10 skip 5 of 100"),
        (held((0, 100), total=None), ETAG | {"content_range": "bytes 90-99/100"}, "receive 100 skip 10 of 100 framed"),
        (held((0, 100), total=None), ETAG | {"content_range": "bytes 90-98/99"}, "afresh"),
    ],
)
def test_some_of_what_is_held_is_asked_for_again(download, headers, expected, monkeypatch):
    """So that a server which says one range and sends another is found out; the answer must begin there."""
    monkeypatch.setattr(replies, "OVERLAP_BYTES", 10)
    assert replies.plan(download).overlap == min(10, replies.plan(download).start // 2)
    assert in_short(judged(download, 206, **headers)) == expected


def test_asking_again_never_asks_for_the_whole():
    """However little is held, the request begins behind byte 0, or no server would take it for a range."""
    for size in range(1, 40):
        ask = replies.plan(held((0, size)))
        assert ask.first > 0


def unguarded(download: Download, **headers: str) -> str:
    """Judge a range that is sent to a question without If-Range."""
    ask = replies.plan(download, guarded=False)
    head = Head(status=206, headers={name.replace("_", "-"): value for name, value in headers.items()}, url=URL)
    return in_short(replies.judge(ask, head, download, now_s=0.0))


def test_a_range_that_was_forgotten_for_its_guard_is_asked_for_without():
    """Then the answer itself must show the validator again, whichever it is (RFC 9110 §13.1.5)."""
    assert in_short(judged(HALF_DATED, 200, content_length="100", last_modified=OLD)) == "unguarded"
    assert in_short(judged(HALF_DATED, 200, content_length="100")) == "afresh, receive 0 skip 0 of 100"
    rest = {"content_range": "bytes 50-99/100", "content_length": "50"}
    assert replies.plan(HALF, guarded=False) == Ask(start=50)
    assert unguarded(HALF, **rest, etag='"one"') == "receive 50 skip 0 of 100"
    assert unguarded(HALF, **rest) == unguarded(HALF, **rest, etag='"two"') == "afresh"
    assert unguarded(HALF_DATED, **rest, last_modified=OLD) == "receive 50 skip 0 of 100"
    assert unguarded(HALF_DATED, **rest) == unguarded(HALF_DATED, **rest, last_modified=LATER) == "afresh"
    assert unguarded(HALF_BY_DIGEST, **rest) == "receive 50 skip 0 of 100"


UNSATISFIABLE = [
    (held((0, 100)), {"content_range": "bytes */100"}, "whole 100"),
    (held((0, 100)), {"content_range": "bytes */100"} | ETAG, "whole 100"),
    (held((0, 100)), {"content_range": "bytes */0100"}, "whole 100"),
    (held((0, 100), total=None), {"content_range": "bytes */100"}, "whole 100"),
    (held((0, 100)), {"content_range": "bytes */100", "etag": '"two"'}, "afresh"),
    (held((0, 100)), {"content_range": "bytes */99"}, "afresh"),
    (held((0, 100)), {"content_range": "bytes */*"}, "afresh"),
    (held((0, 100)), {"content_range": "bytes 0-99/100"}, "afresh"),
    (held((0, 100)), {"content_range": "items */100"}, "afresh"),
    (held((0, 100)), {"content_range": "bytes */" + "9" * 5000}, "afresh"),
    (held((0, 100)), {}, "afresh"),
    (HALF, {"content_range": "bytes */50"}, "afresh"),
    (HALF, {"content_range": "bytes */100"}, "afresh"),
    (held((0, 50), total=50), {"content_range": "bytes */50"}, "afresh"),
    (NEW, {"content_range": "bytes */0"}, "reject refused"),
]


@pytest.mark.parametrize(("download", "headers", "expected"), UNSATISFIABLE)
def test_a_416_says_whole_only_of_the_size_that_we_know(download, headers, expected):
    """A file that shrank to what we hold is another file, not a finished one."""
    assert in_short(judged(download, 416, **headers)) == expected


OTHERS = [
    (100, {}, "reject protocol"),
    (201, {}, "reject protocol"),
    (203, {}, "reject protocol"),
    (204, {}, "reject protocol"),
    (205, {}, "reject protocol"),
    (301, {}, "reject protocol"),
    (302, {"location": "/elsewhere"}, "reject protocol"),
    (304, ETAG, "reject protocol"),
    (400, {}, "reject refused"),
    (401, {}, "reject unauthorised"),
    (403, {"retry_after": "5"}, "reject refused"),
    (404, {}, "reject refused"),
    (407, {}, "reject unauthorised"),
    (408, {}, "reject busy"),
    (410, {}, "reject refused"),
    (412, {}, "reject refused"),
    (425, {}, "reject busy"),
    (429, {}, "reject busy"),
    (429, {"retry_after": "120"}, "reject busy after 120"),
    (429, {"retry_after": "0"}, "reject busy after 0"),
    (429, {"retry_after": "soon"}, "reject busy"),
    (429, {"retry_after": "-5"}, "reject busy"),
    (500, {}, "reject server-error"),
    (503, {"retry_after": "Mon, 12 Jan 1970 13:47:40 GMT"}, "reject busy after 60"),
    (503, {"retry_after": "Mon, 12 Jan 1970 13:45:40 GMT"}, "reject busy after 0"),
    (502, {"retry_after": "7"}, "reject server-error after 7"),
    (599, {}, "reject server-error"),
]


@pytest.mark.row("S1.4")
@pytest.mark.parametrize("download", [NEW, HALF])
@pytest.mark.parametrize(("status", "headers", "expected"), OTHERS)
def test_no_other_answer_has_a_body_for_us(download, status, headers, expected):
    """An error page never becomes content; each status has its cause, and a busy server is given its time."""
    assert in_short(judged(download, status, **headers)) == expected


def test_every_refusal_says_what_was_answered():
    """`why` shows it."""
    verdict = judged(NEW, 418)
    assert isinstance(verdict, Reject)
    assert "418" in verdict.message


@pytest.mark.parametrize(
    ("name", "coding", "taken"),
    [
        ("file.tar.gz", "gzip", True),
        ("file.tgz", "x-gzip", True),
        ("FILE.GZ", "gzip", True),
        ("file.gz?x=.bin", "gzip", True),
        ("file.tar.Z", "x-compress", True),
        ("file.br", "br", True),
        ("file.tar.zst", "zstd", True),
        ("file.tar", "gzip", False),
        ("file.gz.html", "gzip", False),
        ("file.gz", "br", False),
        ("file.gz", "gzip, gzip", False),
        ("?x=file.gz", "gzip", False),
    ],
)
def test_a_coding_that_the_name_tells_too_is_part_of_the_file(name, coding, taken):
    """Servers call a `.tar.gz` gzip-coded whatever was asked for; what is asked for is just that file."""
    verdict = judged(NEW, 200, f"https://a.example/{name}", content_length="100", content_encoding=coding)
    assert isinstance(verdict, Receive) == taken


def test_the_next_resume_is_guarded_by_what_the_first_answer_said():
    """A 206 that omits a validator does not take it away from us."""
    verdict = judged(HALF_DATED, 206, content_range="bytes 50-99/100", content_length="50")
    assert isinstance(verdict, Receive)
    assert (verdict.validator.last_modified, verdict.validator.length) == (OLD, 100)
    verdict = judged(NEW, 200, content_length="100", etag='"one"', last_modified=OLD, date=LATER)
    assert isinstance(verdict, Receive)
    assert verdict.validator == Validator(etag='"one"', last_modified=OLD, date=LATER, length=100)


def test_what_changed_is_told_with_its_new_validator():
    """So that the log can say from what to what."""
    verdict = judged(HALF, 206, **(REST | {"etag": '"two"'}))
    assert isinstance(verdict, Afresh)
    assert verdict.validator is not None
    assert verdict.validator.etag == '"two"'
    assert verdict.reason


@pytest.mark.row("S1.4")
@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        (" 30 ", 30.0),
        ("99999999999", 86_400.0),
        ("9" * 5000, 86_400.0),
        ("1.5", None),
        ("-1", None),
        ("soon", None),
        ("Mon, 12 Jan 1970 13:46:41 GMT", 1.0),
        ("Mon Jan 12 13:46:41 1970", 1.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Thu, 01 Jan 99999999999999999999 00:00:00 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(header, expected):
    """RFC 9110 §10.2.3; what is neither is as if it were not there."""
    assert replies.retry_after(header, now_s=1_000_000.0) == expected


HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "content-length",
            "content-range",
            "content-encoding",
            "content-type",
            "transfer-encoding",
            "etag",
            "last-modified",
            "date",
            "retry-after",
        ]
    ),
    st.text()
    | st.sampled_from(("50", "100", '"one"', "chunked", OLD, LATER, "bytes */100", "gzip"))
    | st.builds("bytes {}-{}/{}".format, *[st.integers(0, 120)] * 3),
)


@given(
    headers=HEADERS,
    status=st.sampled_from((200, 206, 206, 206, 416)) | st.integers(100, 999),
    download=st.sampled_from((NEW, HALF, HALF_DATED, HALF_BY_DIGEST, HOLE, held((0, 100)))),
)
def test_no_head_makes_an_error_and_none_makes_a_splice(headers, status, download):
    """Whatever a server says: a body is written from where we hold, under the size that we know, or from byte 0."""
    ask = replies.plan(download)
    assert ask is not None
    verdict = replies.judge(ask, Head(status=status, headers=headers, url=URL), download, now_s=0.0)
    match verdict:
        case Receive(offset=offset, total=total):
            assert status in {200, 206}
            assert offset == ask.start
            if download.durable:
                assert status == 206
                assert total == download.total
                assert download.validator is None or not download.validator.differs(verdict.validator)
        case Afresh(receive=Receive() as receive):
            assert (receive.offset, receive.skip) == (0, 0)
        case Whole(total=total):
            assert download.received == total == download.total
        case Unguarded():
            assert ask.if_range is not None
        case _:
            assert verdict.reason if isinstance(verdict, Afresh) else verdict.message


def test_a_download_that_holds_nothing_takes_what_a_new_size_is():
    """The size of an earlier attempt binds nobody once nothing of it is held."""
    assert in_short(judged(attrs.evolve(HALF, durable=()), 200, content_length="70")) == "receive 0 skip 0 of 70"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"content_length": "100", "etag": '"two"'}, False),
        ({"content_length": "101", "etag": '"one"'}, True),
        ({"transfer_encoding": "chunked"}, False),
    ],
)
def test_only_its_size_tells_before_the_bytes_have_come_that_a_file_is_another(headers, expected):
    """A repair fetches what may be the file by its size, whatever validator it bears now."""
    assert replies.is_of_another_size(judged(NEW, 200, **headers), HALF) is expected
    assert replies.is_of_another_size(judged(HALF, 200, **headers), HALF) is expected


def test_a_size_that_nobody_knows_is_no_other():
    """Neither is one of an answer that is of no use."""
    assert not replies.is_of_another_size(judged(NEW, 200, content_length="101"), NEW)
    assert not replies.is_of_another_size(judged(NEW, 404), HALF)
