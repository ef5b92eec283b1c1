"""Settings that can change while an engine works are taken over, and a wrong file changes nothing."""

from __future__ import annotations

import warnings

import pytest
import trio

from lading.domain.errors import DiskFull, InvalidSetting
from lading.domain.requests import Request
from lading.retuning import LOOK_S, SettingsFile, SettingsWarning
from lading.settings import HostLimits, Settings, load
from lading.testing.simulation import World, run

pytestmark = pytest.mark.row("S2.11")


def test_a_file_that_changes_is_taken_over_within_a_second_or_two(tmp_path):
    """What can change does, tables included; what was built when the engine was opened stays."""
    path = tmp_path / "settings.toml"

    async def story(world: World):
        async with world.engine() as engine:
            engine.retuning._file = SettingsFile(path, lambda: load(path, {}))
            engine.retuning._news.set()
            path.write_text('concurrency = 7\nconnect_timeout_s = 1\n[host."a.example"]\nconnections = 2\n')
            await trio.sleep(2 * LOOK_S)
            first = engine._s.settings
            path.unlink()
            await trio.sleep(2 * LOOK_S)
            return first, engine._s.settings

    first, second = run(1, story)
    assert (first.concurrency, first.connect_timeout_s) == (7, Settings().connect_timeout_s)
    assert first.hosts == {"a.example": HostLimits(connections=2)}
    assert first.origins["concurrency"] == str(path)
    assert (second.concurrency, second.hosts) == (Settings().concurrency, {})


def test_a_wrong_file_is_told_once_and_the_old_settings_hold(tmp_path):
    """Until it has been written again."""
    path = tmp_path / "settings.toml"

    async def story(world: World):
        async with world.engine(concurrency=5) as engine:
            engine.retuning._file = SettingsFile(path, lambda: load(path, {}))
            engine.retuning._news.set()
            path.write_text("concurrency = 0")
            await trio.sleep(10 * LOOK_S)
            held = engine._s.settings
            path.write_text("concurrency = 11")
            await trio.sleep(2 * LOOK_S)
            return held, engine._s.settings

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        held, after = run(1, story)
    assert (held.concurrency, after.concurrency) == (5, 11)
    (warning,) = (each for each in told if each.category is SettingsWarning)
    assert "concurrency" in str(warning.message)


def test_more_may_run_as_soon_as_more_is_allowed():
    """Nobody waits for another reason to look."""

    async def story(world: World):
        async with world.engine(concurrency=1, poll_s=60) as engine:
            for number in range(4):
                url = f"http://a.example/{number}"
                world.network.serve(url, bytes(1000), rate=1.0)
                await engine.submit(Request(url))
            await trio.sleep(1)
            before = len(world.network.open)
            engine.retune(concurrency=3, host={"a.example": {"connections": 2}})
            await trio.sleep(0.5)
            between = len(world.network.open)
            engine.retune(host={})
            await trio.sleep(0.5)
            return before, between, len(world.network.open)

    assert run(1, story) == (1, 2, 3)


def test_what_cannot_change_while_an_engine_works_is_refused():
    """And nothing else of that call is taken over."""

    async def story(world: World):
        async with world.engine() as engine:
            for wrong in ({"connect_timeout_s": 3}, {"schedule": "now"}, {"concurrency": 0}, {"host": 5}):
                with pytest.raises(InvalidSetting) as caught:
                    engine.retune(retries=9, **wrong)
                assert caught.value.hint
            return engine._s.settings.retries

    assert run(1, story) == Settings().retries


def test_a_file_that_cannot_be_read_is_told_like_one_that_is_wrong(tmp_path):
    """Whatever it has become, it ends no engine."""
    path = tmp_path / "settings.toml"

    async def story(world: World):
        async with world.engine(concurrency=5) as engine:
            engine.retuning._file = SettingsFile(path, lambda: load(path, {}))
            engine.retuning._news.set()
            told: list[str] = []
            engine.retuning.say = told.append
            path.mkdir()
            await trio.sleep(3 * LOOK_S)
            return engine._s.settings.concurrency, told

    concurrency, told = run(1, story)
    assert concurrency == 5
    (text,) = told
    assert str(path) in text


@pytest.mark.law(1)
def test_a_pause_by_the_schedule_that_a_full_log_cannot_take_ends_no_engine():
    """It holds all the same, and is told when there is room."""

    async def story(world: World):
        append = world.log.append

        def full(requests):
            raise DiskFull("the disk of the log is full")

        async with world.engine(watch_s=1.0) as engine:
            world.log.append = full
            engine.retune(schedule="00:00-24:00 pause")
            await trio.sleep(3 * LOOK_S)
            before = (await engine.hold()).blocked
            world.log.append = append
            await trio.sleep(3 * LOOK_S)
            return before, (await engine.hold()).blocked

    before, after = run(1, story)
    assert before == {}
    assert list(after) == ["schedule"]
