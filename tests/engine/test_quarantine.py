"""Quarantine: what is given up, removed or replaced is put aside for a while, and no kill loses or doubles a byte."""

from __future__ import annotations

import pytest
import trio

from lading.domain import events as e
from lading.domain.requests import IfExists, Request
from lading.domain.states import State
from lading.testing.simulation import World, run

pytestmark = [pytest.mark.row("S2.13"), pytest.mark.row("S1.5"), pytest.mark.law(2)]

URL, FINAL = "http://a.example/file.bin", "/downloads/file.bin"
SIZE = 200_000
RETENTION_S = 3600.0


def kept(world: World) -> list[str]:
    """The names of what is put aside."""
    return [path for path in world.disk.paths() if path.endswith(".kept")]


async def cancelled(world: World, engine, payload) -> tuple:
    """A download that was cancelled after its first checkpoint, and its content."""
    content = payload(SIZE)
    world.network.serve(URL, content, rate=2e3)
    download = await engine.submit(Request(URL))
    await trio.sleep(70)
    (left,) = await engine.cancel(download.id)
    return left, content


def test_what_was_cancelled_is_kept_and_a_retry_goes_on_with_it(tale, payload):
    """No part remains; the bytes that the log vouches for lie aside, and are asked for no second time."""

    async def story(world: World) -> None:
        async with world.engine() as engine:
            left, content = await cancelled(world, engine, payload)
            assert (left.state, left.litter) == (State.CANCELLED, False)
            assert left.received > 100_000
            assert world.disk.paths() == kept(world) == [f"/downloads/{left.part}"]
            (told,) = tale(world.log).all(e.Quarantined)
            assert (told.size, told.part, told.kept) == (left.received, left.part, None)
            await engine.retry(left.id)
            outcome = await engine.wait(left.id)
            assert (outcome.ok, outcome.resumed_from) == (True, left.received)
            await engine.wait_idle()
            assert world.disk.paths() == [FINAL]
            assert world.disk.content(FINAL) == content

    run(1, story)


def test_when_the_retention_has_ended_it_is_deleted_and_that_is_said(tale, payload):
    """Not before, and whoever owns the home by then."""

    async def story(world: World) -> None:
        async with world.engine(retention_s=RETENTION_S) as engine:
            left, _ = await cancelled(world, engine, payload)
            held = len(world.disk.content(f"/downloads/{left.part}"))
            await trio.sleep(RETENTION_S - 10)
            assert len(kept(world)) == 1
        async with world.engine(retention_s=RETENTION_S) as engine:
            await trio.sleep(100)
            assert world.disk.paths() == []
            now = await engine.get(left.id)
        assert (now.state, now.received, now.part) == (State.CANCELLED, 0, None)
        assert [told.size for told in tale(world.log).all(e.Discarded)] == [held]

    run(1, story)


def test_with_no_retention_it_is_deleted_at_once(tale, payload):
    """As the setting says."""

    async def story(world: World) -> None:
        async with world.engine(retention_s=0) as engine:
            await cancelled(world, engine, payload)
            assert world.disk.paths() == []
            assert len(tale(world.log).all(e.Discarded)) == 1

    run(1, story)


def test_when_the_disk_is_full_what_is_kept_goes_first(tale, payload):
    """The oldest first, and only as much as is needed; the download that had no room goes on."""

    async def story(world: World) -> None:
        async with world.engine() as engine:
            for name in ("old", "new"):
                world.network.serve(f"http://a.example/{name}", payload(SIZE), rate=2e3)
                id = (await engine.submit(Request(f"http://a.example/{name}"))).id
                await trio.sleep(70)
                await engine.cancel(id)
            world.disk.room = 450_000
            world.network.serve(URL, payload(SIZE))
            assert len(kept(world)) == 2
            assert (await engine.wait((await engine.submit(Request(URL))).id)).ok
            assert [path.split(".")[1] for path in kept(world)] == ["new"]
            assert len(tale(world.log).all(e.Discarded)) == 1

    run(1, story)


def test_nothing_that_is_kept_goes_where_all_of_it_would_not_be_enough(payload):
    """One that can never fit waits, and costs nobody what he may still take back."""

    async def story(world: World) -> None:
        world.network.serve(f"{URL}2", payload(SIZE), rate=2e3)
        world.network.serve(URL, payload(3_000_000))
        async with world.engine() as engine:
            id = (await engine.submit(Request(f"{URL}2"))).id
            await trio.sleep(70)
            await engine.cancel(id)
            world.disk.room = 1_000_000
            large = (await engine.submit(Request(URL))).id
            await trio.sleep(60)
            assert (await engine.get(large)).blocked == "disk"
            assert len(kept(world)) == 1
            await engine.undo()
            await engine.undo()
            assert (await engine.get(id)).received > 0

    run(1, story)


@pytest.mark.parametrize("files", [False, True])
def test_a_removed_file_is_put_aside_only_if_it_is_to_go(files, payload):
    """Under a hidden name beside it, with all its bytes."""

    async def story(world: World) -> None:
        content = payload(5000)
        world.network.serve(URL, content)
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL))).id
            await engine.wait(id)
            (left,) = await engine.remove(id, files=files)
            path = f"/downloads/{left.kept}" if files else FINAL
            assert world.disk.paths() == [path]
            assert world.disk.durable(path) == content

    run(1, story)


def test_a_file_that_is_no_longer_what_was_published_stays(payload):
    """Somebody has edited it: it is his."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(5000))
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL))).id
            await engine.wait(id)
            world.disk.put(FINAL, b"edited")
            await engine.remove(id, files=True)
            assert world.disk.content(FINAL) == b"edited"
            assert kept(world) == []

    run(1, story)


def test_what_was_overwritten_is_kept_under_the_same_retention(payload):
    """The file that lay there keeps its bytes, and the log tells where."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(5000))
        world.disk.put(FINAL, b"mine")
        async with world.engine(retention_s=RETENTION_S) as engine:
            id = (await engine.submit(Request(URL, path="file.bin", if_exists=IfExists.OVERWRITE))).id
            await engine.wait(id)
            replaced = (await engine.get(id)).replaced
            assert replaced
            assert world.disk.content(f"/downloads/{replaced}") == b"mine"
            assert world.disk.content(FINAL) == payload(5000)
            await trio.sleep(RETENTION_S + 100)
            assert world.disk.paths() == [FINAL]
            assert ((await engine.get(id)).state, (await engine.get(id)).replaced) == (State.COMPLETED, None)

    run(1, story)


@pytest.mark.parametrize("files", [False, True])
def test_what_was_overwritten_goes_in_time_though_its_successor_was_removed(files, payload):
    """With its files or not, and where another has the name by now: it comes back with an undo, or is deleted once."""

    async def story(world: World) -> None:
        world.disk.put(FINAL, b"mine")
        world.network.serve(URL, payload(5000))
        wanted = Request(URL, path="file.bin", if_exists=IfExists.OVERWRITE)
        async with world.engine(retention_s=RETENTION_S) as engine:
            id = (await engine.submit(wanted)).id
            await engine.wait(id)
            if files:
                await engine.wait((await engine.submit(wanted)).id)
            await trio.sleep(5)
            await engine.remove(id, files=files)
            removed = await engine.get(id)
            assert world.disk.content(f"/downloads/{removed.replaced}") == b"mine"
            if not files:
                await engine.undo()
                back = await engine.get(id)
                assert (back.state, back.invalid, back.replaced) == (State.COMPLETED, None, removed.replaced)
                assert [state["state"] for state in await engine.files(id)] == ["valid"]
                await engine.redo()
            await trio.sleep(RETENTION_S + 100)
            assert (world.disk.paths(), world.disk.content(FINAL)) == ([FINAL], payload(5000))

    run(1, story)


def cut_off(story, telling, *, power: bool) -> list[World]:
    """Run a story, and return the world as it was before and after each of its steps, had it ended there."""

    async def told(world: World) -> list[World]:
        forks: list[World] = []

        def tell(_: str) -> None:
            fork = world.fork(len(forks))
            if power:
                fork.disk.crash()
            forks.append(fork)

        plain = world.log, world.disk
        await story(
            world,
            lambda: setattr(world, "log", telling(plain[0], tell)) or setattr(world, "disk", telling(plain[1], tell)),
        )
        return forks

    return run(1, told)


@pytest.mark.parametrize("power", [False, True], ids=["kill", "power"])
@pytest.mark.parametrize("what", ["cancel", "remove", "undo", "overwrite", "undo overwrite"])
def test_no_kill_loses_or_doubles_what_is_put_aside_or_back(what, power, telling, payload):
    """Cut off at every step: the next engine brings each byte to the one place where the log says that it is."""
    content, mine = payload(SIZE), b"mine" * 100
    replaces = "overwrite" in what

    async def story(world: World, watch) -> None:
        world.network.serve(URL, content, rate=2e3 if what == "cancel" else None)
        if replaces:
            world.disk.put(FINAL, mine)
        if what == "overwrite":
            watch()
        wanted = Request(URL, path="file.bin", if_exists=IfExists.OVERWRITE) if replaces else Request(URL)
        async with world.engine() as engine:
            id = (await engine.submit(wanted)).id
            await (trio.sleep(70) if what == "cancel" else engine.wait(id))
            await trio.sleep(0 if what == "cancel" else 5)
            if what == "undo":
                await engine.remove(id, files=True)
        if what == "overwrite":
            return
        watch()
        async with world.engine(start=what != "cancel") as engine:
            if what == "cancel":
                await engine.cancel(id)
            elif what == "remove":
                await engine.remove(id, files=True)
            else:
                await engine.undo()

    forks = cut_off(story, telling, power=power)
    assert len(forks) > 5
    for fork in forks:
        _check(fork, what, content, mine if replaces else None)


def _check(fork: World, what: str, content: bytes, mine: bytes | None) -> None:
    async def look(_: World) -> None:
        async with fork.engine(start=what == "overwrite") as engine:
            await trio.sleep(5)
            some = [*engine.reading.downloads(), *engine.reading.downloads(state="removed")]
            if not some:
                assert [fork.disk.durable(path) for path in fork.disk.paths()] == [mine]
                return
            (download,) = some
            found = {path: fork.disk.durable(path) for path in fork.disk.paths()}
        assert not download.litter
        assert not download.returning
        if mine is not None:
            assert list(found.values()).count(mine) == 1
        own = [path for path, held in found.items() if held == content]
        if download.state is State.COMPLETED:
            assert own == [FINAL]
            assert (download.invalid, download.kept) == (None, None)
            assert mine is None or found[f"/downloads/{download.replaced}"] == mine
        elif download.assurance is not None:
            assert own == [f"/downloads/{download.kept}"]
            assert mine is None or found[FINAL] == mine
        elif download.received:
            assert found[f"/downloads/{download.part}"][: download.received] == content[: download.received]
        assert len(found) <= 1 + (mine is not None) + (download.part is not None and mine is not None)

    run(2, look)


@pytest.mark.law(2)
@pytest.mark.row("S2.13")
def test_what_is_kept_goes_only_after_that_was_said(telling, tale, payload):
    """Whoever takes it back before has the word; so the log never claims bytes that are gone."""

    async def story(world: World) -> None:
        world.network.serve("http://a.example/f", payload(400_000), break_after=200_000)
        disk, ids, seen = world.disk, [], []

        def tell(what: str) -> None:
            kept = [path for path in disk.paths() if path.endswith(".kept")]
            if what == "before unlink" and kept and ids:
                seen.append(tale(world.log).names(ids[0])[-1])

        world.disk = telling(disk, tell)
        async with world.engine(retention_s=60) as engine:
            ids.append((await engine.submit(Request("http://a.example/f", retries=0))).id)
            await engine.wait(ids[0])
            await engine.cancel(ids[0])
            await trio.sleep(200)
            assert disk.paths() == []
        assert seen == ["Discarded"]

    run(1, story)
