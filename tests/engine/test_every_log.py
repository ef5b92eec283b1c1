"""The same story on every log that an engine can stand on: the same facts, the same views, the same files."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
import trio

import lading
from lading.domain import events as e
from lading.domain.replies import OVERLAP_BYTES
from lading.tools.origin import Behaviour, Drop, Origin, Refusal, Resource

pytestmark = [
    pytest.mark.row("C.4"),
    pytest.mark.row("C.1"),
    pytest.mark.row("C.2"),
    pytest.mark.timeout(60),
    pytest.mark.filterwarnings("ignore::lading.adapters.lmdb.ground.GroundWarning"),
]

GOOD, BROKEN, MISSING, SLOW = "good", "broken", "missing", "slow"


@pytest.fixture
def origin():
    """One of each."""
    with Origin([Resource(GOOD, 2_500_000), Resource(BROKEN, 300_000), Resource(SLOW, 9_000_000)]) as origin:
        origin.set(BROKEN, Behaviour(drop=Drop(after=100_000, times=2)))
        origin.set(SLOW, Behaviour(rate=3_000_000))
        yield origin


async def story(origin: Origin, home, folder, log: str | None) -> list[UUID]:
    """Download, fail, retry, prioritise, pause, resume, cancel, remove."""
    async with lading.open_engine(home, downloads=folder, log=log, actor="me") as engine:
        names = (GOOD, BROKEN, MISSING, SLOW)
        asked = [lading.Request(origin.url(name), tags=("t", name), key=f"key {name}") for name in names]
        good, broken, missing, slow = [d.id for d in await engine.submit_many(asked)]
        assert (await engine.wait(good)).ok
        outcome = await engine.wait(broken)
        assert (outcome.ok, outcome.attempts, outcome.resumed_from) == (True, 3, 200_000 - OVERLAP_BYTES)
        assert not (await engine.wait(missing)).ok
        with trio.fail_after(10):
            async for fact in engine.follow(slow):
                if isinstance(fact.event, e.Probed):
                    break
        await engine.pause(slow)
        await engine.prioritise(3, slow)
        await engine.resume(slow)
        await engine.cancel(slow)
        await engine.remove(missing)
        return [good, broken, missing, slow]


def told(rows: list[dict], ids: list[UUID]) -> list[dict]:
    """Rows without what differs from run to run."""
    keep = ("key", "state", "path", "priority", "tags", "error", "digest", "success", "assurance", "bytes")
    place = {str(id): number for number, id in enumerate(ids)}
    return sorted(
        ({"id": place[row["id"]]} | {name: row[name] for name in keep if name in row} for row in rows),
        key=lambda row: row["id"],
    )


@pytest.mark.parametrize("url", [None, "lmdb:elsewhere", "sqlite:log.db", "memory:"])
async def test_a_story_ends_the_same_on_every_log(url, origin, tmp_path):
    """Listing, history and the names of all events."""
    home, folder = tmp_path / "home", tmp_path / "files"
    ids = await story(origin, home, folder, url)
    if url == "memory:":
        return
    async with lading.open_engine(home, downloads=folder, log=url, role="client") as engine:
        listing = await engine.listing()
        history = engine.reading.history()
        facts = engine.reading.facts()
        removed = await engine.listing(state="removed")
    assert [row["state"] for row in listing] == ["completed", "completed", "cancelled"]
    ends = [(GOOD, "completed", 0), (BROKEN, "completed", 0), (MISSING, "removed", 0), (SLOW, "cancelled", 3)]
    assert told(listing + removed, ids) == [
        {"id": n, "key": f"key {name}", "state": state, "path": name, "priority": priority, "tags": ["t", name]}
        | {"error": None}
        for n, (name, state, priority) in enumerate(ends)
    ]
    assert [row["attempts"] for row in listing[:2]] == [1, 3]
    ended = told(history, ids)
    assert [row["success"] for row in ended] == [True, True, False, False]
    assert ended[0]["digest"] == Resource(GOOD, 2_500_000).digest()
    assert ended[1]["digest"] == Resource(BROKEN, 300_000).digest()
    assert {fact.context.actor for fact in facts} == {"me"}
    assert len({fact.position for fact in facts}) == len(facts)
    names = [type(f.event).__name__ for f in facts if f.stream == ids[1] and not isinstance(f.event, e.Reprioritised)]
    assert re.sub("(Progressed )+", "Progressed ", " ".join(names)) == (
        "Queued Started Probed Progressed RetryScheduled Started Probed Progressed RetryScheduled Started Completed"
    )
    assert sorted(path.name for path in folder.iterdir() if path.suffix != ".kept") == [BROKEN, GOOD]


@pytest.mark.parametrize("url", [None, "sqlite:log.db"])
async def test_an_engine_goes_on_where_the_last_one_stopped_on_every_lasting_log(url, origin, tmp_path):
    """The log is what outlives it, whichever it is."""
    home, folder = tmp_path / "home", tmp_path / "files"
    async with lading.open_engine(home, downloads=folder, log=url) as engine:
        id = (await engine.submit(lading.Request(origin.url(SLOW)))).id
        async for fact in engine.follow(id):
            if isinstance(fact.event, e.Probed):
                break
        await trio.sleep(0.4)
    origin.set(SLOW, Behaviour())
    async with lading.open_engine(home, downloads=folder, log=url) as engine:
        outcome = await engine.wait(id)
        assert engine.reading.views.verify() == []
    assert outcome.ok
    assert outcome.resumed_from > 0
    assert (folder / SLOW).read_bytes() == Resource(SLOW, 9_000_000).read()


async def test_the_views_of_one_log_are_not_taken_for_those_of_another(origin, tmp_path):
    """Two logs used in turn on one home: each shows its own downloads."""
    home = tmp_path / "home"
    origin.set(GOOD, Behaviour(refusals=(Refusal(404, times=None),)))
    for url, name in ((None, "one"), ("sqlite:log.db", "two"), (None, "three"), ("sqlite:log.db", "four")):
        async with lading.open_engine(home, downloads=tmp_path, log=url, role="client") as engine:
            await engine.submit(lading.Request(origin.url(name)))
    for url, names in ((None, ["one", "three"]), ("sqlite:log.db", ["two", "four"])):
        async with lading.open_engine(home, downloads=tmp_path, log=url, role="client") as engine:
            assert [row["url"].rpartition("/")[2] for row in await engine.listing()] == names
            assert engine.reading.views.verify() == []
