"""`lading clean` removes what nobody needs any more, and says what."""

from __future__ import annotations

import pytest

from lading.tools.cli.units import SPAN

pytestmark = pytest.mark.row("S3.6")


@pytest.fixture
def littered(lading, origin, small, folder):
    """A home with a completed download, one that failed, and an orphan; the orphan's path."""
    lading("get", origin.url(small.name))
    lading("get", origin.url("missing"), "--retries", "0", code=1)
    (row,) = lading.rows("list", "--state", "completed")
    orphan = folder / f".small.bin.{row['id'][-8:]}.1.part"
    orphan.write_bytes(b"o" * 1000)
    return orphan


@pytest.mark.row("S3.3", "S0.3")
def test_stale_failures_and_orphans_go_and_the_history_keeps_them(lading, littered):
    """Each is a line, and all together one more."""
    assert [row["kind"] for row in lading.rows("clean", "--dry-run")] == ["orphan", "summary"]
    rows = lading.rows("clean", "--older-than", "0s", "--dry-run")
    assert littered.exists()
    done = lading.rows("clean", "--older-than", "0s")
    assert [row["kind"] for row in done] == ["failure", "orphan", "summary"]
    assert done[:2] == rows[:2]
    assert (done[2]["failures"], done[2]["orphans"], done[2]["bytes_reclaimed"]) == (1, 1, 1000)
    assert not littered.exists()
    assert [row["state"] for row in lading.rows("list")] == ["completed"]
    assert {row["state"] for row in lading.rows("history")} == {"completed", "removed"}
    assert "Maintained" in {row["event"] for row in lading.rows("log")}
    assert lading("clean").out == "0 stale failures and 0 orphans removed, 0 B given back; 0 files not valid any more\n"


def test_by_default_only_what_is_as_old_as_the_setting_says(lading, littered):
    """Thirty days, unless somebody sets it."""
    assert lading.rows("clean")[-1]["failures"] == 0
    lading("config", "set", "clean_after_s", "0")
    assert lading.rows("clean")[-1]["failures"] == 1


def test_what_emptying_the_cache_would_give_back_is_told_before(lading, origin, small):
    """The same that it gives back then; and telling takes nothing away."""
    lading("config", "set", "cache_least_bytes", "0")
    lading("get", origin.url(small.name))
    told = lading.rows("clean", "--cache", "--dry-run")[-1]
    done = lading.rows("clean", "--cache")[-1]
    assert (told["evicted"], told["bytes_reclaimed"]) == (done["evicted"], done["bytes_reclaimed"]) == (1, small.size)
    assert lading.rows("clean", "--cache", "--dry-run")[-1]["evicted"] == 0


@pytest.mark.parametrize(
    ("text", "seconds"), [("30d", 2_592_000), ("12h", 43_200), ("1.5m", 90), ("2w", 1_209_600), ("7s", 7), ("0", 0)]
)
def test_spans_are_read_as_people_write_them(text, seconds):
    """Days, hours, minutes, weeks, seconds; nothing is nothing of each."""
    assert SPAN.convert(text, None, None) == seconds


def test_a_span_that_is_none_is_a_usage_error(lading, littered):
    """And says how it is written."""
    assert "30d" in lading("clean", "--older-than", "soon", code=2).err
    assert "30d" in lading("clean", "--older-than", "3", code=2).err


def test_what_was_put_aside_is_told_by_where_it_lies(lading, origin, small, folder):
    """Whole, as the paths of orphans are: to people and as JSON."""
    lading("get", origin.url(small.name), "--key", "k")
    lading("remove", "k", "--files")
    (aside,) = folder.glob(f".{small.name}.*.kept")
    assert f"put aside: {aside}," in lading("clean", "--older-than", "0s", "--dry-run").out
    rows = lading.rows("clean", "--older-than", "0s")
    assert [row["path"] for row in rows if row["kind"] == "kept"] == [str(aside)]
    assert not aside.exists()
