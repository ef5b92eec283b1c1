"""`lading doctor` tells what this machine and this home can do."""

from __future__ import annotations

from importlib.metadata import version

from lading.adapters.http import extras


def test_everything_is_looked_at_and_nothing_is_left_behind(lading, folder):
    """Also where there is no home yet."""
    rows = {row["check"]: row for row in lading.rows("doctor")}
    assert {
        "lading",
        "python",
        "lmdb",
        "curl",
        "home: file system",
        "home: flock",
        "downloads: direct I/O",
    } <= rows.keys()
    assert {row["status"] for row in rows.values()} <= {"ok", "warn"}
    assert not lading.home.exists()
    assert not list(folder.iterdir())


def test_support_for_http2_and_socks_is_told(lading, monkeypatch):
    """By the version of the package, or by the command that installs it."""
    monkeypatch.setitem(extras.PACKAGES, "socks", "no-such-package-anywhere")
    found = {row["check"]: row for row in lading.rows("doctor")}
    assert found["http2"]["value"] == f"h2 {version('h2')}"
    assert found["socks"]["value"].endswith("python -m pip install 'lading[socks]'")
    assert {found[extra]["status"] for extra in extras.PACKAGES} == {"ok"}


def test_a_home_that_cannot_be_used_is_exit_code_3(lading):
    """And says what to do."""
    lading.home.write_text("a file")
    assert "FAIL" in lading("doctor", code=3).out


def test_an_engine_that_runs_is_seen(lading, working):
    """By its lock."""
    assert {row["check"]: row["value"] for row in lading.rows("doctor")}["engine"] == "one works on this home"
