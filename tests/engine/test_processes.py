"""One home, many engines: one owns it, the others are clients whose verbs work; real files, real sockets."""

from __future__ import annotations

import subprocess
import sys
import threading
from uuid import UUID

import pytest
import trio

import lading
from lading.domain.errors import IllegalCommand, StoreLocked, UsageError
from lading.home import open_home
from lading.tools.origin import Behaviour, Origin, Resource

pytestmark = [
    pytest.mark.law(6),
    pytest.mark.row("C.3"),
    pytest.mark.timeout(60),
    pytest.mark.filterwarnings("ignore::lading.adapters.lmdb.ground.GroundWarning"),
]


@pytest.fixture
def origin():
    """A fast file and a slow one."""
    with Origin([Resource("fast", 100_000), Resource("slow", 40_000_000)]) as origin:
        origin.set("slow", Behaviour(rate=4_000_000))
        yield origin


async def test_the_second_engine_of_a_home_is_a_client_whose_verbs_work(origin, tmp_path):
    """It submits, pauses, resumes, prioritises, cancels, removes and waits; the files are the owner's business."""
    home, folder = tmp_path / "home", tmp_path / "files"
    async with (
        lading.open_engine(home, downloads=folder) as owner,
        lading.open_engine(home, downloads=folder) as client,
    ):
        assert (owner.role, client.role) == ("owner", "client")
        fast = await client.submit(lading.Request(origin.url("fast")))
        assert (await client.wait(fast.id)).ok
        slow = await client.submit(lading.Request(origin.url("slow"), tags="t"))
        with trio.fail_after(10):
            while not list(folder.glob(".slow.*.part")):
                await trio.sleep(0.02)
        (paused,) = await client.pause(slow.id)
        assert paused.state is lading.State.PAUSED
        (part,) = folder.glob(".slow.*.part")
        before = part.read_bytes()
        await trio.sleep(0.3)
        assert part.read_bytes() == before
        assert before[: paused.received] == Resource("slow", 40_000_000).read(0, paused.received)
        await client.prioritise(5, slow.id)
        await client.resume(slow.id)
        with trio.fail_after(10):
            while (await owner.get(slow.id)).state is not lading.State.ACTIVE:
                await trio.sleep(0.02)
        (row,) = await client.listing(tag="t")
        assert (row["state"], row["priority"]) == ("active", 5)
        (cancelled,) = await client.cancel(slow.id)
        assert cancelled.state is lading.State.CANCELLED
        with trio.fail_after(10):
            while list(folder.glob(".slow.*.part")):
                await trio.sleep(0.02)
        with pytest.raises(IllegalCommand):
            await client.pause(fast.id)
        await client.remove(fast.id, files=True)
        with trio.fail_after(10):
            while (folder / "fast").exists():
                await trio.sleep(0.02)
        await client.retry(slow.id)
        origin.set("slow", Behaviour())
        assert (await client.wait(slow.id)).path == str(folder / "slow")
        assert client.outcome(await client.get(slow.id)).digest == Resource("slow", 40_000_000).digest()


async def test_who_must_be_the_owner_is_refused_beside_another(tmp_path):
    """Also for another process; and at once when the first has gone."""
    home = tmp_path / "home"
    program = (
        "import trio, lading, sys\nasync def main():\n async with lading.open_engine(sys.argv[1], role='owner'): pass\n"
    )
    async with lading.open_engine(home):
        with pytest.raises(StoreLocked) as caught:
            async with lading.open_engine(home, role="owner"):
                pass
        assert caught.value.hint
        assert caught.value.exit_code == 3
        there = await trio.run_process(
            [sys.executable, "-W", "ignore", "-c", program + "trio.run(main)", str(home)],
            capture_stderr=True,
            check=False,
        )
        assert b"StoreLocked" in there.stderr
    async with lading.open_engine(home, role="owner") as engine:
        assert engine.role == "owner"
    with pytest.raises(UsageError):
        async with lading.open_engine(home, role="boss"):
            pass


async def test_the_lock_of_a_killed_engine_is_free_at_once(tmp_path):
    """The kernel lets go of it, whatever the process was doing."""
    home = tmp_path / "home"
    program = """
import trio, lading, sys
async def main():
    async with lading.open_engine(sys.argv[1], role="owner"):
        print("open", flush=True)
        await trio.sleep_forever()
trio.run(main)
"""
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", program, home], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "open\n"
        async with lading.open_engine(home) as engine:
            assert engine.role == "client"
        process.kill()
        process.wait()
        async with lading.open_engine(home) as engine:
            assert engine.role == "owner"


async def test_a_client_alone_queues_for_an_owner_to_come(origin, tmp_path):
    """What it submits is durable, and runs as soon as somebody runs the home."""
    home, folder = tmp_path / "home", tmp_path / "files"
    async with lading.open_engine(home, downloads=folder, role="client") as client:
        download = await client.submit(lading.Request(origin.url("fast")))
        assert client.role == "client"
        assert origin.requests == ()
    async with lading.open_engine(home, downloads=folder) as owner:
        assert (await owner.wait(download.id)).ok


async def test_a_home_and_its_folder_can_move_together(origin, tmp_path):
    """Paths in the log are relative to the download folder."""
    async with lading.open_engine(tmp_path / "a" / "home", downloads=tmp_path / "a" / "files") as engine:
        one = await engine.submit(lading.Request(origin.url("slow")))
        with trio.fail_after(10):
            while not list((tmp_path / "a" / "files").glob(".slow.*.part")):
                await trio.sleep(0.02)
        await trio.sleep(0.5)
    (tmp_path / "a").rename(tmp_path / "b")
    origin.set("slow", Behaviour())
    async with lading.open_engine(tmp_path / "b" / "home", downloads=tmp_path / "b" / "files") as engine:
        outcome = await engine.wait(one.id)
    assert outcome.ok
    assert outcome.resumed_from > 0
    assert outcome.path == str(tmp_path / "b" / "files" / "slow")
    assert (tmp_path / "b" / "files" / "slow").read_bytes() == Resource("slow", 40_000_000).read()


def test_a_new_home_is_made_once_by_whoever_comes_first(tmp_path):
    """Many threads at the same moment: all of them see one home."""
    for number in range(30):
        path, barrier, ids, errors = tmp_path / str(number), threading.Barrier(6), set(), []

        def make(n: int, path=path, barrier=barrier, ids=ids, errors=errors) -> None:
            barrier.wait()
            try:
                ids.add(open_home(path, new_id=UUID(int=n)).id)
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=make, args=(n,)) for n in range(1, 7)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert len(ids) == 1
        assert [entry.name for entry in path.iterdir()] == ["home.json"]
