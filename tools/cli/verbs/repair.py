"""`lading repair`: make damaged files whole again; with `--log`, go on from the valid prefix of a damaged log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lading.tools.cli.frame import Frame, verb

if TYPE_CHECKING:
    from lading.repairing import Repair


@verb()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--no-wait", is_flag=True, help="Only queue it; the engine of the home, or `lading run`, does it.")
@click.option("--log", "log", is_flag=True, help="Set a damaged log aside, and go on from its valid prefix.")
@click.option("--accept-loss", is_flag=True, help="With --log: go on though nothing of the log can be read any more.")
def command(frame: Frame, ids: tuple[str, ...], *, no_wait: bool, log: bool, accept_loss: bool) -> int:
    """Make the files of completed downloads whole again, by fetching the damaged pieces alone.

    Each file is read, and its pieces are held against the digests that the log has of them. The damaged ones are
    fetched into a copy, or the whole where the server calls it another version now; when that has the digest that was
    published, it takes the file's place, and the damaged file is put aside, where an earlier repair's was. What is not
    complete is tried again.

    With --log no download is named: a damaged log is set aside, whole, and what was lost is listed. A log in a database
    stays there as it is, and what is valid of it goes on in the home.
    """
    from lading.domain.errors import UsageError

    if log:
        if ids or no_wait:
            raise UsageError("--log is for the log as a whole", hint="leave out ids and --no-wait")
        from lading.tools.cli.log_repair import repair

        return repair(frame, accept_loss=accept_loss)
    if accept_loss:
        raise UsageError("--accept-loss belongs to --log", hint="`lading repair --log --accept-loss`")
    if not ids:
        raise UsageError("no downloads are named", hint="`lading repair ID…`, or `lading repair --log`")
    return _files(frame, ids, wait=not no_wait)


def _files(frame: Frame, ids: tuple[str, ...], *, wait: bool) -> int:
    import trio

    from lading.engine import Engine
    from lading.tools.cli import display, homes, work
    from lading.tools.cli.endings import Endings
    from lading.tools.cli.naming import find
    from lading.tools.cli.watching import Watch

    homes.existing(frame)
    shown = display.choose(frame)
    endings = Endings(frame, shown, demanding=True)

    async def ask(engine: Engine) -> list[Repair]:
        await trio.to_thread.run_sync(engine.reading.catch_up)
        named = [(await trio.to_thread.run_sync(find, engine.reading, text)).id for text in ids]
        repairs = await engine.repair(*dict.fromkeys(named))
        with shown.aside():
            for repair in repairs:
                _say(frame, repair)
        return repairs

    async def begin(engine: Engine) -> Watch:
        after = await trio.to_thread.run_sync(engine.reading.log.head)
        asked = [repair.download for repair in await ask(engine) if repair.repairs or not repair.download.ended]
        return Watch(shown, endings.report, after=after, own=asked)

    async def main() -> bool:
        if not wait:
            async with homes.working(frame, role="client") as engine:
                await ask(engine)
            return False
        return await work.work(frame, shown, begin)

    with shown:
        interrupted = trio.run(main)
    return work.say_interrupted(frame) if interrupted else endings.conclude()


def _say(frame: Frame, repair: Repair) -> None:
    from lading.domain.states import State
    from lading.tools.cli import units
    from lading.tools.cli.answers import note, plain, write_json

    if frame.json:
        write_json(repair.row())
        return
    name = plain(repair.path or repair.download.id)
    if repair.damaged:
        where = ", ".join(f"{start:,} to {end:,}" for start, end in repair.damaged[:8])
        more = f" and {len(repair.damaged) - 8} more ranges" if len(repair.damaged) > 8 else ""
        share = units.share(repair.row()["bytes"], repair.download.total)
        note(frame, f"{name}: bytes {where}{more} are to be fetched again ({share})")
    elif repair.repairs:
        note(frame, f"{name}: it is not complete; what is held is judged, and it goes on")
    elif repair.download.state is State.COMPLETED:
        note(frame, f"{name}: it is what was published; there is nothing to repair")
    elif not repair.download.ended:
        note(frame, f"{name}: it is {repair.download.state.shown} already, and goes on")
    else:
        note(frame, f"{name}: it is {repair.download.state.shown}; there is nothing to repair")
