"""An incident is decided again as it was decided, and otherwise where a policy says otherwise."""

from __future__ import annotations

import random
import re
from itertools import pairwise

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lading.domain.errors import UsageError
from lading.domain.requests import Request
from lading.tools.cli.frame import Frame
from lading.tools.simulator import world
from lading.tools.simulator.command import run
from lading.tools.simulator.decisions import END, START

pytestmark = pytest.mark.row("C.6")

STORIES = ("uneven", "steered", "spoilt", "crashed", "by_the_clock", "cramped", "relayed")


def starts(courses):
    """When which downloads start, and when their attempts end, in the simulation."""
    decided = (courses.other or courses.again).decided.decisions
    return sorted(
        (made.at_ns, decided[END, key[1], key[2]].at_ns, key[1]) for key, made in decided.items() if key[0] == START
    )


@pytest.mark.parametrize("name", STORIES)
def test_a_record_is_decided_again_as_it_was(incident, stories, in_force, name):
    """Which download starts when, which retry comes after which delay, what is blocked: all of it, in order."""
    courses = incident(stories[name], **in_force[name]).courses()
    totals = courses.totals()
    assert totals["fidelity"]["all"] == totals["fidelity"]["order"] == 1.0
    assert totals["fidelity"]["decisions"] >= 7
    assert totals["differ"] == 0
    for name in ("downloads", "completed", "failed", "attempts", "retries", "bytes_refetched"):
        assert totals["again"][name] == totals["recorded"][name]


def test_what_was_not_in_force_is_found_out(incident, stories):
    """A simulation under other settings than the engine had does not claim that it agrees."""
    faith = incident(stories["uneven"], concurrency=5, retries=1).courses().totals()["fidelity"]
    assert faith["all"] < 0.9
    assert faith["retries"] < 1.0


def test_one_at_a_time_starts_one_after_the_other(incident, stories):
    """Nothing overlaps, priority and age decide who is next, and all of it takes longer."""
    courses = incident(stories["uneven"], concurrency=2).courses("concurrency=1")
    totals, times = courses.totals(), starts(courses)
    assert all(end <= start for (_, end, _), (start, _, _) in pairwise(times))
    assert totals["simulated"]["waiting"] > 1.5 * totals["again"]["waiting"]
    assert totals["settings"] == {"concurrency": 1}
    first = list(dict.fromkeys(name for _, _, name in times))
    items = {item.id.hex: item for item in courses.told.items.values()}
    ranks = [(-items[name].order.priority, items[name].number) for name in first]
    assert ranks == sorted(ranks)


def test_without_retries_each_failure_is_the_last(incident, stories):
    """And each decision that differs is shown with both of its sides."""
    courses = incident(stories["uneven"], concurrency=2).courses("retries=0")
    totals = courses.totals()
    assert totals["simulated"]["retries"] == 0
    assert totals["simulated"]["failed"] > totals["recorded"]["failed"]
    (row,) = [row for row in courses.rows() if row.key[0] == END and row.key[2] == 1 and row.differs
              and row.recorded.details.get("whole_host")]  # fmt: skip
    assert (row.recorded.what, row.again.what, row.simulated.what) == ("retries", "retries", "fails")
    assert row.simulated.details == {"cause": "busy"}


def test_a_host_of_its_own_limit_has_no_more_than_that(incident, stories):
    """Settings of single hosts are tried by the host's pseudonym."""
    made = incident(stories["uneven"], concurrency=2)
    host = next(iter(made.courses().told.items.values())).order.host.partition(":")[0]
    times = starts(made.courses(f'host."{host}".connections=1'))
    assert sum(one[1] > other[0] for one, other in pairwise(times)) <= 2


def test_what_the_record_does_not_tell_is_counted(incident, stories):
    """More retries than there were meet what the last one met, which nobody knows."""
    courses = incident(stories["uneven"], concurrency=2).courses("retries=6")
    assert courses.again.assumed == 0
    assert courses.other.assumed > 0
    assert courses.totals()["simulated"]["retries"] > courses.totals()["again"]["retries"]


def test_a_limit_makes_it_last_longer(incident, stories):
    """Bytes cost what they cost under another limit."""
    totals = incident(stories["uneven"], concurrency=2).courses("limit_rate=5K").totals()
    fetched = sum(40_000 + 7_000 * n for n in range(8) if n != 3)
    assert totals["simulated"]["makespan"] > 0.9 * fetched / 5120 > totals["again"]["makespan"]


def test_where_no_attempt_ends_there_is_no_makespan(incident, capfd):
    """Under a limit by which nothing is whole within a day: nothing completed, and no time is told that it took."""

    async def plain(world):
        for number in range(3):
            world.network.serve(f"http://a.example/{number}", bytes(400_000), rate=100_000)
        async with world.engine(concurrency=2) as engine:
            await engine.submit_many([Request(f"http://a.example/{number}") for number in range(3)])
            await engine.wait_idle()

    made = incident(plain, concurrency=2)
    totals = made.courses("limit_rate=1").totals()
    assert totals["recorded"]["makespan"] > 0
    assert totals["simulated"] | {"makespan": None, "completed": 0, "unfinished": 3} == totals["simulated"]
    frame = Frame()
    frame.json = False
    assert run(frame, made.path, ("limit_rate=1",)) == 0
    said = capfd.readouterr().out
    assert "WITH limit_rate=1: no attempt came to an end, so there is no makespan." in said
    assert re.search(r"^makespan .* -$", said, re.MULTILINE)


def test_the_same_file_gives_the_same_bytes(incident, stories, capfdbinary):
    """Same incident, same settings, same output, to the byte."""
    made = incident(stories["uneven"], concurrency=2)
    said = []
    for as_json in (True, False, True, False):
        frame = Frame()
        frame.json = as_json
        assert run(frame, made.path, ("concurrency=1", "retries=1")) == 0
        said.append(capfdbinary.readouterr().out)
    assert said[0] == said[2]
    assert said[1] == said[3]
    assert said[0] != said[1]


def test_large_files_make_a_small_world(incident, monkeypatch):
    """Sizes stand for themselves in the report, however small the world is in which they are fetched."""

    async def large(world):
        for number in range(2):
            world.network.serve(f"http://a.example/{number}", bytes(900_000), rate=40_000)
        world.network.files["http://a.example/1"].break_after = 400_000
        async with world.engine() as engine:
            await engine.submit_many([Request("http://a.example/0"), Request("http://a.example/1")])
            await trio.sleep(15)
            world.network.files["http://a.example/1"].break_after = None
            await engine.wait_idle()

    monkeypatch.setattr(world, "MOST_BYTES", 600_000)
    totals = incident(large).courses("host_limit_rate=40000").totals()
    assert totals["bytes_a_byte"] == 3
    assert totals["fidelity"]["all"] == 1.0
    assert totals["again"]["makespan"] < 30
    assert 44 < totals["simulated"]["makespan"] < 52


def test_a_range_begins_with_what_was_there(incident, stories):
    """Downloads that are older than the range come in with it, and what is behind its end is not told."""
    made = incident(stories["uneven"], more={"first": 25, "last": 50}, concurrency=2)
    courses = made.courses()
    assert made.told.carried > 0
    assert 0 < courses.totals()["recorded"]["downloads"] < 10
    assert courses.totals()["fidelity"]["decisions"] > 5


def test_an_empty_range_is_no_incident(incident, stories, tmp_path):
    """Then nothing is written."""
    with pytest.raises(UsageError, match="nothing in that range"):
        incident(stories["uneven"], more={"first": 10**6}, concurrency=2)
    assert list(tmp_path.iterdir()) == []


def anything(seed: int):
    """Return a story of random servers and random wishes."""
    dice = random.Random(seed)

    async def story(world):
        urls = [f"http://{dice.choice('abc')}.example/{n}" for n in range(dice.randint(1, 7))]
        for url in urls:
            world.network.serve(
                url,
                bytes(dice.randint(0, 200_000)),
                rate=dice.choice([None, 1_000, 30_000]),
                break_after=dice.choice([None, None, 0, 20_000]),
                status=dice.choice([None, None, None, 404, 429, 503]),
                retry_after=dice.choice([None, "7"]),
                sized=dice.random() < 0.8,
                ranges=dice.random() < 0.8,
                etag=dice.choice([None, '"e"', 'W/"e"']),
            )
        for _ in range(dice.randint(1, 2)):
            async with world.engine(concurrency=dice.randint(1, 4), retries=dice.randint(0, 3)) as engine:
                made = await engine.submit_many([Request(u, allow_unsized=True) for u in urls])
                for _ in range(dice.randint(0, 6)):
                    await trio.sleep(dice.uniform(0, 20))
                    act = dice.choice([engine.pause, engine.resume, engine.cancel, engine.retry, engine.remove])
                    try:
                        await act(dice.choice(made).id)
                    except UsageError:
                        continue
                world.network.online = world.machine.online = dice.random() < 0.8
                await trio.sleep(dice.uniform(0, 100))
                world.network.online = world.machine.online = True
                if dice.random() < 0.7:
                    with trio.move_on_after(500):
                        await engine.wait_idle()

    return story


def test_what_is_given_makes_no_simulation_better(incident, stories, in_force):
    """That downloads complete is no decision, and does not count as one that came out again."""
    courses = incident(stories["relayed"], **in_force["relayed"]).courses()
    faith = courses.totals()["fidelity"]
    assert (faith["decisions"], faith["agreed"], faith["ends"]) == (9, 9, None)
    assert len(courses.rows()) == 18


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_any_history_can_be_decided_again(incident, seed):
    """Whatever happened, it is decided anew without an error, and each decision is counted once."""
    courses = incident(anything(seed), seed=seed).courses("concurrency=2", "retries=1")
    totals = courses.totals()
    for share in ("all", "order"):
        assert totals["fidelity"][share] is None or 0 <= totals["fidelity"][share] <= 1
    assert totals["simulated"]["downloads"] == totals["recorded"]["downloads"]
    assert len({row.key for row in courses.rows()}) == len(courses.rows())
