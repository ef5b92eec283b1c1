"""The race of downloaders: everybody does the same work, and what is told of it is what was measured."""

from __future__ import annotations

import os
import shutil
from http.client import HTTPException

import pytest

from lading.tools.bench import bare, races, report, transfer
from lading.tools.bench.races import Contender, Placing, RunFailed
from lading.tools.bench.report import Figure
from lading.tools.origin import Behaviour, Drop, OriginProcess, Resource

pytestmark = pytest.mark.row("S2.4")


@pytest.mark.long
@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl to race")
def test_every_downloader_that_is_found_is_raced_with_its_bytes_checked(tmp_path, monkeypatch):
    """Ours and its peers fetch the same files, each in each turn; ratios are of pairs, and ours to itself is 1."""
    monkeypatch.setattr(transfer, "refuse_memory", lambda _: None)
    monkeypatch.setattr(transfer, "RAW_BYTES", transfer.RAW_STEP)
    monkeypatch.setattr(transfer, "LEAST_DISK", 0.0)
    results = list(transfer.run(tmp_path, turns=2, large=3_000_000, files=5))
    placings = [result for result in results if isinstance(result, Placing)]
    races_run = {placing.race for placing in placings}
    assert races_run == {"one file, http", "one file, https", "5 files of 64 KiB"}
    for race in races_run:
        found = {placing.contender: placing for placing in placings if placing.race == race}
        assert {transfer.OURS, "curl", transfer.TOOLS} <= set(found)
        assert (transfer.BARE in found) == race.startswith("one file")
        assert found[transfer.OURS].ratios == (1.0, 1.0)
        assert all(placing.wall_s > 0 and placing.cpu_s > 0 and len(placing.ratios) == 2 for placing in found.values())
    assert any(placing.bound is not None for placing in placings)
    assert os.listdir(tmp_path) == []


def test_a_run_that_fails_or_makes_something_else_ends_the_race(tmp_path):
    """No figure comes of work that was not done."""

    def raced(command: str, check) -> list[Placing]:
        contender = Contender(name="it", course=lambda _: ["sh", "-c", command])
        return races.race("r", [contender], tmp_path, turns=1, bounds={}, check=check, say=lambda _: None)

    assert raced("exit 0", lambda _: None)[0].ratio == 1.0
    with pytest.raises(RunFailed, match="ended with 3: because"):
        raced("echo because >&2; exit 3", lambda _: None)
    with pytest.raises(Exception, match="did not arrive whole"):
        raced("exit 0", transfer.whole([transfer.Resource("missing", 10)]))
    assert os.listdir(tmp_path) == []


def test_no_run_finds_what_another_has_deleted_or_left(tmp_path):
    """Inodes that were just freed cost whoever comes next; and disks are not large enough to keep all bytes."""
    seen = []

    def look(folder) -> None:
        others = [path for path in folder.parent.glob("*/*") if path.parent != folder]
        assert all(path.stat().st_size == 0 for path in others)
        seen.append(len(others))

    makers = [Contender(name=f"{number}", course=lambda _: ["sh", "-c", "echo made > it"]) for number in range(2)]
    races.race("r", makers, tmp_path, turns=2, bounds={}, check=look, say=lambda _: None)
    assert seen == [0, 1, 2, 3, 4, 5]
    assert os.listdir(tmp_path) == []


def test_only_what_is_asked_for_is_raced(tmp_path, monkeypatch):
    """A race of a few minutes need not wait for the others."""
    asked = []
    monkeypatch.setattr(transfer, "refuse_memory", lambda _: None)
    monkeypatch.setattr(transfer, "race", lambda name, *_, **__: asked.append(name) or [])
    assert list(transfer.run(tmp_path, turns=1, large=1000, files=1, only=["https"])) == []
    assert asked == ["one file, https"]


def test_each_figure_is_printed_as_soon_as_it_is_known(capsys):
    """Whoever ends a long measurement keeps what was measured by then; one bound that is missed is enough for a 1."""

    def measured():
        yield Figure(name="one", value=1, unit="s", bound=0)
        assert "MISSED" in capsys.readouterr().out
        yield Figure(name="two", value=1, unit="s", bound=2)

    assert report.show(measured(), json=False) == 1


def test_bare_threads_end_where_the_body_breaks_off(tmp_path):
    """Else a race would never end."""
    with OriginProcess([Resource("large", 10_000_000)]) as origin:
        origin.set("large", Behaviour(drop=Drop(after=6_000_000)))
        with pytest.raises((AssertionError, OSError, HTTPException)):
            bare.fetch(origin.url("large"), str(tmp_path / "large"))


@pytest.mark.parametrize("size", [1, 50_000_001])
def test_bare_threads_do_the_same_work(size, tmp_path):
    """What would be slower to do right is raced against by doing it right."""
    resource = Resource("large", size)
    with OriginProcess([resource]) as origin:
        digest = bare.fetch(origin.url("large"), str(tmp_path / "large"))
    assert f"sha256:{digest}" == resource.digest()
    assert (tmp_path / "large").read_bytes() == resource.read(0, size)
