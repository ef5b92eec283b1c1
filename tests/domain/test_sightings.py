"""What was seen of a URL, and when upstream changed."""

from __future__ import annotations

from uuid import UUID

import pytest

from lading.domain import events as e
from lading.domain.facts import Context, Fact
from lading.domain.requests import Order, Source
from lading.domain.sightings import Wanted, sightings
from lading.domain.validators import Validator
from lading.projections import drift

pytestmark = pytest.mark.row("C.6")

ID = UUID(int=1)
URL, MIRROR, CDN = "https://a.example/f", "https://b.example/f", "https://cdn.example/x"
HANDLE = "v1:" + "0" * 32
DIGESTS = ("sha256:" + "1" * 64, "sha256:" + "2" * 64, "md5:" + "3" * 32)


def told(*events: e.Event, wanted: Wanted | None = None, handle: str | None = None) -> list[drift.Row]:
    """Return the rows of a download of a URL and a mirror, which has been started and to which this happened."""
    order = Order(sources=(Source(url=URL, handle=handle), Source(url=MIRROR)))
    begun = (e.Queued(order=order), e.Started(attempt=1, worker=UUID(int=2), storage="s", path="f", part=".f"))
    facts = [Fact(n, ID, n, bytes(16), n * 10**9, event, Context()) for n, event in enumerate((*begun, *events), 1)]
    return list(drift.compared(map(drift.row, sightings(ID, facts, wanted or Wanted(url=URL)))))


def probed(url: str = CDN, **said: object) -> e.Probed:
    return e.Probed(attempt=1, url=url, status=200, validator=Validator(**said))


def completed(digest: str = DIGESTS[0], **said: object) -> e.Completed:
    done = {"path": "f", "size": 9, "assurance": "length", "url": CDN}
    return e.Completed(attempt=1, digest=digest, validator=Validator(**said), **done)


def test_every_event_that_tells_of_a_url_is_a_sighting():
    """Answers, changes and complete files; a mirror's answer is one of the mirror."""
    joined = e.Joined(attempt=1, source=1, url=MIRROR, validator=Validator(etag='"m"'))
    changed = e.ResourceChanged(attempt=1, before=Validator(etag='"1"'), after=Validator(etag='"2"'))
    story = (probed(etag='"1"'), joined, changed, completed(etag='"2"'))
    rows = told(*story)
    assert [row["event"] for row in rows] == ["Probed", "ResourceChanged", "Completed"]
    assert [row["etag"] for row in rows] == ['"1"', '"2"', '"2"']
    assert [row["changed"] for row in rows] == [[], ["etag"], []]
    assert rows[-1]["digest"] == DIGESTS[0]
    assert [row["event"] for row in told(*story, wanted=Wanted(url=MIRROR))] == ["Joined"]
    assert told(*story, wanted=Wanted(url="https://c.example/f")) == []


def test_what_answered_is_a_url_too():
    """Whoever asks about the mirror that a redirect led to is told of it."""
    rows = told(probed(etag='"1"'), completed(), wanted=Wanted(url=CDN))
    assert [(row["url"], row["final_url"]) for row in rows] == [(URL, CDN), (URL, CDN)]


def test_a_handle_stands_for_one_whole_url():
    """Two URLs that look the same in public are told apart by it."""
    assert len(told(probed(), handle=HANDLE, wanted=Wanted(handle=HANDLE))) == 1
    assert told(probed(), handle=HANDLE[:-1] + "1", wanted=Wanted(handle=HANDLE)) == []
    assert told(probed(), wanted=Wanted(handle=HANDLE)) == []
    assert len(told(probed(), handle=HANDLE)) == 1


def test_what_is_not_told_has_not_changed():
    """A server that leaves out its ETag once, or states a digest only now, has changed nothing."""
    rows = told(
        probed(etag='"1"', length=5),
        probed(length=5),
        probed(etag='"1"', length=6),
        probed(digest=DIGESTS[0], length=6),
    )
    assert [row["changed"] for row in rows] == [[], [], ["length"], []]


def test_digests_are_compared_with_those_of_their_algorithm():
    """A stated one with ours, however its letters are written; one of another algorithm with none of them."""
    rows = told(
        probed(digest=DIGESTS[0].replace("1", "A").upper().replace("SHA", "sha")),
        probed(digest=DIGESTS[0].replace("1", "a")),
        probed(digest=DIGESTS[2]),
        completed(DIGESTS[1]),
    )
    assert [row["changed"] for row in rows] == [[], [], [], ["digest"]]
