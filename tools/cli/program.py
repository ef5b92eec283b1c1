"""The program: the options before the verb, and the verbs, each loaded when it is asked for."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from types import ModuleType

import click

from lading.collector import look_seldom
from lading.domain.errors import UsageError
from lading.tools.cli import trouble
from lading.tools.cli.frame import Frame, json_option

VERBS = {
    "get": "Download URLs now and print the paths of the files.",
    "add": "Queue downloads for later and print their ids.",
    "run": "Work the queue until it is empty, or for ever.",
    "list": "List the downloads in the order in which they were asked for.",
    "show": "Show all there is to know of one download.",
    "why": "Tell why a download is in the state that it is in.",
    "pause": "Let downloads rest.",
    "resume": "Let paused or waiting downloads go on.",
    "cancel": "Give downloads up and put aside what was received.",
    "retry": "Try failed, cancelled or waiting downloads again.",
    "remove": "Take downloads out of the queue and put aside what is incomplete.",
    "prioritise": "Give downloads another priority.",
    "limit": "Let downloads use so many bytes a second.",
    "finish": "Let endless downloads end here.",
    "refresh-url": "Fetch a download from another URL.",
    "forget": "Shred the secrets of downloads.",
    "undo": "Take back the last thing that you asked for.",
    "redo": "Do again what was undone last.",
    "wait": "Wait until downloads have ended.",
    "bundle": "Queue, show and steer downloads that belong together.",
    "files": "Show what lies on the disk of downloads, and whether it is valid.",
    "history": "Show how downloads ended, the latest first.",
    "stats": "Show what all of it comes to: counts, rates, bytes and durations.",
    "health": "Tell whether anything is wrong with this home.",
    "log": "Print the events of the log.",
    "checkpoint": "Sign what the log is like now, and print that: a checkpoint, as c2sp.org/tlog-checkpoint has it.",
    "replay": "Show any view as it stood then.",
    "diff": "Show what changed of each download between two positions of the log.",
    "export": "Write events or a view to a file, or add to a folder what it lacks.",
    "sql": "Ask a home in SQL, by DuckDB.",
    "receipt": "Give a receipt of a download, which others can check.",
    "verify-receipt": "Check a receipt, offline and without a home.",
    "verify": "Check every record of the log, and views and files on demand.",
    "repair": "Make the files of completed downloads whole again, by fetching the damaged pieces alone.",
    "backup": "Copy log, settings and cursors of this home into one file.",
    "restore": "Make a home of a backup.",
    "archive": "Move closed history out of the views into files.",
    "incident": "Put what happened into one file, without names, to be decided anew by `replay --simulate`.",
    "clean": "Remove stale failures and orphan parts, and look at published files.",
    "rebuild": "Make the views anew from the log.",
    "config": "Show the settings of this home, and change them.",
    "hooks": "Show the hooks of this home, how far each has been told of the log, and what went wrong last.",
    "doctor": "Tell what this machine and this home can do.",
    "demo": "Take the tour: downloads, a real kill -9, and a recovery by replay.",
    "bench": "Measure what Lading does on this machine, beside its peers.",
    "torture": "Kill real engines at every step, and hold every law.",
    "completion": "Print the completion script of a shell.",
}
"""Every verb and its help in short, in the order in which the help lists them; a test holds them to the verbs' own."""

COMPLETE = "_LADING_COMPLETE"


class _Verbs(click.Group):
    """A group that imports a verb when that verb is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"lading.tools.cli.verbs.{cmd_name.replace('-', '_')}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, and say which one looks like it when there is none of that name."""
        if args and args[0] not in VERBS and not ctx.resilient_parsing:
            close = get_close_matches(args[0], VERBS, n=1)
            raise UsageError(
                f"there is no verb {args[0]!r}",
                hint=f"did you mean {close[0]}?" if close else "`lading --help` lists the verbs",
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


def _say_version(context: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001
    if value:
        from lading.tools.cli.answers import answer
        from lading.version import VERSION

        answer(context.ensure_object(Frame), {"version": VERSION}, f"lading {VERSION}")
        context.exit()


@click.group(
    cls=_Verbs, name="lading", subcommand_metavar="VERB ...", context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option(
    "--home",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The folder of log, views, vault and settings. [default: LADING_HOME, else the platform's state folder]",
)
@click.option(
    "--log", metavar="URL", envvar="LADING_LOG", help="The log. [env: LADING_LOG; default: lmdb: in the home]"
)
@json_option
@click.option("--version", is_flag=True, expose_value=False, callback=_say_version, help="Say which.")
@click.pass_context
def program(context: click.Context, home: Path | None, log: str | None) -> None:
    """Lading, an event-sourced download engine: every byte that arrives has a bill of lading.

    Exit codes: 0 done, 1 some download failed, 2 usage, 3 store unavailable, locked or newer, 4 integrity violation,
    130 interrupted.
    """
    frame = context.ensure_object(Frame)
    frame.home, frame.log = home, log


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code; nothing but an exit by signal or `os._exit` goes past it."""
    if arguments is None:
        look_seldom()
        _leave_out_httpx_program()
    given = list(sys.argv[1:] if arguments is None else arguments)
    if os.environ.get(COMPLETE):
        from click.shell_completion import shell_complete

        return shell_complete(program, {}, "lading", COMPLETE, os.environ[COMPLETE])
    frame = Frame()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lading")  # `doctor` says these things
            code = _invoke(given, frame)
        sys.stdout.flush()
    except BrokenPipeError:
        return _hush()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 # the outermost place: whatever it is, it is told
        return trouble.report(error, as_json=frame.json or "--json" in given, given=given)
    return code


def _leave_out_httpx_program() -> None:
    """Have httpx loaded without its own command line, which takes as long to load as all the rest of it."""
    sys.modules.setdefault("httpx._main", ModuleType("httpx._main"))


def _invoke(given: list[str], frame: Frame) -> int:
    with program.make_context("lading", list(given), obj=frame) as context:  # it takes what it parses out of the list
        return program.invoke(context) or 0


def _hush() -> int:
    """Whoever reads us has had enough: say nothing more, not even when the interpreter closes stdout."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
