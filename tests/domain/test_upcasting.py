"""Old shapes of events, read as today's."""

from __future__ import annotations

from uuid import UUID

import pytest

from lading.adapters import codec
from lading.domain import events as e
from lading.domain import upcasting
from lading.domain.errors import LogDamaged, StoreNewer
from lading.domain.ports import Recorded

pytestmark = pytest.mark.row("S3.2")

OLDEST, OLD, TODAY = "lading.stopped.v-1", "lading.stopped.v0", e.Stopped.TOPIC


@pytest.fixture
def old_shapes(monkeypatch):
    """Two older shapes of `Stopped`: one without a reason, and one that called the attempt a try."""
    monkeypatch.setitem(upcasting.UPCASTERS, OLDEST, lambda old: (OLD, {"attempt": old["try"]}))
    monkeypatch.setitem(upcasting.UPCASTERS, OLD, lambda old: (TODAY, {**old, "reason": "unknown"}))


def test_a_payload_of_today_is_left_alone():
    """The same object comes back, under the same topic."""
    payload = {"attempt": 1, "reason": "closing"}
    topic, same = upcasting.upcast(TODAY, payload)
    assert topic == TODAY
    assert same is payload


@pytest.mark.usefixtures("old_shapes")
def test_an_old_payload_goes_up_step_by_step():
    """However old it is, each step leads to the next version until it is today's."""
    assert upcasting.upcast(OLD, {"attempt": 4}) == (TODAY, {"attempt": 4, "reason": "unknown"})
    assert upcasting.upcast(OLDEST, {"try": 4}) == (TODAY, {"attempt": 4, "reason": "unknown"})


@pytest.mark.usefixtures("old_shapes")
def test_a_log_of_old_shapes_opens():
    """The codec reads an old topic as the event of today."""
    sealed = codec.seal(e.Stopped(attempt=1, reason=""), id=UUID(int=9), at_ns=5)
    header = sealed[: sealed.index(b"{")]
    fact = codec.open_envelope(Recorded(1, UUID(int=1), 1, OLDEST, header + b'{"try":7}'))
    assert fact.event == e.Stopped(attempt=7, reason="unknown")


@pytest.mark.usefixtures("old_shapes")
def test_an_old_payload_that_lacks_what_it_must_have_is_damage():
    """A step that finds nothing to read does not make something up."""
    sealed = codec.seal(e.Stopped(attempt=1, reason=""), id=UUID(int=9), at_ns=5)
    header = sealed[: sealed.index(b"{")]
    for payload in (b"{}", b"[]", b"null", b'"try"'):
        with pytest.raises(LogDamaged):
            codec.open_envelope(Recorded(1, UUID(int=1), 1, OLDEST, header + payload))


@pytest.mark.parametrize("topic", ["lading.stopped.v99", "lading.invented.v1", "", "Stopped"])
def test_a_topic_that_nobody_here_knows_was_written_by_a_newer_program(topic):
    """It stops the program with exit 3 and is never skipped, or the fold would be a lie."""
    with pytest.raises(StoreNewer) as caught:
        upcasting.upcast(topic, {})
    assert caught.value.exit_code == 3
    assert caught.value.hint
    with pytest.raises(StoreNewer):
        codec.open_envelope(Recorded(1, UUID(int=1), 1, topic, codec.seal(e.Paused(), id=UUID(int=9), at_ns=5)))


def test_no_topic_of_today_is_an_old_one():
    """A topic that was given up is never used again for another shape."""
    assert not set(upcasting.UPCASTERS) & set(e.EVENTS)
