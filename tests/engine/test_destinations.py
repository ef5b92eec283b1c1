"""Destinations: what lies there already, who else means to write there, and what the server calls a file."""

from __future__ import annotations

import hashlib

import pytest
import trio
import trio.testing

from lading.domain import events as e
from lading.domain.download import Download
from lading.domain.errors import DestinationTaken, InvalidDestination
from lading.domain.requests import IfExists, Order, Request, Source
from lading.domain.states import State
from lading.placing import Places
from lading.projections import history, progress
from lading.testing import InlineThreads, MemoryDisk, SeededChance
from lading.testing.simulation import World, run
from lading.views import ROWS

pytestmark = [pytest.mark.law(5), pytest.mark.row("S1.3")]

URL, OTHER = "http://a.example/file.bin", "http://b.example/file.bin"
FINAL, SECOND = "/downloads/file.bin", "/downloads/file (2).bin"
THERE = b"what somebody else put there"


@pytest.mark.parametrize("if_exists", IfExists)
@pytest.mark.parametrize("named_by", ["the user", "the URL", "the server"])
def test_what_lies_there_is_treated_as_was_said(if_exists, named_by, tale, payload):
    """Failed, skipped, another name, replaced; the same whoever gave the name."""

    async def story(world: World) -> None:
        world.disk.put(FINAL, THERE)
        disposition = {"content-disposition": "attachment; filename=file.bin"} if named_by == "the server" else {}
        url = URL if named_by == "the URL" else "http://a.example/other"
        world.network.serve(url, payload(5000), headers=disposition)
        request = Request(url, path="file.bin" if named_by == "the user" else None, if_exists=if_exists)
        async with world.engine() as engine:
            if named_by == "the user" and if_exists is IfExists.FAIL:
                with pytest.raises(DestinationTaken) as caught:
                    await engine.submit(request)
                assert "--if-exists" in caught.value.hint
                assert tale(world.log).all(e.Queued) == []
            else:
                outcome = await engine.wait((await engine.submit(request)).id)
                await engine.wait_idle()
                match if_exists:
                    case IfExists.FAIL:
                        assert (outcome.state, outcome.cause) == (State.FAILED, "destination")
                        assert "--if-exists" in outcome.hint
                    case IfExists.SKIP:
                        assert outcome.state is State.CANCELLED
                        assert "skipped" in outcome.error
                        assert len(world.network.calls) == (1 if named_by == "the server" else 0)
                    case IfExists.RENAME:
                        assert outcome.path == SECOND
                        assert world.disk.content(SECOND) == payload(5000)
                    case IfExists.OVERWRITE:
                        assert outcome.path == FINAL
        expected = payload(5000) if if_exists is IfExists.OVERWRITE else THERE
        assert world.disk.content(FINAL) == expected
        kept = [path for path in world.disk.paths() if path.endswith(".kept")]
        assert [world.disk.content(path) for path in kept] == [THERE] * (if_exists is IfExists.OVERWRITE)
        wanted = {FINAL, SECOND} if if_exists is IfExists.RENAME else {FINAL}
        assert set(world.disk.paths()) - set(kept) == wanted

    run(1, story)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("if_exists", IfExists)
def test_two_downloads_of_one_name_never_meet_in_one_file(if_exists, seed, payload, unlawful):
    """Started at the same moment: one gets the name; the other fails, is skipped, renamed or replaces it afterwards."""

    async def story(world: World) -> None:
        truth = {URL: payload(90_000, 1), OTHER: payload(90_000, 2)}
        for url, data in truth.items():
            world.network.serve(url, data, rate=1e3)
        async with world.engine() as engine:
            ids = [d.id for d in await engine.submit_many([Request(url, if_exists=if_exists) for url in truth])]
            while not all([(await engine.get(id)).ended for id in ids]):
                assert unlawful(world, truth) == []
                await trio.sleep(13)
            outcomes = [await engine.wait(id) for id in ids]
            await engine.wait_idle()
        done = [(outcome.path, outcome.digest) for outcome in outcomes if outcome.ok]
        assert world.disk.paths() == sorted({path for path, _ in done})
        assert len(done) == (2 if if_exists in {IfExists.RENAME, IfExists.OVERWRITE} else 1)
        for path in world.disk.paths():
            digest = f"sha256:{hashlib.sha256(world.disk.content(path)).hexdigest()}"
            assert (path, digest) in done
        assert world.disk.paths() == ([SECOND, FINAL] if if_exists is IfExists.RENAME else [FINAL])

    run(seed, story)


@pytest.mark.parametrize("verb", ["cancel", "remove"])
def test_giving_up_a_download_that_lost_its_name_to_another_leaves_the_other_alone(verb, payload, unlawful):
    """Its files are its own, even those that it never had."""

    async def story(world: World) -> None:
        truth = {URL: payload(90_000, 1), OTHER: payload(90_000, 2)}
        for url, data in truth.items():
            world.network.serve(url, data, rate=1e3)
        async with world.engine() as engine:
            first = (await engine.submit(Request(URL))).id
            await trio.sleep(70)
            second = (await engine.submit(Request(OTHER))).id
            assert (await engine.wait(second)).cause == "destination"
            assert str(first) in (await engine.get(second)).message
            await getattr(engine, verb)(second)
            await trio.sleep(5)
            assert unlawful(world, truth) == []
            assert (await engine.wait(first)).attempts == 1
        assert world.disk.content(FINAL) == truth[URL]

    run(1, story)


async def test_two_that_settle_at_the_same_moment_do_not_get_one_name():
    """However long the look at the disk takes, in whichever threads."""

    class Slow(InlineThreads):
        async def run(self, work):
            result = work()
            await trio.testing.wait_all_tasks_blocked()
            return result

    chance = SeededChance(1)
    places = Places({"downloads": "/downloads"}, MemoryDisk(), Slow(), lambda root, path: None)
    found: list[str] = []

    async def settle() -> None:
        order = Order(sources=(Source(url=URL),), if_exists=IfExists.RENAME)
        found.append((await places.settle(Download(id=chance.uuid(0), state=State.QUEUED, order=order))).path)

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(settle)
    assert sorted(found) == ["file (2).bin", "file (3).bin", "file (4).bin", "file (5).bin", "file.bin"]


@pytest.mark.parametrize("if_exists", IfExists)
@pytest.mark.parametrize("how", ["paused", "failed"])
def test_the_part_of_a_download_that_rests_is_nobody_elses(how, if_exists, payload, unlawful):
    """Another of the same name comes and goes meanwhile: the bytes that the log vouches for are still there."""

    async def story(world: World) -> None:
        truth = {URL: payload(200_000, 1), OTHER: payload(90_000, 2)}
        served = world.network.serve(URL, truth[URL], rate=1e3, break_after=130_000)
        world.network.serve(OTHER, truth[OTHER], rate=1e3)
        async with world.engine() as engine:
            first = (await engine.submit(Request(URL, retries=0, if_exists=IfExists.RENAME))).id
            if how == "paused":
                await trio.sleep(100)
                await engine.pause(first)
            else:
                assert (await engine.wait(first)).state is State.FAILED
            held = (await engine.get(first)).received
            assert held > 60_000
            second = (await engine.submit(Request(OTHER, if_exists=if_exists))).id
            await trio.sleep(75)
            assert unlawful(world, truth) == []
            await engine.wait(second)
            served.break_after = None
            await (engine.resume(first) if how == "paused" else engine.retry(first))
            outcome = await engine.wait(first)
            await engine.wait_idle()
        assert outcome.ok
        assert outcome.resumed_from == held
        assert world.disk.content(outcome.path) == truth[URL]
        assert unlawful(world, truth) == []

    run(1, story)


def test_a_name_that_is_free_again_can_be_had(payload):
    """After the download that had it failed, was cancelled or removed."""

    async def story(world: World) -> None:
        world.network.serve(OTHER, payload(5000))
        async with world.engine(retention_s=0) as engine:
            for verb in (None, engine.cancel, engine.remove):
                world.network.serve(URL, payload(5000), rate=1.0)
                first = (await engine.submit(Request(URL))).id
                await trio.sleep(1)
                if verb is None:
                    world.network.online = False
                    assert (await engine.wait(first)).state is State.FAILED
                    world.network.online = True
                else:
                    await verb(first)
                second = (await engine.submit(Request(OTHER))).id
                outcome = await engine.wait(second)
                assert (outcome.ok, outcome.path) == (True, FINAL)
                await engine.remove(second, files=True)
                assert world.disk.paths() == []

    run(1, story)


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("attachment; filename=report.pdf", "report.pdf"),
        ("attachment; filename*=UTF-8''na%C3%AFve%20file.txt", "naïve file.txt"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="/etc/passwd"', "passwd"),
        ('attachment; filename="..\\\\..\\\\x.exe"', "x.exe"),
        ('attachment; filename=".bashrc"', "_bashrc"),
        ("attachment", "file.bin"),
        ('attachment; filename=""', "file.bin"),
        ('attachment; filename="' + "n" * 300 + '.iso"', "n" * 196 + ".iso"),
    ],
)
def test_the_name_from_a_server_is_only_a_name(disposition, name, payload):
    """It stays inside the download folder."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(1_100_000), headers={"content-disposition": disposition})
        async with world.engine() as engine:
            outcome = await engine.wait((await engine.submit(Request(URL))).id)
        assert outcome.path == f"/downloads/{name}"
        assert world.disk.paths() == [outcome.path]

    run(1, story)


def test_the_name_that_the_user_gave_wins_over_the_servers(payload):
    """What was typed is what is made."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(50), headers={"content-disposition": "attachment; filename=theirs"})
        async with world.engine() as engine:
            outcome = await engine.wait((await engine.submit(Request(URL, path="sub/mine"))).id)
        assert outcome.path == "/downloads/sub/mine"

    run(1, story)


@pytest.mark.parametrize("path", ["../out", "sub/../../out", "..", "sub/", "a\0b"])
def test_a_relative_path_does_not_leave_the_download_folder(path, tale):
    """Refused before anything is recorded, with what to do instead."""

    async def story(world: World) -> None:
        async with world.engine() as engine:
            with pytest.raises(InvalidDestination) as caught:
                await engine.submit(Request(URL, path=path))
            assert caught.value.hint
        assert tale(world.log).all(e.Queued) == []

    run(1, story)


@pytest.mark.parametrize("if_exists", [IfExists.FAIL, IfExists.RENAME, IfExists.SKIP])
def test_what_appears_while_it_is_fetched_is_not_overwritten(if_exists, payload):
    """The link never replaces, whatever was free when the attempt began."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(50_000), rate=10e3)
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL, if_exists=if_exists))).id
            await trio.sleep(2)
            world.disk.put(FINAL, THERE)
            outcome = await engine.wait(id)
        assert world.disk.content(FINAL) == THERE
        assert not outcome.ok or world.disk.content(outcome.path) == payload(50_000)

    run(1, story)


def test_a_failed_download_in_a_folder_is_listed_under_its_own_path(payload):
    """Not under another that somebody might want."""

    async def story(world: World) -> None:
        world.disk.put("/downloads/sub/x", THERE)
        world.network.serve(URL, payload(5))
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL, path="sub/x", key="k"))).id
            assert (await engine.wait(id)).cause == "destination"
            (row,) = await engine.listing()
            assert row["path"] == "sub/x"

    run(1, story)


def test_every_view_shows_one_path_of_a_file_anywhere(payload):
    """Below `/`, paths are absolute wherever they are shown, those of attempts included."""

    async def story(world: World) -> None:
        world.network.serve("http://a.example/f", payload(5000))
        async with world.engine() as engine:
            id = (await engine.submit(Request("http://a.example/f", path="/elsewhere/f"))).id
            await engine.wait(id)
            engine.reading.catch_up()
            with engine.reading.look() as reader:
                shown = progress.path(engine.reading.get(id))
                attempts = [row["path"] for row in history.attempts(reader, id, ROWS)]
            assert (shown, attempts) == ("/elsewhere/f", ["/elsewhere/f"])

    run(1, story)


def test_a_current_folder_that_is_no_text_is_refused_before_anything_is_queued(tmp_path, monkeypatch):
    """A log holds text; a relative path below such a folder could never be told in it."""
    import os

    import lading

    folder = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(folder)
    monkeypatch.chdir(os.fsdecode(folder))

    async def main() -> None:
        async with lading.open_engine(tmp_path / "home", role="client") as engine:
            with pytest.raises(InvalidDestination, match="not UTF-8"):
                await engine.submit(Request("http://a.example/file.bin"))
            assert engine.reading.counts()["queued"] == 0

    trio.run(main)
