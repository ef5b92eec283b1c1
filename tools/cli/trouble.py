"""Errors as people and programs read them: one line with a hint, or one JSON object; and the exit code.

No secret may leave through a message (law 7), also not one that was typed where it does not belong: whatever is said
is scrubbed of the URLs and headers that were typed. Of an error that nobody foresaw only the type is told, and its
trace to those who ask for it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import click

DEBUG = "LADING_DEBUG"
_HEADER = "--header"
_NO_ROOM = "free some space where the home lies and do it again; what was acknowledged before is safe in the log"
DONE, FAILED, USAGE, STORE, INTEGRITY, INTERRUPTED = 0, 1, 2, 3, 4, 130


class Trouble(NamedTuple):
    """What went wrong, what to do about it, the class of the error, and the exit code."""

    error: str
    hint: str
    kind: str
    exit_code: int


def report(error: BaseException, *, as_json: bool, given: Sequence[str] = ()) -> int:
    """Say on stderr what went wrong and return the exit code; asking for help is no trouble."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.exceptions.NoArgsIsHelpError) and not as_json:
        print(error.format_message(), file=sys.stderr)
        return USAGE
    told = explain(error)
    tell(told._replace(error=_scrub(told.error, given)), as_json=as_json)
    if told.kind == "InternalError" and os.environ.get(DEBUG):
        import traceback

        print(_scrub("".join(traceback.format_exception(error)), given), file=sys.stderr, end="")
    return told.exit_code


def explain(error: BaseException) -> Trouble:
    """Return what to say of an error."""
    from lading.domain.errors import DiskFull, LadingError

    error = _first(error)
    match error:
        case DiskFull():  # a download that meets it waits; what comes here is of the home
            hint = _NO_ROOM if error.hint == DiskFull.default_hint else error.hint
            return Trouble(error.message, hint, type(error).__name__, STORE)
        case LadingError():
            return Trouble(error.message, error.hint, type(error).__name__, error.exit_code)
        case click.exceptions.NoArgsIsHelpError():
            return Trouble("a verb is missing", "`lading --help` lists them", "UsageError", USAGE)
        case click.ClickException():
            path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "lading"
            return Trouble(
                _lowered(error.format_message()), f"`{path} --help` shows what it takes", "UsageError", USAGE
            )
        case KeyboardInterrupt() | click.Abort():
            return Trouble("interrupted", "", "Interrupted", INTERRUPTED)
        case OSError() if error.filename is None and error.strerror:
            return Trouble(f"the answer could not be written: {error.strerror}", "", "OutputError", FAILED)
        case _:
            return Trouble(
                f"something went wrong inside Lading: {type(error).__name__}",
                f"{DEBUG}=1 shows where; what was acknowledged before is safe in the log",
                "InternalError",
                FAILED,
            )


def tell(trouble: Trouble, *, as_json: bool, **more: Any) -> None:
    """Print a trouble on stderr; `more` are further fields of its JSON object."""
    from lading.tools.cli.answers import plain, shown

    if as_json:
        print(json.dumps(shown({**trouble._asdict(), **more})), file=sys.stderr)
        return

    print(f"error: {plain(trouble.error)}", file=sys.stderr)
    if trouble.hint:
        print(f"hint: {plain(trouble.hint)}", file=sys.stderr)


def _lowered(message: str) -> str:
    """Return a message of click's in our shape: no capital, no full stop."""
    text = " ".join(message.split()).rstrip(".")
    return text[:1].lower() + text[1:]


def _first(error: BaseException | BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error of a group that matters most: one that is not Lading's own, else that of the highest code."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    return max(_leaves(error), key=lambda leaf: getattr(leaf, "exit_code", 1_000))


def _leaves(error: BaseException | BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _scrub(text: str, given: Sequence[str]) -> str:
    """Return `text` without what may be secret in the words that were typed."""
    from lading.domain.ports import Secrets
    from lading.domain.secrets import scrub

    urls = tuple(word for word in given if "://" in word)
    headers = {str(at): given[at + 1] for at, word in enumerate(given[:-1]) if word == _HEADER}
    headers |= {word: word.removeprefix(f"{_HEADER}=") for word in given if word.startswith(f"{_HEADER}=")}
    values = {name: line.partition(":")[2].strip() or line for name, line in headers.items()}
    return scrub(text, Secrets(urls=urls, headers=values)) if urls or values else text
