"""Paths that are not UTF-8: files are made there as anywhere else, and answers show the bytes that are no text."""

from __future__ import annotations

import os
import sys

import pytest

from lading.tools.cli.answers import shown

pytestmark = [
    pytest.mark.row("C.8"),
    pytest.mark.skipif(sys.platform == "darwin", reason="its file systems take only UTF-8"),
]

ODD = os.fsdecode(b"caf\xe9")
SHOWN = "caf\\xe9"


@pytest.fixture(autouse=True)
def past(lading, origin, small):
    """A download that is done."""
    lading("get", origin.url(small.name), "--key", "k")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("export", "events", "--to", f"{ODD}.jsonl"), f"{SHOWN}.jsonl"),
        (("backup", f"{ODD}.bk"), f"{SHOWN}.bk"),
        (("incident", f"{ODD}.inc"), f"{SHOWN}.inc"),
        (("receipt", "k", "-o", f"{ODD}.json"), f"{SHOWN}.json"),
        (("archive", "--to", ODD), SHOWN),
    ],
)
def test_what_is_made_there_is_told_with_its_bytes(lading, words, name):
    """In JSON, which programs can read, and to people; the file is the one that was named."""
    paths = [row["path"] for row in lading.rows(*words) if row.get("path")]
    assert paths
    assert all(name in path for path in paths)
    assert os.path.lexists(words[-1])


def test_people_are_told_in_the_same_way(lading, spawn):
    """Also where the terminal takes nothing but UTF-8."""
    strict = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}
    assert spawn("incident", f"{ODD}.inc", env=strict).end().out == f"{SHOWN}.inc\n"
    assert spawn("receipt", "k", "-o", f"{ODD}.json", env=strict).end().out == f"{SHOWN}.json\n"


def test_what_is_checked_there_is_told_with_its_bytes(lading):
    """The backup that is sound, and the file that is not there."""
    lading("backup", f"{ODD}.bk")
    assert lading.row("verify", "--backup", f"{ODD}.bk")["path"].endswith(f"/{SHOWN}.bk")
    assert f"{SHOWN}.bk" in lading("--json", "backup", f"{ODD}.bk", code=1).trouble["error"]
    assert SHOWN in lading("--json", "add", "-i", ODD, code=2).trouble["error"]


@pytest.mark.parametrize("to", [f"{ODD}.parquet", f"{ODD}.csv", f"{ODD}/"])
def test_an_export_there_is_held_against_the_log_as_anywhere_else(lading, to):
    """It is not called damaged for its name; and a folder there grows."""
    lading("export", "events", "--to", to)
    assert lading.row("verify", "--export", to)["ok"]
    if to.endswith("/"):
        lading.add("http://a.test/1")
        (more,) = lading.rows("export", "events", "--to", to)
        assert more["path"].startswith(f"{SHOWN}/")
        assert lading.row("verify", "--export", to)["rows"] == more["last"]


def test_no_home_and_no_log_is_made_there(lading, folder):
    """LMDB takes only text: that is told with exit code 3, and nothing is left."""
    lading("backup", "b")
    for words in (("--home", ODD, "restore", "b"), ("--home", ODD, "add", "http://a.test/1"), ("--home", ODD, "list")):
        trouble = lading("--json", *words, code=3).trouble
        assert f"{SHOWN} cannot be used: its path is not UTF-8" in trouble["error"]
        assert trouble["hint"]
        assert not (folder / ODD).exists()
    assert "not UTF-8" in lading("--home", "h", "--log", f"lmdb:{folder / ODD}", "add", "http://a.test/1", code=3).err
    assert not (folder / ODD).exists()


def test_all_text_of_an_answer_can_be_printed():
    """Names as well as values, however deep; what is text already stays as it is."""
    row = {"é": ["é", ("\\xe9",)], ODD: {"of": [ODD, 2**70, None, True, 1.5]}, "half": "\ud800"}
    assert shown(row) == {"é": ["é", ["\\xe9"]], SHOWN: {"of": [SHOWN, 2**70, None, True, 1.5]}, "half": "\\ud800"}
