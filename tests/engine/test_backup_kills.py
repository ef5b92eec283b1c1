"""`kill -9` at every step of a backup, a restore and an archive: what has its name is whole, and nothing is lost."""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import UUID

import orjson
import pytest

from lading.adapters import codec
from lading.adapters.lmdb.verify import examine as verify_log
from lading.adapters.parcel import Parcel
from lading.backup import back_up, examine
from lading.domain import events as e
from lading.domain.errors import DestinationTaken
from lading.domain.ports import Entry
from lading.domain.requests import Order, Source
from lading.home import open_home
from lading.opening import open_own_log, open_reading
from lading.restoring import restore
from lading.tools.cli import main

pytestmark = [
    pytest.mark.row("S2.14"),
    pytest.mark.filterwarnings("ignore::lading.adapters.lmdb.ground.GroundWarning"),
]

VICTIM = Path(__file__).with_name("backup_victim.py")
FIRST_NS = 1_700_000_000 * 10**9


def make_home(path, downloads):
    """Make a home in which so many downloads were asked for and cancelled."""
    home = open_home(path, new_id=UUID(int=1))
    log = open_own_log(home)
    order = Order(sources=(Source(url="http://a.test/x"),), tags=("t",))
    for start in range(1, downloads + 1, 1000):
        log.append([_life(number, order) for number in range(start, min(start + 1000, downloads + 1))])
    log.close()
    return open_home(path, new_id=None)


def _life(number, order):
    told = (e.Queued(order=order), e.Cancelled())
    return [
        Entry(UUID(int=number), version, event.TOPIC, codec.seal(event, id=UUID(int=version), at_ns=FIRST_NS + number))
        for version, event in enumerate(told, 1)
    ]


def kill(place, stride, *words):
    """Let the victim die at each step, and return how many of its children were killed."""
    place.mkdir()
    subprocess.run([sys.executable, VICTIM, place, str(stride), *map(str, words)], check=True, timeout=100)
    codes = [int((place / str(k)).read_text()) for k in range(1, len(list(place.iterdir())) + 1)]
    assert codes[-1] == 0
    assert set(codes[:-1]) <= {-signal.SIGKILL}
    print(len(codes) - 1, "kills", file=sys.stderr)
    return len(codes) - 1


def events_of(path):
    """Return everything that the log of a home holds."""
    log = open_own_log(open_home(path, new_id=None))
    try:
        return log.read(0, 10**6)
    finally:
        log.close()


@pytest.mark.parametrize("stride", [10, pytest.param(3, marks=[pytest.mark.long, pytest.mark.timeout(200)])])
@pytest.mark.long
def test_a_backup_is_there_whole_or_not_at_all(tmp_path, stride):
    """After each kill; and the next one leaves no draft beside it."""
    home = make_home(tmp_path / "home", 9000)
    out = tmp_path / "out"
    out.mkdir()
    killed = kill(tmp_path / "codes", stride, "--home", home.path, "backup", f"{out}/{{k}}")
    assert killed >= 2
    seen = 0
    for k in range(1, killed + 2):
        path = out / str(k)
        if path.exists():
            seen += 1
            with Parcel(path) as parcel:
                assert examine(parcel).events == 18_000
            with pytest.raises(DestinationTaken):
                back_up(home, None, path, with_vault=False, replace=False, now_ns=0)
        else:
            back_up(home, None, path, with_vault=False, replace=False, now_ns=0)
    assert sorted(path.name for path in out.iterdir()) == sorted(str(k) for k in range(1, killed + 2))
    assert seen >= 1


@pytest.mark.parametrize("stride", [25, pytest.param(3, marks=[pytest.mark.long, pytest.mark.timeout(200)])])
@pytest.mark.long
def test_a_home_is_restored_whole_or_not_at_all(tmp_path, stride):
    """After each kill there is a home that is sound and equal, or nothing; the next restore makes it, and clears up."""
    home = make_home(tmp_path / "home", 2500)
    back_up(home, None, tmp_path / "b", with_vault=False, replace=False, now_ns=0)
    whole, out = events_of(home.path), tmp_path / "out"
    out.mkdir()
    killed = kill(tmp_path / "codes", stride, "--home", f"{out}/{{k}}", "restore", tmp_path / "b")
    assert killed >= 2
    for k in range(1, killed + 2):
        path = out / str(k)
        if not path.exists():
            restore(tmp_path / "b", path, None)
        assert events_of(path) == whole
        if k % 5 == 0 or stride > 1:
            assert list(verify_log(path / "log", strict=True)) == []
    assert sorted(path.name for path in out.iterdir()) == sorted(str(k) for k in range(1, killed + 2))


def archived(home):
    """Return the archives that the log speaks of, each with the rows of its file, whose digest fits."""
    told = [fact for fact in map(codec.open_envelope, events_of(home)) if isinstance(fact.event, e.HistoryArchived)]
    for fact in told:
        data = (home / "archive" / fact.event.file).read_bytes()
        assert fact.event.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
        yield fact.event, [orjson.loads(line) for line in data.splitlines()]


@pytest.mark.parametrize("stride", [29, pytest.param(3, marks=[pytest.mark.long, pytest.mark.timeout(200)])])
@pytest.mark.long
def test_history_is_archived_whole_or_not_at_all(tmp_path, capsys, stride):
    """The children go on, one after the other, on one home: in the end each download is in one file that is told of."""
    home = make_home(tmp_path / "home", 1500).path
    killed = kill(tmp_path / "codes", stride, "--home", home, "archive")
    assert killed >= 2
    assert main(["--home", str(home), "verify", "--views"]) == 0
    assert main(["--home", str(home), "--json", "archive"]) == 0
    said = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()[1:]]
    assert said == [{"kind": "summary", "downloads": 0, "files": 0, "bytes": 0, "left": 0}]
    ids = []
    for event, rows in archived(home):
        told = [row["id"] for row in rows if row["kind"] == "download"]
        assert told == [str(id) for id in event.downloads]
        ids += told
    assert sorted(ids) == sorted(str(UUID(int=number)) for number in range(1, 1501))
    names = {path.name for path in (home / "archive").iterdir()}
    assert names == {event.file for event, _ in archived(home)}
    reading = open_reading(open_home(home, new_id=None))
    reading.catch_up()
    assert reading.history() == []
    assert sum(reading.counts().values()) == 0
    reading.close()


@pytest.mark.long
@pytest.mark.timeout(200)
@pytest.mark.parametrize("verb", ["backup", "restore", "archive"])
def test_real_programs_are_killed_at_any_moment(tmp_path, verb):
    """From before their first line to after their last: ten of each."""
    home = make_home(tmp_path / "home", 5000).path
    back_up(open_home(home, new_id=None), None, tmp_path / "b", with_vault=False, replace=False, now_ns=0)
    whole, dice, target = events_of(home), random.Random(verb), tmp_path / "made"
    words = {
        "backup": ("--home", home, "backup", tmp_path / "c"),
        "restore": ("--home", target, "restore", tmp_path / "b"),
        "archive": ("--home", home, "archive"),
    }[verb]
    command = [sys.executable, "-m", "lading", *map(str, words)]
    began_s = time.monotonic()
    subprocess.run(
        command if verb != "archive" else [*command, "--older-than", "90000d"], check=True, stdout=subprocess.DEVNULL
    )
    longest_s = time.monotonic() - began_s
    for _ in range(10):
        for made in (tmp_path / "c", target):
            if made.exists():
                made.rename(tmp_path / f"seen-{dice.random()}")
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            try:
                process.wait(dice.uniform(0.1, 1.1) * longest_s)
            except subprocess.TimeoutExpired:
                process.kill()
        if (tmp_path / "c").exists():
            with Parcel(tmp_path / "c") as parcel:
                assert examine(parcel).events == len(whole)
        if target.exists():
            assert events_of(target) == whole
        if verb == "archive":
            assert main(["--home", str(home), "verify", "--views"]) == 0
            list(archived(home))
