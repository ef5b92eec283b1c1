"""Rows of a database that are not as they were written are damage, each at its position, to whoever reads them."""

from __future__ import annotations

import sqlite3
from uuid import UUID

import pytest

from lading.adapters.memory_recorder import MemoryRecorder
from lading.adapters.recorder_log import RecorderLog
from lading.domain.errors import LogDamaged
from lading.domain.ports import Entry
from lading.logs import open_log

pytestmark = pytest.mark.row("C.4")

STREAM = UUID(int=7)
EVENTS = 40
FOREIGN = [
    "state = 'a text'",
    "state = 5",
    "state = NULL",
    "state = CAST(x'ff00' AS TEXT)",
    "topic = NULL",
    "topic = ''",
    "topic = x'00ff'",
    "originator_id = 'zzz'",
    "originator_id = NULL",
    "originator_version = 'abc'",
    "originator_version = 2.5",
    "originator_version = -5",
    "originator_version = 0",
    "originator_version = NULL",
]


@pytest.fixture
def database(tmp_path):
    """A log in SQLite with some events of one stream."""
    log = open_log("sqlite:log.db", tmp_path)
    log.append([[Entry(STREAM, version, "t", b"state")] for version in range(1, EVENTS + 1)])
    yield log, tmp_path / "log.db"
    log.close()


def change(path, what):
    connection = sqlite3.connect(path)
    connection.execute(f"UPDATE stored_events SET {what}")  # a test's own words
    connection.commit()
    connection.close()


@pytest.mark.parametrize("position", [1, 23, EVENTS])
@pytest.mark.parametrize("what", FOREIGN)
def test_a_row_that_is_no_record_is_damage_at_its_position(what, position, database):
    """Whether its value raises something or passes for another; what lies before and behind it is read as ever."""
    log, path = database
    change(path, f"{what} WHERE rowid = {position}")
    with pytest.raises(LogDamaged, match=f"record {position} ") as caught:
        log.read()
    assert caught.value.position == position
    assert "lading verify" in caught.value.hint
    assert [each.position for each in log.read(0, position - 1)] == list(range(1, position))
    assert [each.position for each in log.read(position)] == list(range(position + 1, EVENTS + 1))


@pytest.mark.parametrize("what", [each for each in FOREIGN if "_id" not in each])
def test_the_stream_of_such_a_row_is_damage_too_and_is_not_gone_on_with(what, database):
    """A version that is not there is nothing to count from."""
    log, path = database
    change(path, f"{what} WHERE rowid = {EVENTS}")
    if "version" not in what or "abc" in what or "2.5" in what:
        with pytest.raises(LogDamaged):
            log.stream(STREAM)
    if "abc" in what:
        with pytest.raises(LogDamaged, match="none"):
            log.append([[Entry(STREAM, EVENTS + 1, "t", b"")]])


def test_a_mistake_of_a_recorder_is_not_taken_for_damage(monkeypatch):
    """What no row brings about stays what it is."""
    recorder = MemoryRecorder()
    log = RecorderLog(recorder)
    log.append([[Entry(STREAM, 1, "t", b"state")]])

    def mistaken(*_, **__):
        raise TypeError("a recorder's own")

    monkeypatch.setattr(recorder, "select_notifications", mistaken)
    with pytest.raises(TypeError, match="own"):
        log.read()
