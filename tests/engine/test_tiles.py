"""A ledger that is served as files has all that somebody needs to check it without us."""

from __future__ import annotations

import contextlib
import hashlib

import pytest

from lading import tiles
from lading.adapters import codec
from lading.domain import ledger as tree
from lading.domain.errors import UsageError
from lading.domain.events import NetworkChanged
from lading.domain.notes import Checkpoint, Note
from lading.domain.ports import Entry
from lading.notary import Notary
from lading.testing import MemoryLog, MemoryStore, SeededChance
from lading.tiles import publish, turn
from lading.views import Views

pytestmark = pytest.mark.row("C.5")
WORKER = SeededChance(1).uuid(0)


def grow(log, count):
    """Let so many events happen."""
    first = len(log.stream(WORKER)) + 1
    event = NetworkChanged(worker=WORKER, online=True)
    seal = [codec.seal(event, id=SeededChance(at).uuid(0), at_ns=at) for at in range(first, first + count)]
    log.append([[Entry(WORKER, at, event.TOPIC, state) for at, state in enumerate(seal, first)]])


def read_entries(folder, size):
    """Return the entries out of their bundles, as tlog-tiles names these."""
    for index in range(-(-size // 256)):
        width = min(256, size - index * 256)
        name = f"{index:03}" if width == 256 else f"{index:03}.p/{width}"
        data = (folder / "tile" / "entries" / name).read_bytes()
        while data:
            length = int.from_bytes(data[:2], "big")
            yield data[2 : 2 + length]
            data = data[2 + length :]


@pytest.mark.parametrize("steps", [[1], [255, 1], [256, 1], [700, 600], pytest.param([66_000], marks=pytest.mark.long)])
def test_whoever_has_the_files_has_the_root(tmp_path, steps):
    """Entries give the leaves, leaves the root that was signed; tiles are there for every level, and stay."""
    log = MemoryLog()
    with contextlib.closing(Views(log, lambda _: MemoryStore())) as views:
        notary = Notary(tmp_path / "home", "log", views)
        for step in steps:
            grow(log, step)
            note, _ = notary.sign()
            with views.read() as reader:
                assert publish(note, log, reader, tmp_path / "www") > 0
                assert publish(note, log, reader, tmp_path / "www") == 0
    found = Checkpoint.parse(Note.parse((tmp_path / "www" / "checkpoint").read_text()).text)
    leaves = [tree.leaf_of(entry) for entry in read_entries(tmp_path / "www", found.size)]
    assert len(leaves) == found.size == sum(steps)
    assert tree.root_of(leaves) == found.root
    whole = [path for path in (tmp_path / "www" / "tile" / "0").iterdir() if path.is_file()]
    assert sorted(path.name for path in whole) == [f"{index:03}" for index in range(found.size // 256)]
    for path in whole:
        first = int(path.name) * 256
        assert path.read_bytes() == b"".join(leaves[first : first + 256])
    if found.size >= 65_536:
        above = tmp_path / "www" / "tile" / "1" / "000"
        assert above.read_bytes()[:32] == tree.root_of(leaves[:256])
        assert (tmp_path / "www" / "tile" / "2" / "000.p" / "1").read_bytes() == tree.root_of(leaves[:65_536])


def test_what_is_not_of_this_ledger_is_written_over(tmp_path):
    """Tiles of another history that a kill left before the first checkpoint, damaged ones, and drafts."""
    log, www = MemoryLog(), tmp_path / "www"
    with contextlib.closing(Views(log, lambda _: MemoryStore())) as views:
        grow(log, 300)
        note, _ = Notary(tmp_path / "home", "log", views).sign()
        with views.read() as reader:
            publish(note, log, reader, www)
            files = [path for path in www.rglob("*") if path.is_file()]
            sound = {path: path.read_bytes() for path in files}
            (www / "checkpoint").unlink()
            for path in sound.keys() - {www / "checkpoint"}:
                path.write_bytes(b"another" + path.read_bytes()[7:])
                path.with_name(f".{path.name}.new").write_bytes(b"a draft")
            publish(note, log, reader, www)
            assert {path: path.read_bytes() for path in www.rglob("*") if path.is_file()} == sound
            (www / "tile" / "0" / "000").write_bytes(b"damaged")
            assert publish(note, log, reader, www) == 1
            assert {path: path.read_bytes() for path in www.rglob("*") if path.is_file()} == sound


def test_one_publishes_at_a_time(tmp_path, monkeypatch):
    """Whoever comes meanwhile waits for a while, and then is told."""
    monkeypatch.setattr(tiles, "WAIT_S", 0.05)
    first, second = turn(tmp_path / "www"), turn(tmp_path / "www")
    with first, pytest.raises(UsageError, match="another program publishes"), second:
        pass
    with turn(tmp_path / "www"):
        pass


def test_entries_tell_no_word_of_the_events(tmp_path):
    """They hold the digest of a state, and which event it is."""
    log = MemoryLog()
    grow(log, 1)
    with contextlib.closing(Views(log, lambda _: MemoryStore())) as views:
        note, _ = Notary(tmp_path / "home", "log", views).sign()
        with views.read() as reader:
            publish(note, log, reader, tmp_path / "www")
    (record,) = log.read(0, 1)
    (entry,) = read_entries(tmp_path / "www", 1)
    assert entry == (
        b"\1" + WORKER.bytes + (1).to_bytes(8, "big") + record.topic.encode() + hashlib.sha256(record.state).digest()
    )
