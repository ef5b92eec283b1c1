"""What `lading replay --simulate FILE` does: decides anew, and shows where that comes to something else.

Twice, where other settings are asked for: under those that were in force, which tells how far the simulation can be
believed, and under the others. As JSON it is one object a decision, in the order of time, and a last one with totals.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from lading.domain.errors import InvalidSetting
from lading.tools.cli import tables, units
from lading.tools.cli.answers import note, write_json
from lading.tools.cli.frame import Frame
from lading.tools.simulator import comparison, decisions, incident, loading, tuning
from lading.tools.simulator.comparison import Row
from lading.tools.simulator.decisions import Decided, Decision
from lading.tools.simulator.incident import Header, Line
from lading.tools.simulator.record import Record
from lading.tools.simulator.rerun import Rerun, rerun

MOST_SHOWN = 200
NO_SCHEDULE = "the incident does not tell at what time of day it was, since no schedule was in force"


def run(frame: Frame, path: Path, settings: tuple[str, ...]) -> int:
    """Decide anew what was decided in the incident at `path`, and say what comes of it; 0 whatever that is.

    Raises:
        UsageError: there is no incident, or a setting cannot be meant.
        StoreNewer, IntegrityError: the incident cannot be read.
    """
    header, told, was = read(path)
    wished, changed = tuning.changed(header.settings, settings)
    if header.second is None and "schedule" in changed:
        raise InvalidSetting("schedule cannot be tried", hint=NO_SCHEDULE)
    second = header.second or 0
    before = tuning.rebuilt(header.settings)
    again = rerun(told, before, second=second)
    other = rerun(told, tuning.rebuilt(wished), was=before, second=second) if changed else None
    courses = Courses(header=header, told=told, was=was, again=again, other=other, changed=changed)
    found, sums = courses.rows(), courses.totals()
    if frame.json:
        for row in found:
            write_json(_row(row))
        write_json(sums)
    else:
        _show(frame, told, found, sums)
    return 0


def read(path: Path) -> tuple[Header, Record, Decided]:
    """Return the header of an incident, its record, and what was decided in it.

    Raises:
        UsageError, StoreNewer, IntegrityError: as `incident.reading` says.
    """
    was = Decided()
    with incident.reading(path) as (header, lines):
        try:
            tuning.rebuilt(header.settings)
        except (InvalidSetting, TypeError, ValueError, AttributeError) as error:
            raise incident.damaged(f"its settings cannot be meant ({error})") from None
        return header, loading.load(_folded(lines, was)), was


def _folded(lines: Iterable[Line], was: Decided) -> Iterator[Line]:
    """Pass lines on, and fold them into what was decided."""
    for line in lines:
        was.take(line.at_ns, line.stream, line.event)
        yield line


@attrs.frozen(kw_only=True)
class Courses:
    """How things went, how they go again under the same settings, and under others, if some were `changed`."""

    header: Header
    told: Record
    was: Decided
    again: Rerun
    other: Rerun | None
    changed: Mapping[str, Any]

    def rows(self) -> list[Row]:
        """Return every decision, in the order of time."""
        other = None if self.other is None else self.other.decided
        return comparison.rows(self.was, self.again.decided, other, last_ns=self.told.last_ns)

    def totals(self) -> dict[str, Any]:
        """Return the last object: what each of the courses comes to, and how far the simulation can be believed."""
        told, again, simulated = self.told, self.again, self.other or self.again
        return {
            "totals": True,
            "settings": dict(self.changed),
            "fidelity": comparison.fidelity(self.was, again.decided, last_ns=told.last_ns),
            "differ": sum(row.differs for row in self.rows()),
            "recorded": self.was.sums.row(),
            "again": again.decided.sums.row(again.scale),
            "simulated": simulated.decided.sums.row(again.scale),
            "assumed_attempts": simulated.assumed,
            "bytes_a_byte": again.scale,
            "span": decisions.seconds(told.last_ns),
            "single": self.header.single,
            "engine": self.header.engine,
        }


def _row(row: Row) -> dict[str, Any]:
    kind, _, number = row.key
    return {
        "decision": kind,
        "at": decisions.seconds(row.at_ns),
        "download": download(row.key),
        "number": number,
        "recorded": None if row.recorded is None else row.recorded.row(),
        "again": None if row.again is None else row.again.row(),
        "simulated": None if row.simulated is None else row.simulated.row(),
        "differs": row.differs,
    }


def download(key: decisions.Key) -> str | None:
    """Return the pseudonym of the download that a decision is about, None where it is about the queue."""
    return None if key[0] == decisions.QUEUE else key[1].partition(" ")[0]


def _show(frame: Frame, told: Record, found: Sequence[Row], sums: Mapping[str, Any]) -> None:
    differing = [row for row in found if row.differs]
    columns = (
        tables.Column("AT", right=True),
        *map(tables.Column, ("DOWNLOAD", "DECISION", "RECORDED", "SIMULATED")),
    )
    shown = (
        (_moment(row.at_ns), _name(told, row), _decision(row), _said(row.recorded), _said(row.simulated))
        for row in differing[:MOST_SHOWN]
    )
    if not tables.show(columns, shown):
        note(frame, "no decision differs")
    elif len(differing) > MOST_SHOWN:
        note(frame, f"{len(differing) - MOST_SHOWN:,} more differ; --json has them all")
    print()
    courses = ("recorded", "again", "simulated") if sums["settings"] else ("recorded", "simulated")
    titles = {"recorded": "RECORDED", "again": "SIMULATED AGAIN", "simulated": "SIMULATED"}
    if sums["settings"]:
        titles["simulated"] = "WITH " + ", ".join(f"{name}={value}" for name, value in sums["settings"].items())
    heads = [tables.Column("TOTAL"), *(tables.Column(titles[course], right=True) for course in courses)]
    tables.show(
        heads,
        (
            (name.replace("_", " "), *(_amount(name, sums[course][name]) for course in courses))
            for name in sums["again"]
        ),
    )
    print()
    for course in courses:
        if sums[course]["makespan"] is None and sums[course]["downloads"]:
            print(f"{titles[course]}: no attempt came to an end, so there is no makespan.")
    _judge(sums)


def _judge(sums: Mapping[str, Any]) -> None:
    """Say how far the simulation can be believed, and what it takes for granted."""
    faith = sums["fidelity"]
    if not faith["decisions"]:
        print("Nothing was decided in it.")
        return
    parts = ", ".join(
        f"{name} {_percent(faith[name])}" for name in ("order", "starts", "retries", "ends", "blocks")
        if faith[name] is not None
    )  # fmt: skip
    print(
        f"Under the recorded settings {faith['agreed']:,} of {faith['decisions']:,} decisions come out as they were "
        f"recorded ({_percent(faith['all'])}): {parts}."
    )
    print(
        "Each transfer goes as fast as it went, however many there are beside it, and each retry is as lucky as it was."
    )
    if sums["assumed_attempts"]:
        print(f"Of {sums['assumed_attempts']:,} attempts the record does not tell all; they go on as they began.")
    if sums["single"]:
        print("What ran beside these downloads is not in the incident: they wait less for their turn here.")


def _percent(share: float | None) -> str:
    """Return a share as people read it; 100 % is only what is all of it."""
    return "none" if share is None else f"{int(share * 1000) / 10:g} %"


def _name(told: Record, row: Row) -> str:
    name = download(row.key)
    if name is None:
        return "the queue"
    item = next((item for id, item in told.items.items() if id.hex == name), None)
    return name[:8] if item is None else f"{name[:8]} {item.order.host}"


def _decision(row: Row) -> str:
    kind, _, number = row.key
    words = {decisions.START: "start of attempt", decisions.END: "after attempt", decisions.WAIT: "wait"}
    return f"{words.get(kind, 'the queue')} {number}"


def _said(decision: Decision | None) -> str:
    if decision is None:
        return "-"
    details, at = decision.details, f"at {_moment(decision.at_ns)}"
    source = f" from source {details['source'] + 1}" if details.get("source") else ""
    match decision.what:
        case "starts":
            return f"starts {at}{source}"
        case "retries":
            return f"retries after {details['delay']:.3f} s ({details['cause']}){source}, {at}"
        case "fails":
            return f"fails ({details['cause']}), {at}"
        case "completed":
            return f"completed, {at}"
        case word:
            return f"{word} ({details.get('reason')}), {at}"


def _amount(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    if name == "bytes_refetched":
        return units.size(int(value))
    return f"{value:.3f} s" if name in {"makespan", "waiting"} else f"{value:,}"


def _moment(at_ns: int) -> str:
    return f"{at_ns / 1e9:.3f} s"
