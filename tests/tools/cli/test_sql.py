"""`lading sql` answers questions to a home, and nothing else."""

from __future__ import annotations

import io
import sys

import pytest

from lading.projections.tables import NAMES

pytestmark = pytest.mark.row("C.7")


@pytest.fixture
def past(lading, origin, small):
    """One that completed, one that failed."""
    lading("get", origin.url(small.name), "--tag", "x")
    lading("get", origin.url("missing"), code=1)


def test_the_answer_is_what_the_verbs_say(lading, past, small):
    """An object a row, times as everywhere else, lists as lists."""
    (row,) = lading.rows("sql", "SELECT * FROM history WHERE success")
    told = lading.rows("history")[-1]
    assert {name: row[name] for name in told} == told
    assert lading.row("sql", "SELECT count(*) AS n, sum(version) AS s FROM events") == {
        "n": len(lading.rows("log")),
        "s": sum(event["version"] for event in lading.rows("log")),
    }


def test_every_table_is_there(lading, past):
    """By its name, with the columns that --tables tells."""
    told = lading.rows("sql", "--tables")
    for table in NAMES:
        columns = [row["column"] for row in told if row["table"] == table]
        assert [row["column_name"] for row in lading.rows("sql", f"DESCRIBE {table}")] == columns


def test_tables_are_joined_and_named_more_than_once(lading, past):
    """Each scan sees all of it."""
    row = lading.row(
        "sql", "SELECT count(*) AS n FROM events a JOIN events b USING (position) JOIN history h ON h.id = a.id"
    )
    ids = {row["id"] for row in lading.rows("history")}
    assert row["n"] == sum(event["id"] in ids for event in lading.rows("log"))


def test_people_get_a_table(lading, past):
    """With what is unknown as everywhere else."""
    said = lading("sql", "SELECT state, assurance, tags, started_at FROM history ORDER BY state").out.splitlines()
    assert said[0].split() == ["state", "assurance", "tags", "started_at"]
    assert said[1].split()[:3] == ["completed", "length", "x"]
    assert said[2].split()[:2] == ["failed", "-"]
    assert lading("sql", "SELECT 1 FROM queue").err == "no rows\n"


def test_the_query_may_come_from_stdin(lading, past, monkeypatch):
    """As `-`."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("SELECT 1 AS one"))
    assert lading.row("sql", "-") == {"one": 1}
    lading("sql", code=2)


REFUSED = (
    "SELEC 1",
    "SELECT nothing FROM events",
    "DROP TABLE events",
    "DELETE FROM events",
    "UPDATE events SET version = 0",
    "CREATE TABLE t (a INT); SELECT count(*) FROM events",
    "COPY events TO 'stolen.csv'",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM read_text('/etc/passwd')",
    "ATTACH 'other.db' AS other",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "SET memory_limit = '100GB'",
    "EXPORT DATABASE 'stolen'",
)


def test_whatever_is_no_question_is_refused(lading, past, folder):
    """With DuckDB's own words; nothing appears on the disk, and nothing is read from there."""
    before = sorted(folder.iterdir())
    for query in REFUSED:
        assert lading("sql", query, code=2).err.startswith("error: DuckDB: "), query
    assert sorted(folder.iterdir()) == before


def test_files_are_read_when_that_is_asked_for(lading, past, folder):
    """An export beside what is there now."""
    lading("export", "events", "--to", "e.parquet")
    query = f"SELECT count(*) AS n FROM events JOIN '{folder / 'e.parquet'}' USING (event_id)"
    assert lading.row("sql", "--files", query)["n"] == len(lading.rows("log"))


def test_what_does_not_fit_into_the_memory_spills(lading):
    """A sort of more than it may use comes to its end all the same."""
    query = "SELECT max(w) AS w FROM (SELECT md5(i::VARCHAR) AS w, i FROM range(600000) t(i) ORDER BY w LIMIT 500000)"
    lading("run")
    assert len(lading.row("sql", "--memory", "60M", query)["w"]) == 32


VALUES = {
    "1.5::DECIMAL(4,1)": 1.5,
    "'nan'::DOUBLE": None,
    "{'a': [1, NULL]}": {"a": [1, None]},
    "true": True,
    "INTERVAL 90 SECONDS": 90.0,
    "INTERVAL 1 MONTH": "1 months 0.0 s",
    "DATE '2031-05-04'": "2031-05-04",
    "'\\xFF'::BLOB": "ff",
    "NULL": None,
    "170141183460469231731687303715884105727::HUGEINT": 2**127 - 1,
}


def test_values_of_every_kind_are_json(lading):
    """Whatever DuckDB can compute, somebody can parse."""
    lading("run")
    for expression, value in VALUES.items():
        assert lading.row("sql", f"SELECT {expression} AS v") == {"v": value}


NO_DATES = {
    "'infinity'::TIMESTAMP": "infinity",
    "'-infinity'::TIMESTAMPTZ": "-infinity",
    "'infinity'::DATE": "infinity",
    "'20000-01-01'::DATE": "20000-01-01",
    "'0044-01-01 (BC)'::DATE": "0044-01-01 (BC)",
    "'290000-01-01'::TIMESTAMP": "290000-01-01 00:00:00",
    "'20000-01-01 01:02:03.5'::TIMESTAMPTZ": "20000-01-01 01:02:03.5+00",
    "'-infinity'::TIMESTAMP_S": "-infinity",
    "'2031-05-04 01:02:03.123456789'::TIMESTAMP_NS": "2031-05-04 01:02:03.123456789",
}


def test_what_python_has_no_date_for_is_text(lading):
    """As DuckDB prints it, for people too; other values of the column are what they always are."""
    lading("run")
    for expression, text in NO_DATES.items():
        query = f"SELECT v FROM (VALUES (1, {expression}), (2, NULL)) of(n, v) ORDER BY n"
        assert lading.rows("sql", query) == [{"v": text}, {"v": None}]
        assert lading("sql", query).out.splitlines()[1].strip() == text
    (known, _) = lading.rows("sql", "SELECT unnest(['2031-05-04'::TIMESTAMP, 'infinity'::TIMESTAMP]) AS v")
    assert known == {"v": "2031-05-04T00:00:00.000000"}


def test_what_python_has_no_date_for_is_text_within_other_values_too(lading):
    """In lists of both kinds, structs, maps and unions, and in these of one another."""
    lading("run")
    never = "'infinity'::DATE"
    for expression, value in {
        f"[{never}, DATE '2031-05-04', NULL]": ["infinity", "2031-05-04", None],
        f"[{never}]::DATE[1]": ["infinity"],
        f"{{'a': {never}, 'b': 1}}": {"a": "infinity", "b": 1},
        f"MAP {{{never}: 1}}": [["infinity", 1]],
        f"union_value(k := {never})": "infinity",
        f"{{'a': [{{'b': MAP {{1: {never}}}}}, NULL]}}": {"a": [{"b": [[1, "infinity"]]}, None]},
    }.items():
        query = f"SELECT v FROM (VALUES (1, NULL), (2, {expression}), (3, {expression})) of(n, v) ORDER BY n"
        assert lading.rows("sql", query) == [{"v": None}, {"v": value}, {"v": value}]
        lading("sql", query)


def test_columns_of_one_name_are_numbered(lading, past):
    """As in DuckDB's tables, save that a name that is asked for stays with its column; no value is lost."""
    assert list(lading.row("sql", "SELECT 1 AS a, 2 AS a, 3 AS a, 4 AS A").items()) == [
        ("a", 1),
        ("a_1", 2),
        ("a_2", 3),
        ("A", 4),
    ]
    query = "SELECT 'x' AS a, 2 AS a, 3 AS a_1, 4 AS a, 5 AS a_1"
    assert lading.row("sql", query) == {"a": "x", "a_2": 2, "a_1": 3, "a_3": 4, "a_1_1": 5}
    assert lading("sql", query).out.splitlines()[0].split() == ["a", "a_2", "a_1", "a_3", "a_1_1"]
    joined = lading.rows("sql", "SELECT * FROM events e JOIN history h ON e.id = h.id")
    told = [row["column"] for row in lading.rows("sql", "--tables") if row["table"] in {"events", "history"}]
    assert {len(row) for row in joined} == {len(told)}
    assert all(row["id"] == row["id_1"] for row in joined)


def test_a_damaged_log_is_told_as_such(lading, past):
    """Not as something that is wrong with the query."""
    data = lading.home / "log" / "data.mdb"
    data.write_bytes(data.read_bytes().replace(b"small.bin", b"SMALL.bin"))
    said = lading("--json", "sql", "SELECT count(*) FROM events", code=4)
    assert said.trouble["kind"] == "LogDamaged"


def test_too_little_memory_is_told(lading, past):
    """In DuckDB's words."""
    assert lading("sql", "--memory", "1", "SELECT count(*) FROM events", code=2).err.startswith("error: DuckDB: ")


def test_events_and_views_of_one_query_fit_together(lading, past, monkeypatch):
    """Whatever is appended between the two."""
    from lading import extracting, sql

    real = extracting.extract

    def appending(reading, view, **more):
        lading("add", f"http://a.test/{view}")
        return real(reading, view, **more)

    monkeypatch.setattr(sql, "extract", appending)
    query = "SELECT (SELECT max(position) FROM events) AS e, (SELECT max(position) FROM progress) AS p"
    row = lading.row("sql", query)
    assert row["e"] == row["p"] < len(lading.rows("log"))
