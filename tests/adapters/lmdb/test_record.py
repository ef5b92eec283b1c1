"""How one event lies in the log."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lading.adapters.lmdb.record import (
    UnknownTopic,
    choose,
    decode,
    encode,
    index_key,
    is_whole,
    pack_number,
    stream_prefix,
    topic_code,
)
from lading.domain.errors import LogDamaged, StoreNewer

VERSIONS = st.integers(min_value=0, max_value=2**64 - 1)
STREAMS = st.uuids() | st.text(max_size=700)
ONE = UUID(int=1)


def record_of(stream: UUID | str, version: int, topic: int, state: bytes) -> bytes:
    """Return the record of one event whose topic has this number."""
    _, (record,) = encode([(stream, version, "t", state)], {"t": topic})
    return record


@given(STREAMS, VERSIONS, st.integers(0, 3), st.binary(max_size=300), VERSIONS)
@example("", 0, 0, b"", 0)
def test_a_record_comes_back_as_it_went_in(
    stream: UUID | str, version: int, topic: int, state: bytes, position: int
) -> None:
    """Any stream, version, topic and state, under any position."""
    names = ["a", "b", "c", "d"]
    found = decode([(pack_number(position), record_of(stream, version, topic, state))], names)
    assert found == [(position, stream, version, names[topic], state)]


@given(STREAMS, VERSIONS, st.binary(max_size=100), st.data())
def test_no_bit_of_a_record_changes_unnoticed(
    stream: UUID | str, version: int, state: bytes, data: st.DataObject
) -> None:
    """One bit turned over anywhere, and reading it names the position."""
    record = bytearray(record_of(stream, version, 0, state))
    bit = data.draw(st.integers(0, len(record) * 8 - 1))
    record[bit // 8] ^= 1 << bit % 8
    assert not is_whole(bytes(record))
    with pytest.raises(LogDamaged, match="position 77"):
        decode([(pack_number(77), bytes(record))], ["t"])
    with pytest.raises(LogDamaged, match="position 77"):
        choose([(pack_number(77), bytes(record))], frozenset())


@given(st.uuids() | st.text(max_size=700), st.binary(max_size=60), st.data())
def test_a_record_cut_short_is_noticed(stream: UUID | str, state: bytes, data: st.DataObject) -> None:
    """At any length, the empty one included."""
    record = record_of(stream, 1, 0, state)
    cut = record[: data.draw(st.integers(0, len(record) - 1))]
    assert not is_whole(cut)
    with pytest.raises(LogDamaged):
        decode([(pack_number(1), cut)], ["t"])
    with pytest.raises(LogDamaged):
        choose([(pack_number(1), cut)], frozenset())


def test_four_zero_bytes_are_no_record() -> None:
    """Although they are the checksum of nothing."""
    assert not is_whole(bytes(4))
    for read in (lambda: decode([(pack_number(1), bytes(4))], ["t"]), lambda: choose([(b"", bytes(4))], frozenset())):
        with pytest.raises(LogDamaged):
            read()


@given(STREAMS, STREAMS, VERSIONS, VERSIONS)
@example("a", "a\x00", 1, 1)
@example("", "\x00" * 8, 1, 1)
def test_keys_of_two_streams_never_mix(one: UUID | str, other: UUID | str, low: int, high: int) -> None:
    """The key of one stream's version never begins with another stream's prefix, and versions sort by number."""
    prefix = stream_prefix(one)
    if one != other:
        assert not (stream_prefix(other) + pack_number(low)).startswith(prefix)
    assert (prefix + pack_number(low) < prefix + pack_number(high)) == (low < high)
    assert len(prefix) + 8 <= 511


@given(STREAMS, VERSIONS)
def test_a_record_knows_its_own_index_key(stream: UUID | str, version: int) -> None:
    """What verification compares with the index."""
    assert index_key(record_of(stream, version, 3, b"x")) == stream_prefix(stream) + pack_number(version)


def test_an_unknown_topic_names_its_position() -> None:
    """A number that the table of topics does not have, for both kinds of streams."""
    for stream in (uuid4(), "text"):
        with pytest.raises(UnknownTopic, match=r"position 5 .* number 1"):
            decode([(pack_number(5), record_of(stream, 1, 1, b""))], ["only"])


def test_a_later_format_is_not_misread(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record whose format byte is higher stops the reader instead of being guessed at."""
    monkeypatch.setattr("lading.adapters.lmdb.record.RECORD_FORMAT", 2)
    later = record_of(ONE, 1, 0, b"")
    monkeypatch.undo()
    with pytest.raises(StoreNewer, match="format 2"):
        decode([(pack_number(1), later)], ["t"])


def test_records_are_chosen_by_topic() -> None:
    """Only those of the topics asked for."""
    items = [(pack_number(n), record_of(ONE, n, n % 3, b"")) for n in range(1, 10)]
    assert choose(items, frozenset({topic_code(2)})) == [items[1], items[4], items[7]]
