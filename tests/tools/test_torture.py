"""The torture: that no law breaks under it, and that it would tell if one did."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from lading.domain.errors import UsageError
from lading.domain.states import State
from lading.tools.origin import OriginProcess
from lading.tools.torture.life import Delay, Life, Violation
from lading.tools.torture.run import Torture, read_blow
from lading.tools.torture.steps import Axe, Step, thing_of

LAWS = [pytest.mark.law(number) for number in range(1, 7)]
ROWS = pytest.mark.row("S0.6", "S0.4", "C.3", "S3.5", "S1.3", "S3.13")


def marked(test):
    """Give a test the laws and the rows that the torture holds."""
    for mark in (*LAWS, ROWS):
        test = mark(test)
    return test


@pytest.mark.long
@marked
@pytest.mark.timeout(100)
def test_no_law_breaks_when_engines_die_at_chosen_steps():
    """Six engines of one home die around logging, writing, publishing, sweeping and recovering; all comes out right."""
    blows = (
        "after commit log 12",
        "before link final 2",
        "midway pwrite part 9",
        "after link final 1",
        "before unlink part 1",
        "0.020 s into recovery",
    )
    arguments = ["--json", "torture", "--seed", "smoke", *(word for blow in blows for word in ("--blow", blow))]
    done = subprocess.run(
        [sys.executable, "-m", "lading", *arguments], capture_output=True, text=True, check=False, timeout=90
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["broken"] == []
    assert told["kills"] >= 5
    assert told["acknowledged"] > 20


@marked
@pytest.mark.long
@pytest.mark.timeout(200)
def test_no_law_breaks_when_engines_die_at_any_step(tmp_path: Path):
    """For two minutes engines die at enumerated steps and at random moments, also while they recover."""
    told: list[str] = []
    toll = Torture("ci", tmp_path, say=told.append).run(kills=10_000, seconds=110)
    assert not toll.broken, toll.broken[0].what + toll.broken[0].command
    assert toll.killed >= 20, "\n".join(told)
    assert toll.recovering > 0


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory):
    """A life of one engine that died in the midst of its work, audited and found well."""
    with OriginProcess() as origin:
        life = Life(tmp_path_factory.mktemp("life"), "tampering", origin, share=0.4)
        life.run([Step("after", "fdatasync", "part", 12)])
        yield life


def test_a_lost_acknowledgement_is_told(life: Life):
    """What was acknowledged and is not in the log is a violation."""
    there = life.acknowledged[-1]
    lost = attrs.evolve(there, version=there.version + 1000)
    other = attrs.evolve(there, state="of another download")
    assert life.audit.violations([there]) == []
    assert "was acknowledged at version" in life.audit.violations([lost])[0]
    assert "is another state" in life.audit.violations([other])[0]


def test_a_file_that_nobody_served_is_told(life: Life):
    """A final name with other content than some version's is a violation, whoever made it."""
    stranger = life.downloads / "stranger.bin"
    stranger.write_bytes(b"half of something")
    assert "nothing that was ever served" in life.audit.violations([])[0]
    stranger.unlink()
    assert life.audit.violations([]) == []


def test_a_part_that_nobody_started_is_told(life: Life):
    """A part that the log does not know is a violation."""
    stray = life.downloads / ".stray.1.part"
    stray.touch()
    assert "no part that the log knows" in life.audit.violations([])[0]
    stray.unlink()


def test_a_completed_file_that_changed_is_told(life: Life):
    """A file that is not what its Completed says is a violation."""
    completed = next(d for d in life.audit.last.downloads if d.state is State.COMPLETED and d.total)
    path = life.audit.place(completed.path)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert any("its digest is another one" in told for told in life.audit.violations([]))
    path.unlink()
    assert any("is completed, and not there" in told for told in life.audit.violations([]))
    path.write_bytes(content)
    assert life.audit.violations([]) == []


def test_views_that_differ_from_the_log_are_told(life: Life):
    """A row of the views that no replay makes is a violation."""
    from lading.adapters.lmdb.store import LMDBStore

    folder = life.home / f"views-{(life.home / 'views').read_text().strip()}"
    for change, found in ((lambda txn: txn.put(b"zz", b"row"), 1), (lambda txn: txn.delete(b"zz"), 0)):
        store = LMDBStore(folder, metasync=False, trust_file_system=True)
        with store.write() as transaction:
            change(transaction)
        store.close()
        assert len(life.audit.violations([])) == found


def test_a_log_that_lost_its_end_is_told(life: Life, tmp_path: Path):
    """A log that does not begin with all that it had is a violation, even if it is sound in itself."""
    elsewhere = Life(tmp_path, "another", life.origin)
    elsewhere.audit.last = life.audit.last
    assert "no longer begins" in elsewhere.audit.violations([])[0]


@pytest.mark.timeout(60)
def test_an_engine_that_ends_by_itself_is_told(tmp_path: Path):
    """An engine that nobody killed and that did not end well is a violation, with what it said last."""
    with OriginProcess() as origin:
        life = Life(tmp_path, "crash", origin, share=0.1)
        life.home.write_text("a file where the home should be")
        with pytest.raises(Violation, match="is a file"):
            life.run([None])


def test_the_axe_falls_at_the_step_that_it_was_told(tmp_path: Path):
    """The third link of a final name is not made when the axe falls before it, and is when after."""
    for moment, links in (("before", 2), ("after", 3)):
        folder = tmp_path / moment
        folder.mkdir()
        code = (
            "import os, sys; from lading.tools.torture.steps import Axe, Step;"
            f"Axe('/nowhere', {os.fspath(folder)!r}, Step({moment!r}, 'link', 'final', 3)).install();"
            f"os.chdir({os.fspath(folder)!r}); open('.x.part', 'w').close();"
            "[os.link('.x.part', f'final-{number}') for number in range(5)]"
        )
        done = subprocess.run([sys.executable, "-c", code], check=False, timeout=30)
        assert done.returncode == -9
        assert len(list(folder.glob("final-*"))) == links


def test_a_write_that_is_cut_midway_leaves_half(tmp_path: Path):
    """Midway in a write means that the first half of it is in the file."""
    part = tmp_path / ".x.1.part"
    code = (
        "import os; from lading.tools.torture.steps import Axe, Step;"
        f"Axe('/nowhere', {os.fspath(tmp_path)!r}, Step('midway', 'pwrite', 'part', 2)).install();"
        f"part = os.open({os.fspath(part)!r}, os.O_RDWR | os.O_CREAT);"
        "os.pwrite(part, b'a' * 100, 0); os.pwrite(part, b'b' * 100, 100)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == -9
    assert part.read_bytes() == b"a" * 100 + b"b" * 50


def test_things_are_told_apart_by_their_paths(tmp_path: Path):
    """Each file that an engine changes has one name among the steps, and others have none."""
    home, downloads = "/h", os.fspath(tmp_path)
    named = {
        f"{downloads}/.a.bin.1.part": "part",
        f"{downloads}/.a.bin.1.part.new": "beside",
        f"{downloads}/.a.bin.1.kept": "kept",
        f"{downloads}/a.bin": "final",
        downloads: "folder",
        "/h": "home",
        "/h/log/data.mdb": "log",
        "/h/views-12/data.mdb": "views",
        "/h/views": "pointer",
        "/h/.home.json.77": "marker",
        "/h/engine.lock": "lock",
        "/h/vault/key": "vault",
        "/elsewhere": None,
    }
    assert {path: thing_of(path, home, downloads) for path in named} == named


def test_a_blow_is_read_as_it_is_told():
    """What the torture tells of a blow can be given back to it, and nothing else."""
    for blow in (Step("midway", "pwrite", "part", 3), Delay(0.25), Delay(0.125, early=True)):
        assert read_blow(str(blow)) == blow
    for text in ("", "after", "soon", "after link final", "after link final x"):
        with pytest.raises(UsageError):
            read_blow(text)


def test_an_axe_comes_before_the_disk(tmp_path: Path):
    """Around a function that was imported by name already the axe would do nothing, so it refuses."""
    import lading.adapters.disk  # noqa: F401

    with pytest.raises(AssertionError, match="by name already"):
        Axe("/h", os.fspath(tmp_path), None).install()
