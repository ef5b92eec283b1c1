"""Whatever is done to the files of a home: `verify` says so, or every answer is what it was; and it never dies."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

import lading
from lading.cursors import FileCursors
from lading.domain.hooks import Cursor
from lading.tools.origin import Origin, Resource

pytestmark = [pytest.mark.row("S2.14"), pytest.mark.row("C.5")]

LAB = Path(__file__).with_name("tampering.py")
FEW, MANY = 20, 1000


async def _live(home: Path, files: Path, origin: Origin, old: Path) -> None:
    """Let a home have a past: files, secrets, things given up; an older copy is taken on the way."""
    async with lading.open_engine(home, downloads=files, role="owner", maintenance_s=0) as engine:
        for name in ("a", "b"):
            await engine.wait((await engine.submit(lading.Request(origin.url(name), key=name))).id)
        await engine.pause_queue()
        await engine.submit(lading.Request("http://user:secret@a.test/1?token=x", key="secret"))
    FileCursors(home).save("h", Cursor(position=3, delivered=1))
    shutil.copytree(home, old)
    async with lading.open_engine(home, downloads=files, role="owner", maintenance_s=0) as engine:
        await engine.submit(lading.Request("http://user:other@a.test/2?token=y", key="other"))
        plain = await engine.submit(lading.Request("http://a.test/plain"))
        await engine.pause(plain.id)
        await trio.to_thread.run_sync(engine.reading.catch_up)
    FileCursors(home).save("h", Cursor(position=9, delivered=2))


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a home, an older copy of it, and what the home answers."""
    place = tmp_path_factory.mktemp("tampering")
    home, files = place / "home", place / "files"
    files.mkdir()
    home.mkdir(mode=0o700)
    (home / "settings.toml").write_text(
        f'concurrency = 4\nlimit_rate = "20M"\n\n[anchors.safe]\nfile = "{place / "anchor"}"\n'
    )
    with Origin([Resource("a", 5000), Resource("b", 70_000)]) as origin:
        trio.run(_live, home, files, origin, place / "old")
    for folder in (home, place / "old"):
        for path in folder.rglob("*.lock"):
            path.unlink()
        for path in folder.rglob("lock.mdb"):
            path.unlink()
    code = (
        f"import json, sys; sys.path.insert(0, {str(LAB.parent)!r}); import tampering; from pathlib import Path; "
        f"p = Path({str(place)!r}); print(json.dumps(tampering.answers(p / 'home')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (place / "answers.json").write_text(done.stdout)
    return place


class Lab:
    """Asks the process that forks victims."""

    def __init__(self, place: Path, scratch: Path, **environment: str) -> None:
        self._place, self._scratch = place, scratch
        self._process = subprocess.Popen(
            [sys.executable, str(LAB)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=os.environ | environment,
        )  # fmt: skip

    def ask(self, seed: int, way: str | None = None) -> dict[str, Any]:
        """Tamper once, and return what came of it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        words = {"home": str(self._place / "home"), "old": str(self._place / "old"), "scratch": str(self._scratch)}
        self._process.stdin.write(json.dumps({**words, "seed": seed, "way": way}) + "\n")
        self._process.stdin.flush()
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        return told

    def close(self) -> None:
        """Let the process end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process.wait()


@pytest.fixture
def lab(lived: Path, tmp_path: Path) -> Iterator[Lab]:
    """The process, for one test."""
    lab = Lab(lived, tmp_path / "scratch")
    yield lab
    lab.close()


def verify(home: Path) -> subprocess.CompletedProcess[str]:
    """Run the verb itself, on everything."""
    command = [sys.executable, "-m", "lading", "--home", str(home), "--json", "verify", "--views", "--files"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def told_of(outcomes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what must not be: neither detected, nor without any effect."""
    return [told for told in outcomes if told["outcome"] not in {"detected", "unchanged", "died"}]


def test_the_untouched_home_is_sound(lived: Path, tmp_path: Path) -> None:
    """Else nothing below would prove anything."""
    shutil.copytree(lived / "home", tmp_path / "home")
    ran = verify(tmp_path / "home")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_tampering_is_told_or_has_no_effect(lab: Lab) -> None:
    """Bits, truncations, swaps, deletions, forgeries, old copies: some of each."""
    outcomes = [lab.ask(seed) for seed in range(FEW)]
    assert told_of(outcomes) == []
    assert Counter(told["outcome"] for told in outcomes)["detected"] >= FEW // 3


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_thousand_tamperings_are_told_or_have_no_effect(lab: Lab, lived: Path, tmp_path: Path) -> None:
    """The same at length; where the process died of what it read, the verb itself survives and says so."""
    outcomes = [lab.ask(seed) for seed in range(MANY)]
    print(Counter(told["outcome"] for told in outcomes))
    assert told_of(outcomes) == []
    only = Lab(lived, tmp_path / "again", TAMPER_ONLY="1")
    for told in [told for told in outcomes if told["outcome"] == "died"][:20]:
        only.ask(told["seed"])
        assert verify(tmp_path / "again").returncode == 4
    only.close()


@pytest.mark.long
def test_the_verb_says_what_the_checks_find(lab: Lab, lived: Path, tmp_path: Path) -> None:
    """In a process of its own, with exit code 4 and each finding on a line."""
    only = Lab(lived, tmp_path / "again", TAMPER_ONLY="1")
    for seed in [seed for seed in range(100, 106) if lab.ask(seed)["outcome"] == "detected"][:2]:
        only.ask(seed)
        ran = verify(tmp_path / "again")
        rows = [json.loads(line) for line in ran.stdout.splitlines()]
        assert ran.returncode == 4, ran.stderr
        assert not rows or not rows[-1]["ok"]
        assert "Traceback" not in ran.stderr
    only.close()


@pytest.mark.parametrize("way", ["swap_well", "roll_back", "rewrite", "sign_anew"])
def test_what_could_have_been_is_told(way: str, lab: Lab) -> None:
    """A forger who knows checksums, indexes and even the key, and one who puts all of an older copy back."""
    told = lab.ask(0, way)
    assert told["outcome"] == "detected", told
    assert any(said.startswith("tree:") for said in told["said"])


def test_who_appends_changes_nothing_that_was(lab: Lab) -> None:
    """Whoever may write to a home may append to its log, as any client does; what was signed before stays as it was."""
    told = lab.ask(0, "forge_well")
    assert told["outcome"] == "missed", "the log and what follows from it have grown, and nothing else"
    assert {"home", "log id", "vault", "settings", "hook"}.isdisjoint(told["said"])


@pytest.mark.parametrize("harm", ["cut", "noise"])
def test_damaged_views_end_a_child_and_not_the_verb(harm: str, lived: Path, tmp_path: Path) -> None:
    """The finding says that it is the views, and what to do."""
    home = tmp_path / "home"
    shutil.copytree(lived / "home", home)
    (data,) = home.glob("views-*/data.mdb")
    if harm == "cut":
        os.truncate(data, 5 * 4096)
    else:
        content = bytearray(data.read_bytes())
        content[2 * 4096 : 12 * 4096] = os.urandom(10 * 4096)
        data.write_bytes(content)
    ran = verify(home)
    assert ran.returncode == 4, ran.stdout + ran.stderr
    assert "view" in {json.loads(line)["kind"] for line in ran.stdout.splitlines()}


def test_a_check_that_dies_is_a_finding_and_the_others_go_on(
    lived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGBUS in one check costs that check; in one that is needed, all that come after it."""
    shutil.copytree(lived / "home", tmp_path / "home")
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, atexit\n"
        "import lading.checks as c, attrs\n"
        "def die(_):\n    os.kill(os.getpid(), signal.SIGBUS)\n    yield\n"
        "c.CHECKS = tuple(attrs.evolve(x, findings=die) if x.name == os.environ['DIE'] else x for x in c.CHECKS)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("DIE", "vault")
    ran = verify(tmp_path / "home")
    rows = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [row["kind"] for row in rows] == ["vault", "summary"]
    assert signal.SIGBUS.name in rows[0]["message"]
    assert rows[-1]["views"] is True
    monkeypatch.setenv("DIE", "log")
    rows = [json.loads(line) for line in verify(tmp_path / "home").stdout.splitlines()]
    assert ([row["kind"] for row in rows], rows[-1]["views"]) == (["log", "summary"], None)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("log/data.mdb", "an older copy was put back"),
        ("vault/data.mdb", "are not in the vault"),
        ("log.cursor", "the log ends at"),
    ],
)
def test_what_is_older_than_the_rest_is_told(name: str, message: str, lived: Path, tmp_path: Path) -> None:
    """Views are a witness of the log, the log is one of the vault and of the cursors of hooks."""
    home = tmp_path / "home"
    shutil.copytree(lived / "home", home)
    if name == "log.cursor":
        FileCursors(home).save("h", Cursor(position=10_000))
    else:
        shutil.copyfile(lived / "old" / name, home / name)
    ran = verify(home)
    assert ran.returncode == 4, ran.stdout + ran.stderr
    assert message in ran.stdout
