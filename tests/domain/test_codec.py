"""Events as bytes: what is sealed can be opened, what is damaged says so, and version 1 never changes silently."""

from __future__ import annotations

import datetime as dt
import json
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin
from uuid import UUID

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lading.adapters import codec
from lading.domain.download import Download
from lading.domain.errors import LogDamaged, StoreNewer
from lading.domain.events import EVENTS
from lading.domain.facts import Context
from lading.domain.ports import Recorded
from lading.domain.upcasting import UPCASTERS

pytestmark = pytest.mark.row("S3.2")

GOLDEN = Path(__file__).parent / "golden" / "events-v1.json"
STREAM, EVENT_ID = UUID(int=1), UUID("01890a5d-ac96-774b-bcce-b302099a8057")
AT_NS = int(dt.datetime(2026, 1, 2, tzinfo=dt.UTC).timestamp()) * 10**9
CONTEXT = Context(actor="someone", host="somewhere", correlation=UUID(int=3), causation=UUID(int=4))
KINDS = st.sampled_from(sorted(EVENTS.values(), key=lambda kind: kind.TOPIC))


def recorded(topic: str, state: bytes) -> Recorded:
    """Return an event as a log would hold it."""
    return Recorded(7, STREAM, 1, topic, state)


def example(kind: Any, *, full: bool, name: str = "x") -> Any:
    """Return one fixed instance of a kind: with every field set, or with only those that have no default."""
    if attrs.has(kind):
        fields = attrs.fields(attrs.resolve_types(kind))
        given_fields = [field for field in fields if full or field.default is attrs.NOTHING]
        return kind(**{field.alias: example(field.type, full=full, name=field.name) for field in given_fields})
    if isinstance(kind, type) and issubclass(kind, Enum):
        return list(kind)[-1]
    arguments = get_args(kind)
    if get_origin(kind) is tuple:
        return (example(arguments[0], full=full, name=name),)
    if arguments:
        return example(arguments[0], full=full, name=name)
    plain = {int: len(name), str: f"{name} ä€", bool: True, UUID: UUID(int=len(name)), float: 0.5}
    return plain[kind]


def golden_now() -> dict[str, dict[str, str]]:
    """Seal an example of every event, with every field and with as few as can be."""
    return {
        f"{kind.TOPIC} {'full' if full else 'least'}": {
            "state": codec.seal(
                example(kind, full=full), id=EVENT_ID, at_ns=AT_NS, context=CONTEXT if full else Context()
            ).hex(),
        }
        for kind in sorted(EVENTS.values(), key=lambda kind: kind.TOPIC)
        for full in (True, False)
    }


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), kind=KINDS, at_ns=st.integers(0, 2**64 - 1), event_id=st.uuids())
def test_what_is_sealed_can_be_opened(anything, data, kind, at_ns, event_id):
    """Every event comes back equal, with its id, its time and who caused it."""
    event, context = data.draw(anything(kind)), data.draw(anything(Context))
    fact = codec.open_envelope(recorded(kind.TOPIC, codec.seal(event, id=event_id, at_ns=at_ns, context=context)))
    assert fact == (7, STREAM, 1, event_id.bytes, at_ns, event, context)
    assert fact.id == event_id
    assert type(fact.event) is kind


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), kind=KINDS)
def test_the_bytes_of_an_event_are_its_own(anything, data, kind):
    """Sealing again what was opened gives the same bytes, so a copied log has the same Merkle root (law 8)."""
    event = data.draw(anything(kind))
    sealed = codec.seal(event, id=EVENT_ID, at_ns=AT_NS)
    again = codec.open_envelope(recorded(kind.TOPIC, sealed))
    assert codec.seal(again.event, id=again.id, at_ns=again.at_ns, context=again.context) == sealed


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_the_state_of_a_download_comes_back_equal(anything, data):
    """What a view keeps is what it was given."""
    download = data.draw(anything(Download))
    assert codec.load_download(codec.dump_download(download)) == download


@pytest.mark.row("S1.7")
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), kind=KINDS, full=st.booleans())
def test_a_truncated_event_is_damage_and_nothing_else(data, kind, full):
    """Wherever it is cut, it is not taken for a shorter event, and no other error comes out."""
    sealed = codec.seal(example(kind, full=full), id=EVENT_ID, at_ns=AT_NS, context=CONTEXT)
    cut = data.draw(st.integers(0, len(sealed) - 1))
    with pytest.raises(LogDamaged) as caught:
        codec.open_envelope(recorded(kind.TOPIC, sealed[:cut]))
    assert caught.value.hint


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.row("S1.7")
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), kind=KINDS)
def test_a_garbled_event_is_damage_or_an_event_and_never_another_error(data, kind):
    """Other bytes, other JSON and other types of values: it opens, or it says that it cannot be read."""
    sealed = codec.seal(example(kind, full=True), id=EVENT_ID, at_ns=AT_NS, context=CONTEXT)
    payload = json.loads(sealed[sealed.rindex(b"}{") + 1 :]) if b"}{" in sealed else {}
    how = data.draw(st.sampled_from(("flip", "insert", "value", "json", "bytes")))
    if how == "flip":
        at = data.draw(st.integers(1, len(sealed) - 1))
        garbled = sealed[:at] + bytes([data.draw(st.integers(0, 255))]) + sealed[at + 1 :]
    elif how == "insert":
        at = data.draw(st.integers(1, len(sealed)))
        garbled = sealed[:at] + data.draw(st.binary(min_size=1, max_size=4)) + sealed[at:]
    elif how == "bytes":
        garbled = sealed[:1] + data.draw(st.binary(max_size=80))
    else:
        if how == "value" and payload:
            payload[data.draw(st.sampled_from(sorted(payload)))] = data.draw(JSON)
        else:
            payload = data.draw(JSON)
        words = sealed[: sealed.rindex(b"}{") + 1] if b"}{" in sealed else sealed[:27]
        garbled = words + json.dumps(payload).encode()
    try:
        fact = codec.open_envelope(recorded(kind.TOPIC, garbled))
    except LogDamaged:
        return
    assert type(fact.event) is kind


@pytest.mark.parametrize(
    "payload",
    [b"", b"null", b"[]", b"3", b'"text"', b"{", b"{}", b"\xff", b"[" * 5000, b'{"worker":5}', b'{"worker":null}',
     b'{"worker":"zz"}', b'{"worker":{}}', b'{"worker":"00000000000000000000000000000001","version":1e999}'],
)  # fmt: skip
def test_each_way_of_not_being_an_event_is_damage(payload):
    """Types, depths, numbers and encodings that a reader might stumble over."""
    header = codec.seal(EVENTS["lading.paused.v1"](), id=EVENT_ID, at_ns=AT_NS)[:27]
    with pytest.raises(LogDamaged):
        codec.open_envelope(recorded("lading.engine-opened.v1", header + payload))


@pytest.mark.parametrize("form", [2, 3, 255])
def test_an_envelope_of_a_later_format_stops_the_program(form):
    """A newer program wrote it; this one would misread it."""
    sealed = codec.seal(EVENTS["lading.paused.v1"](), id=EVENT_ID, at_ns=AT_NS)
    with pytest.raises(StoreNewer):
        codec.open_envelope(recorded("lading.paused.v1", bytes([form]) + sealed[1:]))


def test_an_envelope_of_no_format_is_damage():
    """Nobody ever wrote format 0, so upgrading would not help; zeros are what a torn write leaves."""
    sealed = codec.seal(EVENTS["lading.paused.v1"](), id=EVENT_ID, at_ns=AT_NS)
    for state in (b"\0" + sealed[1:], bytes(len(sealed))):
        with pytest.raises(LogDamaged):
            codec.open_envelope(recorded("lading.paused.v1", state))


def test_an_event_that_nobody_explained_is_small():
    """Twenty-seven bytes of envelope and what differs from the defaults: millions of them lie in a log."""
    assert len(codec.seal(EVENTS["lading.paused.v1"](), id=EVENT_ID, at_ns=AT_NS)) == 29


def test_the_bytes_of_version_1_never_change():
    """What was sealed once is sealed so for ever; a new shape needs a new topic (compare `lading.domain.upcasting`).

    To add the rows of a new event, run this file as a program; a row that exists must never change.
    """
    held = json.loads(GOLDEN.read_text())
    assert {row: held.get(row) for row in golden_now()} == golden_now()


@pytest.mark.parametrize("row", sorted(json.loads(GOLDEN.read_text())) if GOLDEN.exists() else ["missing"])
def test_the_golden_bytes_can_be_opened(row):
    """A log of the first format reads as what was written then, defaults included."""
    topic, _, size = row.partition(" ")
    sealed = bytes.fromhex(json.loads(GOLDEN.read_text())[row]["state"])
    fact = codec.open_envelope(recorded(topic, sealed))
    full = size == "full"
    if topic in EVENTS:
        assert fact.event == example(EVENTS[topic], full=full)
    else:
        assert codec.seal(fact.event, id=fact.id, at_ns=fact.at_ns, context=fact.context) == sealed
    assert (fact.id, fact.at_ns, fact.context) == (EVENT_ID, AT_NS, CONTEXT if full else Context())


def test_the_golden_table_is_whole_and_small():
    """Two rows for every event and every shape that one has had, one with as few fields as can be."""
    assert len(json.loads(GOLDEN.read_text())) == 2 * len(EVENTS | UPCASTERS)
    assert GOLDEN.stat().st_size <= 50_000


if __name__ == "__main__":
    held = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    GOLDEN.write_text(json.dumps({**golden_now(), **held}, indent=1, sort_keys=True) + "\n")
