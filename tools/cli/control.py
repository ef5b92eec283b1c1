"""What the control verbs share: which downloads are meant, who carries it out, and what is said of it.

A control verb appends its command. When no engine owns the home, the verb becomes its owner for a moment, so that what
the command asks of files is settled when it returns; it starts no downloads. With `--no-wait` it only appends.
"""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lading.tools.cli.frame import Frame

if TYPE_CHECKING:
    from lading.domain.commands import Control
    from lading.domain.download import Download
    from lading.domain.hold import Hold
    from lading.engine import Engine
    from lading.reading import Reading

F = TypeVar("F", bound=Callable[..., Any])
Act = Callable[["Engine", "list[Any]"], Awaitable[object]]


def _note_bundle(context: click.Context, _: click.Parameter, value: str | None) -> None:
    context.ensure_object(Frame).bundle = value


_CHOICES = (
    click.option(
        "--bundle",
        metavar="B",
        expose_value=False,
        callback=_note_bundle,
        help="All members of this bundle, as far as it applies to them.",
    ),
    click.option("--tag", metavar="T", help="All with this tag, as far as it applies to them."),
    click.option("--all", "everything", is_flag=True, help="All downloads, as far as it applies to them."),
)
no_wait = click.option("--no-wait", is_flag=True, help="Do not wait until it has taken effect.")


def chosen(function: F) -> F:
    """Give a verb its `ID…`, `--bundle`, which the frame keeps, `--tag` and `--all`."""
    for option in reversed(_CHOICES):
        function = option(function)
    return click.argument("ids", nargs=-1, metavar="[ID]...")(function)


def carry_out(
    frame: Frame,
    command: Control,
    act: Act,
    *,
    ids: Sequence[str],
    tag: str | None,
    everything: bool,
    wait: bool = True,
    removed: bool = False,
) -> list[Download]:
    """Find what is meant, have `act` do it, print what became of each, and return that.

    Args:
        frame: the home, and how to answer.
        command: what `act` asks for, to know to which downloads it applies.
        act: asks the engine.
        ids: the downloads, as people name them.
        tag: or all with this tag.
        everything: or all.
        wait: whether to settle what is asked; else it is only appended.
        removed: whether all includes those that were removed.

    Raises:
        UsageError: nothing or too much is chosen, a download is unknown, or the command does not apply to a named one.
    """
    import trio

    from lading.domain.errors import IllegalCommand
    from lading.tools.cli import homes, naming

    _check_choice(ids, tag, frame.bundle, everything=everything)
    homes.existing(frame)

    async def main() -> list[Download]:
        async with homes.working(frame, role="auto" if wait else "client", start=False) as engine:
            reading = engine.reading
            find = functools.partial(_find, reading, ids, tag, frame.bundle, command, removed=removed)
            found = await trio.to_thread.run_sync(find)
            try:
                await act(engine, [download.id for download in found])
            except IllegalCommand as error:
                if ids:
                    refused = next((d for d in found if _is_illegal(d, command)), found[0])
                    error.hint = naming.with_id(error.hint, refused.id)
                    raise
            return await trio.to_thread.run_sync(_again, reading, found)

    done = trio.run(main)
    _say(frame, done)
    return done


def control_queue(
    frame: Frame,
    act: Callable[[Engine], Awaitable[Hold]],
    *,
    ids: Sequence[str],
    tag: str | None,
    everything: bool,
) -> None:
    """Have `act` hold the whole queue or let it go, and say how it is held then.

    Raises:
        UsageError: downloads are chosen as well.
    """
    import trio

    from lading.domain.errors import UsageError
    from lading.tools.cli import homes
    from lading.tools.cli.answers import answer

    if ids or tag is not None or frame.bundle is not None or everything:
        raise UsageError("--queue is for the whole queue", hint="leave out ids, --bundle, --tag and --all")
    homes.existing(frame)

    async def main() -> Hold:
        async with homes.working(frame, role="client") as engine:
            return await act(engine)

    held = trio.run(main)
    row = {"paused": held.paused, "blocked": held.blocked}
    answer(frame, row, "the queue is paused" if held.paused else held.why or "the queue goes on")


def _check_choice(ids: Sequence[str], tag: str | None, bundle: str | None, *, everything: bool) -> None:
    from lading.domain.errors import UsageError

    count = bool(ids) + (tag is not None) + (bundle is not None) + everything
    if count != 1:
        message = "no downloads are chosen" if count == 0 else "downloads are chosen in more than one way"
        raise UsageError(message, hint="give ids or keys, or --bundle B, or --tag T, or --all")


def _find(
    reading: Reading, ids: Sequence[str], tag: str | None, bundle: str | None, command: Control, *, removed: bool
) -> list[Download]:
    """Return the downloads that are meant; blocks."""
    from lading import bundles
    from lading.domain.states import State
    from lading.tools.cli.naming import find

    reading.catch_up()
    if ids:
        return list({(download := find(reading, text)).id: download for text in ids}.values())
    if bundle is not None:
        return applicable(bundles.members(reading, bundles.find(reading, bundle)), command)
    gone = reading.downloads(tag=tag, state=State.REMOVED.shown) if removed else ()
    return applicable(itertools.chain(reading.downloads(tag=tag), gone), command)


def applicable(downloads: Iterable[Download], command: Control) -> list[Download]:
    """Return those to which a command applies: where it is legal and does something."""
    return [download for download in downloads if _applies(download, command)]


def _applies(download: Download, command: Control) -> bool:
    from lading.domain.decide import decide

    return not _is_illegal(download, command) and bool(decide(download, command))


def _is_illegal(download: Download, command: Control) -> bool:
    from lading.domain.decide import decide
    from lading.domain.errors import IllegalCommand

    try:
        decide(download, command)
    except IllegalCommand:
        return True
    return False


def _again(reading: Reading, found: list[Download]) -> list[Download]:
    """Return the downloads as they are now; blocks."""
    reading.catch_up()
    return [reading.get(download.id) or download for download in found]


def _say(frame: Frame, downloads: list[Download]) -> None:
    from lading.domain.download import LEFT
    from lading.domain.states import State
    from lading.projections import progress
    from lading.tools.cli.answers import answer, note
    from lading.tools.cli.taking_back import wrong

    for download in downloads:
        answer(frame, progress.listing(download, time.time_ns()), f"{download.id} {download.state.shown}")
        if download.state is State.REMOVED and download.invalid == LEFT:
            note(frame, wrong(download))
    if not downloads:
        note(frame, "there was nothing to do")
