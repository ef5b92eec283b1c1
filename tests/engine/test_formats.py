"""Committed homes of every format so far: they open, and show what they showed when they were made.

Made by `python -m lading.tools.format_home tests/homes/format-N`, once for each format.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from uuid import UUID

import pytest
import trio

import lading
from lading.adapters.lmdb import LMDBStore
from lading.adapters.vault import SealedVault
from lading.domain import digests, holdings
from lading.domain import events as e
from lading.home import FORMAT
from lading.tools import format_home

HOMES = sorted((Path(__file__).parents[1] / "homes").glob("format-*"))

pytestmark = [
    pytest.mark.row("S3.2"),
    pytest.mark.filterwarnings("ignore::lading.adapters.lmdb.ground.GroundWarning"),
]


@pytest.fixture(params=HOMES, ids=lambda path: path.name)
def kept(request, tmp_path):
    """A copy of a committed home, its files, and what is expected of it."""
    return shutil.copytree(request.param, tmp_path / "kept")


def known(rows: list[dict], expected: list[dict]) -> list[dict]:
    """Rows with the fields that there were then: fields only grow."""
    return [{name: row[name] for name in then} for row, then in zip(rows, expected, strict=True)]


def test_there_is_a_home_of_every_format():
    """Also of today's."""
    assert [path.name for path in HOMES] == [f"format-{number}" for number in range(1, FORMAT + 1)]


async def test_a_home_of_an_older_format_shows_what_it_showed(kept):
    """Its listing and its history, from views that are made of its log, and made anew."""
    expected = json.loads((kept / "expected.json").read_text())
    async with lading.open_engine(kept / "home", downloads=kept / "files", role="client") as engine:
        for _ in range(2):
            assert known(await engine.listing(), expected["listing"]) == expected["listing"]
            assert known(engine.reading.history(), expected["history"]) == expected["history"]
            assert engine.reading.views.verify() == []
            engine.reading.views.rebuild()


async def test_a_home_of_an_older_format_has_every_kind_of_event_and_its_parts_hold_what_they_say(kept):
    """Each event is read; the pieces that it vouches for are in the files beside it."""
    async with lading.open_engine(kept / "home", downloads=kept / "files", role="client") as engine:
        engine.reading.catch_up()
        facts = engine.reading.facts(limit=10_000)
        assert len({type(fact.event) for fact in facts}) >= 25
        checked = 0
        for download in engine.reading.downloads():
            events = [fact.event for fact in facts if fact.stream == download.id]
            if download.state is lading.State.COMPLETED:
                content = (kept / "files" / download.path).read_bytes()
                assert digests.of(content, "sha256") == download.digest
                checked += 1
            for piece in holdings.standing(events) if download.state is lading.State.PAUSED else ():
                content = (kept / "files" / download.part).read_bytes()
                assert digests.of(content[piece.start : piece.end], "sha256") == piece.digest
                checked += 1
        assert checked >= 7


async def test_a_home_of_an_older_format_can_be_worked_on(kept):
    """Its owner has nothing to recover, and controls what is there."""
    async with lading.open_engine(kept / "home", downloads=kept / "files", role="owner") as engine:
        before = engine.reading.facts(limit=10_000)
        assert isinstance(before[-1].event, e.EngineOpened)
        (paused,) = await engine.listing(state="paused")
        await engine.cancel(UUID(paused["id"]))
        await engine.remove(*[download.id for download in engine.reading.downloads(state="failed")])
        assert list((kept / "files").rglob("*.part")) == []
        (named,) = [row for row in await engine.listing() if row["key"]]
        again = await engine.submit(lading.Request("http://files.example/large", key=named["key"]))
        assert str(again.id) == named["id"]


def test_the_vault_of_an_older_format_still_opens(kept):
    """With the secrets that were put into it."""
    expected = json.loads((kept / "expected.json").read_text())
    vault = SealedVault(kept / "home" / "vault", LMDBStore)
    for id, (*urls, headers) in expected["secrets"].items():
        held = vault.recall(UUID(id))
        assert [*held.urls] == urls
        assert held.headers == headers
    vault.close()
    assert expected["secrets"]


async def test_a_home_can_be_made_for_the_next_format(tmp_path):
    """The tool works with today's code: what it makes shows what it says."""
    await trio.to_thread.run_sync(format_home.make, tmp_path / "made")
    expected = json.loads((tmp_path / "made" / "expected.json").read_text())
    async with lading.open_engine(tmp_path / "made" / "home", downloads=tmp_path, role="client") as engine:
        assert await engine.listing() == expected["listing"]
        assert engine.reading.history() == expected["history"]
