"""Homes that cannot be used: each says why and what to do, with its exit code, and nothing in it is changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import trio

import lading
from lading.domain.errors import IntegrityError, InvalidSetting, LadingError, LogDamaged, StoreNewer, StoreUnavailable
from lading.tools.origin import Origin, Resource

pytestmark = [
    pytest.mark.row("S0.1"),
    pytest.mark.timeout(60),
    pytest.mark.filterwarnings("ignore::lading.adapters.lmdb.ground.GroundWarning"),
]

NOBODY = 65534
GOOD_ID = "0" * 32


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def refused(home: Path, **how) -> LadingError:
    """Return the error with which a home is refused, having seen that it is as it was."""
    before = contents(home) if home.is_dir() else home.read_bytes()

    async def main() -> None:
        async with lading.open_engine(home, **how):
            pass

    with pytest.raises(LadingError) as caught:
        trio.run(main)
    assert (contents(home) if home.is_dir() else home.read_bytes()) == before
    assert caught.value.hint
    return caught.value


def made(home: Path) -> Path:
    """A home that an engine has opened and closed."""

    async def main() -> None:
        async with lading.open_engine(home):
            pass

    trio.run(main)
    return home


def test_a_home_that_is_a_file(tmp_path):
    """It stays one."""
    (tmp_path / "home").write_text("a letter")
    error = refused(tmp_path / "home")
    assert isinstance(error, StoreUnavailable)
    assert error.exit_code == 3


@pytest.mark.parametrize(
    "marker",
    [{"format": 2, "id": GOOD_ID}, {"format": 99}, {"format": 3, "shape": ["of", "the", "future"]}],
)
def test_a_home_of_a_newer_format(marker, tmp_path):
    """Whatever else its marker says: the program is to be upgraded."""
    (tmp_path / "home.json").write_text(json.dumps(marker))
    error = refused(tmp_path)
    assert isinstance(error, StoreNewer)
    assert "upgrade" in error.hint
    assert error.exit_code == 3


@pytest.mark.parametrize(
    "marker",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"7",
        b'"1"',
        b"{}",
        b'{"format": 1}',
        b'{"format": 1, "id": 7}',
        b'{"format": 1, "id": "short"}',
        b'{"format": 1, "id": null}',
        b'{"format": null, "id": "' + GOOD_ID.encode() + b'"}',
        b'{"format": 0, "id": "' + GOOD_ID.encode() + b'"}',
        b'{"format": "1", "id": "' + GOOD_ID.encode() + b'"}',
        b"\xff\xfe",
    ],
)
@pytest.mark.row("S2.14")
def test_a_home_whose_marker_is_damaged(marker, tmp_path):
    """It is reported, never overwritten."""
    made(tmp_path / "home")
    (tmp_path / "home" / "home.json").write_bytes(marker)
    error = refused(tmp_path / "home")
    assert isinstance(error, IntegrityError)
    assert error.exit_code == 4


@pytest.mark.parametrize(
    ("text", "word"),
    [("concurrency = 0", "concurrency"), ("speed = 9", "speed"), ("[", "TOML"), ("poll_s = 'soon'", "poll_s")],
)
def test_settings_that_cannot_be(text, word, tmp_path):
    """The message names the file or the setting."""
    made(tmp_path / "home")
    (tmp_path / "home" / "settings.toml").write_text(text)
    error = refused(tmp_path / "home")
    assert isinstance(error, InvalidSetting)
    assert word in str(error)


def test_a_log_url_that_cannot_be(tmp_path):
    """Neither log nor views are made."""
    assert isinstance(refused(made(tmp_path / "home"), log="redis://x"), InvalidSetting)


@pytest.mark.row("S2.14")
def test_a_truncated_log(tmp_path):
    """It is not taken for an empty one."""
    home = made(tmp_path / "home")
    os.truncate(home / "log" / "data.mdb", 5000)
    error = refused(home)
    assert isinstance(error, IntegrityError | StoreUnavailable)
    assert error.exit_code in {3, 4}


AS_NOBODY = """
import os, sys, tempfile, trio, warnings
warnings.simplefilter("ignore")
import lading
from lading.domain.errors import LadingError

async def use(home, files, url):
    async with lading.open_engine(home, downloads=files) as engine:
        if url:
            outcome = await engine.wait((await engine.submit(lading.Request(url))).id)
            print(outcome.state, outcome.cause, outcome.error, "|", outcome.hint)

home, files, url, nobody = sys.argv[1:]
if os.geteuid() == 0:
    with tempfile.TemporaryDirectory() as folder:  # whatever is imported late is imported while we may read it
        sys.stdout, told = open(os.devnull, "w"), sys.stdout
        trio.run(use, folder + "/home", folder, url)
        sys.stdout = told
    os.setgroups([])
    os.setgid(int(nobody))
    os.setuid(int(nobody))
try:
    trio.run(use, home, files, url)
except LadingError as error:
    print(type(error).__name__, error.exit_code, error, "|", error.hint)
"""


def as_nobody(home: Path, files: Path, url: str) -> str:
    """Use a home as a user who may do next to nothing (as ourselves when we are not root); return what it said."""
    told = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, home, files, url, str(NOBODY)],
        capture_output=True,
        text=True,
        cwd="/",
        check=False,
    )
    assert told.returncode == 0, told.stderr
    return told.stdout


@pytest.fixture
def common():
    """A folder that everybody can reach, though nobody may write to it."""
    folder = Path(tempfile.mkdtemp(prefix="lading-test-"))
    folder.chmod(0o755)
    yield folder
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.parametrize("case", ["no home", "a closed folder", "a readable home"])
def test_a_home_that_may_not_be_written(case, common):
    """Said in words, not in a traceback."""
    home = common / "home"
    if case != "no home":
        made(home)
    if case == "a closed folder":
        home.chmod(0o000)
    else:
        for path in (common, *common.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
    told = as_nobody(home, common, "")
    assert told.startswith("StoreUnavailable 3"), told
    assert told.partition("|")[2].strip()


def test_a_download_folder_that_may_not_be_written(common):
    """The download fails with a hint; the home is fine."""
    files, home = common / "files", common / "homes" / "home"
    files.mkdir(mode=0o555)
    home.parent.mkdir()
    home.parent.chmod(0o777)
    with Origin([Resource("x", 1000)]) as origin:
        told = as_nobody(home, files, origin.url("x"))
    assert told.startswith("failed destination"), told
    assert "Permission denied" in told
    assert "-d" in told.partition("|")[2]
    assert os.listdir(files) == []


@pytest.mark.law(3)
@pytest.mark.parametrize("loss", ["emptied", "no file", "no folder", "another"])
@pytest.mark.row("S2.14")
async def test_a_home_whose_log_is_gone_says_so_and_begins_no_new_one(loss, tmp_path):
    """An empty log in its place would read as a home where nothing ever happened."""
    home, data = tmp_path / "home", tmp_path / "home" / "log" / "data.mdb"
    for place in (home, tmp_path / "other"):
        async with lading.open_engine(place, downloads=tmp_path, start=False) as engine:
            await engine.submit(lading.Request("http://a.test/1"))
    views = sorted(path.name for path in home.iterdir())
    match loss:
        case "emptied":
            data.write_bytes(b"")
        case "no file":
            data.unlink()
        case "no folder":
            shutil.rmtree(data.parent)
        case "another":
            data.write_bytes((tmp_path / "other" / "log" / "data.mdb").read_bytes())
    for _ in range(2):
        with pytest.raises(LogDamaged) as caught:
            async with lading.open_engine(home, downloads=tmp_path):
                pass
        assert "copy" in caught.value.hint
        assert caught.value.exit_code == 4
    assert set(views) - {"log"} <= {path.name for path in home.iterdir()}
