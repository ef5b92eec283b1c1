"""`lading hooks`: who is told of events, and how far that came."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from lading.tools.cli.frame import Frame, json_option

if TYPE_CHECKING:
    from lading.domain.hooks import Hook

_MADE = "`lading config set hooks.NAME.command PROGRAM` makes one"

pass_frame = click.make_pass_decorator(Frame, ensure=True)


@click.group(invoke_without_command=True, subcommand_metavar="[test NAME]")
@json_option
@click.pass_context
def command(context: click.Context) -> None:
    """Show the hooks of this home, how far each has been told of the log, and what went wrong last.

    A hook is a table [hooks.NAME] in settings.toml of the home; the engine that works there tells it of each event that
    it wants at least once, in order. `lading config set hooks.NAME.SETTING VALUE` sets what it may have:

    \b
    command        a program with its arguments, which gets the event as JSON on stdin
    url            or where the same JSON is posted
    on             the events that it is told of, such as started,retry-scheduled;
                   all are every one [completed,failed]
    since          where a new one begins: now, or at the start of the log [now]
    timeout_s      the longest that one delivery may take, in seconds [60]
    give_up_after  so many failures after which an event is skipped; 0 is never [0]
    """  # noqa: D301 # click takes a backspace for "leave these lines as they are"
    if context.invoked_subcommand is None:
        _show(context.ensure_object(Frame))


@command.command()
@click.argument("name")
@json_option
@pass_frame
def test(frame: Frame, name: str) -> int:
    """Tell a hook of a sample, now; what its program prints is shown."""
    import trio

    from lading.deliveries import Deliveries
    from lading.domain.errors import InvalidSetting
    from lading.domain.hooks import HookFailed
    from lading.tools.cli import trouble
    from lading.tools.cli.answers import answer

    settings, hooks = _settings(frame)
    if name not in hooks:
        known = ", ".join(sorted(hooks))
        hint = f"known are {known}" if known else f"there are none: {_MADE.replace('NAME', name)}"
        raise InvalidSetting(f"there is no hook {name!r}", hint=hint)
    row = {"name": name, "event": "test", "delivered": True, "error": None}
    try:
        trio.run(Deliveries(trust_env=settings.trust_env, quiet=False).deliver, hooks[name], _sample(name))
    except HookFailed as error:
        answer(frame, row | {"delivered": False, "error": error.message}, f"{name}: {error.message}")
        hint = "mend the command or the url in settings.toml, or what it names"
        told = trouble.Trouble(f"the hook {name} was not told", hint, "HookFailed", trouble.FAILED)
        trouble.tell(told, as_json=frame.json)
        return trouble.FAILED
    answer(frame, row, f"{name}: told")
    return trouble.DONE


def _settings(frame: Frame) -> tuple[Any, dict[str, Hook]]:
    from lading.settings import load
    from lading.tools.cli import homes

    settings = load(homes.folder(frame) / "settings.toml", os.environ)
    return settings, dict(settings.hooks)


def _sample(name: str) -> dict[str, Any]:
    """Return what a hook is told to try it: an event that never happened, in the shape of those that do."""
    from lading.adapters.system import SystemChance
    from lading.projections.instants import iso

    now_ns = time.time_ns()
    id = str(SystemChance().uuid(now_ns))
    return {
        "event": "test", "id": id, "key": None, "state": "completed", "path": None, "size": None, "digest": None,
        "url": "https://example.org/sample", "tags": [name], "error": None, "at": iso(now_ns), "position": 0,
        "idempotency": id,
    }  # fmt: skip


def _show(frame: Frame) -> None:
    from lading.tools.cli import tables
    from lading.tools.cli.answers import note, write_json

    rows = list(_rows(frame))
    if frame.json:
        for row in rows:
            write_json(row)
        return
    columns = (
        tables.Column("HOOK"),
        tables.Column("TELLS"),
        tables.Column("ON", least=10),
        tables.Column("DELIVERED", right=True),
        tables.Column("BEHIND", right=True),
        tables.Column("FAILURES", right=True),
        tables.Column("LAST ERROR", least=14),
    )
    cells = (
        (r["name"], r["tells"], " ".join(r["on"]), r["delivered"], r["lag"], r["failures"], r["error"] or "")
        for r in rows
    )
    if not tables.show(columns, cells):
        note(frame, f"there are no hooks: {_MADE}")
    for row in rows:
        if row["troubled"]:
            note(frame, f"{row['name']} cannot be told of an event: {row['error']}; `lading hooks test {row['name']}`")


def _rows(frame: Frame) -> Iterator[dict[str, Any]]:
    from lading.cursors import FileCursors, behind
    from lading.domain import urls
    from lading.domain.hooks import Cursor
    from lading.home import MARKER
    from lading.projections.instants import iso
    from lading.tools.cli import homes

    _, hooks = _settings(frame)
    if not hooks:
        return
    folder = homes.folder(frame)
    held_by_name = {name: FileCursors(folder).load(name) for name in hooks}
    lags = dict.fromkeys(hooks, 0)
    if (folder / MARKER).exists():
        with homes.looking(frame, caught_up=False) as reading:
            lags = {name: behind(reading, hook, held_by_name[name]) for name, hook in hooks.items()}
    for name, hook in hooks.items():
        held = held_by_name[name]
        cursor = held or Cursor(position=0)
        yield {
            "name": name,
            "tells": hook.arguments()[0] if hook.command else urls.host(hook.url),
            "on": list(hook.on),
            "position": None if held is None else cursor.position,
            "lag": lags[name],
            "delivered": cursor.delivered,
            "given_up": cursor.given_up,
            "failures": cursor.failures,
            "troubled": cursor.is_troubled,
            "error": cursor.error,
            "at": iso(cursor.at_ns),
        }
