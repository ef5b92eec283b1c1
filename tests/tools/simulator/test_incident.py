"""The file of an incident: it tells no names, and whatever is done to it, it is read or refused."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import random
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lading.domain.errors import IntegrityError, StoreNewer, UsageError
from lading.domain.events import Paused
from lading.tools.simulator import incident as files
from lading.tools.simulator.command import read
from lading.tools.simulator.rerun import rerun
from lading.tools.simulator.tuning import rebuilt

pytestmark = pytest.mark.row("C.6")


def lines(path):
    """The objects of an incident."""
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def packed(path: Path, rows) -> Path:
    """Write objects as an incident, with the trailer that they should have."""
    body = b"".join(json.dumps(row).encode() + b"\n" for row in rows if "end" not in row)
    events = sum("topic" in row for row in rows)
    end = json.dumps({"end": events, "sha256": hashlib.sha256(body).hexdigest()}).encode() + b"\n"
    path.write_bytes(gzip.compress(body + end))
    return path


@pytest.fixture
def made(incident, stories):
    """An incident with everything in it that has a name."""
    return incident(stories["uneven"], concurrency=2)


def test_no_name_of_the_original_is_in_it(made):
    """No host, path, tag, key, URL, digest or id: neither in the file nor in what it unpacks to."""
    told = gzip.decompress(made.path.read_bytes())
    for data in (told, made.path.read_bytes()):
        for word in (
            b"secret",
            b"private",
            b"path-",
            b"example",
            b"busy.",
            b".bin",
            b"simulat",
            b"018bcfe5",
            b"/downloads",
        ):
            assert word not in data, word
    assert b"etag" in told
    assert b'"sha256":"' in told.splitlines()[-1]
    assert told.count(b"sha256") == 1


def test_what_was_equal_stays_equal_and_two_files_have_nothing_in_common(incident, stories):
    """Hosts of one file can be told apart, and not be found again in another."""
    hosts = []
    for _ in range(2):
        rows = lines(incident(stories["uneven"], concurrency=2).path)
        urls = [row["data"]["order"]["sources"][0]["url"] for row in rows if row.get("topic") == "lading.queued.v2"]
        hosts.append([url.split("/")[2] for url in urls])
    assert [len(set(one)) for one in hosts] == [2, 2]
    assert [[one.count(host) for host in one] for one in hosts] == [[9] * 9 + [1]] * 2
    assert not set(hosts[0]) & set(hosts[1])


def test_what_is_to_be_kept_is_kept_and_nothing_else(incident, stories):
    """Who may show hosts and tags shows these; paths are never shown."""
    made = incident(stories["uneven"], more={"keep": ("hosts", "tags")}, concurrency=2)
    told = gzip.decompress(made.path.read_bytes())
    assert b"secret-host.example" in told
    assert b"secret-tag" in told
    assert b"path-" not in told
    assert b"secret-key" not in told
    assert lines(made.path)[0]["kept"] == ["hosts", "tags"]


def test_times_count_from_its_beginning(made):
    """When it was is not told."""
    rows = lines(made.path)
    assert rows[1]["at"] == 0
    assert max(row.get("at", 0) for row in rows) < 60 * 10**9
    assert "17000000" not in json.dumps(rows)


def test_one_that_cannot_be_finished_leaves_what_was_there(made, monkeypatch):
    """A file is replaced whole or not at all, and no draft stays."""
    before = made.path.read_bytes()
    with pytest.raises(UsageError, match="at most 14 days"), files.writing(made.path, replace=True) as writer:
        writer.event(15 * 86_400 * 10**9, UUID(int=1), Paused())
    assert made.path.read_bytes() == before
    assert [path.name for path in made.path.parent.iterdir()] == [made.path.name]
    with pytest.raises(UsageError), files.writing(made.path / "below"):
        pass
    monkeypatch.setattr(files, "MOST_EVENTS", 3)
    with pytest.raises(IntegrityError, match="more than 3 events"):
        read(made.path)


def test_one_that_is_newer_or_none_is_refused(made, tmp_path):
    """Exit 3 for what a newer version wrote, 2 for what is no incident; both say what to do."""
    rows = lines(made.path)
    with pytest.raises(StoreNewer):
        read(packed(tmp_path / "a", [{**rows[0], "format": 2, "what": "else"}, *rows[1:]]))
    for other in (b"", b"hello", gzip.compress(b"{}\n"), gzip.compress(b'{"lading": "home"}\n')):
        (tmp_path / "a").write_bytes(other)
        with pytest.raises((UsageError, IntegrityError)) as caught:
            read(tmp_path / "a")
        assert caught.value.hint
    for missing in (tmp_path / "nothing", tmp_path):
        with pytest.raises(UsageError):
            read(missing)


def test_each_place_at_which_it_breaks_off_is_noticed(made, tmp_path):
    """Also where the compression is whole, and only lines are missing."""
    whole, rows = made.path.read_bytes(), gzip.decompress(made.path.read_bytes()).splitlines(keepends=True)
    for end in range(0, len(whole), 149):
        (tmp_path / "a").write_bytes(whole[:end])
        with pytest.raises((IntegrityError, UsageError)):
            read(tmp_path / "a")
    for count in range(1, len(rows), 3):
        (tmp_path / "a").write_bytes(gzip.compress(b"".join(rows[:count])))
        with pytest.raises(IntegrityError):
            read(tmp_path / "a")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_flipped_bit_goes_unnoticed(made, tmp_path, data):
    """In the file as it lies there, or in what it unpacks to."""
    whole = made.path.read_bytes()
    if data.draw(st.booleans()):
        bit = data.draw(st.integers(80, 8 * len(whole) - 1))
        (tmp_path / "a").write_bytes(_flipped(whole, bit))
    else:
        body = gzip.decompress(whole)
        bit = data.draw(st.integers(0, 8 * len(body) - 1))
        (tmp_path / "a").write_bytes(gzip.compress(_flipped(body, bit)))
    with pytest.raises((IntegrityError, UsageError, StoreNewer)):
        read(tmp_path / "a")


def test_a_retry_for_a_cause_that_there_is_not_is_damage(made, tmp_path):
    """It is told before the end of the file, where its digest is, has been read."""
    body = gzip.decompress(made.path.read_bytes())
    assert b'"cause":"busy"' in body
    (tmp_path / "a").write_bytes(gzip.compress(body.replace(b'"cause":"busy"', b'"cause":"3usy"')))
    with pytest.raises(IntegrityError, match="a cause that there is not"):
        read(tmp_path / "a")


def _flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_what_has_no_end_is_not_taken_in(tmp_path):
    """A line without an end, and a file that unpacks to very much, cost no memory."""
    (tmp_path / "a").write_bytes(gzip.compress(b" " * (64 << 20)))
    with pytest.raises(IntegrityError, match="has no end"):
        read(tmp_path / "a")


ODD = (None, -1, 0, 1, 2**61, 2**63, 2**80, 1.5, True, "", "x", "\x00\x1b[2J", "http://", [], {}, [[]], "9" * 5000)


def spoil(value, dice):
    """Change one value somewhere within another."""
    if isinstance(value, dict) and value and dice.random() < 0.9:
        name = dice.choice(sorted(value))
        return {key: inner for key, inner in value.items() if key != name or dice.random() < 0.9} | (
            {name: spoil(value[name], dice)} if dice.random() < 0.9 else {}
        )
    if isinstance(value, list) and value and dice.random() < 0.8:
        at = dice.randrange(len(value))
        return [*value[:at], spoil(value[at], dice), *value[at + 1 :]]
    return dice.choice(ODD)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_a_hostile_one_is_decided_again_or_refused(made, tmp_path, seed):
    """Whatever stands in a line, and in whatever order, nothing but an error of ours comes of it."""
    dice, rows = random.Random(seed), lines(made.path)
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(rows) - 1)
        match dice.randrange(4):
            case 0:
                rows[at], rows[-2] = rows[-2], rows[at]
            case 1:
                rows.insert(at, rows[dice.randrange(1, len(rows) - 1)])
            case _:
                rows[at] = spoil(rows[at], dice)
                rows[at] = rows[at] if isinstance(rows[at], dict) else {"at": rows[at]}
    with contextlib.suppress(UsageError, StoreNewer, IntegrityError):
        header, told, _ = read(packed(tmp_path / "a", rows))
        rerun(told, rebuilt(header.settings), second=header.second or 0)
