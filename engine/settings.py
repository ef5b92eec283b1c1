"""What can be set, with what it is when nobody sets it: one frozen, typed model.

A value comes from the defaults, then the home's `settings.toml`, then the environment (`LADING_` and the name in
capitals), then the call; `origins` remembers which of them it was. Nothing but `load` reads a file or the environment.
Tables such as `[host."example.org"]` stand in the file only; `TABLES` lists them.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from lading import values
from lading.domain import requirements, timetable, urls
from lading.domain.anchors import Anchor
from lading.domain.caching import DEFAULT_BYTES, DEFAULT_LEAST_BYTES
from lading.domain.errors import InvalidSetting
from lading.domain.faults import DEFAULT_RETRIES
from lading.domain.features import Features
from lading.domain.hooks import Hook
from lading.domain.requests import MOST_CONNECTIONS
from lading.domain.scheduling import DEFAULT_CONCURRENCY, DEFAULT_CONNECTIONS, Limits
from lading.domain.upkeep import CLEAN_AFTER_S, MAINTENANCE_S
from lading.tables import Table, check_key, of_environment, over, paths, said
from lading.tables import parse as parse_table

_PLAIN = Features()
_between, _whole = values.between, values.whole


def _schedule(_: object, attribute: attrs.Attribute[Any], value: str) -> None:
    timetable.parse(value, attribute.name)


@attrs.frozen(kw_only=True)
class HostLimits:
    """What holds for one host instead of the settings for all hosts; None: as for all, 0: no limit.

    Attributes:
        limit_rate: bytes a second, in place of `host_limit_rate`.
        connections: connections at once, in place of `per_host`.
        requests: requests a second, in place of `host_requests`.
    """

    limit_rate: int | None = attrs.field(default=None, validator=_between(0, 2**60))
    connections: int | None = attrs.field(default=None, validator=_between(0, 10_000))
    requests: float | None = attrs.field(default=None, validator=_between(0, 1e6))


@attrs.frozen(kw_only=True)
class TransportSettings:
    """What holds for one transport instead of the setting of the same name; None: as for all."""

    connect_timeout_s: float | None = attrs.field(default=None, validator=_between(0.1, 3600))
    stall_timeout_s: float | None = attrs.field(default=None, validator=_between(0.1, 86_400))
    total_timeout_s: float | None = attrs.field(default=None, validator=_between(0, 31_536_000))
    trust_env: bool | None = None
    netrc: bool | None = None
    cookies: str | None = attrs.field(default=None, validator=_whole)
    client_certificate: str | None = attrs.field(default=None, validator=_whole)
    client_key: str | None = attrs.field(default=None, validator=_whole)
    http2: bool | None = None


TABLES = {
    "anchors": Table(kind=Anchor),
    "host": Table(kind=HostLimits, live=True),
    "features": Table(kind=Features, named=False, live=True),
    "hooks": Table(kind=Hook),
    "transport": Table(kind=TransportSettings, names=("http",)),
}
"""The tables that `settings.toml` may hold, by their names."""


@attrs.frozen(kw_only=True)
class Settings:
    """Everything that can be set.

    Attributes:
        concurrency: downloads at once.
        per_host: downloads at once from one host, each until its last byte has arrived, and connections up to which one
            of them may have more than its first; 0 means no limit of its own.
        connections: connections at once for one file, where more than one makes it faster.
        limit_rate: bytes a second of all downloads together; 0 means no limit, here and in the three that follow.
        host_limit_rate: bytes a second from each host.
        bundle_limit_rate: bytes a second of each bundle.
        host_requests: requests a second to each host.
        schedule: what holds in place of `limit_rate` at times of the day, as `lading.domain.timetable` has it.
        retries: attempts after a failure that may pass, for requests that do not say.
        connect_timeout_s: longest wait for a connection.
        stall_timeout_s: longest wait for the next byte of an answer.
        total_timeout_s: longest that one attempt may fetch, however well it goes; 0 means no limit.
        poll_s: how often other processes' commands are looked for, in seconds.
        reserve_bytes: free space that is left alone, at least.
        disk_free_percent: how much of a disk is left free; with less, nothing more is begun there.
        memory_percent: with more of the memory in use, nothing more is begun; 100 means no limit.
        watch_network: wait while this machine is offline, instead of spending retries.
        metered: on a network that is paid for by the byte: run, pause, or bytes a second at most.
        watch_s: how often memory and network are looked at, in seconds.
        retention_s: how long files that were given up, removed or replaced are kept, hidden beside their place, so that
            it can be undone; 0 means not at all.
        trust_env: take proxies and certificates from the environment, as other programs do.
        netrc: take logins for hosts from `~/.netrc`, or from the file that NETRC names; only with `trust_env`.
        cookies: a file of cookies to send, as browsers export it and curl and wget write it.
        client_certificate: a file with the certificate by which servers that ask for one know this machine.
        client_key: a file with its key, where that does not lie in the same file.
        clean_after_s: how long a failed or cancelled download stays in the queue before it is removed from there, with
            what was received of it.
        maintenance_s: how often an engine tidies up and looks whether published files are still there; 0 means never.
        http2: ask https servers by HTTP/2 where they speak it; needs the extra `http2`.
        cache: whether files are kept to be taken from there when they are wanted again: on, off, or link, which keeps
            them by hard links; then who edits a file in place spoils what is kept of it, which is noticed.
        cache_bytes: how much is kept at most; what was used least lately has to go.
        cache_least_bytes: smaller files are not kept.
        checkpoint_events: after so many events a checkpoint of the log is signed; 0 means not for that.
        checkpoint_s: or after so many seconds in which something happened; 0 means not for that.
        tables: what the tables of `TABLES` hold, by their names.
    """

    concurrency: int = attrs.field(default=DEFAULT_CONCURRENCY, validator=_between(1, 10_000))
    per_host: int = attrs.field(default=0, validator=_between(0, 10_000))
    connections: int = attrs.field(default=DEFAULT_CONNECTIONS, validator=_between(1, MOST_CONNECTIONS))
    limit_rate: int = attrs.field(default=0, validator=_between(0, 2**60))
    host_limit_rate: int = attrs.field(default=0, validator=_between(0, 2**60))
    bundle_limit_rate: int = attrs.field(default=0, validator=_between(0, 2**60))
    host_requests: float = attrs.field(default=0.0, validator=_between(0, 1e6))
    schedule: str = attrs.field(default="", validator=_schedule)
    retries: int = attrs.field(default=DEFAULT_RETRIES, validator=_between(0, 1000))
    connect_timeout_s: float = attrs.field(default=30.0, validator=_between(0.1, 3600))
    stall_timeout_s: float = attrs.field(default=60.0, validator=_between(0.1, 86_400))
    total_timeout_s: float = attrs.field(default=0.0, validator=_between(0, 31_536_000))
    poll_s: float = attrs.field(default=0.05, validator=_between(0.001, 60))
    reserve_bytes: int = attrs.field(default=64 * 1024 * 1024, validator=_between(0, 2**60))
    disk_free_percent: int = attrs.field(default=10, validator=_between(0, 90))
    memory_percent: int = attrs.field(default=80, validator=_between(1, 100))
    watch_network: bool = True
    metered: str = attrs.field(default="run", converter=requirements.metered)
    watch_s: float = attrs.field(default=2.0, validator=_between(0.01, 3600))
    retention_s: float = attrs.field(default=7 * 86_400.0, validator=_between(0, 315_360_000))
    trust_env: bool = True
    netrc: bool = True
    cookies: str | None = attrs.field(default=None, validator=_whole)
    client_certificate: str | None = attrs.field(default=None, validator=_whole)
    client_key: str | None = attrs.field(default=None, validator=_whole)
    http2: bool = False
    cache: str = attrs.field(default="on", validator=values.one_of("on", "link", "off"))
    cache_bytes: int = attrs.field(default=DEFAULT_BYTES, validator=_between(0, 2**60))
    cache_least_bytes: int = attrs.field(default=DEFAULT_LEAST_BYTES, validator=_between(0, 2**60))
    checkpoint_events: int = attrs.field(default=10_000, validator=_between(0, 1_000_000_000))
    checkpoint_s: float = attrs.field(default=60.0, validator=_between(0, 31_536_000))
    tables: Mapping[str, Any] = attrs.field(factory=dict)
    clean_after_s: float = attrs.field(default=CLEAN_AFTER_S, validator=_between(0, 3_153_600_000))
    maintenance_s: float = attrs.field(default=MAINTENANCE_S, validator=_between(0, 31_536_000))
    origins: Mapping[str, str] = attrs.field(factory=dict, eq=False)

    @property
    def hosts(self) -> Mapping[str, HostLimits]:
        """What single hosts have set for them, by `host` or `host:port`."""
        return self.tables.get("host") or {}

    def of_host(self, host: str) -> HostLimits:
        """Return what holds for one host (`host:port`): what is set for it, with or without the port, else for all."""
        own = urls.of_host(self.hosts, host) if self.hosts else None
        return self._of_others if own is None else self._over(own)

    @functools.cached_property
    def _of_others(self) -> HostLimits:
        return self._over(HostLimits())

    def _over(self, own: HostLimits) -> HostLimits:
        """Return the limits of a host that has some of its own."""
        return HostLimits(
            limit_rate=self.host_limit_rate if own.limit_rate is None else own.limit_rate,
            connections=self.per_host if own.connections is None else own.connections,
            requests=self.host_requests if own.requests is None else own.requests,
        )

    @property
    def hooks(self) -> Mapping[str, Hook]:
        """What is told of events, by the names that people gave."""
        return self.tables.get("hooks") or {}

    @property
    def anchors(self) -> Mapping[str, Anchor]:
        """Where checkpoints are brought, by the names that people gave."""
        return self.tables.get("anchors") or {}

    @property
    def features(self) -> Features:
        """What is on, off, or on for a share of the downloads."""
        return self.tables.get("features") or _PLAIN

    def of_transport(self, name: str) -> Settings:
        """Return the settings as they are for one transport."""
        own = (self.tables.get("transport") or {}).get(name)
        if own is None:
            return self
        said = {key: value for key, value in attrs.asdict(own).items() if value is not None}
        return attrs.evolve(self, **said)

    def rates(self, host: str, *, bundle: bool = False) -> dict[str, int]:
        """Return the limits of rate that hold for a download from a host (`host:port`), bytes a second by setting."""
        found = {
            "limit_rate": self.limit_rate,
            "host_limit_rate": self.of_host(host).limit_rate or 0,
            "bundle_limit_rate": self.bundle_limit_rate if bundle else 0,
        }
        return {name: rate for name, rate in found.items() if rate}

    @property
    def limits(self) -> Limits:
        """What the scheduler may run at once."""
        own = {name: limits.connections for name, limits in self.hosts.items() if limits.connections is not None}
        return Limits(concurrency=self.concurrency, per_host=self.per_host or None, hosts=own)


FIELDS = {field.name: field for field in attrs.fields(Settings) if field.name not in {"tables", "origins"}}
KINDS = values.kinds_of(Settings)
LIVE = frozenset({
    "concurrency", "per_host", "connections", "limit_rate", "host_limit_rate", "bundle_limit_rate", "host_requests",
    "schedule", "retries", "total_timeout_s", "poll_s", "reserve_bytes", "disk_free_percent", "memory_percent",
    "watch_network", "metered", "watch_s", "retention_s", "clean_after_s",
})  # fmt: skip
"""The settings that a running engine takes over when they change."""


def load(file: Path | None, environ: Mapping[str, str], **overrides: Any) -> Settings:
    """Put the settings together from their layers.

    Raises:
        InvalidSetting: a name that does not exist or a value that it cannot have; the message tells where it stands.
    """
    return _layered(
        (str(file), _read(file)),
        ("environment", _of_environment(environ)),
        ("call", {name: value for name, value in overrides.items() if value is not None}),
    )


def check(text: str, origin: str) -> None:
    """Refuse the text of a file of settings that could not be loaded.

    Raises:
        InvalidSetting: as `load` does.
    """
    _layered((origin, tomllib.loads(text)))


def _layered(*layers: tuple[str, Mapping[str, Any]]) -> Settings:
    found: dict[str, Any] = {}
    tables: dict[str, Any] = {}
    origins = dict.fromkeys(FIELDS, "default")
    for origin, layer in layers:
        for name, value in layer.items():
            if name in TABLES:
                made = parse_table(name, TABLES[name], value, origin)
                tables[name] = over(TABLES[name], tables.get(name), made, value)
                origins |= dict.fromkeys(paths(name, TABLES[name], value), origin)
            else:
                found[name] = parse(name, value, origin)
                origins[name] = origin
    return Settings(**found, tables=tables, origins=origins)


def changed(settings: Settings, **changes: Any) -> Settings:
    """Return settings with some of them changed that can change while an engine works, tables included.

    Raises:
        InvalidSetting: one of them is not such a setting, or cannot have that value.
    """
    live = LIVE | {name for name, table in TABLES.items() if table.live}
    for name in changes:
        if name not in live:
            raise InvalidSetting(
                f"{name} cannot change while an engine works", hint=f"these can: {', '.join(sorted(live))}"
            )
    tables = {name: parse_table(name, TABLES[name], value, "call") for name, value in changes.items() if name in TABLES}
    for name in [name for name in tables if not TABLES[name].named]:
        tables[name] = over(TABLES[name], settings.tables.get(name), tables[name], changes[name])
    plain = {name: parse(name, value, "call") for name, value in changes.items() if name not in TABLES}
    origins = {**settings.origins, **dict.fromkeys(plain, "call")}
    return attrs.evolve(settings, **plain, tables={**settings.tables, **tables}, origins=origins)


def parse(name: str, value: Any, origin: str) -> Any:
    """Return `value`, text or already typed, as the setting `name` wants it; an empty path is none.

    Raises:
        InvalidSetting: there is no such setting, or it cannot have that value.
    """
    if name not in FIELDS:
        raise InvalidSetting(f"{origin}: there is no setting {name!r}", hint=f"known are {', '.join(sorted(FIELDS))}")
    return values.convert(name, KINDS[name], value, origin)


def kind_at(path: Sequence[str]) -> values.Kind | None:
    """Return what the setting of a whole name wants, None for one that there is not."""
    table = TABLES.get(path[0])
    return (KINDS if table is None else values.kinds_of(table.kind)).get(path[-1])


def parse_at(path: Sequence[str], value: Any, origin: str, beside: Settings) -> Any:
    """Return `value` as the setting of a whole name wants it: one of the plain ones, or one of a table.

    What is set `beside` it holds with it: a hook, for one, is nothing without a command or a url.

    Raises:
        InvalidSetting: there is no such setting, or it cannot have that value.
    """
    check_name(path, origin)
    if len(path) == 1:
        parsed = parse(path[0], value, origin)
        Settings(**{path[0]: parsed})
        return parsed
    table = TABLES[path[0]]
    given: Any = said(table, beside.tables.get(path[0]), path[1]) | {path[-1]: value}
    made = parse_table(path[0], table, {path[1]: given} if table.named else given, origin)
    return getattr(made[path[1]] if table.named else made, path[-1])


def check_name(path: Sequence[str], origin: str) -> None:
    """Refuse a name that no setting has.

    Raises:
        InvalidSetting: the hint says what there is.
    """
    table = TABLES.get(path[0])
    if table is None:
        if ".".join(path) not in FIELDS:
            parse(".".join(path), "", origin)
        return
    known = [field.name for field in attrs.fields(table.kind)]
    if len(path) != (3 if table.named else 2) or path[-1] not in known:
        where = f"{path[0]}.NAME" if table.named else path[0]
        hint = f"known are {', '.join(f'{where}.{name}' for name in known)}"
        raise InvalidSetting(f"{origin}: there is no setting {'.'.join(path)!r}", hint=hint)
    if table.named:
        check_key(path[0], table, path[1], origin)


def _of_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    plain = {name: environ[key] for name in FIELDS if (key := f"LADING_{name.upper()}") in environ}
    return plain | of_environment(TABLES, environ)


def _read(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise InvalidSetting(f"{file} cannot be read: {error.strerror}", hint="see who may read it") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSetting(f"{file} is not TOML: {error}", hint="mend or remove it") from None
