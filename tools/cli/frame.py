"""What was said before the verb, and the one decorator that makes a function a verb."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

DOWNLOAD_STATES = (
    "queued", "active", "verifying", "waiting", "stopping", "paused", "completed", "failed", "cancelled", "removed",
)  # fmt: skip
"""`lading.domain.states.SHOWN`, which a test holds equal; written out so that help needs no domain."""


class Frame:
    """Which home, which log, whether to answer in JSON, and the bundle whose members a control verb is for, if any."""

    __slots__ = ("bundle", "home", "json", "log")

    def __init__(self) -> None:
        self.home: Path | None = None
        self.log: str | None = None
        self.json = False
        self.bundle: str | None = None


def _note_json(context: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001
    if value:
        context.ensure_object(Frame).json = True


json_option = click.option(
    "--json",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_note_json,
    help="Answer with one JSON object a line.",
)
"""Taken before the verb and after it."""


def verb(**settings: Any) -> Callable[[Callable[..., int | None]], click.Command]:
    """Make a verb of a function: it gets the frame first, and returns an exit code or None for 0.

    Its docstring is its help. `settings` go to `click.command`.
    """

    def decorate(function: Callable[..., int | None]) -> click.Command:
        framed = click.make_pass_decorator(Frame, ensure=True)(function)
        command: click.Command = click.command(**settings)(json_option(framed))
        return command

    return decorate
