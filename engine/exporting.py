"""Exports of a home's tables: one file, or a folder that grows with the log.

A folder is a data set of parts, each of which says in its name which positions it covers:
`day=2026-01-31/events-0000000000000001-0000000000001000.parquet`. Parts appear one after another, in the order of the
log, each whole, by one rename; the next export goes on behind the last position that is covered. So a kill at any
moment leaves the parts that were published, which have neither a gap nor a double, and a draft that the next export
removes: no list of parts has to agree with them. One export at a time adds to a folder.

With each file goes a signed checkpoint of a ledger that has all events that the file covers, where somebody signs.

Events are parted by the day to which the log had come, so that days only grow. Of a view each export adds one part with
the rows that have changed since the last one, under the day of the log at that moment.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import attrs

from lading.adapters import codec
from lading.adapters.durable import sync_folder
from lading.domain.errors import IntegrityError, UsageError
from lading.drafts import clear
from lading.export_files import FORMATS, SUFFIXES, ExportFile, Provenance, hold, provenance, refusals
from lading.extracting import DAY_US, Extract, days, extract
from lading.proving import Vouch
from lading.reading import Reading

PART_EVENTS = 1_000_000
"""So many events at most in one part, so that what a kill costs is bounded."""
_EPOCH = dt.date(1970, 1, 1)
_PART = re.compile(r"(?P<view>[a-z]+)-(?P<first>\d{16,})-(?P<last>\d{16,})\.(?P<suffix>[a-z.]+)")


@attrs.frozen(kw_only=True)
class Wanted:
    """What is to be exported where: a view, from one position to another, both included.

    Attributes:
        to: a file, or a folder.
        form: one of `FORMATS`.
        folder: whether `to` is one.
        force: whether a file that is there may be replaced.
    """

    view: str
    to: Path
    form: str
    folder: bool
    first: int | None = None
    last: int | None = None
    force: bool = False


class Part(NamedTuple):
    """A part of a data set, as its name tells of it."""

    first: int
    last: int
    path: Path
    view: str
    form: str


def wanted(view: str, to: str, *, form: str | None, first: int | None, last: int | None, force: bool) -> Wanted:
    """Return what is meant by words: the format is told by the end of a file's name, and of a folder is Parquet.

    Raises:
        UsageError: no format is meant, or two are, or positions that are none.
    """
    if to == "-":
        raise UsageError(
            "an export is a file and never stdout", hint="--to FILE.jsonl, or ./- for a folder of that name"
        )
    path = Path(to)
    ends = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet"}
    folder = path.is_dir() or to.endswith("/") or not path.suffix
    told = None if folder else ends.get(path.suffix.lower())
    if not folder and told is None and form is None:
        raise UsageError(
            f"the name of {to} does not tell the format", hint="--to FILE.jsonl, FILE.csv, FILE.parquet or a folder"
        )
    if told is not None and form not in {None, told} and (told, form) != ("jsonl", "cloudevents"):
        raise UsageError(f"{to} is not the name of a file of {form}", hint=f"leave out --format, or end it in .{form}")
    chosen = form or told or _format_of(path) or "parquet"
    assert chosen in FORMATS
    if chosen == "cloudevents" and view != "events":
        raise UsageError(f"only events can be exported as CloudEvents, not {view}", hint="lading export events …")
    if first is not None and last is not None and first > last:
        raise UsageError(f"--from {first} lies behind --to-position {last}", hint="both ends are included")
    return Wanted(view=view, to=path, form=chosen, folder=folder, first=first, last=last, force=force)


def _format_of(folder: Path) -> str | None:
    """Return the format of a data set that is there, None when there is none."""
    found = parts(folder) if folder.is_dir() else []
    return found[-1].form if found else None


def log_id(reading: Reading, home: str) -> str:
    """Return the id of a log; of one that has none, that of its home."""
    return str(getattr(reading.log, "log_id", "") or home)


def export(
    reading: Reading, asked: Wanted, log: str, vouch: Vouch = lambda _: None
) -> Iterator[tuple[Path, Provenance]]:
    """Export what is asked for, and yield each file when it is there; nothing when a folder holds all of it already.

    Args:
        reading: the read side of the home.
        asked: what is wanted where.
        log: the id of its log.
        vouch: gives the checkpoint of each file, `lading.proving.vouching` where somebody signs.

    Raises:
        DestinationTaken: the file is there already.
        UsageError: the folder holds something else, or does not end before what is asked for.
        IntegrityError: the parts of the folder leave a gap.
        StoreLocked: another export adds to the folder.
    """
    if asked.form == "parquet":
        from lading.adapters import parquet

        parquet.require()
    if asked.folder:
        yield from _grow(reading, asked, log, vouch)
        return
    after = max(0, (asked.first or 1) - 1)
    with (
        extract(reading, asked.view, after=after, upto=asked.last) as of,
        ExportFile(asked.to, of, asked.form, log, replace=asked.force) as file,
    ):
        clock_us = 0
        for page in of.pages():
            file.write(page)
            if asked.view == "events":
                clock_us = max(clock_us, *page.values[1])
        yield asked.to, file.publish(after + 1, of.upto, clock_us=clock_us, checkpoint=vouch(of.upto))


# -- folders -----------------------------------------------------------------------------------------------------------


def parts(folder: Path) -> list[Part]:
    """Return the parts of a data set in the order of the log.

    Raises:
        IntegrityError: they leave a gap, or overlap.
        UsageError: they are of several views or formats.
    """
    formats = {suffix: form for form, suffix in SUFFIXES.items()}
    found = []
    for path in folder.glob("**/*"):
        told = _PART.fullmatch(path.name)
        if told is not None and told["suffix"] in formats:
            found.append(Part(int(told["first"]), int(told["last"]), path, told["view"], formats[told["suffix"]]))
    found.sort()
    for one, other in pairwise(found):
        if (one.view, one.form) != (other.view, other.form):
            raise UsageError(f"{folder} holds parts of several exports", hint="give each a folder of its own")
        if other.first != one.last + 1:
            what = "a gap" if other.first > one.last + 1 else "an overlap"
            raise IntegrityError(
                f"{folder} has {what} between {one.path.name} and {other.path.name}",
                hint="remove the later parts and export again: it goes on behind the last position that is there",
            )
    return found


def check_name(path: Path, says: Provenance) -> None:
    """See that a part covers what its name says: by that it is known what a data set has.

    Raises:
        IntegrityError: it does not.
    """
    told = _PART.fullmatch(path.name)
    if told is not None and (int(told["first"]), int(told["last"])) != (says.first, says.last):
        raise IntegrityError(
            f"{path.name} covers the positions {says.first} to {says.last}, and not those of its name",
            hint="give it back the name that it was written under",
        )


def _grow(reading: Reading, asked: Wanted, log: str, vouch: Vouch) -> Iterator[tuple[Path, Provenance]]:
    with hold(asked.to):
        for folder in (asked.to, *asked.to.glob("day=*")):
            clear(folder)
        held = parts(asked.to)
        after, clock_us = max(0, (asked.first or 1) - 1), 0
        if held:
            after, clock_us = _go_on(asked, held[-1], log)
        with extract(reading, asked.view, after=after, upto=asked.last) as of:
            if of.upto <= after:
                return
            if asked.view == "events":
                yield from _grow_events(of, asked, log, clock_us, vouch)
            else:
                yield from _grow_view(reading, of, asked, log, vouch)


def _go_on(asked: Wanted, last: Part, log: str) -> tuple[int, int]:
    """Return behind which position a data set goes on, and the clock there."""
    if (last.view, last.form) != (asked.view, asked.form):
        raise UsageError(
            f"{asked.to} holds {last.view} as {last.form}", hint="give each view and each format a folder of its own"
        )
    says = provenance(last.path, last.form)
    check_name(last.path, says)
    if says.log != log:
        raise UsageError(f"{asked.to} holds an export of another log", hint="give each log a folder of its own")
    if asked.first is not None and asked.first != last.last + 1:
        raise UsageError(
            f"{asked.to} goes on at position {last.last + 1}, not at {asked.first}", hint="leave out --from"
        )
    return last.last, says.clock_us


def _grow_events(
    of: Extract, asked: Wanted, log: str, clock_us: int, vouch: Vouch
) -> Iterator[tuple[Path, Provenance]]:
    first, last, today = of.after + 1, of.after, -1
    with contextlib.ExitStack() as open_drafts:
        file: ExportFile | None = None
        for page in of.pages():
            for day, rows, then_us in days(page, clock_us):
                if file is not None and (day != today or file.count >= PART_EVENTS):
                    yield _end(file, asked, first, last, clock_us, checkpoint=vouch(last))
                    open_drafts.close()
                    file, first = None, last + 1
                if file is None:
                    today = day
                    file = open_drafts.enter_context(_begin(of, asked, day, log))
                file.write(rows)
                last, clock_us = rows.values[0][-1], then_us
        if file is not None:
            yield _end(file, asked, first, last, clock_us, checkpoint=vouch(last))


def _grow_view(
    reading: Reading, of: Extract, asked: Wanted, log: str, vouch: Vouch
) -> Iterator[tuple[Path, Provenance]]:
    (recorded,) = reading.log.read(of.upto - 1, 1)
    clock_us = codec.take_apart(recorded.position, recorded.state)[0] // 1000
    day = clock_us // DAY_US
    with _begin(of, asked, day, log) as file:
        for page in of.pages():
            file.write(page)
        if file.count:
            yield _end(file, asked, of.after + 1, of.upto, clock_us, checkpoint=vouch(of.upto))


def _begin(of: Extract, asked: Wanted, day: int, log: str) -> ExportFile:
    """Begin a part of a day; how far it will reach, and so its name, is not known yet."""
    folder = asked.to / f"day={_EPOCH + dt.timedelta(days=day)}"
    with refusals(folder):
        folder.mkdir(exist_ok=True)
        sync_folder(asked.to)
    return ExportFile(folder / of.view, of, asked.form, log)


def _end(
    file: ExportFile, asked: Wanted, first: int, last: int, clock_us: int, *, checkpoint: str | None
) -> tuple[Path, Provenance]:
    file.rename(f"{asked.view}-{first:016}-{last:016}.{SUFFIXES[asked.form]}")
    return file.path, file.publish(first, last, clock_us=clock_us, checkpoint=checkpoint)
