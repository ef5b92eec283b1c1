"""Exports grow exactly once, whole or not at all, whatever is killed and whoever appends meanwhile."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import signal
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading import drafts, export_files, exporting, extracting, rechecking
from lading.adapters import codec, parquet
from lading.domain import events as e
from lading.domain.errors import DestinationTaken, DiskFull, LogDamaged, StoreLocked, StoreNewer
from lading.domain.facts import Context
from lading.domain.ports import Entry, Recorded
from lading.export_files import Provenance
from lading.home import open_home
from lading.opening import open_own_log, open_reading
from lading.projections import renderings, tables
from lading.projections.tables import Column, Kind
from lading.reading import Reading
from lading.testing import MemoryLog, MemoryStore
from lading.tools.bench import history
from lading.views import Views

pytestmark = [
    pytest.mark.row("C.7"),
    pytest.mark.filterwarnings("ignore::lading.adapters.lmdb.ground.GroundWarning"),
]

VICTIM, ENDS = (Path(__file__).with_name(name) for name in ("export_victim.py", "export_ends.py"))
DAY_NS = 86_400 * 10**9


def noted(log, times_ns, *, actor="", worker=None):
    """Append an event of an engine's stream at each of these times."""
    worker = worker or uuid.uuid4()
    version = len(log.stream(worker))
    event, said = e.EngineClosed(worker=worker), Context(actor=actor)
    log.append(
        [
            [
                Entry(
                    worker,
                    version + n,
                    event.TOPIC,
                    codec.seal(event, id=uuid.uuid4(), at_ns=at, context=said),
                )
                for n, at in enumerate(times_ns, 1)
            ]
        ]
    )
    return worker


@pytest.fixture
def home(tmp_path):
    """A home with 2,000 events."""
    home = open_home(tmp_path / "home", new_id=uuid.uuid4())
    log = open_own_log(home)
    log.append(list(history.requests(400)))
    log.close()
    return home


@pytest.fixture
def reading(home):
    """Its read side, caught up."""
    reading = open_reading(home)
    reading.catch_up()
    yield reading
    reading.close()


def events(to, **more):
    given = {"form": None, "first": None, "last": None, "force": False} | more
    return exporting.wanted("events", str(to), **given)


def run(reading, asked):
    return list(exporting.export(reading, asked, "log"))


def positions(folder):
    """The positions that the parts of a data set hold, as whoever globs it sees them."""
    return sorted(
        position
        for path in folder.glob("*/*")
        if not path.name.startswith(".")
        for position in (
            pq.read_table(path, columns=["position"])["position"].to_pylist()
            if path.suffix == ".parquet"
            else [json.loads(line)["position"] for line in path.read_text().splitlines()]
        )
    )


def differences(reading, path):
    return [found for found in rechecking.recheck(reading, path, "log") if not isinstance(found, Provenance)]


@pytest.mark.parametrize(
    ("form", "runs"),
    [("parquet", 2), ("jsonl", 2), *(pytest.param(f, 4, marks=pytest.mark.long) for f in ("parquet", "jsonl"))],
)
@pytest.mark.long
def test_a_kill_at_any_moment_leaves_neither_a_gap_nor_a_double(home, tmp_path, form, runs):
    """What is there is a beginning of the log, each position once; the last run completes it."""
    folder, dice, kills = tmp_path / "all", random.Random(7), 0
    for _ in range(runs):
        process = subprocess.Popen(
            [sys.executable, VICTIM, home.path, f"{folder}/", form, "25"], stdout=subprocess.PIPE, text=True
        )
        for _ in range(dice.randrange(1, 9)):
            if not process.stdout.readline():
                break
        delay = threading.Event()
        delay.wait(dice.uniform(0, 0.01))
        process.send_signal(signal.SIGKILL)
        process.stdout.close()
        kills += process.wait() == -signal.SIGKILL
        found = positions(folder)
        assert found == list(range(1, len(found) + 1))
    assert kills >= runs - 1
    left = list(folder.glob("*/.*.lading-draft"))
    with_home = open_reading(home)
    try:
        list(exporting.export(with_home, events(f"{folder}/", form=form), exporting.log_id(with_home, "")))
    finally:
        with_home.close()
    assert positions(folder) == list(range(1, 2001))
    assert list(folder.glob("*/.*.lading-draft")) == [], left
    assert len(exporting.parts(folder)) > kills


def test_an_export_beside_somebody_who_appends_goes_on_where_it_ended(home, reading, tmp_path):
    """Each run ends where the log ended when it began; together they have each position once."""
    ready, stop = threading.Event(), threading.Event()

    def append():
        log = open_own_log(home)
        worker = None
        while not stop.is_set():
            worker = noted(log, [history.START_NS + DAY_NS] * 10, worker=worker)
            ready.set()
        log.close()

    appender = threading.Thread(target=append)
    appender.start()
    try:
        assert ready.wait(10)
        runs = [run(reading, events(f"{tmp_path}/all/")) for _ in range(5)]
    finally:
        stop.set()
        appender.join()
    runs.append(run(reading, events(f"{tmp_path}/all/")))
    assert sum(bool(made) for made in runs) > 1
    assert positions(tmp_path / "all") == list(range(1, reading.log.head() + 1))
    assert differences(reading, tmp_path / "all") == []


def test_days_only_grow_when_clocks_step_back(tmp_path):
    """Else a clock that wavers about midnight would make a part for each event."""
    reading = memory_reading()
    midnight = 20_000 * DAY_NS
    wavering = [midnight + (-1 if n % 2 else 1) * n * 10**9 for n in range(1, 41)]
    noted(reading.log, [midnight - 2 * DAY_NS, *wavering[:20]])
    made = run(reading, events(f"{tmp_path}/all/", form="jsonl"))
    noted(reading.log, wavering[20:])
    made += run(reading, events(f"{tmp_path}/all/"))
    days = [path.parent.name for path, _ in made]
    assert days == sorted(days)
    assert [says.count for _, says in made] == [1, 1, 19, 20]
    assert positions(tmp_path / "all") == list(range(1, 42))
    assert differences(reading, tmp_path / "all") == []


def memory_reading():
    log = MemoryLog()
    return Reading(log, Views(log, lambda _: MemoryStore()))


def test_one_export_at_a_time_adds_to_a_folder(reading, tmp_path):
    """The other is told so, and adds nothing."""
    with export_files.hold(tmp_path / "all"), pytest.raises(StoreLocked):
        run(reading, events(f"{tmp_path}/all/"))
    assert len(run(reading, events(f"{tmp_path}/all/"))) == 1


def test_a_file_that_appears_meanwhile_is_not_overwritten(reading, tmp_path):
    """Neither is a draft left behind."""
    made = exporting.export(reading, events(tmp_path / "e.jsonl"), "log")
    page = extracting.events_page

    def intrude(found):
        (tmp_path / "e.jsonl").write_text("mine")
        return page(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extracting, "events_page", intrude)
        with pytest.raises(DestinationTaken):
            next(made)
    assert (tmp_path / "e.jsonl").read_text() == "mine"
    assert list(tmp_path.glob(".*.lading-draft")) == []


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_a_full_disk_is_told_and_leaves_nothing(reading, tmp_path, form):
    """The file that was there before is still there."""
    (tmp_path / f"e.{form}").write_text("before")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drafts.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(DiskFull):
            run(reading, events(tmp_path / f"e.{form}", force=True))
    assert (tmp_path / f"e.{form}").read_text() == "before"
    assert list(tmp_path.glob(".*.lading-draft")) == []


def test_whenever_an_export_ends_a_file_of_text_has_its_own_description(home, tmp_path):
    """Before each flush and each rename, without a word: the old file with the old one, or the new with the new one."""
    command = [sys.executable, ENDS, home.path, tmp_path / "e.csv"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    said = [int(line) for line in done.stdout.splitlines()]
    assert len(said) >= 8, done.stderr
    assert said == sorted(said)
    assert set(said) == {500, 700}


def test_a_draft_is_removed_only_when_nobody_writes_it(tmp_path):
    """Its lock tells."""
    with drafts.Draft(tmp_path / "one") as held:
        drafts.clear(tmp_path)
        held.file.write(b"1")
        held.publish()
    assert (tmp_path / "one").read_bytes() == b"1"
    (tmp_path / ".two.1.lading-draft").write_bytes(b"left behind")
    (tmp_path / ".letter.draft").write_bytes(b"not ours")
    drafts.clear(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".letter.draft", "one"]


def test_events_are_rendered_as_the_table_says(reading):
    """The quick way and the plain way write the same lines."""
    noted(reading.log, [history.START_NS, 0, 999, 10**9 + 1000], actor='né "x"\n')
    with extracting.extract(reading, "events") as of:
        for page in of.pages():
            assert page.lines == renderings.json_lines(tables.OF_LOG, page.rows())


def test_a_topic_says_the_name_of_its_events():
    """In each version of it, and nobody makes one up."""
    assert {tables.event_name(topic) for topic in e.EVENTS} == {kind.__name__ for kind in e.EVENTS.values()}
    assert {tables.event_name(topic) for topic in tables.KNOWN} == {kind.__name__ for kind in e.EVENTS.values()}
    with pytest.raises(StoreNewer):
        tables.event_name("lading.teleported.v1")


SPOILT = (lambda s: s[:20], lambda s: s[:-1], lambda s: b"\0" + s[1:], lambda s: s[:25] + b"\xff\xff" + s[27:])


@pytest.mark.parametrize("spoil", SPOILT)
def test_what_is_no_event_stops_the_export(spoil):
    """It is damage, with its position."""
    state = codec.seal(e.EngineClosed(worker=uuid.uuid4()), id=uuid.uuid4(), at_ns=5)
    with pytest.raises(LogDamaged, match="event 7"):
        extracting.events_page([Recorded(7, uuid.uuid4(), 1, e.EngineClosed.TOPIC, spoil(state))])


def test_what_a_later_version_wrote_stops_the_export():
    """It is not passed over."""
    state = codec.seal(e.EngineClosed(worker=uuid.uuid4()), id=uuid.uuid4(), at_ns=5)
    for topic, found in (("lading.teleported.v1", state), (e.EngineClosed.TOPIC, b"\x09" + state[1:])):
        with pytest.raises(StoreNewer):
            extracting.events_page([Recorded(7, uuid.uuid4(), 1, topic, found)])


COLUMNS = tuple(Column(kind.value, kind) for kind in Kind)
WORDS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
VALUES = {
    Kind.INT: st.integers(-(2**63), 2**63 - 1),
    Kind.TEXT: WORDS,
    Kind.WORD: WORDS,
    Kind.TEXTS: st.lists(WORDS, max_size=3),
    Kind.TIME: st.integers(0, 10**16),
    Kind.FLAG: st.booleans(),
    Kind.JSON: st.dictionaries(WORDS, WORDS, max_size=2).map(orjson.dumps),
}
CELLS = (VALUES[kind] if kind is Kind.JSON else st.none() | VALUES[kind] for kind in Kind)
ROWS = st.lists(st.tuples(*CELLS), max_size=8)


@settings(max_examples=25, deadline=None)
@given(ROWS)
def test_rows_come_back_from_parquet_as_they_went(tmp_path_factory, rows):
    """Whatever is in them."""
    path = tmp_path_factory.mktemp("rows") / "r.parquet"
    with path.open("wb") as file:
        writer = parquet.ParquetWriter(file, COLUMNS)
        for row in rows:
            writer.write([[value] for value in row])
        writer.close({"n": len(rows)})
    with parquet.ParquetReader(str(path), COLUMNS) as file:
        found = [row for _ in range(4) for row in file.rows(file.take(3))]
        assert file.take(1).num_rows == 0
    assert found == rows
    assert parquet.read_metadata(str(path)) == {"n": len(rows)}


@settings(max_examples=40, deadline=None)
@given(ROWS)
def test_rows_come_back_from_text_as_they_went(rows):
    """From JSON lines and from CSV, read by others."""
    for row, line in zip(rows, renderings.json_lines(COLUMNS, rows), strict=True):
        held = json.loads(line)
        assert [held["int"], held["text"], held["word"], held["texts"], held["flag"]] == [*row[:4], row[5]]
        assert held["json"] == json.loads(row[6])
        assert tables.instant_us(held["time"]) == row[4]
    text = renderings.csv_head(COLUMNS) + b"".join(renderings.csv_lines(COLUMNS, rows))
    read = list(csv.reader(io.StringIO(text.decode(), newline="")))
    assert read[0] == [column.name for column in COLUMNS]
    for row, cells in zip(rows, read[1:], strict=True):
        assert cells[0] == ("" if row[0] is None else str(row[0]))
        assert [cell.removeprefix("'") for cell in cells[1:3]] == [value or "" for value in row[1:3]]
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for cell in cells[1:4])
        assert json.loads(cells[3] or "null") == row[3]
        assert json.loads(cells[6]) == json.loads(row[6])


def test_every_log_gives_the_same_rows(reading, tmp_path):
    """Positions and ids are in the events, and nothing else is in the rows."""
    other = memory_reading()
    after = 0
    while page := reading.log.read(after, 500):
        after = page[-1].position
        other.log.append([[Entry(*found[1:])] for found in page])
    other.catch_up()
    for view in tables.NAMES:
        with extracting.extract(reading, view) as one, extracting.extract(other, view) as two:
            assert [line for page in one.pages() for line in page.lines] == [
                line for page in two.pages() for line in page.lines
            ]


def test_where_nobody_signs_an_export_has_no_checkpoint(reading, tmp_path):
    """As one of a log that ends with its process has none, and those of earlier versions; they are as valid."""
    ((path, says),) = run(reading, events(tmp_path / "e.parquet"))
    assert says.checkpoint is None
    assert differences(reading, path) == []
