"""Every way in which an origin can mislead a downloader, and the one right answer to each.

The bytes under the final name are the origin's, or there is no such name and the download says why. Numbers in
parentheses are the rows of the list of what users complain of in other downloaders.
"""

from __future__ import annotations

import attrs
import pytest

from lading.domain import events as e
from lading.domain.faults import Cause
from lading.tools.origin import (
    Behaviour,
    Change,
    Drip,
    Drop,
    Framing,
    IfRange,
    Modified,
    Origin,
    Ranges,
    Redirect,
    Refusal,
    Resource,
    Stall,
)

pytestmark = [pytest.mark.row("S2.4", "S3.13"), pytest.mark.law(4), pytest.mark.law(5), pytest.mark.timeout(60)]

SIZE = 600_000
FILE = Resource("file.bin", SIZE)
RIGHT, WRONG = FILE.digest(), FILE.digest(version=1)
CUT = Behaviour(drop=Drop(after=SIZE // 2, times=1))
"""The first delivery ends half-way, so that the next begins with a question for the rest."""
NO_PROOF = Behaviour(etag="", modified=Modified.NONE)


@attrs.frozen(kw_only=True)
class Case:
    """How the origin behaves, what is asked, and what shall come of it.

    Attributes:
        behaviour: Of the origin.
        asked: Options of the request.
        ends: `whole`, or the cause of the failure.
        version: Of the resource, that the file shall be of.
        resumed: Whether bytes of an earlier attempt are kept; None where that is a matter of luck.
        tells: An event that the log must hold.
    """

    behaviour: Behaviour
    asked: dict[str, object] = attrs.field(factory=dict)
    ends: str = "whole"
    version: int = 0
    resumed: bool | None = False
    tells: type[e.Event] | None = None


def again(behaviour: Behaviour, **more: object) -> Case:
    """Return a case in which the first delivery is cut, and the file is fetched anew from its beginning."""
    return Case(behaviour=CUT | behaviour, tells=e.Restarted, **more)


def goes_on(behaviour: Behaviour, **more: object) -> Case:
    """Return a case in which the first delivery is cut, and its bytes are kept."""
    return Case(behaviour=CUT | behaviour, resumed=True, **more)


CASES = {
    # -- ranges
    "an honest server (14)": goes_on(Behaviour()),
    "200 to a range (2)": again(Behaviour(ranges=Ranges.IGNORED)),
    "416 to every range (13)": again(Behaviour(ranges=Ranges.REFUSED)),
    "206 that begins earlier (3)": goes_on(Behaviour(ranges=Ranges.EARLIER)),
    "206 that ends earlier (1)": goes_on(Behaviour(ranges=Ranges.SHORTER)),
    "206 without a total (1)": again(Behaviour(ranges=Ranges.NO_TOTAL)),
    "206 that begins late (1)": again(Behaviour(ranges=Ranges.WRONG_START)),
    "206 of another total (1)": again(Behaviour(ranges=Ranges.WRONG_TOTAL)),
    "206 that lies about its start (1)": again(Behaviour(ranges=Ranges.FROM_ZERO), asked={"digest": RIGHT}),
    "416 to a file that is whole (13)": Case(
        behaviour=Behaviour(framing=Framing.CHUNKED, drop=Drop(after=SIZE, times=1)), resumed=True
    ),
    # -- sameness
    "If-Range makes it forget the range (5)": goes_on(Behaviour(if_range=IfRange.DROPS_RANGE)),
    "another version, said so (4)": again(Behaviour(change=Change(after=1)), version=1),
    "another version, If-Range ignored (4)": again(
        Behaviour(change=Change(after=1), if_range=IfRange.IGNORED), version=1
    ),
    "another version under the same validators, with a digest (4)": again(
        Behaviour(change=Change(after=1, keeps_validators=True)), asked={"digest": RIGHT}, ends="digest-mismatch"
    ),
    "a weak ETag and no date (4)": again(Behaviour(etag='W/"{tag}"', modified=Modified.NONE)),
    "no validators at all (4)": again(NO_PROOF),
    "no validators, but a digest of ours (4)": goes_on(NO_PROOF, asked={"digest": RIGHT}),
    "no validators, and a lenient user with one piece (5)": Case(behaviour=CUT | NO_PROOF, asked={"resume": "lenient"}),
    "a date of this very second (5)": again(Behaviour(etag="", modified=Modified.FRESH)),
    "a date that is old enough (5)": goes_on(Behaviour(etag="")),
    "an ETag that is empty (4)": again(Behaviour(etag='""', modified=Modified.NONE)),
    # -- lengths and framing
    "Content-Length is too long (12)": Case(
        behaviour=Behaviour(length_lie=1000), asked={"retries": 0}, ends="broken-body"
    ),
    "Content-Length is too short, with a digest (12)": Case(
        behaviour=Behaviour(length_lie=-1000), asked={"digest": RIGHT, "retries": 0}, ends="digest-mismatch"
    ),
    "chunks": Case(behaviour=Behaviour(framing=Framing.CHUNKED)),
    "chunks that break off (14)": goes_on(Behaviour(framing=Framing.CHUNKED)),
    "a body that ends by closing (12)": Case(behaviour=Behaviour(framing=Framing.CLOSE), ends="unsized"),
    "a body that ends by closing, allowed": Case(
        behaviour=Behaviour(framing=Framing.CLOSE), asked={"allow_unsized": True}
    ),
    "a compressed body (2)": Case(behaviour=Behaviour(gzip=True), asked={"retries": 0}, ends="protocol"),
    "other bytes of the right size, with a digest (12)": Case(
        behaviour=Behaviour(), asked={"digest": WRONG}, ends="digest-mismatch"
    ),
    # -- connections and time
    "a reset in the middle (14)": Case(
        behaviour=Behaviour(drop=Drop(after=SIZE // 2, times=1, reset=True)), resumed=None, tells=e.RetryScheduled
    ),
    "every delivery breaks off, each further on (16)": Case(
        behaviour=Behaviour(drop=Drop(after=130_000)), asked={"retries": 1}, resumed=True
    ),
    "every delivery breaks off at once (15)": Case(
        behaviour=Behaviour(drop=Drop(after=0)), asked={"retries": 1}, ends="broken-body"
    ),
    "silence in the middle (15)": Case(
        behaviour=Behaviour(stall=Stall(5.0, at=SIZE // 2, times=1)), resumed=True, tells=e.RetryScheduled
    ),
    "silence for ever (15)": Case(
        behaviour=Behaviour(stall=Stall(5.0, at=0)), asked={"retries": 0}, ends="stalled"
    ),
    "silence in the head (15)": Case(
        behaviour=Behaviour(stall_head_s=5.0), asked={"retries": 0}, ends="timeout"
    ),
    "a few bytes at a time (16)": Case(behaviour=Behaviour(drip=Drip(size=20_000, pause_s=0.01))),
    "a connection for each answer": goes_on(Behaviour(keep_alive=False)),
    # -- statuses
    "404 (12)": Case(behaviour=Behaviour(refusals=(Refusal(404, times=None),)), ends="refused"),
    "410 (12)": Case(behaviour=Behaviour(refusals=(Refusal(410, times=None),)), ends="refused"),
    "401 (20)": Case(behaviour=Behaviour(authorization="Basic x"), ends="unauthorised"),
    "403 (12)": Case(behaviour=Behaviour(refusals=(Refusal(403, times=None),)), ends="refused"),
    "500, then the file": Case(behaviour=Behaviour(refusals=(Refusal(500, times=1),)), tells=e.RetryScheduled),
    "503 with the time to wait": Case(
        behaviour=Behaviour(refusals=(Refusal(503, times=1, retry_after_s=1),)), tells=e.RetryScheduled
    ),
    "429 with a date to wait for": Case(
        behaviour=Behaviour(refusals=(Refusal(429, times=1, retry_after_s=1, as_date=True),)), tells=e.RetryScheduled
    ),
    "503 for ever": Case(
        behaviour=Behaviour(refusals=(Refusal(503, times=None, retry_after_s=0),)), asked={"retries": 1}, ends="busy"
    ),
    # -- redirects
    "redirects without end": Case(behaviour=Behaviour(redirect=Redirect(None)), ends="redirects"),
    "a redirect to itself": Case(behaviour=Behaviour(redirect=Redirect("file.bin")), ends="redirects"),
    "a redirect to a file of this machine": Case(
        behaviour=Behaviour(redirect=Redirect("file:///etc/passwd")), ends="redirects"
    ),
    "a redirect to nowhere": Case(behaviour=Behaviour(redirect=Redirect("http://")), ends="redirects"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
async def test_misbehaviour_has_its_one_right_answer(fetch, name):
    """The file is whole and the origin's, or there is none, no part that nobody needs, and the reason is told."""
    case = CASES[name]
    with Origin([FILE], behaviour=case.behaviour) as origin:
        verdict = await fetch(origin.url("file.bin"), **case.asked)
    assert verdict.ended == case.ends, verdict.outcome.error
    if case.ends == "whole":
        assert verdict.files == {"file.bin": FILE.read(version=case.version)}
        assert verdict.parts == []
        assert case.resumed is None or (verdict.outcome.resumed_from > 0) is case.resumed
        assert verdict.all(e.Completed)[-1].digest in {RIGHT, WRONG}
    else:
        assert verdict.files == {}
        assert verdict.outcome.error
        assert verdict.all(e.Failed)[-1].message
    if case.tells is not None:
        assert verdict.all(case.tells)


async def test_secrets_are_not_carried_to_another_origin(fetch):
    """A header that was given for one host is not sent to the host that this one points at (20)."""
    with Origin([FILE]) as far, Origin([FILE]) as near:
        near.set("file.bin", Behaviour(redirect=Redirect(far.url("file.bin").replace("127.0.0.1", "localhost"))))
        verdict = await fetch(
            near.url("file.bin"), headers={"Authorization": "Bearer s3cr3t", "Cookie": "a=s3cr3t", "X-Key": "s3cr3t"}
        )
        assert verdict.files == {"file.bin": FILE.read()}
        assert near.requests[0].headers["authorization"] == "Bearer s3cr3t"
        for request in far.requests:
            assert "s3cr3t" not in str(request.headers)


NAMES = {
    "../../evil.bin": "evil.bin",
    "/etc/evil.bin": "evil.bin",
    "..\\..\\evil.bin": "evil.bin",
    "C:\\evil.bin": "evil.bin",
    ".profile": "_profile",
    "con.txt": "_con.txt",
    "a\tb.bin": "a_b.bin",
    "x" * 300 + ".bin": "x" * 196 + ".bin",
    "..": "download",
    "evil.bin/": "evil.bin",
}


@pytest.mark.parametrize("given", NAMES)
async def test_name_from_the_server_stays_in_the_folder(fetch, given):
    """Whatever it is called, it is one visible name in the folder, and nothing outside is touched (21, 23)."""
    quoted = given.replace("\\", "\\\\")
    with Origin([FILE], behaviour=Behaviour(disposition=f'attachment; filename="{quoted}";')) as origin:
        verdict = await fetch(origin.url("file.bin"))
    assert verdict.ended == "whole", verdict.outcome.error
    assert verdict.files == {NAMES[given]: FILE.read()}
    assert verdict.parts == []


@pytest.mark.parametrize(
    ("if_exists", "ends", "names"),
    [
        ("fail", "destination", ["file.bin"]),
        ("rename", "whole", ["file (2).bin", "file.bin"]),
        ("skip", "None", ["file.bin"]),
        ("overwrite", "whole", ["file.bin"]),
    ],
)
async def test_what_lies_there_is_treated_as_the_user_says(fetch, tmp_path, if_exists, ends, names):
    """Nothing is replaced unless that was asked for (22), and even then it can be taken back."""
    (tmp_path / "files" / "file.bin").write_bytes(b"mine")
    behaviour = Behaviour(disposition="attachment; filename=file.bin")
    with Origin([Resource("other", SIZE)], behaviour=behaviour) as origin:
        verdict = await fetch(origin.url("other"), if_exists=if_exists)
    assert verdict.ended == ends, verdict.outcome.error
    assert sorted(verdict.files) == names
    assert (verdict.files["file.bin"] == b"mine") is (if_exists != "overwrite")
    kept = [(tmp_path / "files" / name).read_bytes() for name in verdict.parts]
    assert kept == ([b"mine"] if if_exists == "overwrite" else [])


def test_there_are_enough_of_them():
    """Forty ways to misbehave at the least, each with a cause that is known where it ends in failure."""
    honest = {"an honest server (14)", "chunks", "a connection for each answer"}
    assert len(CASES.keys() - honest) >= 40
    assert {case.ends for case in CASES.values()} <= {"whole", *Cause}
