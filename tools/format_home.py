"""Make a home of today's format, to be committed: every later version has to open it and to see the same in it.

    python -m lading.tools.format_home tests/homes/format-N

A simulated life goes into it, in which every kind of event happens, the same in every run; then its log as LMDB keeps
it, its sealed vault, and the files that the log speaks of. `expected.json` tells what listing and history show, and
what the vault holds. Once a format is released, its home is never made again.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import lmdb
import orjson
import trio

from lading.adapters import codec
from lading.adapters.lmdb import LMDBStore
from lading.adapters.lmdb.log import LMDBLog
from lading.adapters.vault import SealedVault
from lading.domain import allotment, digests
from lading.domain.bundle_requests import BundleRequest
from lading.domain.events import EVENTS, LogRepaired
from lading.domain.ports import Entry, Recorded
from lading.domain.requests import Request
from lading.engine import Engine
from lading.home import FORMAT, MARKER
from lading.testing.simulation import FOLDER, World, run

SEED = 20_231_114
SECRET, TOKEN = "not a secret", "secret?token=public"  # they stand in a test, and say so
HOST, MIRROR = "http://files.example/", "http://mirror.example/"
SHARE_BYTES = 4096


def serve(world: World) -> None:
    """Put the files there, each with its fault."""
    for number, (name, size, behaviour) in enumerate(_FILES):
        world.network.serve(HOST + name, random.Random(number).randbytes(size), **behaviour)
    shared = world.network.files[HOST + "shared"]
    world.network.serve(MIRROR + "shared", shared.data, rate=shared.rate)


def _digest(name: str) -> str:
    """Return the digest of a file."""
    number, size = next((number, size) for number, (found, size, _) in enumerate(_FILES) if found == name)
    return digests.of(random.Random(number).randbytes(size))


_FILES: list[tuple[str, int, dict[str, Any]]] = [
    ("small", 900, {}),
    ("large", 34_000, {"rate": 340, "break_after": 23_000}),
    ("changing", 33_000, {"rate": 330}),
    ("paused", 33_000, {"rate": 330}),
    ("cancelled", 40_000, {"rate": 400}),
    ("removed", 700, {"foreign": True}),
    ("copy", 800, {}),
    ("roomy", 9_000, {"rate": 2000}),
    ("shared", 200_000, {"rate": 32 * 1024}),
    (TOKEN, 500, {}),
]


async def begin(world: World) -> None:
    """Everything but the end, which comes by a kill."""
    async with world.engine(concurrency=9, connections=1) as engine:
        asked = [
            Request(HOST + "small", tags=("text", "small")),
            Request(HOST + "large", key="the large one", priority=2, tags="large"),
            Request(HOST + "changing", retries=9),
            Request(HOST + "paused", path="later/paused.bin", retries=9),
            Request(HOST + "cancelled"),
            Request(HOST + "removed"),
            Request(HOST + "missing", tags="text"),
            Request(HOST + "gone", mirrors=HOST + "copy"),
            Request(HOST + TOKEN, headers={"Authorization": SECRET}),
            Request(HOST + "shared", mirrors=MIRROR + "shared", digest=_digest("shared"), connections=2),
        ]
        ids = [download.id for download in await engine.submit_many(asked)]
        await engine.prioritise(7, ids[3])
        await trio.sleep(90)
        world.network.files[HOST + "changing"].replace(random.Random(99).randbytes(33_000))
        world.network.online = False
        await trio.sleep(12)
        world.network.online = True
        await engine.pause(ids[3])
        await engine.cancel(ids[4])
        await engine.remove(ids[5], files=True)
        world.disk.room = 0
        await engine.submit(Request(HOST + "roomy"))
        await trio.sleep(8)
        world.disk.room = 10**9
        await trio.sleep_forever()


async def bundle(engine: Engine, world: World) -> None:
    """A film whose licence is missing at first: nothing of it is visible, and then all."""
    licence, film = HOST + "licence", HOST + "film"
    world.network.serve(film, random.Random("film").randbytes(600))
    wanted = BundleRequest("film", [Request(licence), Request(film)], policy="all_or_nothing")
    asked = await engine.submit_bundle(wanted)
    await engine.wait_idle()
    world.network.serve(licence, b"as you like it")
    await engine.retry_bundle(asked.id)
    await engine.wait_bundle(asked.id)


async def change_mind(engine: Engine, world: World) -> None:
    """Hold the queue and let it go, take things back and do them again, forget, end a stream, lose the network."""
    await engine.pause_queue()
    world.network.serve(HOST + "mind", random.Random("mind").randbytes(6_000))
    id = (await engine.submit(Request(HOST + "mind"))).id
    await engine.limit(3_000, id)
    await engine.refresh_url(id, HOST + "mind?token=another")
    await engine.cancel(id)
    await engine.undo()
    await engine.redo()
    await engine.undo()
    await engine.resume_queue()
    world.network.serve(HOST + "mind?token=another", random.Random("mind").randbytes(6_000))
    await engine.wait(id)
    await engine.remove(id, files=True)
    await engine.undo()
    await engine.forget(id)
    world.network.serve(HOST + "stream", random.Random("stream").randbytes(90_000), rate=1_000, sized=False)
    stream = await engine.submit(Request(HOST + "stream"))
    await trio.sleep(20)
    await engine.finish(stream.id)
    world.machine.online = False
    await trio.sleep(130)
    world.machine.online = True
    await trio.sleep(130)
    engine.retune(retention_s=0)
    given_up = await engine.submit(Request(HOST + "stream", path="given up"))
    await trio.sleep(20)
    await engine.cancel(given_up.id)


async def live(world: World) -> World:
    """Live through all of it; a kill lies between."""
    serve(world)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(begin, world)
        await trio.sleep(180)
        left = world.fork(SEED + 1)
        nursery.cancel_scope.cancel()
    for path in left.disk.paths():
        if "changing" in path:
            left.disk.put(path, b"\1" + (left.disk.content(path) or b"")[1:])
    async with left.engine(connections=1) as engine:
        await trio.sleep(5)
        for download in engine.reading.downloads(state="paused"):
            await engine.resume(download.id)
            await trio.sleep(1)
            await engine.pause(download.id)
        await engine.wait_idle()
        await bundle(engine, left)
        await change_mind(engine, left)
        await tidy(left, engine)
    return left


async def tidy(world: World, engine: Engine) -> None:
    """Find a published file gone and there again, and an orphan; the last of what maintenance has to say; archive."""
    path, content = f"{FOLDER}/small", world.disk.content(f"{FOLDER}/small") or b""
    (small,) = [download for download in engine.reading.downloads(tag="small") if download.path == "small"]
    world.disk.unlink(path)
    await engine.files(small.id)
    world.disk.put(path, content)
    await engine.files(small.id)
    world.disk.put(f"{FOLDER}/.small.{small.id.hex[-8:]}.1.part", content)
    await engine.clean()
    with tempfile.TemporaryDirectory() as folder:
        await engine.archive(folder, older_than_s=480)


async def look(world: World) -> dict[str, Any]:
    """Return what people see of it."""
    async with world.engine(owner=False) as engine:
        listing = await engine.listing()
        secrets = {download.id: world.vault.recall(download.id) for download in engine.reading.downloads()}
        return {
            "listing": listing,
            "history": engine.reading.history(),
            "secrets": {str(id): [*kept.urls, dict(kept.headers)] for id, kept in secrets.items() if kept is not None},
        }


def make(folder: Path) -> None:
    """Make home, files and `expected.json` in a folder that is not there yet."""
    home, scratch = folder / "home", folder / "scratch"
    home.mkdir(parents=True)
    dice = random.Random(SEED)
    vault = SealedVault(home / "vault", LMDBStore, draw=dice.randbytes)

    async def story(world: World) -> tuple[World, dict[str, Any]]:
        world.vault = vault  # type: ignore[assignment] # a real one in the place of the one in memory
        left = await live(world)
        return left, await look(left)

    with _small_shares():
        world, seen = run(SEED, story)
    vault.close()
    events = [*world.log.read(0, 100_000)]
    events.append(_repaired(events[-1].position, dice))
    missing = set(EVENTS) - {event.topic for event in events}
    assert not missing, f"every kind of event should happen, and these do not: {missing}"
    log = LMDBLog(scratch)
    log.append([[Entry(*event[1:]) for event in events]])
    log.close()
    _compact(scratch, home / "log")
    (place,) = (path.parent for path in (home / "vault").rglob("data.mdb"))
    _compact(place, place)
    (home / MARKER).write_bytes(orjson.dumps({"format": FORMAT, "id": dice.randbytes(16).hex()}))
    for path in world.disk.paths():
        file = folder / "files" / Path(path).relative_to(FOLDER)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(world.disk.content(path) or b"")
    (folder / "expected.json").write_bytes(orjson.dumps(seen, option=orjson.OPT_INDENT_2) + b"\n")


def _repaired(position: int, dice: random.Random) -> Recorded:
    """Return the one event that no engine says: that a log was repaired."""
    log, before, event = (UUID(bytes=dice.randbytes(16)) for _ in range(3))
    said = LogRepaired(before=before, cut=position + 1, lost=1, reason="a test", aside="log.damaged-1", version="0")
    return Recorded(position + 1, log, 1, said.TOPIC, codec.seal(said, id=event, at_ns=1_700_000_000 * 10**9))


@contextlib.contextmanager
def _small_shares() -> Iterator[None]:
    """Let even small files be shared out between sources."""
    usual = allotment.LEAST_BYTES, allotment.GRAIN_BYTES
    allotment.LEAST_BYTES = allotment.GRAIN_BYTES = SHARE_BYTES
    try:
        yield
    finally:
        allotment.LEAST_BYTES, allotment.GRAIN_BYTES = usual


def _compact(source: Path, target: Path) -> None:
    """Put the data of an LMDB environment into `target` without its free pages, and without locks."""
    with lmdb.open(str(source), readonly=True, lock=False, max_dbs=16) as environment:
        spare = target.with_name(target.name + "-compact")
        spare.mkdir()
        environment.copy(str(spare), compact=True)
    kept = [path for path in source.iterdir() if path.name == "key"] if source == target else []
    for path in kept:
        path.rename(spare / path.name)
    shutil.rmtree(source)
    spare.rename(target)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
