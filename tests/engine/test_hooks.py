"""Hooks through a whole engine: each event at least once, in order, across every end of an engine; nothing waits."""

from __future__ import annotations

import itertools
import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trio

from lading import hooking
from lading.cursors import FileCursors
from lading.deliveries import Deliveries
from lading.domain.errors import IntegrityError, InvalidSetting
from lading.domain.hooks import Cursor, Hook, HookFailed
from lading.domain.requests import Request
from lading.testing.simulation import World, run
from lading.tools.origin import Origin, Resource

pytestmark = pytest.mark.row("S1.6")


def table(**wanted):
    return {"tables": {"hooks": {"h": Hook(command="true", **wanted)}}}


async def fetch(world: World, engine, number: int):
    url = f"http://a.example/{number}?token=s3cret"
    world.network.serve(url, b"x" * (10 + number))
    id = (await engine.submit(Request(url, key=f"k{number}"))).id
    await engine.wait(id)
    return id


@pytest.mark.law(7)
def test_a_hook_is_told_what_happened_with_everything_about_it_that_is_no_secret(tale):
    """Where it lies, its digest and size, its caller's key; and the event's own id."""

    async def story(world: World) -> None:
        async with world.engine(**table()) as engine:
            id = await fetch(world, engine, 1)
            await engine.wait((await engine.submit(Request("http://a.example/gone", retries=0))).id)
            await trio.sleep(0.1)
            assert world.cursors.load("h").delivered == 2, "the cursor follows each delivery"
        done, failed = world.receiver.received
        (fact,) = [f for f in tale(world.log).facts if f.stream == id and type(f.event).__name__ == "Completed"]
        assert done == {
            "event": "completed", "id": str(id), "key": "k1", "state": "completed", "path": "/downloads/1", "size": 11,
            "digest": fact.event.digest, "url": "http://a.example/1", "tags": [], "error": None, "at": done["at"],
            "position": fact.position, "idempotency": str(fact.id),
        }  # fmt: skip
        assert (failed["event"], failed["state"]) == ("failed", "failed")
        assert failed["error"]
        assert "s3cret" not in json.dumps(world.receiver.received)

    run(1, story)


def test_what_is_told_late_is_told_as_it_was():
    """A double, or what comes after a failure, is equal to what would have been told at once."""

    async def story(world: World) -> None:
        wanted = table(on=("queued", "completed"))
        world.receiver.trouble.extend(["not now"] * 9)
        async with world.engine(**wanted) as engine:
            await fetch(world, engine, 1)
        world.receiver.trouble.clear()
        async with world.engine(**wanted):
            pass
        assert [(told["event"], told["state"]) for told in world.receiver.received] == [
            ("queued", "queued"), ("completed", "completed"),
        ]  # fmt: skip

    run(1, story)


def test_a_new_hook_begins_now_or_at_the_start_and_an_old_one_where_it_was():
    """Whoever writes a hook into the settings of an old home is not flooded; unless he wants that."""

    async def story(world: World) -> None:
        async with world.engine() as engine:
            await fetch(world, engine, 1)
        async with world.engine(**table()) as engine:
            await fetch(world, engine, 2)
        async with world.engine() as engine:
            await fetch(world, engine, 3)
        assert [told["key"] for told in world.receiver.received] == ["k2"]
        async with world.engine(**table(since="start")):
            pass
        assert [told["key"] for told in world.receiver.received] == ["k2", "k3"]
        fork = world.fork(2)
        fork.cursors._held.clear()
        async with fork.engine(**table(since="start")):
            pass
        assert [told["key"] for told in fork.receiver.received] == ["k1", "k2", "k3"]

    run(1, story)


def test_a_hook_that_is_ahead_of_the_log_begins_anew():
    """It was of another log: nothing of this one is skipped from now on."""

    async def story(world: World) -> None:
        world.cursors.save("h", Cursor(position=10_000))
        async with world.engine(**table(since="start")) as engine:
            await fetch(world, engine, 1)
        assert [told["key"] for told in world.receiver.received] == ["k1"]

    run(1, story)


def test_a_failing_hook_holds_up_neither_downloads_nor_another_hook_and_loses_nothing():
    """It is tried again, later and later, in order; the cursor tells how often, and why."""

    async def story(world: World) -> None:
        hooks = {"bad": Hook(command="true"), "good": Hook(url="https://a.example/")}
        told: dict[str, list[str]] = {"bad": [], "good": []}
        times: list[float] = []

        async def deliver(hook, payload):
            name = "bad" if hook.command else "good"
            if name == "bad" and len(times) < 6:
                times.append(trio.current_time())
                raise HookFailed("it is out of order")
            told[name].append(payload["key"])

        world.receiver.deliver = deliver
        async with world.engine(tables={"hooks": hooks}) as engine:
            for number in (1, 2):
                await fetch(world, engine, number)
            await trio.sleep(0.5)
            assert told == {"bad": [], "good": ["k1", "k2"]}
            await trio.sleep(20)
            cursor = world.cursors.load("bad")
            assert (cursor.failures, cursor.error, cursor.is_troubled) == (5, "it is out of order", True)
            await trio.sleep(60)
            assert told["bad"] == ["k1", "k2"]
        assert [round(b - a) for a, b in itertools.pairwise(times)] == [1, 2, 4, 8, 16]
        cursor = world.cursors.load("bad")
        assert (cursor.failures, cursor.error, cursor.delivered) == (0, None, 2)

    run(1, story)


def test_only_who_wants_that_gives_up_and_the_failures_of_an_event_outlive_the_engine():
    """Then the event is skipped, and counted."""

    async def story(world: World) -> None:
        world.receiver.trouble.extend(["no"] * 3)
        for number in (1, 2):
            async with world.engine(**table(give_up_after=3)) as engine:
                await fetch(world, engine, number)
                await trio.sleep(0.5)
        async with world.engine(**table(give_up_after=3)):
            await trio.sleep(0.5)
        assert [told["key"] for told in world.receiver.received] == ["k2"]
        cursor = world.cursors.load("h")
        assert (cursor.given_up, cursor.delivered, cursor.failures) == (1, 1, 0)

    run(1, story)


@pytest.mark.law(1)
def test_wherever_an_engine_is_killed_every_completion_is_told_and_doubles_bear_one_key(telling):
    """At each step of the log, of a delivery, and of the cursor: a receiver that drops doubles acts exactly once."""

    async def story(world: World) -> None:
        forks: list[tuple[World, list[dict]]] = []
        log = world.log

        def tell(_: str) -> None:
            held, world.log = world.log, log
            forks.append((world.fork(len(forks)), list(world.receiver.received)))
            world.log = held

        world.log = telling(log, tell)
        deliver, save = world.receiver.deliver, world.cursors.save

        async def delivering(hook, payload):
            tell("before")
            await deliver(hook, payload)
            tell("after")

        def saving(name, cursor):
            tell("before")
            save(name, cursor)
            tell("after")

        world.receiver.deliver, world.cursors.save = delivering, saving
        async with world.engine(**table()) as engine:
            for number in range(3):
                await fetch(world, engine, number)
        doubles = 0
        for fork, received in forks:
            if fork.cursors.load("h") is None:
                continue
            fork.receiver.received = received
            async with fork.engine(**table()) as engine:
                await engine.wait_idle()
                completed = {row["id"] for row in await engine.history()}
            told = [(told["id"], told["idempotency"]) for told in fork.receiver.received]
            assert {id for id, _ in told} == completed
            assert len(set(told)) == len(completed), "doubles have the key of their event"
            doubles += len(told) - len(set(told))
            order = list(dict.fromkeys(told["position"] for told in fork.receiver.received))
            assert order == sorted(order)
        assert doubles >= 3, "being killed between a delivery and its cursor was tried"

    run(1, story)


@pytest.mark.law(9)
def test_events_that_concern_no_hook_move_its_cursor_now_and_then(monkeypatch):
    """And when the engine closes; nothing is read twice without end."""
    monkeypatch.setattr(hooking, "FAR", 5)

    async def story(world: World) -> None:
        saved = []
        save = world.cursors.save
        world.cursors.save = lambda name, cursor: (saved.append(cursor.position), save(name, cursor))
        async with world.engine(**table(on=("failed",))) as engine:
            for number in range(4):
                await fetch(world, engine, number)
            await trio.sleep(1)
        assert len(saved) < world.log.head() / 3
        assert world.log.head() - saved[-1] <= 1

    run(1, story)


def test_a_client_and_an_engine_that_starts_nothing_tell_no_hook():
    """Only the owner that works does; and one without hooks keeps no cursor."""

    async def story(world: World) -> None:
        async with world.engine() as owner, world.engine(owner=False, **table(since="start")):
            await fetch(world, owner, 1)
            await trio.sleep(5)
        assert world.receiver.asked == 0
        assert world.cursors.load("h") is None

    run(1, story)


def test_a_closing_engine_waits_for_no_hook_that_fails():
    """It begins nothing more after one failure; the next engine goes on."""

    async def story(world: World) -> None:
        world.receiver.trouble.extend(["no"] * 100)
        async with world.engine(**table()) as engine:
            await fetch(world, engine, 1)
            await trio.sleep(1.5)
            closing_s = trio.current_time()
        assert trio.current_time() - closing_s <= 2
        assert world.receiver.asked <= 4
        world.receiver.trouble.clear()
        async with world.engine(**table()):
            pass
        assert [told["key"] for told in world.receiver.received] == ["k1"]

    run(1, story)


def test_a_name_that_cannot_be_keeps_the_engine_from_opening():
    """As any other setting that cannot be."""

    async def story(world: World) -> None:
        with pytest.raises(InvalidSetting):
            async with world.engine(tables={"hooks": {"../h": Hook(command="true")}}):
                pass

    run(1, story)


def test_cursors_are_files_that_are_whole_or_as_they_were(tmp_path):
    """And one that is damaged is told, not believed."""
    cursors = FileCursors(tmp_path)
    assert cursors.load("h") is None
    cursor = Cursor(position=7, delivered=2, failures=1, error="no", at_ns=5)
    cursors.save("h", cursor)
    assert FileCursors(tmp_path).load("h") == cursor
    assert [path.name for path in (tmp_path / "hooks").iterdir()] == ["h"]
    (tmp_path / "hooks" / "h").write_text("{")
    with pytest.raises(IntegrityError, match="does not tell"):
        cursors.load("h")


SAMPLE = {"event": "completed", "id": "i", "path": "/f", "state": "completed", "key": None, "idempotency": "n"}


def test_a_command_gets_the_event_on_stdin_and_in_its_environment(tmp_path):
    """Without a shell of ours; what it needs is there."""
    names = "$LADING_EVENT $LADING_ID $LADING_PATH $LADING_STATE [$LADING_KEY] $LADING_IDEMPOTENCY"
    script = f'cat > "$1"; echo "{names}" >> "$1"'
    hook = Hook(command=f"sh -c '{script}' sh {tmp_path / 'told'}")
    trio.run(Deliveries(trust_env=False).deliver, hook, SAMPLE)
    body, line = (tmp_path / "told").read_text().splitlines()
    assert json.loads(body) == SAMPLE
    assert line == "completed i /f completed [] n"


@pytest.mark.law(7)
@pytest.mark.law(9)
@pytest.mark.parametrize(
    ("command", "said"),
    [("false s3cret", "exit code 1"), ("/nowhere/s3cret", "cannot be started"), ("sh -c 'kill -9 $$'", "signal 9")],
)
def test_a_command_that_fails_says_how_and_nothing_more(command, said):
    """Its words are its own."""
    with pytest.raises(HookFailed, match=said) as caught:
        trio.run(Deliveries(trust_env=False).deliver, Hook(command=command), SAMPLE)
    assert "s3cret" not in str(caught.value)


@pytest.mark.law(9)
@pytest.mark.long
def test_a_command_that_does_not_end_is_killed_with_all_that_it_started(tmp_path):
    """At its timeout, its whole process group."""
    left = tmp_path / "left"
    hook = Hook(command=f"sh -c '(sleep 2; touch {left}) & sleep 60'", timeout_s=0.3)
    with pytest.raises(HookFailed, match=r"within 0\.3 s"):
        trio.run(Deliveries(trust_env=False).deliver, hook, SAMPLE)

    async def wait() -> None:
        await trio.sleep(2.2)

    trio.run(wait)
    assert not left.exists()


@pytest.fixture
def listener():
    """A web server that notes what is posted to it, and answers with `status`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.posted.append((self.path, dict(self.headers), json.loads(body)))
            self.send_response(self.server.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.posted, server.status = [], 200
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.law(7)
def test_a_url_gets_a_post_with_the_key_of_the_event_and_nobody_hears_the_url(listener, caplog):
    """Only an answer of 2xx has taken it; neither the error nor the logs of httpx show a token in the URL."""
    caplog.set_level(0)
    port = listener.server_address[1]
    hook = Hook(url=f"http://127.0.0.1:{port}/s3cret?token=s3cret")
    deliveries = Deliveries(trust_env=False)
    trio.run(deliveries.deliver, hook, SAMPLE)
    ((path, headers, body),) = listener.posted
    assert (path, body, headers["Idempotency-Key"]) == ("/s3cret?token=s3cret", SAMPLE, "n")
    for status, said in ((500, "answered 500"), (302, "answered 302")):
        listener.status = status
        with pytest.raises(HookFailed, match=said) as caught:
            trio.run(deliveries.deliver, hook, SAMPLE)
        assert "s3cret" not in str(caught.value)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        slow = Hook(url=f"http://127.0.0.1:{silent.getsockname()[1]}/s3cret", timeout_s=0.2)
        with pytest.raises(HookFailed) as caught:
            trio.run(deliveries.deliver, slow, SAMPLE)
    assert "s3cret" not in str(caught.value) + caplog.text


def test_whom_a_post_trusts_is_read_once_and_not_on_the_event_loop(listener, monkeypatch):
    """Reading all authorities takes longer than many a download waits for its turn."""
    where: list[threading.Thread] = []
    create = ssl.create_default_context

    def counting(*args, **named):
        where.append(threading.current_thread())
        return create(*args, **named)

    monkeypatch.setattr(ssl, "create_default_context", counting)
    deliveries, hook = Deliveries(trust_env=False), Hook(url=f"http://127.0.0.1:{listener.server_address[1]}/")

    async def story() -> None:
        for _ in range(3):
            await deliveries.deliver(hook, SAMPLE)

    trio.run(story)
    assert len(listener.posted) == 3
    assert len(where) == 1
    assert threading.main_thread() not in where


@pytest.mark.law(9)
@pytest.mark.parametrize("followed", [1, 256])
def test_telling_every_event_of_a_long_download_does_not_read_all_before_each(followed, monkeypatch):
    """Each is told as the event left it all the same, however few downloads are followed."""
    monkeypatch.setattr(hooking, "FOLLOWED", followed, raising=False)

    async def story(world: World) -> tuple[int, int]:
        ids = []
        async with world.engine(**table(on=("all",))) as engine:
            for number in range(2):
                url = f"http://a.example/{number}"
                world.network.serve(url, b"x" * 40_000)
                ids.append((await engine.submit(Request(url))).id)
                for turn in range(40):
                    await engine.prioritise(turn + 1, ids[-1])
                await engine.wait(ids[-1])
        at_once, stream, read = list(world.receiver.received), world.log.stream, [0]
        world.receiver.received.clear()
        world.cursors._held.clear()

        def counting(id, after=0):
            found = stream(id, after)
            read[0] += len(found) if id in ids else 0
            return found

        world.log.stream = counting
        async with world.engine(**table(on=("all",), since="start")):
            await trio.sleep(5)
        late = [told for told in world.receiver.received if told["position"] <= at_once[-1]["position"]]
        assert late == at_once
        return read[0], len(late)

    read, told = run(1, story)
    assert told > 80
    assert read <= 4 * told


VICTIM = """
import os, signal, sys
import trio, lading
from lading import hooking
from lading.cursors import FileCursors
from lading.deliveries import Deliveries

home, folder, url, where, number = sys.argv[1:]
left = [int(number)]

def step(name):
    if name == where:
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

deliver, save = Deliveries.deliver, FileCursors.save

async def delivering(self, hook, told):
    step("before delivery")
    await deliver(self, hook, told)
    step("after delivery")

def saving(self, name, cursor):
    save(self, name, cursor)
    if cursor.delivered:
        step("after cursor")

Deliveries.deliver, FileCursors.save = delivering, saving

async def main():
    async with lading.open_engine(home, downloads=folder) as engine:
        await engine.submit_many([lading.Request(url, key=str(n), path=f"f{n}") for n in range(4)])
        await engine.wait_idle()

trio.run(main)
"""


@pytest.mark.long
@pytest.mark.law(1)
def test_a_real_engine_that_is_killed_between_event_delivery_and_cursor_tells_everything(tmp_path):
    """Again and again; a receiver that drops what it has seen has each completion exactly once."""
    home, received = tmp_path / "home", tmp_path / "received"
    home.mkdir()
    (home / "settings.toml").write_text(f"[hooks.count]\ncommand = \"sh -c 'cat >> {received}'\"\n")
    kills = [("before delivery", 1), ("after delivery", 1), ("after delivery", 1), ("after cursor", 1),
             ("before delivery", 2), ("after delivery", 2), ("never", 1)]  # fmt: skip
    with Origin([Resource("f", 10_000)]) as origin:
        for where, number in kills:
            command = [sys.executable, "-c", VICTIM, home, tmp_path, origin.url("f"), where, str(number)]
            done = subprocess.run(list(map(str, command)), check=False, timeout=60)
            assert done.returncode in ({0} if where == "never" else {0, -signal.SIGKILL})
    told = [json.loads(line) for line in received.read_text().splitlines()]
    once = {each["idempotency"]: each for each in told}
    assert sorted(each["key"] for each in once.values()) == ["0", "1", "2", "3"]
    assert len(told) > len(once), "there were doubles, and they bore the keys of their events"
