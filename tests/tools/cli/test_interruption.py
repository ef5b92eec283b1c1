"""The first signal ends the work in good order, the second ends the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
import trio

from lading.tools.cli import interruption
from lading.tools.cli.interruption import interruptible


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Whoever runs the tests may ignore signals (`nohup pytest`); here they are heard."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_cancels_what_may_be_interrupted_and_nothing_else(number):
    """What comes after the scope still runs: that is where things are put in order."""
    said = []
    async with interruptible(said.append) as interrupted:
        with interrupted.begin():
            os.kill(os.getpid(), number)
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()
        with interrupted.begin() as later:
            await trio.sleep_forever()
    assert interrupted.seen
    assert later.cancelled_caught
    assert said == ["stopping in good order; once more stops at once"]


async def test_a_second_signal_ends_the_process(monkeypatch):
    """Whoever sends it does not want to wait."""
    left = trio.Event()
    monkeypatch.setattr(interruption, "_leave_at_once", left.set)
    async with interruptible(lambda _: None) as interrupted:
        with interrupted.begin():
            os.kill(os.getpid(), signal.SIGTERM)
            await trio.sleep_forever()
        os.kill(os.getpid(), signal.SIGTERM)
        with trio.fail_after(5):
            await left.wait()


def test_a_signal_that_whoever_started_us_ignores_is_ignored(lading, eventually):
    """So `nohup lading run &` survives its terminal."""
    command = ["bash", "-c", f"trap '' HUP; exec {sys.executable} -m lading --home {lading.home} run --forever"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        eventually(lambda: (lading.home / "log").exists() and lading.rows("log"))
        process.send_signal(signal.SIGHUP)
        lading("add", "http://127.0.0.1:9/x")
        eventually(lambda: any(row["event"] == "Started" for row in lading.rows("log")))
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 130
