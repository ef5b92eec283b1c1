"""Working a home from the command line: be its engine, or follow the one that is, and take over when that ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import trio

from lading.collector import leave_alone
from lading.engine import Engine
from lading.nurseries import open_plain_nursery
from lading.tools.cli import homes, trouble
from lading.tools.cli.answers import note
from lading.tools.cli.display import Display
from lading.tools.cli.frame import Frame
from lading.tools.cli.interruption import interruptible
from lading.tools.cli.watching import Watch

VACANCY_LOOK_S = 1.0

Begin = Callable[[Engine], Awaitable[Watch]]


async def work(frame: Frame, display: Display, begin: Begin, *, concurrency: int | None = None) -> bool:
    """Open an engine, begin, and follow what was begun to its end; return whether that was interrupted.

    While another engine owns the home, its work is followed; when that engine ends, this one takes over.
    """
    watch: Watch | None = None

    def say(text: str) -> None:
        with display.aside():
            note(frame, text)

    async with interruptible(say) as interruption:
        while not interruption.seen:
            async with homes.working(frame, concurrency=concurrency) as engine:
                leave_alone()
                engine.mishaps.say = say
                if engine.retuning is not None:
                    engine.retuning.say = say
                with interruption.begin():
                    if engine.role == "client":
                        say("another engine works on this home; following it")
                    if watch is None:
                        watch = await begin(engine)
                        held = (await engine.hold()).why
                        if held is not None:
                            say(held)
                    if not await _follow(engine, watch, homes.folder(frame)):
                        break
        if interruption.seen and engine.role == "client":
            say("the engine that works on this home goes on; `lading pause` or `lading cancel` ends its work")
    return interruption.seen


async def _follow(engine: Engine, watch: Watch, home: Path) -> bool:
    """Follow to the end, or, as a client, until the home has no engine any more; return whether that was why."""
    if engine.role != "client":
        await watch.follow(engine)
        return False
    done = False
    async with open_plain_nursery() as nursery:
        nursery.start_soon(_wait_vacant, home, nursery.cancel_scope)
        await watch.follow(engine)
        done = True
        nursery.cancel_scope.cancel()
    return not done


async def _wait_vacant(home: Path, scope: trio.CancelScope) -> None:
    """Wait until no engine owns the home, and then cancel."""
    while not await trio.to_thread.run_sync(homes.is_vacant, home):  # noqa: ASYNC110 # it happens in another process
        await trio.sleep(VACANCY_LOOK_S)
    scope.cancel()


def say_interrupted(frame: Frame, hint: str = "`lading run` goes on where this stopped") -> int:
    """Say that the work was interrupted and what goes on with it; return the exit code."""
    told = trouble.Trouble("interrupted", f"what is durable is kept: {hint}", "Interrupted", trouble.INTERRUPTED)
    trouble.tell(told, as_json=frame.json)
    return told.exit_code
