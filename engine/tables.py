"""Tables of `settings.toml`: settings of one thing among many, such as `[host."example.org"]`, typed like all others.

What a table holds is a frozen class whose fields all have defaults. `lading.settings.TABLES` lists the tables that
there are; `Settings.tables` has what was set, and a property of `Settings` gives it its type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from lading.domain.errors import InvalidSetting
from lading.values import NOT_SHOWN, convert, kinds_of

_BARE = re.compile(r"[A-Za-z0-9_-]+")


@attrs.frozen(kw_only=True)
class Table:
    """One kind of table.

    Attributes:
        kind: what it holds.
        named: whether there is one for each of several names, or just one.
        live: whether a running engine takes over what has changed in it.
        names: those that there can be, None for any.
    """

    kind: type[Any]
    named: bool = True
    live: bool = False
    names: tuple[str, ...] | None = None


def parse(name: str, table: Table, value: Any, origin: str) -> Any:
    """Return what stands in the table `name`: an object of its kind, or one by name.

    Raises:
        InvalidSetting: it is no table, or something in it has a name or a value that it cannot have.
    """
    if not table.named:
        return _read(f"[{name}]", table.kind, value, origin)
    if not isinstance(value, Mapping):
        told = _told(table.kind, value)
        raise InvalidSetting(f"{origin}: {name} cannot be {told}", hint=f'it is written as [{name}."NAME"]')
    for key in value:
        check_key(name, table, key, origin)
    return {key: _read(f'[{name}."{key}"]', table.kind, inner, origin) for key, inner in value.items()}


def check_key(name: str, table: Table, key: str, origin: str) -> None:
    """Refuse a name that no table of a kind has.

    Raises:
        InvalidSetting: the hint says which there are.
    """
    if not key.strip():
        raise InvalidSetting(f"{origin}: {name} has a table without a name", hint=f'it is written as [{name}."NAME"]')
    if table.names is not None and key not in table.names:
        known = ", ".join(f"[{name}.{one}]" for one in table.names)
        raise InvalidSetting(f"{origin}: there is no table [{name}.{key}]", hint=f"known are {known}")


def said(table: Table, held: Any, key: str) -> dict[str, Any]:
    """Return what tables of a kind, as they were read, say under a name, or the one that there is."""
    one = (held or {}).get(key) if table.named else held
    return {} if one is None else {k: v for k, v in attrs.asdict(one, recurse=False).items() if v is not None}


def paths(name: str, table: Table, value: Any) -> list[str]:
    """Return the whole names of the settings that stand in a table as it was given."""
    named = [(f"{name}.{_quoted(key)}", inner) for key, inner in value.items()] if table.named else [(name, value)]
    return [
        f"{prefix}.{setting}"
        for prefix, inner in named
        for setting in (inner if isinstance(inner, Mapping) else attrs.asdict(inner, recurse=False))
    ]


def over(table: Table, below: Any, made: Any, value: Any) -> Any:
    """Return a table as a layer of settings makes it of the one below: what the layer does not say stays."""
    if not table.named:
        return _over(below, made, value)
    return {**(below or {}), **{key: _over((below or {}).get(key), made[key], inner) for key, inner in value.items()}}


def _over(below: Any, made: Any, value: Any) -> Any:
    if below is None or not isinstance(value, Mapping):
        return made
    return attrs.evolve(below, **{name: getattr(made, name) for name in value})


def of_environment(tables: Mapping[str, Table], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return what the environment says of tables whose names are known: `LADING_FEATURES_DIRECT_IO`, in capitals."""
    found: dict[str, Any] = {}
    for name, table in tables.items():
        for key in (table.names or ()) if table.named else (None,):
            held = {
                field.name: environ[variable]
                for field in attrs.fields(table.kind)
                if (variable := "_".join(filter(None, ("LADING", name, key, field.name))).upper()) in environ
            }
            if held and key is None:
                found[name] = held
            elif held:
                found.setdefault(name, {})[key] = held
    return found


def complete(tables: Mapping[str, Table], held: Mapping[str, Any]) -> dict[str, Any]:
    """Return tables with those that were not set and whose names are known, at their defaults."""
    found = dict(held)
    for name, table in tables.items():
        if not table.named:
            found.setdefault(name, table.kind())
        elif table.names is not None:
            found[name] = {**{key: table.kind() for key in table.names}, **found.get(name, {})}
    return found


def _quoted(key: str) -> str:
    """Return a key as TOML has it."""
    return key if _BARE.fullmatch(key) else f'"{key}"'


def _read(title: str, kind: type[Any], value: Any, origin: str) -> Any:
    if isinstance(value, kind):
        return value
    if not isinstance(value, Mapping):
        told = _told(kind, value)
        raise InvalidSetting(f"{origin}: {title} cannot be {told}", hint="it is a table with a setting a line")
    kinds, where, secret = kinds_of(kind), f"{origin}: {title}", _secret(kind)
    for name in value:
        if name not in kinds:
            raise InvalidSetting(f"{where} has no setting {name!r}", hint=f"known are {', '.join(sorted(kinds))}")
    try:
        return kind(
            **{name: convert(name, kinds[name], inner, where, secret=name in secret) for name, inner in value.items()}
        )
    except InvalidSetting as error:
        if str(error).startswith(origin):
            raise
        raise InvalidSetting(f"{where}: {error}", hint=error.hint) from None


def _secret(kind: type[Any]) -> set[str]:
    """Return the settings of a kind of table whose values may hold a secret."""
    return {field.name for field in attrs.fields(kind) if field.metadata.get("secret", False)}


def _told(kind: type[Any], value: Any) -> str:
    """Return what stands where a table should, as it may be told: it may be what belongs into a secret setting."""
    return NOT_SHOWN if _secret(kind) else repr(value)


def secrets_of(table: Table, value: Any) -> bool:
    """Tell whether a table, as it stands in a file, has a value where there may be a secret, or cannot be read."""
    secret = _secret(table.kind)
    if value is None or not secret:
        return False
    if not isinstance(value, Mapping):
        return True
    held = list(value.values()) if table.named else [value]
    return any(not isinstance(one, Mapping) or any(one.get(name) for name in secret) for one in held)


def rows(tables: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return each single setting of tables by its whole name, with its value, if that may be seen, and its default."""
    found: dict[str, tuple[Any, Any]] = {}
    for name, held in tables.items():
        named = held.items() if isinstance(held, Mapping) else [(None, held)]
        for key, inner in named:
            prefix = name if key is None else f"{name}.{_quoted(key)}"
            for field in attrs.fields(type(inner)):
                value = getattr(inner, field.name)
                is_secret = bool(value) and field.name in _secret(type(inner))
                found[f"{prefix}.{field.name}"] = (NOT_SHOWN if is_secret else value, field.default)
    return found
