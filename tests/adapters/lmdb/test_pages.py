"""Pages read without LMDB are what LMDB reads; damage is told, and ends nothing."""

from __future__ import annotations

import random
from pathlib import Path
from uuid import UUID

import lmdb
import pytest

from lading.adapters.lmdb import LMDBLog
from lading.adapters.lmdb.pages import Broken, Pages
from lading.adapters.lmdb.salvage import DamagedLog
from lading.domain.ports import Entry, Recorded


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The file of a log with several levels of pages, and long records on pages of their own."""
    log = LMDBLog(tmp_path / "log")
    dice = random.Random(1)
    for stream in range(1, 40):
        sizes = [dice.choice([10, 200, 3000, 9000]) for _ in range(25)]
        log.append([[Entry(UUID(int=stream), n, f"t:{n % 3}", dice.randbytes(s)) for n, s in enumerate(sizes, 1)]])
    log.close()
    return tmp_path / "log" / "data.mdb"


def test_it_reads_what_lmdb_reads(data: Path) -> None:
    """Every table, every key, every value, long ones included."""
    handle = lmdb.Environment(str(data.parent), max_dbs=16, readonly=True)
    with Pages(data) as pages, handle.begin() as txn:
        tables = pages.tables(pages.states()[0])
        assert set(tables) == {b"log", b"idx", b"topic", b"snap", b"trk", b"meta"}
        for name, tree in tables.items():
            expected = list(txn.cursor(handle.open_db(name, txn=txn, create=False)))
            assert list(pages.items(tree)) == expected
            assert tree.entries == len(expected)
    handle.close()


@pytest.mark.parametrize("seed", range(40))
def test_damage_never_makes_an_event_of_its_own(seed: int, data: Path) -> None:
    """Whatever is overwritten: the prefix is a beginning of what was stored, and what lies behind it was stored too."""
    with DamagedLog(data.parent) as log:
        before = list(log.prefix())
    dice = random.Random(seed)
    content = bytearray(data.read_bytes())
    for _ in range(dice.choice([1, 1, 3, 20])):
        at = dice.randrange(len(content) // 2)
        if dice.random() < 0.5:
            content[at] ^= 1 << dice.randrange(8)
        else:
            noise = dice.randbytes(dice.choice([4, 64, 4096]))
            content[at : at + len(noise)] = noise
    data.write_bytes(content[: dice.choice([len(content), len(content) // 2])])
    with DamagedLog(data.parent) as log:
        *taken, last = [*log.prefix(), None]
        events = [found for found in taken if isinstance(found, Recorded)]
        assert events == before[: len(events)]
        assert len(taken) - len(events) <= 1
        assert last is None
        assert set(log.beyond(len(events))) <= set(before)
        list(log.indexed(0))


def test_a_broken_page_costs_what_lies_below_it(data: Path) -> None:
    """The others are walked, and it is told which it was."""
    with Pages(data) as pages:
        tree = pages.tables(pages.states()[0])[b"log"]
        whole = list(pages.items(tree))
    content = bytearray(data.read_bytes())
    content[tree.root * 4096 : tree.root * 4096 + 8] = bytes(8)
    data.write_bytes(content)
    told: list[Broken] = []
    with Pages(data) as pages:
        assert list(pages.items(tree, told.append)) == []
    assert str(tree.root) in str(told[0])
    assert whole
