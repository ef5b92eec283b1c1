"""Redaction lets nothing through that it was not told to: of every event that there is, and of those to come."""

from __future__ import annotations

import enum
from typing import get_args, get_origin, get_type_hints
from uuid import UUID

import attrs
import orjson
import pytest

from lading.adapters import codec
from lading.domain import events as e
from lading.domain.events import EVENTS
from lading.tools.simulator import shapes
from lading.tools.simulator.pseudonyms import Pseudonyms
from lading.tools.simulator.redaction import LEFT_OUT, redact

pytestmark = [pytest.mark.row("C.6"), pytest.mark.law(7)]

SECRET, ID = "sesame", UUID("5e5a3e00-0000-4000-8000-000000005e5a")
URL = f"https://{SECRET}.example:4433/{SECRET}"


def filled(kind, name=""):
    """Return a value of a type in which every text is a secret."""
    if get_origin(kind) is tuple:
        return (filled(get_args(kind)[0], name),)
    if get_args(kind):
        return filled(get_args(kind)[0], name)
    if attrs.has(kind):
        hints = get_type_hints(kind)
        values = {field.name: filled(hints[field.name], field.name) for field in attrs.fields(kind)}
        return kind(**values)
    if issubclass(kind, enum.Enum):
        return next(iter(kind))
    return {str: URL if name == "url" else SECRET, int: 1, bool: True, UUID: ID, float: 1.0}[kind]


@pytest.mark.parametrize("topic", sorted(EVENTS))
def test_no_text_and_no_id_of_any_event_comes_through(topic):
    """Each field of each event holds a secret; what is written holds none, and is of the shape that is read."""
    made = redact(filled(EVENTS[topic]), Pseudonyms(b"key"), 0)
    if made is None:
        return
    told = orjson.dumps(codec.CONVERTER.unstructure(made)).decode()
    for word in (SECRET, "4433", ID.hex, str(ID)):
        assert word not in told
    shapes.check(made)


def test_every_event_is_kept_or_left_out_on_purpose():
    """An event that comes to be is decided upon by whoever brings it; a repair is told as what it is."""
    left = {kind for kind in EVENTS.values() if redact(filled(kind), Pseudonyms(b"key"), 0) is None}
    assert left == LEFT_OUT
    asked = e.Resumed(fresh=True, overwrite=True, repair=True)
    assert redact(asked, Pseudonyms(b"key"), 0) == asked


def test_what_decides_comes_through():
    """Causes, reasons and flags of the engine's own words; others are told as others."""
    names = Pseudonyms(b"key")
    kept = redact(e.RetryScheduled(attempt=2, cause="busy", message=URL, not_before_ns=9, whole_host=True), names, 4)
    assert kept == e.RetryScheduled(attempt=2, cause="busy", message="", not_before_ns=5, whole_host=True)
    assert redact(e.Blocked(reason="network", message=URL), names, 0) == e.Blocked(reason="network")
    assert redact(e.Stopped(attempt=1, reason=URL), names, 0) == e.Stopped(attempt=1, reason="other")
    started = filled(e.Started)
    kept = redact(attrs.evolve(started, flags=("retry:on:30%", "retry:sesame", SECRET)), names, 0)
    assert kept.flags == ("retry:on:30%",)


def test_pseudonyms_keep_what_decides_and_differ_by_key():
    """Whether a host is this machine, whether a port is the scheme's own; equal stays equal, under one key only."""
    names, others = Pseudonyms(b"one"), Pseudonyms(b"two")
    assert names.url("http://127.0.0.1:8080/a").partition("/file")[0].split(".")[1].startswith("localhost:")
    assert names.url("https://h.example/a") == names.url("https://h.example/a") != others.url("https://h.example/a")
    assert ":" not in names.url("https://h.example/a").removeprefix("https:")
    assert names.place("[::1]:99") == f"{names.host('[::1]')}:{names.port(99)}"
    assert names.place("::1") == names.host("[::1]")
    assert names.place("h.example") == names.host("H.EXAMPLE")
    assert Pseudonyms(b"one", frozenset({"ids", "tags"})).id(ID) == ID != names.id(ID)
    assert Pseudonyms(b"one", frozenset({"tags"})).tag("a\x1b") != "a\x1b"
