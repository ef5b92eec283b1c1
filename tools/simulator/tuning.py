"""Which settings an incident has, and what they are when somebody asks what would have been.

Of all settings only those are here of which decisions are made that can be made again: how many at once, which rates,
which retries. None of them is a secret, and hosts among them have their pseudonyms. What would have been is asked by
the settings' own names, and a value is what `lading config set` would take.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from lading.domain.errors import InvalidSetting, UsageError
from lading.domain.features import Features
from lading.settings import TABLES, HostLimits, Settings, check_name, load, parse_at
from lading.tools.cli import toml_text
from lading.tools.simulator.pseudonyms import Pseudonyms

PLAIN = (
    "concurrency", "per_host", "limit_rate", "host_limit_rate", "bundle_limit_rate", "host_requests", "schedule",
    "retries", "total_timeout_s", "memory_percent", "watch_network", "metered",
)  # fmt: skip
FEATURES = ("retry", "network", "recovery")
HOST = tuple(field.name for field in attrs.fields(HostLimits))
_RATES = ("limit_rate", "host_limit_rate", "bundle_limit_rate")
_ORIGIN = "--set"


def in_force(settings: Settings, names: Pseudonyms) -> dict[str, Any]:
    """Return what an incident has of the settings that are in force, as `rebuilt` takes it."""
    found: dict[str, Any] = {name: getattr(settings, name) for name in PLAIN}
    found["features"] = {name: str(getattr(settings.features, name)) for name in FEATURES}
    found["host"] = {
        names.place(place): {name: value for name, value in attrs.asdict(limits).items() if value is not None}
        for place, limits in settings.hosts.items()
    }
    return found


def rebuilt(found: Mapping[str, Any]) -> Settings:
    """Return the settings that `in_force` was made of.

    Raises:
        InvalidSetting: there is another one among them, or one that cannot have its value.
    """
    for name in found:
        if name not in {*PLAIN, "features", "host"}:
            raise InvalidSetting(f"the setting {name} has no place in an incident")
    return load(None, {}, **found)


def changed(found: Mapping[str, Any], wishes: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what is in force when wishes such as `concurrency=8` are heeded, and which values were set, by name.

    Raises:
        UsageError: it is not NAME=VALUE.
        InvalidSetting: there is no such setting, it decides nothing that is simulated, or it cannot have that value.
    """
    after = {name: dict(held) if isinstance(held, Mapping) else held for name, held in found.items()}
    told: dict[str, Any] = {}
    for wish in wishes:
        name, is_set, value = wish.partition("=")
        if not is_set or not name.strip():
            raise UsageError(f"{wish!r} sets nothing", hint="write NAME=VALUE, such as --set concurrency=8")
        path = tuple(toml_text.path(name.strip()) or (name.strip(),))
        check_name(path, _ORIGIN)
        _expect(path)
        parsed = parse_at(path, value.strip(), _ORIGIN, rebuilt(after))
        plain = str(parsed) if path[0] == "features" else parsed
        if len(path) == 1:
            after[path[0]] = plain
        elif path[0] in TABLES and TABLES[path[0]].named:
            after[path[0]] = after.get(path[0], {}) | {path[1]: {**after.get(path[0], {}).get(path[1], {})}}
            after[path[0]][path[1]][path[2]] = plain
        else:
            after[path[0]] = after.get(path[0], {}) | {path[1]: plain}
        told[".".join(path)] = plain
    rebuilt(after)
    return after, told


def smaller(settings: Settings, times: int) -> Settings:
    """Return settings for a world in which every byte stands for so many."""
    if times == 1:
        return settings

    def less(rate: int | None) -> int | None:
        return max(1, rate // times) if rate else rate

    hosts = {name: attrs.evolve(limits, limit_rate=less(limits.limit_rate)) for name, limits in settings.hosts.items()}
    rates: dict[str, Any] = {name: less(getattr(settings, name)) for name in _RATES}
    metered = settings.metered if settings.metered in {"run", "pause"} else str(less(int(settings.metered)))
    schedule = _less_by_the_clock(settings.schedule, times)
    tables = {**settings.tables, "host": hosts}
    return attrs.evolve(settings, **rates, metered=metered, schedule=schedule, tables=tables)


def _expect(path: Sequence[str]) -> None:
    known = {"features": FEATURES, "host": HOST}.get(path[0], PLAIN)
    if path[-1] not in known:
        there = ", ".join((*PLAIN, *(f"features.{name}" for name in FEATURES), *(f"host.NAME.{name}" for name in HOST)))
        raise InvalidSetting(f"{'.'.join(path)} decides nothing that is simulated", hint=f"these do: {there}")


def _less_by_the_clock(schedule: str, times: int) -> str:
    """Return a schedule with smaller rates."""
    from lading.domain import sizes

    windows = []
    for window in schedule.split(",") if schedule.strip() else []:
        when, _, rate = window.strip().rpartition(" ")
        size = sizes.parse(rate.lower().removesuffix("/s"))
        windows.append(f"{when} {max(1, size // times)}" if size else window.strip())
    return ", ".join(windows)


assert set(FEATURES) <= {field.name for field in attrs.fields(Features)}
