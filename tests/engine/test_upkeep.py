"""Maintenance through a whole engine: what is stale goes, what is wanted stays, and what has changed is told."""

from __future__ import annotations

from uuid import UUID

import pytest
import trio

from lading import upkeep
from lading.domain import events as e
from lading.domain.errors import IllegalCommand, UnknownDownload
from lading.domain.requests import IfExists, Request
from lading.domain.states import State
from lading.testing.simulation import World, run

pytestmark = pytest.mark.row("S3.6")

URL, FINAL = "http://a.example/f", "/downloads/f"
GONE = "http://a.example/gone"
DAY_S = 86_400
NEVER = {"maintenance_s": 0}


def orphan(id, attempt: int = 1, folder: str = "/downloads") -> str:
    return f"{folder}/.f.{id.hex[-8:]}.{attempt}.part"


async def half(world: World, engine, url: str = "http://a.example/half"):
    """Queue a download that fails with half of it received."""
    world.network.serve(url, b"h" * 400_000, break_after=200_000)
    id = (await engine.submit(Request(url, retries=0))).id
    await engine.wait(id)
    return id


@pytest.mark.row("S3.3")
def test_stale_failures_leave_the_queue_with_what_was_received_of_them(tale):
    """Once they are old enough, by the periodic task alone; the history keeps them, and what completed stays."""

    async def story(world: World) -> None:
        world.network.serve(URL, b"x" * 100)
        async with world.engine(maintenance_s=600, poll_s=60) as engine:
            failed = await half(world, engine)
            done = (await engine.submit(Request(URL))).id
            await engine.wait(done)
            await trio.sleep(700)
            assert (await engine.get(failed)).state is State.FAILED
            assert any(path.endswith(".part") for path in world.disk.paths())
            world.clock.stepped_ns += 31 * DAY_S * 10**9
            await trio.sleep(700)
            assert (await engine.get(failed)).state is State.REMOVED
            assert (await engine.get(done)).state is State.COMPLETED
            assert world.disk.paths() == [FINAL]
            assert str(failed) in {row["id"] for row in await engine.history()}
        (told,) = tale(world.log).all(e.Maintained)
        assert (told.failures, told.orphans, told.invalidated) == (1, 0, 0)
        assert told.bytes_reclaimed > 0
        assert tale(world.log).names(failed)[-3:] == ["Removed", "Quarantined", "Discarded"]

    run(1, story)


@pytest.mark.row("S0.3")
@pytest.mark.law(6)
def test_orphans_go_and_what_only_looks_like_one_stays(tale):
    """By its name, its folder, its attempt, and its lock, which somebody else may have."""

    async def story(world: World) -> None:
        world.network.serve(URL, b"x" * 100)
        async with world.engine(**NEVER) as engine:
            id = (await engine.submit(Request(URL))).id
            await engine.wait(id)
            failed = await half(world, engine)
            part = next(path for path in world.disk.paths() if path.endswith(".part"))
            for path in (orphan(id), orphan(failed), f"{orphan(id)}.new"):
                world.disk.put(path, b"o" * 10)
            others = [orphan(id, 2), orphan(id, 1, "/elsewhere"), "/downloads/.f.00000000.1.part", "/downloads/f.part"]
            for path in others:
                world.disk.put(path, b"mine")
            held = world.disk.open_part(f"/downloads/.g.{id.hex[-8:]}.1.part", create=True)
            tidied = await engine.clean()
            assert (tidied["orphans"], tidied["bytes_reclaimed"]) == (3, 30)
            assert set(world.disk.paths()) == {FINAL, part, held.path, *others}
            held.close()
            assert (await engine.clean())["orphans"] == 1
            assert set(world.disk.paths()) == {FINAL, part, *others}
            assert (await engine.clean())["orphans"] == 0
        assert [event.orphans for event in tale(world.log).all(e.Maintained)] == [3, 1]

    run(1, story)


@pytest.mark.row("S3.12")
def test_a_file_that_goes_or_changes_is_told_once_and_so_is_that_it_is_right_again(tale):
    """By the periodic task: of a size, of bytes that were written since, and of a file that is gone."""

    async def story(world: World) -> None:
        world.network.serve(URL, b"x" * 100)
        async with world.engine(maintenance_s=600, poll_s=60) as engine:
            id = (await engine.submit(Request(URL, key="k"))).id
            await engine.wait(id)
            later_ns = world.clock.now_ns() + 10**9
            for harm in (lambda: world.disk.put(FINAL, b"x" * 99), lambda: world.disk.unlink(FINAL),
                         lambda: world.disk.put(FINAL, b"y" * 100, mtime_ns=later_ns)):  # fmt: skip
                harm()
                await trio.sleep(1300)
                assert (await engine.get(id)).invalid is not None
                world.disk.put(FINAL, b"x" * 100, mtime_ns=later_ns)
                await trio.sleep(1300)
                assert (await engine.get(id)).invalid is None
        assert tale(world.log).names(id)[3:] == ["Invalidated", "Confirmed"] * 3
        assert sum(event.invalidated for event in tale(world.log).all(e.Maintained)) == 3

    run(1, story)


@pytest.mark.row("S3.12")
@pytest.mark.parametrize(
    ("harm", "if_exists", "ends"),
    [
        ("gone", IfExists.FAIL, FINAL),
        ("changed", IfExists.FAIL, None),
        ("changed", IfExists.OVERWRITE, FINAL),
        ("changed", IfExists.RENAME, "/downloads/f (2)"),
    ],
)
def test_retry_fetches_again_what_is_not_valid_any_more(harm, if_exists, ends):
    """Into the same place if that is free; what lies there instead is treated as the request says."""

    async def story(world: World) -> None:
        world.network.serve(URL, b"x" * 100)
        async with world.engine(**NEVER) as engine:
            id = (await engine.submit(Request(URL, if_exists=if_exists))).id
            await engine.wait(id)
            world.disk.unlink(FINAL)
            if harm == "changed":
                world.disk.put(FINAL, b"somebody's")
            (row,) = await engine.files(id)
            assert (row["state"], row["valid"]) == ({"gone": "absent", "changed": "not valid"}[harm], False)
            if ends is None:
                with pytest.raises(IllegalCommand) as caught:
                    await engine.retry(id)
                assert "--overwrite" in caught.value.hint
                assert (await engine.files(id))[0]["state"] == "not valid"
                assert world.disk.content(FINAL) == b"somebody's"
            else:
                await engine.retry(id)
                assert (await engine.wait(id)).ok
                assert world.disk.content(ends) == b"x" * 100
                assert (await engine.files(id))[0]["state"] == "valid"

    run(1, story)


@pytest.mark.row("S3.12")
@pytest.mark.law(3)
def test_what_is_fetched_once_more_holds_no_piece_of_the_time_before(tale, payload):
    """Cut short, it goes on with all that was received since, however the pieces lay at that time."""

    async def story(world: World) -> None:
        served = world.network.serve(URL, payload(9_000_000), rate=1e5)
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL, path="lost.bin", connections=1))).id
            await engine.wait(id)
            await engine.wait_idle()
            world.disk.unlink("/downloads/lost.bin")
            await engine.files(id)
            served.replace(payload(9_000_000, 1))
            await engine.retry(id)
            await trio.sleep(70)
            (paused,) = await engine.pause(id)
            await engine.resume(id)
            outcome = await engine.wait(id)
            assert (outcome.ok, outcome.resumed_from) == (True, paused.received)
        assert world.disk.content("/downloads/lost.bin") == payload(9_000_000, 1)
        assert tale(world.log).all(e.PieceRejected) == []

    run(1, story)


@pytest.mark.row("S3.12")
@pytest.mark.parametrize("again", [False, True], ids=["once", "again"])
def test_a_changed_file_is_put_aside_for_what_was_published_when_that_is_asked(again):
    """It is kept as what is overwritten is, and comes back with the removal; a second one is not lost over that."""

    async def story(world: World) -> None:
        world.network.serve(URL, b"x" * 100)
        async with world.engine(**NEVER) as engine:
            id = (await engine.submit(Request(URL))).id
            await engine.wait(id)
            await engine.wait_idle()
            world.disk.put(FINAL, b"somebody's")
            await engine.files(id)
            await engine.retry(id, overwrite=True)
            assert (await engine.wait(id)).ok
            await engine.wait_idle()
            now = await engine.get(id)
            assert (world.disk.content(FINAL), now.overwrite) == (b"x" * 100, False)
            assert world.disk.content(f"/downloads/{now.replaced}") == b"somebody's"
            if again:
                world.disk.put(FINAL, b"more of it")
                await engine.files(id)
                with pytest.raises(IllegalCommand):
                    await engine.retry(id, overwrite=True)
                assert world.disk.content(FINAL) == b"more of it"
            else:
                await engine.remove(id, files=True)
                assert world.disk.content(FINAL) == b"somebody's"

    run(1, story)

    run(1, story)


@pytest.mark.row("S3.12")
@pytest.mark.row("S3.12")
def test_files_tells_of_each_download_what_lies_there():
    """Valid, partial, none, replaced; by tag; and nothing is told to the log where nothing has changed."""

    async def story(world: World) -> None:
        world.network.serve(URL, b"x" * 100)
        world.network.serve("http://b.example/f", b"z" * 50)
        async with world.engine(**NEVER) as engine:
            first = (await engine.submit(Request(URL, key="k"))).id
            await engine.wait(first)
            partial = await half(world, engine)
            before = world.log.head()
            with pytest.raises(UnknownDownload):
                await engine.files(UUID(int=7))
            rows = {row["id"]: row for row in await engine.files()}
            assert rows[str(first)]["path"] == FINAL
            assert [rows[str(id)]["state"] for id in (first, partial)] == ["valid", "partial"]
            second = (await engine.submit(Request("http://b.example/f", path="f", if_exists=IfExists.OVERWRITE,
                                                  tags=("t",)))).id  # fmt: skip
            assert world.log.head() == before + 1
            await engine.wait(second)
            (row,) = await engine.files(first, digest=True)
            assert (row["state"], row["valid"], row["key"]) == ("none", None, "k")
            (row,) = await engine.files(tag="t", digest=True)
            assert (row["id"], row["state"], row["size"]) == (str(second), "valid", 50)

    run(1, story)


def test_a_dry_run_changes_nothing_and_tells_the_same(tale):
    """Neither log nor disk; and a client tells the log what it may and leaves files to the owner."""

    async def story(world: World) -> None:
        world.network.serve(URL, b"x" * 100)
        async with world.engine(**NEVER) as engine:
            id = (await engine.submit(Request(URL))).id
            await engine.wait(id)
            await half(world, engine)
            world.disk.put(orphan(id), b"o" * 10)
            await trio.sleep(10)
            world.disk.put(FINAL, b"short")
            before, paths = world.fingerprint(), world.disk.paths()
            told = [], []
            dry = await engine.clean(older_than_s=5, dry_run=True, tell=told[0].append)
            assert (world.fingerprint(), world.disk.paths()) == (before, paths)
            async with world.engine(owner=False) as client:
                done = await client.clean(older_than_s=5, tell=told[1].append)
            assert done["orphans"] == 0
            assert orphan(id) in world.disk.paths()
            assert (dry["failures"], dry["orphans"], dry["invalidated"]) == (1, 1, 1)
            assert [row for row in told[0] if row["kind"] != "orphan"] == told[1]
        assert tale(world.log).all(e.Maintained) == []

    run(1, story)


@pytest.mark.law(9)
def test_a_run_is_bounded_and_the_next_goes_on_where_it_was(monkeypatch, tale):
    """However many folders and files there are, each run looks at so many, and in the end at all."""
    for name, value in {"MOST_FAILURES": 2, "PAGE": 2, "MOST_FOLDERS": 2, "MOST_LOOKS": 2}.items():
        monkeypatch.setattr(upkeep, name, value)

    async def story(world: World) -> None:
        async with world.engine(maintenance_s=100, clean_after_s=0, poll_s=30) as engine:
            ids = []
            for number in range(5):
                url = f"http://a.example/{number}"
                world.network.serve(url, b"x" * 10)
                ids.append((await engine.submit(Request(url, folder=f"/downloads/{number}"))).id)
                await engine.wait(ids[-1])
                world.disk.unlink(f"/downloads/{number}/{number}")
                world.disk.put(orphan(ids[-1], 1, f"/downloads/{number}"), b"o")
            for _ in range(5):
                await engine.wait((await engine.submit(Request(GONE, retries=0))).id)
            await trio.sleep(1000)
            assert world.disk.paths() == []
        told = tale(world.log).all(e.Maintained)
        assert [event.orphans for event in told[:3]] == [1, 2, 2], "of six folders, one without orphans"
        assert [event.failures for event in told[:3]] == [2, 2, 1]
        assert sum(event.invalidated for event in told) == 5
        assert max(event.invalidated for event in told) == 2

    run(1, story)


@pytest.mark.law(2)
def test_cleaning_may_be_cut_off_at_any_step_and_done_again(telling, tale):
    """Whatever was done by then, the log said before; and the next run comes to the same end."""

    async def story(world: World) -> None:
        world.network.serve(URL, b"x" * 100)
        forks: list[World] = []
        disk, log = world.disk, world.log

        def tell(_: str) -> None:
            if cleaning:
                world.disk, world.log = disk, log
                forks.append(world.fork(len(forks)))

        cleaning = False
        world.disk, world.log = telling(disk, tell), telling(log, tell)
        async with world.engine(retention_s=20, **NEVER) as engine:
            id = (await engine.submit(Request(URL))).id
            await engine.wait(id)
            failed = await half(world, engine)
            for attempt in (orphan(id), f"/downloads/.g.{id.hex[-8:]}.1.part"):
                disk.put(attempt, b"o" * 10)
            await trio.sleep(10)
            cleaning = True
            await engine.clean(older_than_s=5)
            cleaning = False
        assert len(forks) > 10
        for fork in forks:
            gone = not any("half" in path for path in fork.disk.paths())
            assert not gone or "Removed" in tale(fork.log).names(failed)
            async with fork.engine(retention_s=20, **NEVER) as engine:
                await engine.clean(older_than_s=5)
                await trio.sleep(90)
                assert fork.disk.paths() == [FINAL]
                assert (await engine.get(failed)).state is State.REMOVED

    run(1, story)


def test_an_engine_that_is_opened_for_a_moment_is_not_kept_busy_by_maintenance():
    """The first run comes after a while, and none at all where the setting says never."""

    async def story(world: World) -> None:
        world.network.serve(URL, b"x" * 100)
        async with world.engine(**NEVER) as engine:
            id = (await engine.submit(Request(URL))).id
            await engine.wait(id)
        world.disk.put(orphan(id), b"o")
        async with world.engine(**NEVER):
            await trio.sleep(20 * upkeep.FIRST_S)
            assert orphan(id) in world.disk.paths()
        async with world.engine():
            await trio.sleep(upkeep.FIRST_S - 5)
            assert orphan(id) in world.disk.paths()
            await trio.sleep(10)
            assert world.disk.paths() == [FINAL]

    run(1, story)


@pytest.mark.row("S2.13", "S3.6")
def test_what_was_put_aside_so_long_ago_is_let_go_before_its_time(tale):
    """`clean` with an age deletes what was kept for longer, says how much, and leaves what is younger."""

    async def story(world: World) -> None:
        ids = []
        async with world.engine(**NEVER) as engine:
            for name in ("old", "young"):
                await trio.sleep(100)
                ids.append(await half(world, engine, f"http://a.example/{name}"))
                await engine.cancel(ids[-1])
            found: list[dict] = []
            dry = await engine.clean(older_than_s=50, dry_run=True, tell=found.append)
            assert sum(path.endswith(".kept") for path in world.disk.paths()) == 2
            done = await engine.clean(older_than_s=50)
            (kept,) = [path for path in world.disk.paths() if path.endswith(".kept")]
            assert "young" in kept
            assert (await engine.get(ids[1])).received == 200_000
        assert tale(world.log).names(ids[0])[-1] == "Discarded"
        assert dry["failures"] + dry["quarantined"] == done["failures"] + done["quarantined"] == 1

    run(1, story)


def test_closing_waits_for_no_large_file_that_maintenance_reads(tale):
    """It is in doubt as it was, and nothing is said of it."""

    async def story(world: World) -> None:
        world.network.serve(URL, b"x" * 100)
        async with world.engine(maintenance_s=5) as engine:
            id = (await engine.submit(Request(URL))).id
            await engine.wait(id)
        assert engine.upkeep._inspector.is_stopping
        world.disk.put(FINAL, b"x" * 100, mtime_ns=world.clock.now_ns() + 10**9)
        reads, read = list[int](), world.disk.read
        async with world.engine(maintenance_s=5) as engine:

            def endless(path, offset, size):
                if path != FINAL:
                    return read(path, offset, size)
                reads.append(offset)
                if len(reads) == 3:
                    engine.upkeep.stop()
                return b"x" if len(reads) < 1000 else b""

            world.disk.read = endless
            await trio.sleep(8)
        assert len(reads) == 3
        assert "Invalidated" not in tale(world.log).names(id)

    run(1, story)
