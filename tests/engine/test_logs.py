"""Log URLs: each names one log, and what names none is refused without being repeated."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest

from lading.domain.errors import InvalidSetting, StoreUnavailable
from lading.domain.ports import Entry
from lading.logs import open_log, place_of

pytestmark = [
    pytest.mark.row("S3.2"),
    pytest.mark.row("C.4"),
    pytest.mark.filterwarnings("ignore::lading.adapters.lmdb.ground.GroundWarning"),
]

EVENT = Entry(UUID(int=1), 1, "t", b"")


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("lmdb:", "home/log/data.mdb"),
        (" LMDB: ", "home/log/data.mdb"),
        ("lmdb:other", "home/other/data.mdb"),
        ("lmdb:{tmp}/elsewhere", "elsewhere/data.mdb"),
        ("sqlite:log.db", "home/log.db"),
        ("sqlite:{tmp}/log.db", "log.db"),
        ("sqlite://{tmp}/log.db", "log.db"),
        ("sqlite:~/log.db", "log.db"),
    ],
)
def test_a_url_names_its_file_wherever_the_command_is_typed(url, file, tmp_path, monkeypatch) -> None:
    """Relative paths lie in the home, not in the working folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir("/")
    (tmp_path / "home").mkdir()
    log = open_log(url.format(tmp=tmp_path), tmp_path / "home")
    log.append([[EVENT]])
    log.close()
    assert (tmp_path / file).stat().st_size > 0


@pytest.mark.parametrize(
    "url", ["", "lmdb", "sqlite:", "sqlite:///", "memory:x", "redis://h/0", "postgresql:db", "/path", "C:"]
)
def test_what_names_no_log_is_refused_with_what_is_allowed(url, tmp_path) -> None:
    """The hint lists the forms; nothing is made."""
    with pytest.raises(InvalidSetting) as caught:
        open_log(url, tmp_path)
    assert all(word in caught.value.hint for word in ("lmdb:", "sqlite:PATH", "postgresql://", "memory:"))
    assert list(tmp_path.iterdir()) == []


def test_a_log_is_imported_only_when_it_is_asked_for() -> None:
    """The table of logs costs nothing: neither databases nor the eventsourcing library come with it."""
    heavy = "{'lmdb', 'eventsourcing', 'psycopg', 'sqlite3'}"
    program = f"import sys, lading.logs; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_missing_driver_is_said_with_the_command_that_installs_it(tmp_path, monkeypatch) -> None:
    """PostgreSQL is an extra."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "lading.adapters.postgres_recorder", raising=False)
    monkeypatch.delattr("lading.adapters.postgres_recorder", raising=False)
    with pytest.raises(StoreUnavailable) as caught:
        open_log("postgresql://me@127.0.0.1:1/db", tmp_path)
    assert "lading[postgres]" in caught.value.hint


def test_two_memory_logs_share_nothing() -> None:
    """Each opening is a log of its own."""
    first, second = (open_log("memory:", Path("/nowhere")) for _ in range(2))
    first.append([[EVENT]])
    assert (first.head(), second.head()) == (1, 0)


def test_one_file_has_one_place_however_its_url_is_spelt(tmp_path, monkeypatch) -> None:
    """By what lies there, not by how it is written: checkpoints are kept by that."""
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    monkeypatch.setenv("HOME", str(tmp_path))
    spelt = [f"sqlite:{tmp_path}/a/x.db", f" SQLite:{tmp_path}//a/./x.db ", "sqlite:../a/x.db", "sqlite:~/link/x.db"]
    assert {place_of(url, tmp_path / "home") for url in spelt} == {f"sqlite:{(tmp_path / 'a' / 'x.db').resolve()}"}
    assert place_of(f"sqlite:{tmp_path}/a/y.db", tmp_path) != place_of(spelt[0], tmp_path)


def test_one_table_has_one_place_however_its_url_is_spelt(tmp_path, monkeypatch) -> None:
    """By host, port, database and schema; not by who logs in, nor by how."""
    for name in ("PGHOST", "PGPORT", "PGDATABASE", "PGUSER"):
        monkeypatch.delenv(name, raising=False)
    same = [
        "postgresql:///d",
        "postgres://me:secret@localhost/d",
        "postgresql://other@LocalHost:5432/d?sslmode=require&schema=public",
        "postgresql:///d?host=%2Fvar%2Frun%2Fpostgresql&connect_timeout=3",
        "postgresql://d@/?application_name=x",
    ]
    places = {place_of(url, tmp_path) for url in same}
    assert len(places) == 1
    assert "secret" not in places.pop()
    others = ["///e", "///d?schema=s", "//localhost:5433/d", "//else/d", "///d?host=%2Fsockets"]
    assert len({place_of(f"postgresql:{url}", tmp_path) for url in [*others, "///d"]}) == len(others) + 1
