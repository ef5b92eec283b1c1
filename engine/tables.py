"""Tables of `settings.toml`: settings of one thing among many, such as `[host."example.org"]`, typed like all others.

What a table holds is a frozen class whose fields all have defaults. `lading.settings.TABLES` lists the tables that
there are; `Settings.tables` has what was set, and a property of `Settings` gives it its type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from lading.domain.errors import InvalidSetting
from lading.values import convert, kinds_of


@attrs.frozen(kw_only=True)
class Table:
    """One kind of table.

    Attributes:
        kind: what it holds.
        named: whether there is one for each of several names, or just one.
        live: whether a running engine takes over what has changed in it.
    """

    kind: type[Any]
    named: bool = True
    live: bool = False


def parse(name: str, table: Table, value: Any, origin: str) -> Any:
    """Return what stands in the table `name`: an object of its kind, or one by name.

    Raises:
        InvalidSetting: it is no table, or something in it has a name or a value that it cannot have.
    """
    if not table.named:
        return _read(f"[{name}]", table.kind, value, origin)
    if not isinstance(value, Mapping):
        raise InvalidSetting(f"{origin}: {name} cannot be {value!r}", hint=f'it is written as [{name}."NAME"]')
    return {key: _read(f'[{name}."{key}"]', table.kind, inner, origin) for key, inner in value.items()}


def _read(title: str, kind: type[Any], value: Any, origin: str) -> Any:
    if isinstance(value, kind):
        return value
    if not isinstance(value, Mapping):
        raise InvalidSetting(f"{origin}: {title} cannot be {value!r}", hint="it is a table with a setting a line")
    kinds, where = kinds_of(kind), f"{origin}: {title}"
    for name in value:
        if name not in kinds:
            raise InvalidSetting(f"{where} has no setting {name!r}", hint=f"known are {', '.join(sorted(kinds))}")
    try:
        return kind(**{name: convert(name, kinds[name], inner, where) for name, inner in value.items()})
    except InvalidSetting as error:
        if str(error).startswith(origin):
            raise
        raise InvalidSetting(f"{where}: {error}", hint=error.hint) from None


def rows(tables: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return each single setting of tables by its whole name, with its value, if that may be seen, and its default."""
    found: dict[str, tuple[Any, Any]] = {}
    for name, held in tables.items():
        named = held.items() if isinstance(held, Mapping) else [(None, held)]
        for key, inner in named:
            prefix = name if key is None else f'{name}."{key}"'
            for field in attrs.fields(type(inner)):
                value = getattr(inner, field.name)
                is_secret = bool(value) and field.metadata.get("secret", False)
                found[f"{prefix}.{field.name}"] = ("(not shown)" if is_secret else value, field.default)
    return found
