"""Bundles: what belongs together is there together or not at all, whenever it is cut off; what fails is tried again."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from lading import BundleRequest
from lading.adapters import codec
from lading.domain import events as e
from lading.domain.errors import (
    DestinationTaken,
    IllegalCommand,
    InvalidDestination,
    InvalidSetting,
    UnknownDownload,
)
from lading.domain.ports import Entry
from lading.domain.requests import Request
from lading.domain.states import State
from lading.testing.simulation import World, run

pytestmark = [pytest.mark.row("S3.8")]

TOGETHER = ["all_or_nothing", "roll_forward"]
FAILING = {"status": 404}


def serve(
    world: World, payload, policy: str, count: int = 4, **behaviour: Any
) -> tuple[list[Request], dict[str, bytes]]:
    """Serve so many files, and return the requests for them and the final paths with their contents."""
    requests, truth = [], {}
    for number in range(count):
        url = f"http://a.example/{number}.bin"
        data = payload(500 * (number + 1), number)
        world.network.serve(url, data, **behaviour)
        folder = "/downloads/film" if policy == "all_or_nothing" else f"/downloads/{number % 3}"
        requests.append(Request(url, folder=None if policy == "all_or_nothing" else folder))
        truth[f"{folder}/{number}.bin"] = data
    return requests, truth


def visible(world: World, truth: dict[str, bytes]) -> set[str]:
    """The final names that are there, each with its whole content."""
    found = {path for path in world.disk.paths() if path in truth}
    assert all(world.disk.content(path) == truth[path] for path in found)
    return found


class Stepwise:
    """A disk that does what is asked for together one by one, and tells of each step."""

    def __init__(self, inner: Any, tell: Callable[[str], None]) -> None:
        self.inner, self._tell = inner, tell

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def publish(self, group: Any) -> list[Exception | None]:
        answers = []
        for each in group:
            answers += self.inner.publish([each])
            self._tell("publish")
        return answers

    def retract(self, paths: Any) -> None:
        for path in paths:
            self.inner.retract([path])
            self._tell("retract")

    def rename(self, source: str, target: str) -> None:
        self.inner.rename(source, target)
        self._tell("rename")

    def unlink(self, path: str) -> int:
        size = self.inner.unlink(path)
        self._tell("unlink")
        return size


class Noting:
    """A log that tells what it has just taken."""

    def __init__(self, inner: Any, tell: Callable[[str], None]) -> None:
        self.inner, self._tell = inner, tell

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def append(self, requests: Any) -> Any:
        answers = self.inner.append(requests)
        self._tell(f"append {requests[0][0].topic}")
        return answers


def watched(world: World, tell: Callable[[str], None]) -> None:
    """Have every step of this world told."""
    world.disk, world.log = Stepwise(world.disk, tell), Noting(world.log, tell)


async def all_there(world: World, truth: dict[str, bytes], tale) -> None:
    """See that a bundle comes right, leaves nothing behind, and was said complete in one."""
    async with world.engine() as engine:
        seen = visible(world, truth)
        assert seen in (set(), set(truth)), f"{len(seen)} of {len(truth)} are visible after recovery"
        (id,) = {fact.stream for fact in tale(world.log).facts if isinstance(fact.event, e.BundleOpened)}
        status = await engine.wait_bundle(id)
        assert status.ok, status
        assert (status.completed, status.received, status.total) == (
            len(truth), sum(map(len, truth.values())), sum(map(len, truth.values()))
        )  # fmt: skip
        await engine.wait_idle()
    assert {path: world.disk.durable(path) for path in world.disk.paths()} == truth
    chronicle = tale(world.log)
    assert len(chronicle.all(e.BundlePublished)) == 1
    assert {event.assurance for event in chronicle.all(e.Completed)} == {"length"}
    assert {f"/downloads/{event.path}" for event in chronicle.all(e.Completed)} == set(truth)
    assert len(world.network.calls) == len(truth), "nothing was fetched twice"


@pytest.mark.law(5)
@pytest.mark.parametrize(
    ("loss", "count"),
    [
        ("kill", 20),
        ("power", 6),
        pytest.param("power", 20, marks=pytest.mark.long),
        pytest.param("torn", 20, marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize("policy", TOGETHER)
def test_cut_off_at_any_step_of_publishing_all_or_none_is_visible(policy, loss, count, tale, payload):
    """After each link, rename, removal and append the next engine shows all or none, and finishes."""

    async def story(world: World) -> int:
        requests, truth = serve(world, payload, policy, count)
        cut_off: list[World] = []
        begun: list[str] = []

        def picture(step: str) -> None:
            if step.startswith("append lading.bundle-verified") or begun:
                begun.append(step)
                fork = world.fork(len(cut_off))
                fork.log, fork.disk = world.log.inner.copy(), world.disk.inner.copy()
                if loss != "kill":
                    chance = random.Random(len(cut_off))
                    fork.disk.crash(lambda: loss == "torn" and chance.random() < 0.5)
                cut_off.append(fork)

        watched(world, picture)
        async with world.engine(concurrency=20) as engine:
            id = (await engine.submit_bundle(BundleRequest("film", requests, policy=policy))).id
            assert (await engine.wait_bundle(id)).ok
            await engine.wait_idle()
        assert len({len(visible(fork, truth)) for fork in cut_off}) > (1 if policy == "all_or_nothing" else count - 1)
        for fork in cut_off:
            await all_there(fork, truth, tale)
        return len(cut_off)

    assert run(3, story) > 2 * count


@pytest.mark.law(5)
@pytest.mark.parametrize("policy", TOGETHER)
def test_cut_off_at_any_step_of_taking_back_none_is_visible(policy, tale, payload):
    """A member is paused in the midst of publishing: what was visible goes, and no kill leaves a part of it."""

    async def story(world: World) -> int:
        requests, truth = serve(world, payload, policy)
        cut_off: list[World] = []
        paused: list[UUID] = []
        resumed: list[bool] = []

        def tell(step: str) -> None:
            if resumed:
                return
            if paused:
                fork = world.fork(len(cut_off))
                fork.log, fork.disk = world.log.inner.copy(), world.disk.inner.copy()
                cut_off.append(fork)
            elif step == ("rename" if policy == "all_or_nothing" else "publish"):
                paused.append(pause_behind_its_back(world, tale))

        watched(world, tell)
        async with world.engine() as engine:
            id = (await engine.submit_bundle(BundleRequest("film", requests, policy=policy))).id
            await engine.wait_idle()
            assert (await engine.bundle(id)).state == "paused"
            assert visible(world, truth) == set()
            assert sum(path.endswith(".part") for path in world.disk.paths()) == 4
            resumed.append(True)
            await engine.resume(*paused)
            assert (await engine.wait_bundle(id)).ok
        assert visible(world, truth) == set(truth)
        for fork in cut_off:
            async with fork.engine() as engine:
                assert visible(fork, truth) == set()
                await engine.resume(*paused)
            await all_there(fork, truth, tale)
        return len(cut_off)

    assert run(4, story) > 4


def pause_behind_its_back(world: World, tale) -> UUID:
    """Pause one member as another process would, between two steps of the owner."""
    return behind_its_back(world, tale, e.Paused())


def behind_its_back(world: World, tale, event: e.Event) -> UUID:
    """Say something of one member that is whole, as another process would, between two steps of the owner."""
    download = next(d for d in tale(world.log).downloads() if d.staged)
    sealed = codec.seal(event, id=UUID(int=download.version), at_ns=world.clock.now_ns())
    (answer,) = world.log.inner.append([[Entry(download.id, download.version + 1, event.TOPIC, sealed)]])
    assert isinstance(answer, tuple)
    return download.id


@pytest.mark.law(2)
@pytest.mark.row("S2.13")
@pytest.mark.parametrize("event", [e.Cancelled(), e.Removed()], ids=["cancelled", "removed"])
@pytest.mark.parametrize(
    ("policy", "step"),
    [(TOGETHER[0], "publish"), (TOGETHER[0], "retract"), (TOGETHER[0], "rename"), (TOGETHER[1], "publish")],
)
def test_what_is_given_up_while_it_is_published_keeps_its_bytes(policy, step, event, tale, payload):
    """It is put aside like any other, whatever name it had at that moment, and no kill after that loses it."""

    async def story(world: World) -> int:
        requests, truth = serve(world, payload, policy)
        cut_off: list[World] = []
        given_up: list[UUID] = []
        begun: list[bool] = []

        def tell(did: str) -> None:
            begun.extend([True] * did.startswith("append lading.bundle-verified"))
            if given_up:
                fork = world.fork(len(cut_off))
                fork.log, fork.disk = world.log.inner.copy(), world.disk.inner.copy()
                cut_off.append(fork)
            elif begun and did == step:
                given_up.append(behind_its_back(world, tale, event))

        watched(world, tell)
        async with world.engine() as engine:
            await engine.submit_bundle(BundleRequest("film", requests, policy=policy))
            await engine.wait_idle()
        for fork in [*cut_off, world]:
            await comes_back(fork, given_up[0], truth)
        return len(cut_off)

    async def comes_back(world: World, id: UUID, truth: dict[str, bytes]) -> None:
        async with world.engine() as engine:
            await trio.sleep(60)
            assert visible(world, truth) == set()
            member = await engine.get(id)
            content = truth[next(path for path in truth if path.endswith(member.order.url.rpartition("/")[2]))]
            assert member.received == len(content)
            assert world.disk.durable(f"/downloads/{member.part}") == content

    assert run(5, story) > 2


@pytest.mark.parametrize("policy", TOGETHER)
def test_something_in_the_way_fails_it_and_trying_again_fetches_nothing(policy, tale, payload):
    """Somebody else's file stays what it is; nothing of the bundle is visible; out of the way, the parts are there."""

    async def story(world: World) -> None:
        requests, truth = serve(world, payload, policy, rate=1e3)
        taken = "/downloads/film/theirs" if policy == "all_or_nothing" else "/downloads/2/2.bin"
        async with world.engine() as engine:
            id = (await engine.submit_bundle(BundleRequest("film", requests, policy=policy))).id
            if policy == "all_or_nothing":
                world.disk.put(taken, b"theirs")
            else:
                while not any(d.path == "2/2.bin" for d in tale(world.log).downloads()):
                    await trio.sleep(0.05)
                world.disk.put(taken, b"theirs")
            status = await engine.wait_bundle(id)
            assert (status.state, status.completed) == ("failed", 0)
            assert "exists already" in status.why
            assert "bundle retry" in (status.hint or "")
            await engine.wait_idle()
            assert [path for path in world.disk.paths() if not path.endswith(".part")] == [taken]
            assert world.disk.content(taken) == b"theirs"
            assert tale(world.log).all(e.BundleVerified) == [], "what cannot be is not begun"
            asked = len(world.network.calls)
            assert (await engine.retry_bundle(id)).state in {"publishing", "failed"}
            assert (await engine.wait_bundle(id)).state == "failed", "it is still in the way"
        world.disk.retract([taken, "/downloads/film"])
        async with world.engine() as engine:
            await engine.retry_bundle(id)
            assert (await engine.wait_bundle(id)).ok
            await engine.wait_idle()
        assert len(world.network.calls) == asked
        assert {path: world.disk.durable(path) for path in world.disk.paths()} == truth

    run(5, story)


@pytest.mark.parametrize("policy", TOGETHER)
def test_a_member_that_fails_fails_the_whole_and_is_tried_again_alone(policy, tale, payload):
    """The others finish and wait; nothing is visible; the retry fetches what failed, and then all is there."""

    async def story(world: World) -> None:
        requests, truth = serve(world, payload, policy)
        good = world.network.serve
        good(requests[1].url, b"", status=404)
        async with world.engine() as engine:
            id = (await engine.submit_bundle(BundleRequest("film", requests, policy=policy))).id
            assert (await engine.wait_bundle(id)).state == "failed"
            await engine.wait_idle()
            status = await engine.bundle(id)
            assert (status.failed, status.completed) == (1, 0)
            assert visible(world, truth) == set()
            assert [event.cause for event in tale(world.log).all(e.BundleFailed)] == ["member"]
            asked = len(world.network.calls)
            good(requests[1].url, payload(1000, 1))
            await engine.retry_bundle(id)
            assert (await engine.wait_bundle(id)).ok
            assert len(world.network.calls) == asked + 1
        assert visible(world, truth) == set(truth)

    run(6, story)


def test_a_failed_member_that_is_retried_by_itself_opens_its_bundle_again(tale, payload):
    """Whoever sees to it that no member is lost any more, the bundle goes on."""

    async def story(world: World) -> None:
        requests, truth = serve(world, payload, "all_or_nothing")
        world.network.serve(requests[1].url, b"", status=404)
        async with world.engine() as engine:
            id = (await engine.submit_bundle(BundleRequest("film", requests, policy="all_or_nothing"))).id
            await engine.wait_idle()
            world.network.serve(requests[1].url, payload(1000, 1))
            (failed,) = [d.id for d in tale(world.log).downloads() if d.state is State.FAILED]
            await engine.retry(failed)
            await engine.wait_idle()
            assert (await engine.bundle(id)).ok
        assert visible(world, truth) == set(truth)
        assert len(tale(world.log).all(e.BundleRetried)) == 1

    run(7, story)


@pytest.mark.row("S1.2", "S2.6")
def test_best_effort_keeps_what_succeeds_and_reports_the_rest(tale, payload):
    """Shards of a model: one fails, the others are there; the aggregate says so; the failed one is tried again."""

    async def story(world: World) -> None:
        requests, truth = serve(world, payload, "best_effort", rate=500)
        world.network.serve(requests[2].url, b"", status=404)
        async with world.engine() as engine:
            id = (await engine.submit_bundle(BundleRequest("model", requests))).id
            await trio.sleep(1.5)
            running = await engine.bundle(id)
            assert (running.state, running.total) == ("active", None)
            status = await engine.wait_bundle(id)
            assert (status.state, status.completed, status.failed, status.ok) == ("partial", 3, 1, False)
            assert status.received == sum(map(len, truth.values())) - 1500
            assert len(visible(world, truth)) == 3
            world.network.serve(requests[2].url, payload(1500, 2))
            await engine.retry_bundle(id)
            status = await engine.wait_bundle(id)
            assert (status.state, status.completed, status.received) == ("completed", 4, sum(map(len, truth.values())))
        assert visible(world, truth) == set(truth)
        assert tale(world.log).all(e.BundleFailed) == []

    run(8, story)


@pytest.mark.parametrize("retention_s", [0, 60])
@pytest.mark.parametrize("policy", TOGETHER)
def test_what_is_cancelled_leaves_nothing_behind(policy, retention_s, payload):
    """Some staged, some under way, some queued: in the end parts and the staging folder go, and nothing was visible."""

    async def story(world: World) -> None:
        requests, _ = serve(world, payload, policy, 6, rate=200)
        async with world.engine(retention_s=retention_s) as engine:
            status = await engine.submit_bundle(BundleRequest("film", requests, policy=policy))
            await trio.sleep(5)
            members = [row["id"] for row in await engine.listing() if row["bundle"] == str(status.id)]
            assert len(members) == 6
            await engine.cancel(*map(UUID, members))
            await engine.wait_idle()
            assert (await engine.wait_bundle(status.id)).state == "cancelled"
            await trio.sleep(2 * retention_s)
        assert world.disk.paths() == []
        assert not [folder for folder in world.disk._folders if "bundle" in folder]

    run(9, story)


@pytest.mark.parametrize("retention_s", [0, 60])
@pytest.mark.parametrize("policy", [*TOGETHER, "best_effort"])
def test_what_is_removed_with_its_files_leaves_nothing_behind(policy, retention_s, payload):
    """The folder that the bundle had become goes with the last of its files."""

    async def story(world: World) -> None:
        requests, truth = serve(world, payload, policy)
        async with world.engine(retention_s=retention_s) as engine:
            status = await engine.submit_bundle(BundleRequest("film", requests, policy=policy))
            assert (await engine.wait_bundle(status.id)).ok
            assert visible(world, truth) == set(truth)
            await engine.remove(*[UUID(row["id"]) for row in await engine.listing()], files=True)
            assert (await engine.bundle(status.id)).state == "removed"
            await trio.sleep(2 * retention_s)
        assert world.disk.paths() == []
        assert "/downloads/film" not in world.disk._folders

    run(16, story)


@pytest.mark.parametrize("policy", TOGETHER)
def test_parts_that_are_not_what_was_verified_are_fetched_again(policy, payload):
    """Another file under the part's name, a shorter one, none at all: nothing wrong is ever published."""

    async def story(world: World) -> None:
        requests, truth = serve(world, payload, policy)
        last = Request("http://a.example/late.bin", folder=requests[0].folder)
        world.network.serve(last.url, payload(4000, 9), rate=100)
        path = ("/downloads/film" if policy == "all_or_nothing" else "/downloads/0") + "/late.bin"
        async with world.engine() as engine:
            id = (await engine.submit_bundle(BundleRequest("film", [*requests, last], policy=policy))).id
            await trio.sleep(20)
            parts = [p for p in world.disk.paths() if p.endswith(".part") and "late" not in p]
            assert len(parts) == 4
            world.disk.put(parts[0], b"?" * len(world.disk.content(parts[0])))
            del world.disk._names[parts[1]].data[-1:]
            world.disk.unlink(parts[2])
            world.disk._names[parts[3]].data.extend(b"!")
            assert (await engine.wait_bundle(id)).ok
        assert visible(world, truth | {path: payload(4000, 9)}) == {*truth, path}

    run(10, story)


@pytest.mark.parametrize("stuck", [0, 2])
def test_a_disk_that_fails_in_the_midst_leaves_all_or_none_visible(stuck, payload):
    """The third link fails: what was linked is taken back; where that fails too, it is tried again until all is."""

    async def story(world: World) -> None:
        requests, truth = serve(world, payload, "roll_forward")
        failures = {"publish": 1 + stuck // 2, "retract": stuck}

        class Failing(Stepwise):
            def publish(self, group):
                answers = super().publish(group)
                if failures["publish"] and len(group) == 4:
                    failures["publish"] -= 1
                    self.inner.retract([group[2].final])
                    answers[2] = OSError(5, "the disk is worn out")
                return answers

            def retract(self, paths):
                if failures["retract"]:
                    failures["retract"] -= 1
                    raise OSError(5, "the disk is worn out")
                super().retract(paths)

        world.disk = Failing(world.disk, lambda _: None)
        async with world.engine() as engine:
            id = (await engine.submit_bundle(BundleRequest("film", requests, policy="roll_forward"))).id
            began_s = trio.current_time()
            status = await engine.wait_bundle(id)
            if stuck:
                assert trio.current_time() - began_s > 60, "patience between the tries"
            else:
                assert (status.state, status.why) == ("failed", "failed of disk: the disk is worn out")
                assert "room" in (status.hint or "")
                assert visible(world, truth) == set()
                await engine.wait_idle()
                await engine.retry_bundle(id)
            assert (await engine.wait_bundle(id)).ok
        assert visible(world, truth) == set(truth)
        assert len(world.network.calls) == 4
        assert failures == {"publish": 0, "retract": 0}

    run(17, story)


def test_a_staged_member_is_whole_and_rests_whatever_is_asked_of_it(tale, payload):
    """Resuming and retrying it do nothing; pausing keeps the bundle back until it is resumed, with nothing fetched."""

    async def story(world: World) -> None:
        requests, truth = serve(world, payload, "all_or_nothing", 2)
        world.network.serve(requests[1].url, payload(1000, 1), rate=10)
        async with world.engine() as engine:
            id = (await engine.submit_bundle(BundleRequest("film", requests, policy="all_or_nothing"))).id
            await trio.sleep(10)
            (staged,) = [d for d in tale(world.log).downloads() if d.staged]
            await engine.resume(staged.id)
            await engine.retry(staged.id)
            assert (await engine.get(staged.id)).version == staged.version
            await engine.pause(staged.id)
            await engine.wait_idle()
            assert visible(world, truth) == set()
            await engine.resume(staged.id)
            assert (await engine.wait_bundle(id)).ok
        assert len(world.network.calls) == 2

    run(11, story)


@pytest.mark.law(1)
def test_a_bundle_is_queued_whole_or_not_at_all(tale, payload):
    """One request of the log has the bundle, its members and their keys; asking again by these keys gives the same."""

    async def story(world: World) -> None:
        requests, _ = serve(world, payload, "best_effort")
        keyed = [Request(r.url, folder=r.folder, key=f"k{n}") for n, r in enumerate(requests)]
        appended: list[int] = []

        class Counting:
            def __getattr__(self, name):
                return getattr(log, name)

            def append(self, requests):
                appended.append(sum(len(request) for request in requests))
                return log.append(requests)

        log, world.log = world.log, Counting()
        async with world.engine(owner=False) as engine:
            first = await engine.submit_bundle(BundleRequest("model", keyed))
            again = await engine.submit_bundle(BundleRequest("model", keyed))
            assert again.id == first.id
            assert appended == [1 + 2 * 4]
            with pytest.raises(IllegalCommand, match="k0"):
                await engine.submit_bundle(BundleRequest("other", [keyed[0], Request("http://a.example/new.bin")]))
            both = [Request(f"http://a.example/n{number}", key="n") for number in range(2)]
            with pytest.raises(IllegalCommand, match="two members"):
                await engine.submit_bundle(BundleRequest("other", both))
            assert len(await engine.listing()) == 4
            with pytest.raises(UnknownDownload):
                await engine.bundle(UUID(int=7))

    run(12, story)


@pytest.mark.law(7)
def test_the_secrets_of_members_are_in_the_vault_before_the_log(tale, payload):
    """A token in a query and a header: fetched with them, and nowhere in the log."""

    async def story(world: World) -> None:
        url = "http://a.example/licence.xml?token=canary-1"
        world.network.serve(url, payload(100))
        async with world.engine() as engine:
            wanted = [Request(url, headers={"Authorization": "Bearer canary-2"})]
            status = await engine.submit_bundle(BundleRequest("film", wanted, policy="all_or_nothing"))
            assert (await engine.wait_bundle(status.id)).ok
        stored = b"".join(record.state for record in world.log.read(0, 1000))
        assert b"canary" not in stored
        assert world.disk.content("/downloads/film/licence.xml") == payload(100)

    run(13, story)


def test_what_cannot_be_meant_is_refused_before_anything_is_queued(payload):
    """Bounds, names, places that leave the folder, what could not be taken back, and a folder that exists."""
    one = Request("http://a.example/x")
    for bad in ("", "a/b", " a", "x" * 200, "a\nb"):
        with pytest.raises(InvalidSetting):
            BundleRequest(bad, [one])
    for requests in ([], [one] * 10_001):
        with pytest.raises(InvalidSetting, match="members") as caught:
            BundleRequest("x", requests)
        assert "10000" in caught.value.hint
    with pytest.raises(InvalidSetting, match="policy"):
        BundleRequest("x", [one], policy="both")
    for name in (".", "..", "\\"):
        BundleRequest(name, [one])
        with pytest.raises(InvalidSetting, match="folder"):
            BundleRequest(name, [one], policy="all_or_nothing")
    BundleRequest("download", [one], policy="all_or_nothing")
    with pytest.raises(InvalidSetting, match=r"members 1 and 3 .* the same URL"):
        BundleRequest("x", [one, Request("http://a.example/y"), one])
    BundleRequest("x", [one, Request("http://a.example/x", path="y")])
    for policy in TOGETHER:
        for if_exists in ("overwrite", "skip"):
            with pytest.raises(InvalidSetting, match="if_exists"):
                BundleRequest("x", [Request("http://a.example/x", if_exists=if_exists)], policy=policy)
    with pytest.raises(InvalidDestination):
        BundleRequest("x", [Request("http://a.example/x", folder="/elsewhere")], policy="all_or_nothing")

    async def story(world: World) -> None:
        world.disk.put("/downloads/film/theirs", b"")
        async with world.engine() as engine:
            for path in ("../x", "/x", "a/../../x"):
                wanted = BundleRequest("new", [Request("http://a.example/x", path=path)], policy="all_or_nothing")
                with pytest.raises(InvalidDestination):
                    await engine.submit_bundle(wanted)
            with pytest.raises(DestinationTaken):
                await engine.submit_bundle(BundleRequest("film", [one], policy="all_or_nothing"))
            assert await engine.listing() == []

    run(14, story)


def test_members_may_lie_in_folders_of_the_bundle_and_have_no_name_twice(payload):
    """A path of a member is one inside the bundle; two of one name fail it, unless one may be numbered."""

    async def story(world: World) -> None:
        for number in range(3):
            world.network.serve(f"http://{number}.example/a.bin", payload(100, number))
        inside = [Request("http://0.example/a.bin", path="sub/deep/b.bin"), Request("http://1.example/a.bin")]
        async with world.engine() as engine:
            status = await engine.submit_bundle(BundleRequest("film", inside, policy="all_or_nothing", folder="/films"))
            assert status.path == "/films/film"
            assert (await engine.wait_bundle(status.id)).ok
            assert world.disk.paths() == ["/films/film/a.bin", "/films/film/sub/deep/b.bin"]
            twice = [Request(f"http://{n}.example/a.bin", if_exists="fail" if n < 2 else "rename") for n in (0, 1)]
            status = await engine.submit_bundle(BundleRequest("twice", twice, policy="all_or_nothing"))
            assert (await engine.wait_bundle(status.id)).state == "failed"
            both = [Request(f"http://{n}.example/a.bin", if_exists="rename") for n in (0, 1, 2)]
            status = await engine.submit_bundle(BundleRequest("both", both, policy="all_or_nothing"))
            assert (await engine.wait_bundle(status.id)).ok
            assert sum(path.startswith("/downloads/both/") for path in world.disk.paths()) == 3

    run(15, story)


async def until(world: World, seconds: float, request: BundleRequest | None) -> World:
    """Run for so long in virtual time, with a bundle if one is given, and return what a kill leaves."""
    async with trio.open_nursery() as nursery:

        async def work() -> None:
            async with world.engine() as engine:
                if request is not None:
                    await engine.submit_bundle(request)
                await trio.sleep_forever()

        nursery.start_soon(work)
        await trio.sleep(seconds)
        left = world.fork(round(seconds * 1000))
        nursery.cancel_scope.cancel()
    return left


LOSSES = st.lists(
    st.tuples(st.floats(0.001, 14), st.sampled_from([None, 0.0, 0.5])), min_size=1, max_size=5
)  # fmt: skip


def lost_again_and_again(seed, policy, losses, tale, payload):
    async def story(world: World) -> None:
        requests, truth = serve(world, payload, policy, 5, rate=200)
        wanted: BundleRequest | None = BundleRequest("film", requests, policy=policy)
        chance = random.Random(seed)
        for seconds, share in losses:
            world, wanted = await until(world, seconds, wanted), None
            if share is not None:
                world.disk.crash(lambda share=share: chance.random() < share)
            assert visible(world, truth) in (set(), set(truth))
        async with world.engine() as engine:
            assert visible(world, truth) in (set(), set(truth))
            (id,) = {fact.stream for fact in tale(world.log).facts if isinstance(fact.event, e.BundleOpened)}
            assert (await engine.wait_bundle(id)).ok
            await engine.wait_idle()
        assert {path: world.disk.durable(path) for path in world.disk.paths()} == truth

    run(seed, story)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32), policy=st.sampled_from(TOGETHER), losses=LOSSES)
def test_it_may_be_lost_again_and_again_while_it_is_fetched(seed, policy, losses, tale, payload):
    """Kills and losses of power at any moments, each in the engine that recovers from the one before."""
    lost_again_and_again(seed, policy, losses, tale, payload)


@pytest.mark.long
@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**32), policy=st.sampled_from(TOGETHER), losses=LOSSES)
def test_it_may_be_lost_many_times(seed, policy, losses, tale, payload):
    """The same, at many more moments."""
    lost_again_and_again(seed, policy, losses, tale, payload)
