"""Undo and redo: the last act of a person is taken back as one, whatever it was, or refused with the reason."""

from __future__ import annotations

from uuid import UUID

import pytest
import trio

from lading.adapters import codec
from lading.domain import commands as c
from lading.domain import events as e
from lading.domain.download import LEFT
from lading.domain.errors import DiskFull, IllegalCommand, UsageError
from lading.domain.ports import Entry
from lading.domain.requests import IfExists, Request
from lading.domain.states import State
from lading.testing.simulation import World, run

pytestmark = [pytest.mark.row("S2.13")]

URL, OTHER, FINAL = "http://a.example/file.bin", "http://b.example/other.bin", "/downloads/file.bin"


def undone(story) -> None:
    """Run a story with an engine that starts nothing."""

    async def told(world: World) -> None:
        async with world.engine(start=False) as engine:
            await story(world, engine)

    run(1, told)


def test_acts_are_undone_one_after_the_other_and_done_again_in_turn():
    """The last first, each as a whole; and then the other way round."""

    async def story(_: World, engine) -> None:
        ids = [d.id for d in await engine.submit_many([Request(f"http://a.example/{n}") for n in range(3)])]
        await engine.pause(*ids[:2])
        await engine.prioritise(5, *ids)
        await engine.cancel(ids[0])

        async def look() -> list[tuple[str, int]]:
            return [((d := await engine.get(id)).state.value, d.priority) for id in ids]

        seen = [await look()]
        for kind in ("Cancelled", "Reprioritised", "Paused", "Queued"):
            taken = await engine.undo()
            assert taken.kind == kind
            seen.append(await look())
        assert seen[1:] == [
            [("paused", 5), ("paused", 5), ("queued", 5)],
            [("paused", 0), ("paused", 0), ("queued", 0)],
            [("queued", 0), ("queued", 0), ("queued", 0)],
            [("removed", 0), ("removed", 0), ("removed", 0)],
        ]
        with pytest.raises(UsageError) as caught:
            await engine.undo()
        assert caught.value.hint
        for expected in reversed(seen[:-1]):
            await engine.redo()
            assert await look() == expected
        with pytest.raises(UsageError):
            await engine.redo()
        assert (await engine.undo()).kind == "Cancelled"

    undone(story)


def test_a_new_act_makes_what_was_undone_a_thing_of_the_past():
    """There is nothing to redo then, and what came before can still be undone."""

    async def story(_: World, engine) -> None:
        id = (await engine.submit(Request(URL))).id
        await engine.pause(id)
        await engine.undo()
        await engine.prioritise(3, id)
        with pytest.raises(UsageError):
            await engine.redo()
        assert [(await engine.undo()).kind, (await engine.undo()).kind] == ["Reprioritised", "Queued"]

    undone(story)


def test_who_has_done_nothing_cannot_undo_what_others_did():
    """Acts are an actor's own."""

    async def story(world: World, engine) -> None:
        await engine.submit(Request(URL))
        async with world.engine(owner=False, actor="somebody") as other:
            with pytest.raises(UsageError):
                await other.undo()

    undone(story)


def test_it_is_refused_when_somebody_else_has_moved_the_stream_since(tale):
    """Nothing is recorded then; and once that has been undone, it is not."""

    async def story(world: World, engine) -> None:
        ids = [d.id for d in await engine.submit_many([Request(URL), Request(OTHER)])]
        async with world.engine(owner=False, actor="somebody") as other:
            await other.pause(ids[1])
            head = world.log.head()
            with pytest.raises(IllegalCommand, match="somebody"):
                await engine.undo()
            assert world.log.head() == head
            await other.undo()
        taken = await engine.undo()
        assert (taken.kind, set(taken.downloads), taken.changed) == ("Queued", set(ids), 2)
        assert len(tale(world.log).all(e.Undone)) == 2

    undone(story)


def test_two_who_undo_at_the_same_time_undo_two_acts(tale):
    """The version of the queue's stream lets one through, and the other looks again."""

    async def story(world: World, engine) -> None:
        id = (await engine.submit(Request(URL))).id
        await engine.pause(id)
        async with world.engine(owner=False) as other, trio.open_nursery() as nursery:
            nursery.start_soon(engine.undo)
            nursery.start_soon(other.undo)
        acts = [told.act for told in tale(world.log).all(e.Undone)]
        assert len(set(acts)) == 2
        assert (await engine.get(id)).state is State.REMOVED

    undone(story)


def test_one_undo_is_one_request_of_the_log(tale, telling):
    """All of it is durable or nothing."""

    async def story(world: World, engine) -> None:
        ids = [d.id for d in await engine.submit_many([Request(f"http://a.example/{n}") for n in range(50)])]
        await engine.pause(*ids)
        before = engine._s.journal._writer.commits
        await engine.undo()
        assert engine._s.journal._writer.commits == before + 1
        assert [fact.context.causation is not None for fact in tale(world.log).facts[-50:]] == [True] * 50

    undone(story)


def test_what_was_downloaded_is_put_aside_by_undoing_and_put_back_by_redoing(payload):
    """The file of a completed one, with what it had replaced: each is there when it should be."""

    async def story(world: World) -> None:
        content = payload(5000)
        world.network.serve(URL, content)
        world.disk.put(FINAL, b"mine")
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL, path="file.bin", if_exists=IfExists.OVERWRITE))).id
            await engine.wait(id)
            await trio.sleep(2)
            for _ in range(2):
                await engine.undo()
                assert world.disk.content(FINAL) == b"mine"
                assert len(world.disk.paths()) == 2
                await engine.redo()
                left = await engine.get(id)
                assert (left.state, left.kept, left.invalid) == (State.COMPLETED, None, None)
                assert world.disk.content(FINAL) == content
                assert world.disk.content(f"/downloads/{left.replaced}") == b"mine"

    run(1, story)


@pytest.mark.parametrize("same", [False, True])
def test_what_one_download_replaced_of_another_comes_back_by_undoing(payload, same):
    """The file of the one before lies there again, also where both are the same bytes; and redoing replaces it anew."""

    async def story(world: World) -> None:
        before, after = payload(5000), payload(5000 if same else 9000)
        world.network.serve(URL, before)
        world.network.serve(f"{URL}2", after)
        async with world.engine() as engine:
            first = await engine.submit(Request(URL, path="file.bin"))
            await engine.wait(first.id)
            await trio.sleep(2)
            second = await engine.submit(Request(f"{URL}2", path="file.bin", if_exists=IfExists.OVERWRITE))
            await engine.wait(second.id)
            await trio.sleep(2)
            for _ in range(2):
                await engine.undo()
                await trio.sleep(1)
                assert world.disk.content(FINAL) == before
                assert (await engine.get(second.id)).kept is not None
                await engine.redo()
                await trio.sleep(1)
                assert world.disk.content(FINAL) == after
                assert world.disk.content(f"/downloads/{(await engine.get(second.id)).replaced}") == before

    run(1, story)


@pytest.mark.law(5)
def test_what_another_has_replaced_since_is_not_taken_away_by_removing(payload):
    """Although it is the same bytes: it is that one's file now."""

    async def story(world: World) -> None:
        content = payload(5000)
        world.network.serve(URL, content)
        async with world.engine() as engine:
            ids = []
            for _ in range(3):
                download = await engine.submit(Request(URL, path="file.bin", if_exists=IfExists.OVERWRITE))
                await engine.wait(download.id)
                await trio.sleep(2)
                ids.append(download.id)
            for id in ids[:2]:
                await engine.remove(id, files=True)
                await trio.sleep(2)
                assert world.disk.content(FINAL) == content
                assert (await engine.get(id)).invalid == LEFT
            assert (await engine.get(ids[2])).invalid is None

    run(1, story)


@pytest.mark.law(2)
@pytest.mark.parametrize("how", ["its time", "removed and back", "by hand", "nothing is kept"])
def test_no_file_is_taken_away_when_what_it_replaced_is_gone_or_it_would_not_be_kept(how, payload):
    """It is refused, with a hint, and the file stays: the last of two versions is not lost by undoing."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(5000))
        world.disk.put(FINAL, b"mine")
        keeps = {"retention_s": 0 if how == "nothing is kept" else 3600}
        async with world.engine(**keeps) as engine:
            id = (await engine.submit(Request(URL, path="file.bin", if_exists=IfExists.OVERWRITE))).id
            await engine.wait(id)
            await trio.sleep(5)
            if how == "by hand":
                world.disk.unlink(f"/downloads/{(await engine.get(id)).replaced}")
            if how == "removed and back":
                await engine.remove(id)
                await trio.sleep(3700)
                await engine.undo()
            if how == "its time":
                await trio.sleep(3700)
            head = world.log.head()
            with pytest.raises(IllegalCommand) as caught:
                await engine.undo()
            assert caught.value.hint
            assert world.log.head() == head
            assert (world.disk.paths(), world.disk.content(FINAL)) == ([FINAL], payload(5000))

    run(1, story)


def test_a_removed_file_comes_back_unless_something_else_lies_there(payload):
    """Then it stays where it is kept, which is told, and nothing is overwritten."""

    async def story(world: World) -> None:
        content = payload(5000)
        world.network.serve(URL, content)
        async with world.engine(retention_s=3600) as engine:
            id = (await engine.submit(Request(URL))).id
            await engine.wait(id)
            await engine.remove(id, files=True)
            await engine.undo()
            assert world.disk.paths() == [FINAL]
            await engine.redo()
            world.disk.put(FINAL, b"in the way")
            await engine.undo()
            left = await engine.get(id)
            assert left.state is State.COMPLETED
            assert f"/downloads/{left.kept}" in left.invalid
            assert world.disk.content(FINAL) == b"in the way"
            assert world.disk.content(f"/downloads/{left.kept}") == content
            await trio.sleep(3700)
            assert world.disk.paths() == [FINAL]

    run(1, story)


@pytest.mark.parametrize("edited", [b"edited", None], ids=["edited", "taken away"])
def test_a_file_that_was_left_since_it_had_changed_is_complete_again_and_not_what_was_published(edited, tale, payload):
    """What lies there was never touched, and the log is told what it is; earlier acts can be undone after that."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(5000))
        async with world.engine(retention_s=3600) as engine:
            id = (await engine.submit(Request(URL))).id
            await engine.wait(id)
            world.disk.unlink(FINAL)
            if edited is not None:
                world.disk.put(FINAL, edited)
            await engine.remove(id, files=True)
            assert (await engine.get(id)).invalid == LEFT
            assert (await engine.undo()).kind == "Removed"
            back = await engine.get(id)
            assert (back.state, back.kept) == (State.COMPLETED, None)
            assert "6 bytes" in back.invalid if edited else "missing" in back.invalid
            assert tale(world.log).names(id)[-2:] == ["Returned", "Invalidated"]
            assert (await engine.undo()).kind == "Queued"
            assert world.disk.paths() == ([FINAL] if edited else [])

    run(1, story)


def test_the_edited_successor_of_a_file_stays_and_so_does_what_it_had_replaced(payload):
    """Undoing takes back neither, and both are where they are said to be."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(5000))
        world.disk.put(FINAL, b"mine")
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL, path="file.bin", if_exists=IfExists.OVERWRITE))).id
            await engine.wait(id)
            await trio.sleep(5)
            world.disk.put(FINAL, b"edited")
            await engine.undo()
            left = await engine.get(id)
            assert (left.state, left.invalid) == (State.REMOVED, LEFT)
            assert world.disk.content(FINAL) == b"edited"
            assert world.disk.content(f"/downloads/{left.replaced}") == b"mine"

    run(1, story)


@pytest.mark.parametrize("retention_s", [0, 600])
def test_what_can_never_be_undone_says_why_and_does_not_keep_from_what_was_before_it(retention_s, payload):
    """It is refused as often as it is asked for, until somebody lets it stand."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(5000))
        async with world.engine(retention_s=retention_s) as engine:
            id = (await engine.submit(Request(URL))).id
            other = (await engine.submit(Request(OTHER))).id
            await engine.wait(id)
            await engine.prioritise(3, other)
            await engine.remove(id, files=True)
            await trio.sleep(700)
            for _ in range(2):
                with pytest.raises(IllegalCommand, match="not kept") as caught:
                    await engine.undo()
                assert "--skip" in caught.value.hint
            stands = await engine.undo(skip=True)
            assert (stands.kind, stands.changed) == ("Removed", 0)
            assert (await engine.get(id)).state is State.REMOVED
            assert (await engine.undo()).kind == "Reprioritised"
            assert (await engine.get(other)).priority == 0

    run(1, story)


def test_what_could_not_come_back_comes_back_when_it_is_tried_again(payload):
    """Its file is kept, so nothing is fetched for that; once that is gone for good, it is fetched like any other."""

    async def story(world: World) -> None:
        content = payload(5000)
        world.network.serve(URL, content)
        async with world.engine(retention_s=3600) as engine:
            id = (await engine.submit(Request(URL))).id
            await engine.wait(id)
            await engine.remove(id, files=True)
            world.disk.put(FINAL, b"in the way")
            await engine.undo()
            await engine.retry(id)
            await trio.sleep(5)
            assert "something else lies at its path" in (await engine.get(id)).invalid
            world.disk.unlink(FINAL)
            await engine.retry(id)
            await trio.sleep(5)
            now = await engine.get(id)
            assert (now.state, now.invalid, now.kept) == (State.COMPLETED, None, None)
            assert (world.disk.paths(), world.disk.content(FINAL)) == ([FINAL], content)
            await engine.remove(id, files=True)
            for path in world.disk.paths():
                world.disk.unlink(path)
            await engine.undo()
            assert (await engine.get(id)).invalid == "its file was removed"
            assert len(world.network.calls) == 1
            await engine.retry(id)
            assert (await engine.wait(id)).ok
            assert world.disk.content(FINAL) == content

    run(1, story)


@pytest.mark.law(3)
@pytest.mark.parametrize("ends", ["its time", "its return"])
def test_what_two_want_at_the_same_moment_is_what_the_log_says(ends, telling, tale, payload):
    """It comes back just as its time ends, or goes again just as it comes back: no file is where none should be."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(5000))
        disk, log, armed = world.disk, world.log, list[str]()

        def tell(step: str) -> None:
            if step in armed:
                armed.clear()
                left = next(download for download in tale(log).downloads() if download.id == id)
                event = e.Returned() if ends == "its time" else e.Removed(files=True)
                sealed = codec.seal(event, id=UUID(int=1), at_ns=world.clock.now_ns())
                (answer,) = log.append([[Entry(id, left.version + 1, event.TOPIC, sealed)]])
                assert isinstance(answer, tuple)

        world.disk, world.log = telling(disk, tell), telling(log, tell)
        async with world.engine(retention_s=3600) as engine:
            id = (await engine.submit(Request(URL))).id
            await engine.wait(id)
            await engine.remove(id, files=True)
            armed.append("before append" if ends == "its time" else "after set_aside")
            if ends == "its time":
                await trio.sleep(3700)
                left = await engine.get(id)
                assert (left.state, left.invalid, left.kept) == (State.COMPLETED, None, None)
                assert disk.content(FINAL) == payload(5000)
            else:
                await engine.undo()
                await trio.sleep(60)
                left = await engine.get(id)
                assert (left.state, left.litter) == (State.REMOVED, False)
                assert disk.paths() == [f"/downloads/{left.kept}"]
                await trio.sleep(3700)
                assert disk.paths() == []

    run(1, story)


def test_what_was_cancelled_goes_on_from_its_bytes_and_not_when_they_are_gone(payload):
    """As long as the retention lasts; after that it is refused, with a hint."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(200_000), rate=2e3)
        async with world.engine(retention_s=600) as engine:
            id = (await engine.submit(Request(URL))).id
            await trio.sleep(70)
            (left,) = await engine.cancel(id)
            await engine.undo()
            await trio.sleep(5)
            assert (await engine.get(id)).resumed_from == left.received > 0
            await engine.redo()
            assert (await engine.get(id)).state is State.CANCELLED
            await trio.sleep(700)
            with pytest.raises(IllegalCommand, match="not kept any longer") as caught:
                await engine.undo()
            assert caught.value.hint

    run(1, story)


def test_what_was_paused_or_had_failed_comes_back_paused(payload):
    """It is not let loose by undoing."""

    async def story(world: World) -> None:
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL, retries=0))).id
            assert (await engine.wait(id)).state is State.FAILED
            await engine.remove(id)
            await engine.undo()
            assert (await engine.get(id)).state is State.PAUSED

    run(1, story)


def test_what_is_done_again_is_taken_back_to_what_it_found_then():
    """Not to what it had found the first time."""

    async def story(world: World) -> None:
        async with world.engine(start=False) as engine:
            id = (await engine.submit(Request(URL, retries=0))).id
            await engine.cancel(id)
            await engine.undo()
        async with world.engine() as engine:
            assert (await engine.wait(id)).state is State.FAILED
            await engine.redo()
            assert (await engine.get(id)).state is State.CANCELLED
            await engine.undo()
            assert (await engine.get(id)).state is State.PAUSED

    run(1, story)


def test_what_has_completed_by_itself_does_not_stand_in_the_way(payload):
    """What engines did is a consequence: undoing the pause of what is complete changes nothing, and is done."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(5000))
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL))).id
            await engine.pause(id)
            await engine.resume(id)
            await engine.wait(id)
            assert [((await engine.undo()).kind, 0) for _ in range(2)] == [("Resumed", 0), ("Paused", 0)]
            assert (await engine.get(id)).state is State.COMPLETED
            assert (await engine.undo()).changed == 1
            assert (await engine.get(id)).state is State.REMOVED

    run(1, story)


def test_undoing_waits_until_what_it_takes_back_has_stopped(payload):
    """A transfer that was cancelled without waiting is stopped first, and then taken back."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(200_000), rate=2e3)
        async with world.engine() as engine, world.engine(owner=False) as client:
            id = (await engine.submit(Request(URL))).id
            await trio.sleep(70)
            await client.cancel(id, wait=False)
            await client.undo()
            assert (await engine.wait(id)).ok

    run(1, story)


def test_a_finish_cannot_be_undone_and_nothing_older_is_undone_for_it(payload):
    """It is the last thing that was asked for; only who lets it stand comes to what was before it."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(400_000), rate=16384.0, sized=False)
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL))).id
            await trio.sleep(10.5)
            await engine.finish(id)
            with pytest.raises(IllegalCommand, match="finish cannot be undone") as caught:
                await engine.undo()
            assert "--skip" in caught.value.hint
            assert (await engine.get(id)).state is State.COMPLETED
            assert FINAL in world.disk.paths()
            assert (await engine.undo(skip=True)).kind == "FinishRequested"
            assert (await engine.redo()).changed == 0
            await engine.undo(skip=True)
            assert (await engine.undo()).kind == "Queued"

    run(1, story)


@pytest.mark.parametrize("begun", [e.QueuePaused, e.QueueResumed])
def test_the_pause_of_the_whole_queue_can_be_undone(begun, tale):
    """It is an act on the queue's own stream."""

    async def story(world: World, engine) -> None:
        await engine._s.journal.note(e.QUEUE, begun(), context=engine._act())
        assert (await engine.undo()).kind == begun.__name__
        await engine.redo()
        names = [type(event).__name__ for event in tale(world.log).of(e.QUEUE)]
        other = ({"QueuePaused", "QueueResumed"} - {begun.__name__}).pop()
        assert names == [begun.__name__, "Undone", other, "Redone", begun.__name__]

    undone(story)


def test_a_url_comes_back_only_if_nothing_of_it_was_secret():
    """Secrets that were replaced are not kept."""

    async def story(_: World, engine) -> None:
        id = (await engine.submit(Request(URL))).id
        await engine.refresh_url(id, f"{OTHER}?token=sesame")
        await engine.undo()
        assert (await engine.get(id)).order.url == URL
        assert engine._s.vault.recall(id).urls == (URL,)
        with pytest.raises(IllegalCommand, match="not kept"):
            await engine.redo()
        await engine.refresh_url(id, f"{OTHER}?token=sesame")
        await engine.refresh_url(id, URL)
        with pytest.raises(IllegalCommand, match="not kept"):
            await engine.undo()

    undone(story)


@pytest.mark.law(9)
@pytest.mark.parametrize("since", [0, 30])
def test_undoing_reads_of_the_queue_what_has_happened_since_and_not_all_that_ever_did(since):
    """However often the queue was paused in the years before."""

    async def story(world: World, engine) -> None:
        for _ in range(300):
            await engine.pause_queue()
            await engine.resume_queue()
        read: list[int] = []
        stream = world.log.stream

        def counting(id, after=0):
            found = stream(id, after)
            read.append(len(found) if id == e.QUEUE else 0)
            return found

        async with world.engine(owner=False, actor="other") as other:
            id = (await other.submit(Request(URL))).id
            await other.pause(id)
            for _ in range(since):
                await engine.pause_queue()
                await engine.resume_queue()
            world.log.stream = counting
            for turn, state in ((other.undo, State.QUEUED), (other.redo, State.PAUSED), (other.undo, State.QUEUED)):
                await turn()
                assert (await engine.get(id)).state is state
        assert sum(read) <= 3 * 4 * (2 * since + 32)

    undone(story)


def test_of_two_who_undo_at_the_same_time_one_takes_back_the_act_before():
    """Nobody is told that what another has undone meanwhile was undone by him."""

    async def story(world: World, engine) -> None:
        id = (await engine.submit(Request(URL))).id
        await engine.prioritise(3, id)
        await engine.pause(id)
        stream, others = world.log.stream, list[object]()
        async with world.engine(owner=False) as other:

            def interrupted(wanted, after=0):
                if not others:
                    others.append(wanted)
                    world.log.append([other._acts._plan(back=False, patient=True).entries])
                return stream(wanted, after)

            world.log.stream = interrupted
            taken = await engine.undo()
        assert taken.kind == "Reprioritised"
        assert (await engine.get(id)).priority == 0

    undone(story)


@pytest.mark.law(2)
@pytest.mark.parametrize("by", ["clean", "retention"])
def test_what_is_taken_back_while_others_are_deleted_is_not_deleted(by):
    """Whoever deletes looks again before each: what he saw at first may be somebody's again."""

    async def story(world: World) -> None:
        urls = {f"/downloads/{number}": f"http://a.example/{number}" for number in range(3)}
        async with world.engine(retention_s=1000) as engine:
            ids = []
            for url in urls.values():
                world.network.serve(url, url.encode())
                ids.append((await engine.submit(Request(url))).id)
                await engine.wait(ids[-1])
            await engine.remove(*ids, files=True)
            kept = {id: f"/downloads/{(await engine.get(id)).kept}" for id in ids}
            last = await engine.get(ids[-1])
            unlink, journal, context = world.disk.unlink, engine._s.journal, engine._s.context

            def taking_back(path):
                if path == kept[ids[0]]:
                    world.log.append([journal.draft(last.id, last, [c.Restore()], context)[1]])
                return unlink(path)

            world.disk.unlink = taking_back
            if by == "clean":
                assert (await engine.clean(older_than_s=0))["quarantined"] == 2
            else:
                await trio.sleep(1100)
            await trio.sleep(1)
            assert (await engine.get(last.id)).invalid is None
        assert world.disk.paths() == ["/downloads/2"]

    run(1, story)


@pytest.mark.law(2)
def test_an_undo_that_is_not_recorded_leaves_the_vault_as_it_was():
    """The URL that the log still tells can still be fetched, its secret included."""

    async def story(world: World, engine) -> None:
        id = (await engine.submit(Request(URL))).id
        await engine.refresh_url(id, f"{OTHER}?token=sesame")
        before, append = world.vault.recall(id), world.log.append

        def full(requests):
            raise DiskFull("the disk of the log is full")

        world.log.append = full
        with pytest.raises(DiskFull):
            await engine.undo()
        world.log.append = append
        assert "sesame" in before.urls[0]
        assert world.vault.recall(id) == before
        assert (await engine.undo()).kind == "SourceReplaced"
        assert world.vault.recall(id).urls[0] == URL

    undone(story)
