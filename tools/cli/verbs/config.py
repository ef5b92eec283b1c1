"""`lading config`: the settings of a home, each with where its value comes from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from lading.tools.cli.frame import Frame, json_option

pass_frame = click.make_pass_decorator(Frame, ensure=True)


@click.group(invoke_without_command=True, subcommand_metavar="[set NAME VALUE | unset NAME]")
@json_option
@click.pass_context
def command(context: click.Context) -> None:
    """Show the settings of this home, and change them: each has a value and somewhere that it comes from.

    Defaults come first, then settings.toml in the home, then the environment (LADING_ and the name in capitals, with _
    for each dot).
    """
    if context.invoked_subcommand is None:
        _show(context.ensure_object(Frame))


@command.command(name="set", context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("value")
@json_option
@pass_frame
def set_(frame: Frame, name: str, value: str) -> None:
    """Write a setting into settings.toml of this home; `features.direct_io` is one of the table [features].

    Where it takes several words, as `hooks.NAME.on` does, they stand in one VALUE, with commas between them.
    """
    from lading.settings import kind_at, load, parse_at
    from lading.tools.cli import homes

    path = _path(name)
    meant: str | tuple[str, ...] = value
    if kind_at(path) is Path and value:
        meant = str(Path(value).expanduser().absolute())
    elif kind_at(path) is tuple:
        meant = tuple(value.replace(",", " ").split())
    beside = load(homes.folder(frame) / "settings.toml", {})
    _write(frame, path, parse_at(path, meant, "the command line", beside))


@command.command()
@click.argument("name")
@json_option
@pass_frame
def unset(frame: Frame, name: str) -> None:
    """Take a setting out of settings.toml of this home, or a table with all that it holds, such as `anchors.safe`.

    With the last setting of such a table the table goes.
    """
    from lading.settings import TABLES, check_name

    path = _path(name)
    if len(path) != 2 or path[0] not in TABLES or not TABLES[path[0]].named:
        check_name(path, "the command line")
    _write(frame, path, None)


def _path(name: str) -> tuple[str, ...]:
    from lading.tools.cli import toml_text

    return toml_text.path(name) or (name,)


def _show(frame: Frame, changed: tuple[str, ...] = ()) -> None:
    """Show the settings; people who have just changed one are shown that, and programs all of them."""
    from lading.settings import FIELDS, TABLES, load
    from lading.tables import complete
    from lading.tables import rows as table_rows
    from lading.tools.cli import homes, tables
    from lading.tools.cli.answers import note, write_json

    chosen = load(homes.folder(frame) / "settings.toml", os.environ)
    rows = [
        {"name": name, "value": getattr(chosen, name), "origin": chosen.origins[name], "default": field.default}
        for name, field in FIELDS.items()
    ]
    for name, (value, default) in table_rows(complete(TABLES, chosen.tables)).items():
        origin = chosen.origins.get(name, "default")
        rows.append({"name": name, "value": _plain(value), "origin": origin, "default": _plain(default)})
    if frame.json:
        for row in rows:
            write_json(row)
        return
    columns = [tables.Column(title) for title in ("SETTING", "VALUE", "FROM")]
    wanted = [row for row in rows if not changed or _path(row["name"])[: len(changed)] == changed]
    if not tables.show(columns, ((row["name"], _shown(row["value"]), row["origin"]) for row in wanted)):
        note(frame, f"{'.'.join(changed)} is not set any more")


def _plain(value: Any) -> Any:
    """Return a value as it is written: a share of the downloads is `on`, `off` or `30%`."""
    from lading.domain.features import Percent

    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Percent) else value


def _write(frame: Frame, path: tuple[str, ...], value: Any) -> None:
    """Change one setting of the file, durably and whole, and leave the rest of it as people wrote it.

    Raises:
        InvalidSetting: the setting cannot have that value, or the file is written in a way that this cannot change.
    """
    import time

    from lading.adapters.durable import write_durably
    from lading.adapters.system import SystemChance
    from lading.domain.errors import InvalidSetting
    from lading.home import open_home
    from lading.settings import check, kind_at, load
    from lading.tools.cli import homes

    home, name = open_home(homes.folder(frame), new_id=SystemChance().uuid(time.time_ns())), ".".join(path)
    if kind_at(path) is Path and value is not None and not Path(value).is_file():
        raise InvalidSetting(f"{name}: there is no file {value}", hint="give the path of a file that is there")
    if path[-1] == "http2" and value is True:
        from lading.adapters.http import extras

        extras.require("http2", "HTTP/2")
    load(home.settings_path, {})
    after = _edited(_text(home.settings_path), path, _plain(value))
    if after is None:
        raise InvalidSetting(f"{home.settings_path} cannot be changed by this", hint=f"edit {name} there yourself")
    check(after, f"{home.settings_path} without {name}" if value is None else str(home.settings_path))
    write_durably(home.settings_path, after.encode())
    _show(frame, path)


def _edited(text: str, path: tuple[str, ...], value: Any) -> str | None:
    """Return the text with a setting changed; one of many tables goes whole, by its name or with its last setting."""
    import tomllib

    from lading.settings import TABLES
    from lading.tools.cli import toml_text

    if value is None and path[0] in TABLES and TABLES[path[0]].named:
        held = tomllib.loads(text).get(path[0], {}).get(path[1], {})
        if len(path) == 2 or list(held) == [path[2]]:
            return toml_text.without(text, path[:2])
    return toml_text.changed(text, path, value)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def _shown(value: Any) -> str:
    from lading.tools.cli import toml_text

    return "none" if value is None else toml_text.shown(value)
