"""`lading config`: the settings of a home, each with where its value comes from."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import click

from lading.tools.cli.frame import Frame, json_option

pass_frame = click.make_pass_decorator(Frame, ensure=True)
_TABLE = re.compile(r"^\s*\[", re.MULTILINE)


@click.group(invoke_without_command=True, subcommand_metavar="[set NAME VALUE | unset NAME]")
@json_option
@click.pass_context
def command(context: click.Context) -> None:
    """Show the settings of this home, and change them: each has a value and somewhere that it comes from.

    Defaults come first, then settings.toml in the home, then the environment (LADING_ and the name in capitals).
    """
    if context.invoked_subcommand is None:
        _show(context.ensure_object(Frame))


@command.command(name="set", context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("value")
@json_option
@pass_frame
def set_(frame: Frame, name: str, value: str) -> None:
    """Write a setting into settings.toml of this home."""
    from lading.settings import KINDS, parse

    meant: str | None = None
    if KINDS.get(name) is Path and value:
        meant = str(Path(value).expanduser().absolute())
    _write(frame, name, parse(name, value if meant is None else meant, "the command line"))


@command.command()
@click.argument("name")
@json_option
@pass_frame
def unset(frame: Frame, name: str) -> None:
    """Take a setting out of settings.toml of this home."""
    from lading.settings import FIELDS, parse

    if name not in FIELDS:
        parse(name, "", "the command line")
    _write(frame, name, None)


def _show(frame: Frame) -> None:
    from lading.settings import FIELDS, load
    from lading.tables import rows as table_rows
    from lading.tools.cli import homes, tables
    from lading.tools.cli.answers import write_json

    file = homes.folder(frame) / "settings.toml"
    chosen = load(file, os.environ)
    rows = [
        {"name": name, "value": getattr(chosen, name), "origin": chosen.origins[name], "default": field.default}
        for name, field in FIELDS.items()
    ]
    for name, (value, default) in table_rows(chosen.tables).items():
        rows.append({"name": name, "value": value, "origin": str(file), "default": default})
    if frame.json:
        for row in rows:
            write_json(row)
    else:
        columns = [tables.Column(title) for title in ("SETTING", "VALUE", "FROM")]
        tables.show(columns, ((row["name"], _shown(row["value"]), row["origin"]) for row in rows))


def _write(frame: Frame, name: str, value: Any) -> None:
    """Change one setting of the file, durably and whole, and leave the rest of it as people wrote it.

    Raises:
        InvalidSetting: the setting cannot have that value, or the file is written in a way that this cannot change.
    """
    import time

    from lading.adapters.system import SystemChance
    from lading.domain.errors import InvalidSetting
    from lading.home import open_home, write_durably
    from lading.settings import KINDS, Settings, load
    from lading.tools.cli import homes

    home = open_home(homes.folder(frame), new_id=SystemChance().uuid(time.time_ns()))
    if value is not None:
        Settings(**{name: value})
    if KINDS[name] is Path and value is not None and not Path(value).is_file():
        raise InvalidSetting(f"{name}: there is no file {value}", hint="give the path of a file that is there")
    load(home.settings_path, {})
    before = _text(home.settings_path)
    after = _changed(before, name, value)
    wanted = tomllib.loads(before)
    wanted.pop(name, None)
    if value is not None:
        wanted[name] = value
    try:
        fits = tomllib.loads(after) == wanted
    except tomllib.TOMLDecodeError:
        fits = False
    if not fits:
        raise InvalidSetting(f"{home.settings_path} cannot be changed by this", hint=f"edit {name} there yourself")
    write_durably(home.settings_path, after.encode())
    _show(frame)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def _changed(text: str, name: str, value: Any) -> str:
    """Return the file with the setting changed, taken out, or put before its first table."""
    line = "" if value is None else f"{name} = {_toml(value)}\n"
    first_table = _TABLE.search(text)
    end = first_table.start() if first_table else len(text)
    head, tail = text[:end], text[end:]
    if head and not head.endswith("\n"):
        head += "\n"
    own = re.compile(rf"^[ \t]*[\"']?{re.escape(name)}[\"']?[ \t]*=.*\n", re.MULTILINE)
    if own.search(head):
        return own.sub(lambda _: line, head, count=1) + tail
    return head + line + tail


def _shown(value: Any) -> str:
    return "none" if value is None else _toml(value)


def _toml(value: Any) -> str:
    return json.dumps(value)
