"""`lading torture`: engines that die at every step, and the laws held against what they leave."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lading.tools.cli.answers import write_json
from lading.tools.cli.frame import Frame, verb

if TYPE_CHECKING:
    from lading.tools.torture.run import Toll


@verb()
@click.option("--kills", type=click.IntRange(min=1), default=100, metavar="N", help="How many. [default: 100]")
@click.option("--seconds", type=click.FloatRange(min=1), metavar="S", help="No new home after so many seconds.")
@click.option("--seed", metavar="TEXT", help="What cargo, steps and times follow from. [default: another each time]")
@click.option("--keep", is_flag=True, help="Keep homes and files to look at.")
@click.option("--life", type=click.IntRange(min=0), default=1, metavar="N", help="With --blow: which life of the seed.")
@click.option("--blow", "blows", multiple=True, metavar="BLOW", help="Lead one life, killed so: 'after link final 1'.")
def command(
    frame: Frame, *, kills: int, seconds: float | None, seed: str | None, keep: bool, life: int, blows: tuple[str, ...]
) -> int:
    """Kill real engines at every step, and hold every law.

    It starts a server of its own, and engines in homes of their own: nothing of yours is touched. The exit code is 0 if
    every law held after every death, and 4 if not; then it tells what leads the same life again.
    """
    from lading.tools.torture.run import Torture, read_blow

    chosen = [read_blow(blow) for blow in blows]
    folder = Path(tempfile.mkdtemp(prefix="lading-torture-"))
    seed = seed if seed is not None else str(time.time_ns())

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    say(f"seed {seed}, in {folder}")
    torture = Torture(seed, folder, keep=keep, say=say)
    try:
        toll = torture.repeat(life, chosen) if chosen else torture.run(kills=kills, seconds=seconds)
    finally:
        if not keep and not torture.toll.broken:
            shutil.rmtree(folder, ignore_errors=True)
    _tell(frame, seed, toll)
    return _judge(toll, folder)


def _tell(frame: Frame, seed: str, toll: Toll) -> None:
    if frame.json:
        write_json({
            "seed": seed,
            "kills": toll.killed,
            "recovering": toll.recovering,
            "lives": toll.lives,
            "acknowledged": toll.acknowledged,
            "seconds": round(toll.seconds, 1),
            "by_step": dict(sorted(toll.kills.items())),
            "broken": [{"life": broken.life, "what": broken.what, "repeat": broken.command} for broken in toll.broken],
        })  # fmt: skip
        return
    from lading.tools.cli.tables import Column, show

    show((Column("killed"), Column("times", right=True)), sorted(toll.kills.items()))
    print(
        f"{toll.killed} kills in {toll.lives} homes, {toll.recovering} of them before the engine had recovered; "
        f"{toll.acknowledged} acknowledgements held against the logs; {toll.seconds:.0f} s"
    )


def _judge(toll: Toll, folder: Path) -> int:
    """Return 0 for no law broken.

    Raises:
        IntegrityError: one was.
        UsageError: nothing was put to the test.
    """
    from lading.domain.errors import IntegrityError, UsageError

    for broken in toll.broken:
        raise IntegrityError(f"life {broken.life}, {broken.what}", hint=f"see {folder}; again: {broken.command}")
    if not toll.killed:
        raise UsageError("no engine was killed, so nothing was shown", hint="give other steps or more --seconds")
    return 0
