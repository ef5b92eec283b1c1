"""Is anything wrong: what is looked at, and the judgement of it.

`Vitals` are what a home and its engine's process are like at one moment; they come from the views and through the port
`Processes`. `judge` makes findings of them, each fine, worth a warning, or a failure, with a sentence and, unless it is
fine, a hint. What nobody can know here is None, and is never held against anybody.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import Protocol

import attrs

from lading.domain import amounts
from lading.domain.faults import BLOCK_HINTS, BUNDLE, NEEDS_SOMEBODY
from lading.domain.states import ENDED

GIB = 1 << 30
LEAST_FREE_BYTES = GIB
MOST_OWN_BYTES = GIB
MOST_LAG = 100_000
MOST_UNSIGNED = 100_000
"""So many events no checkpoint needs to have; an engine signs far sooner."""
MOST_UNTOLD = 1000
"""So many events a hook may be behind while it is served."""
HIGH_SHARE, CRITICAL_SHARE = 0.8, 0.95
"""Of the open files that a process may have."""
NOTHING_GOES = 10
"""So many downloads that ended in failure, and none that completed: the fault lies here and not with a server."""
_ENDED = frozenset(state.shown for state in ENDED)
WORKED_ON = ("active", "verifying", "stopping")


class Status(enum.StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@attrs.frozen(kw_only=True)
class Finding:
    """One thing that was looked at: `value` says what was found, `hint` what to do, `figures` the same for programs."""

    check: str
    status: Status = Status.OK
    value: str
    hint: str = ""
    figures: Mapping[str, int | float | str | None] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Space:
    """A folder, the bytes that are free where it lies, None when unknown, and how many of them are left alone there."""

    folder: str
    free_bytes: int | None
    kept_bytes: int = 0


@attrs.frozen(kw_only=True)
class Process:
    """What a process uses.

    Attributes:
        pid: its number.
        resident_bytes: its memory, mapped files included; `own_bytes` is the part that maps no file.
        cpu_s: processor time, in seconds.
        open_files, most_files: how many it has, and may have.
        threads: how many it runs.
    """

    pid: int
    resident_bytes: int | None = None
    own_bytes: int | None = None
    cpu_s: float | None = None
    open_files: int | None = None
    most_files: int | None = None
    threads: int | None = None


@attrs.frozen(kw_only=True)
class Told:
    """How far a hook has been told of the log.

    Attributes:
        lag: events that it has still to be told of.
        failures: how often that of the next one has failed, and `error` why the last time.
        given_up: events that were skipped, in all.
    """

    lag: int = 0
    failures: int = 0
    error: str | None = None
    given_up: int = 0


@attrs.frozen(kw_only=True)
class Signed:
    """How far a log is signed.

    Attributes:
        events: that the log has; `signed` of them are under the last checkpoint, 0 where there is none.
        trouble: why that cannot be read or does not fit the log, if so.
        anchors: by name, why one of them cannot be, does not, or was not told, if so.
        refused: those of them for which nothing is written to the log.
        given_up: events that were signed once and are not in the log, since it was repaired.
    """

    events: int
    signed: int = 0
    trouble: str | None = None
    anchors: Mapping[str, str | None] = attrs.field(factory=dict)
    refused: frozenset[str] = frozenset()
    given_up: int = 0


class Processes(Protocol):
    """What the system tells of processes and files; every method may block, and answers None for what it cannot say."""

    def process(self, pid: int | None = None) -> Process | None:
        """Return what a process uses, this one unless another is named."""
        ...

    def holder(self, lock: str) -> int | None:
        """Return the process that says in the lock file at this path that it holds it, and has it open."""
        ...

    def occupied(self, path: str) -> int | None:
        """Return the bytes that a file occupies on its disk, which of a sparse one are fewer than its length."""
        ...


@attrs.frozen(kw_only=True)
class Vitals:
    """A home at one moment.

    Attributes:
        working: whether an engine owns the home.
        process: that engine's.
        position: of the last event in the log; `log_bytes` is what the log occupies.
        lag: events that the views lacked when they were asked.
        states: how many downloads are in each state that users see.
        blocked: how many are blocked, by reason.
        paused: whether somebody paused the queue; `held` says by what else it is blocked: message by reason.
        completed, failed: downloads that did so today and yesterday (UTC).
        home, folders: what is free where the home lies, and in each folder that downloads in the queue go to.
        partial_bytes, partial_downloads: data on the disk of downloads that are not complete.
        quarantined_bytes: data that is put aside.
        invalid: how many published files are known not to be what was published.
        hooks: how far each has been told, by name.
        signed: how far the log is; None of one that nobody signs.
        to_shred: how many downloads have secrets that were forgotten and are still to be shredded.
    """

    working: bool
    process: Process | None = None
    position: int = 0
    log_bytes: int | None = None
    lag: int = 0
    states: Mapping[str, int] = attrs.field(factory=dict)
    blocked: Mapping[str, int] = attrs.field(factory=dict)
    paused: bool = False
    held: Mapping[str, str] = attrs.field(factory=dict)
    completed: int = 0
    failed: int = 0
    home: Space | None = None
    folders: tuple[Space, ...] = ()
    partial_bytes: int = 0
    partial_downloads: int = 0
    quarantined_bytes: int = 0
    invalid: int = 0
    hooks: Mapping[str, Told] = attrs.field(factory=dict)
    signed: Signed | None = None
    to_shred: int = 0


@attrs.frozen(kw_only=True)
class Health:
    """What was found, and the vitals that it was found from."""

    findings: tuple[Finding, ...]
    vitals: Vitals

    @property
    def status(self) -> Status:
        """The worst of the findings."""
        found = {finding.status for finding in self.findings}
        return next((status for status in (Status.FAIL, Status.WARN) if status in found), Status.OK)


def judge(vitals: Vitals) -> Health:
    """Return what is to be said of a home."""
    parts = (_engine, _queue, _blocked, _failures, _views, _rooms, _process, _data, _secrets, _signed, _hooks)
    return Health(findings=tuple(finding for part in parts for finding in part(vitals)), vitals=vitals)


def _engine(v: Vitals) -> Iterator[Finding]:
    left = sum(v.states.get(state, 0) for state in WORKED_ON)
    waiting = v.states.get("queued", 0) + v.states.get("waiting", 0) - sum(v.blocked.values())
    status, hint = Status.OK, ""
    if v.working:
        value = "an engine works on this home"
    elif left:
        value = f"an engine ended without a word, and left {amounts.of(left, 'download')} as they were"
        status, hint = Status.WARN, "`lading run` recovers them and goes on"
    elif waiting > 0:
        value = f"no engine works on this home, and {amounts.of(waiting, 'download')} could run"
        status, hint = Status.WARN, "`lading run` works the queue"
    else:
        value = "no engine works on this home, and none is needed"
    yield Finding(check="engine", status=status, value=value, hint=hint, figures={"working": int(v.working)})


def _queue(v: Vitals) -> Iterator[Finding]:
    counts = ", ".join(f"{count} {state}" for state, count in v.states.items() if count and state not in _ENDED)
    if v.paused:
        told = Status.WARN, f"paused, {counts or 'empty'}", "`lading resume --queue` lets it go on"
    elif v.held:
        reasons = "; ".join(f"{reason}: {message}" if message else reason for reason, message in v.held.items())
        told = Status.WARN, f"nothing starts, blocked by {reasons}", "it goes on by itself once that has passed"
    else:
        told = Status.OK, counts or "empty", ""
    status, value, hint = told
    yield Finding(check="queue", status=status, value=value, hint=hint, figures=dict(v.states))


def _blocked(v: Vitals) -> Iterator[Finding]:
    for reason, count in sorted(v.blocked.items()):
        needed = "until somebody does something" if reason in NEEDS_SOMEBODY else "until that passes"
        hint = "" if reason == BUNDLE else BLOCK_HINTS.get(reason, "")
        yield Finding(
            check=f"blocked by {reason}",
            status=Status.WARN if hint else Status.OK,
            value=f"{amounts.of(count, 'download')}, {needed}",
            hint=hint,
            figures={"downloads": count},
        )


def _failures(v: Vitals) -> Iterator[Finding]:
    status, hint = Status.OK, ""
    if v.failed >= NOTHING_GOES and not v.completed:
        status, hint = Status.FAIL, "`lading stats --by cause` tells what they have in common; check the network first"
    elif v.failed:
        status, hint = Status.WARN, "`lading list --state failed` tells which, `lading why ID` why"
    yield Finding(
        check="failures",
        status=status,
        value=f"{v.failed} failed and {v.completed} completed today and yesterday",
        hint=hint,
        figures={"failed": v.failed, "completed": v.completed},
    )


def _views(v: Vitals) -> Iterator[Finding]:
    behind = v.lag > MOST_LAG
    yield Finding(
        check="views",
        status=Status.WARN if behind else Status.OK,
        value=f"{amounts.of(v.lag, 'event')} behind the log when they were asked",
        hint="they have caught up now; if that keeps happening, see whether the home's disk is slow" if behind else "",
        figures={"lag": v.lag},
    )
    size = "size unknown" if v.log_bytes is None else amounts.size(v.log_bytes)
    yield Finding(
        check="log",
        value=f"{amounts.of(v.position, 'event')}, {size}",
        figures={"position": v.position, "size_bytes": v.log_bytes},
    )


def _rooms(v: Vitals) -> Iterator[Finding]:
    """Yield what there is of free space; what is to be kept free is no room for downloads."""
    rooms = [] if v.home is None else [("home", v.home)]
    rooms += [("downloads", space) for space in v.folders]
    for name, space in rooms:
        free, status, hint = space.free_bytes, Status.OK, ""
        if free is not None and free <= space.kept_bytes:
            status, hint = Status.FAIL, f"make room: {amounts.size(space.kept_bytes)} are kept free, nothing more fits"
        elif free is not None and free < LEAST_FREE_BYTES + space.kept_bytes:
            status, hint = Status.WARN, "make room before it is full"
        yield Finding(
            check=f"{name}: free space",
            status=status,
            value=f"{'unknown' if free is None else amounts.size(free)}, {space.folder}",
            hint=hint,
            figures={"free_bytes": free, "kept_bytes": space.kept_bytes, "folder": space.folder},
        )


def _process(v: Vitals) -> Iterator[Finding]:
    p = v.process
    if p is None:
        if v.working:
            yield Finding(check="process", value="the engine's process is not known here")
        return
    cpu = "unknown" if p.cpu_s is None else f"{p.cpu_s:.1f} s"
    yield Finding(
        check="process",
        value=f"{p.pid}, processor time {cpu}",
        figures={"pid": p.pid, "cpu_s": p.cpu_s, "threads": p.threads},
    )
    own = "unknown" if p.own_bytes is None else amounts.size(p.own_bytes)
    resident = "unknown" if p.resident_bytes is None else amounts.size(p.resident_bytes)
    large = p.own_bytes is not None and p.own_bytes > MOST_OWN_BYTES
    yield Finding(
        check="memory",
        status=Status.WARN if large else Status.OK,
        value=f"{own} of its own, {resident} resident with the mapped log",
        hint="an engine needs less than this whatever it does; run fewer downloads at once, and tell us"
        if large
        else "",
        figures={"own_bytes": p.own_bytes, "resident_bytes": p.resident_bytes},
    )
    share = p.open_files / p.most_files if p.open_files is not None and p.most_files else 0.0
    status = Status.FAIL if share >= CRITICAL_SHARE else Status.WARN if share >= HIGH_SHARE else Status.OK
    known = "unknown" if p.open_files is None else str(p.open_files)
    yield Finding(
        check="open files",
        status=status,
        value=f"{known} of at most {'unknown' if p.most_files is None else p.most_files}",
        hint="" if status is Status.OK else "raise the limit with `ulimit -n`, or run fewer downloads at once",
        figures={"open_files": p.open_files, "most_files": p.most_files},
    )


def _data(v: Vitals) -> Iterator[Finding]:
    yield Finding(
        check="partial data",
        value=f"{amounts.size(v.partial_bytes)} of {amounts.of(v.partial_downloads, 'download')}",
        figures={"partial_bytes": v.partial_bytes, "downloads": v.partial_downloads},
    )
    if v.quarantined_bytes:
        yield Finding(
            check="quarantine",
            value=amounts.size(v.quarantined_bytes),
            figures={"quarantined_bytes": v.quarantined_bytes},
        )
    if v.invalid:
        yield Finding(
            check="published files",
            status=Status.WARN,
            value=f"{amounts.of(v.invalid, 'file')} known to be gone or changed",
            hint="`lading files` tells which; `lading retry ID` fetches one again, `lading remove ID` lets it be",
            figures={"invalid": v.invalid},
        )


def _secrets(v: Vitals) -> Iterator[Finding]:
    if v.to_shred:
        yield Finding(
            check="secrets",
            status=Status.OK if v.working else Status.WARN,
            value=f"those of {amounts.of(v.to_shred, 'download')} were given up, and are still to be shredded",
            hint="" if v.working else "`lading run` shreds them",
            figures={"to_shred": v.to_shred},
        )


def _signed(v: Vitals) -> Iterator[Finding]:
    if v.signed is None:
        return
    new = max(0, v.signed.events - v.signed.signed)
    status, hint = Status.OK, ""
    value = f"{amounts.of(new, 'event')} since the last one" if v.signed.signed else "none was signed yet"
    if v.signed.trouble is not None:
        status, value, hint = Status.FAIL, v.signed.trouble, "`lading verify` tells what is wrong"
    elif new > MOST_UNSIGNED:
        status, hint = Status.WARN, "`lading checkpoint` signs one; see checkpoint_events and checkpoint_s"
    yield Finding(check="checkpoint", status=status, value=value, hint=hint, figures={"unsigned": new})
    if v.signed.given_up:
        yield Finding(
            check="repaired",
            status=Status.WARN,
            value=f"{amounts.of(v.signed.given_up, 'event')} or more that were signed are not in the log any more",
            hint="`lading log` tells of the repair (LogRepaired); the log as it was is kept aside, or in its database",
            figures={"given_up": v.signed.given_up},
        )
    for name, trouble in v.signed.anchors.items():
        refused = name in v.signed.refused
        brought = "" if trouble is None else "the next checkpoint is brought there again; see that it can be"
        yield Finding(
            check=f"anchor {name}",
            status=Status.FAIL if refused else Status.OK if trouble is None else Status.WARN,
            value=trouble or "nothing is known to be wrong with it",
            hint="nothing is written to the log; `lading add` says what can be done" if refused else brought,
        )


def _hooks(v: Vitals) -> Iterator[Finding]:
    for name, told in v.hooks.items():
        status, hint = Status.OK, ""
        value = f"{amounts.of(told.lag, 'event')} behind"
        if told.error is not None:
            failed = f"failed {amounts.of(told.failures, 'time')} in a row" if told.failures else "cannot be told"
            value = f"{failed}: {told.error}; {value}"
            status, hint = Status.WARN, f"`lading hooks test {name}` tries it"
        elif told.lag and not v.working:
            status, hint = Status.WARN, "`lading run` tells it"
        elif told.lag > MOST_UNTOLD:
            status, hint = Status.WARN, "it takes longer for an event than events take to happen; let it tell of fewer"
        yield Finding(
            check=f"hook {name}",
            status=status,
            value=f"{value}, {told.given_up} given up" if told.given_up else value,
            hint=hint,
            figures={"lag": told.lag, "failures": told.failures, "given_up": told.given_up},
        )
