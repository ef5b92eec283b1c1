"""`--force` replaces files, and nothing else."""

from __future__ import annotations

import os

import pytest

from lading import archiving

pytestmark = [pytest.mark.row("C.8"), pytest.mark.law(5)]


@pytest.fixture(autouse=True)
def past(lading, origin, small):
    """A download that is done."""
    lading("get", origin.url(small.name))


@pytest.mark.parametrize("words", [("export", "events", "--to"), ("backup",), ("incident",)])
@pytest.mark.parametrize("force", [(), ("--force",)])
def test_a_pipe_and_a_device_are_left_as_they_are(lading, folder, words, force):
    """Whoever says that a file may be replaced does not mean these; nothing is left beside them."""
    os.mkfifo(folder / "pipe.csv")
    (folder / "device.csv").symlink_to("/dev/null")
    names = sorted(os.listdir(folder))
    for name in ("pipe.csv", "device.csv"):
        trouble = lading("--json", *words, name, *force, code=1).trouble
        assert trouble["kind"] == "DestinationTaken"
        assert trouble["error"].endswith(f"{name} is a device, a pipe or a socket")
        assert "--force" not in trouble["hint"]
    assert (folder / "pipe.csv").is_fifo()
    assert (folder / "device.csv").is_char_device()
    assert sorted(os.listdir(folder)) == names


@pytest.mark.parametrize("words", [("export", "events", "--to"), ("backup",), ("incident",)])
def test_a_link_is_replaced_and_its_file_stays(lading, folder, words):
    """And without --force both stay."""
    (folder / "precious").write_text("precious")
    (folder / "link.csv").symlink_to("precious")
    assert "--force" in lading(*words, "link.csv", code=1).err
    lading(*words, "link.csv", "--force")
    assert not (folder / "link.csv").is_symlink()
    assert (folder / "precious").read_text() == "precious"


def test_a_pipe_where_an_export_is_to_be_described_is_left_too(lading, folder):
    """Then there is no export either."""
    os.mkfifo(folder / ".e.csv.lading.json")
    names = sorted(os.listdir(folder))
    for force in ((), ("--force",)):
        trouble = lading("--json", "export", "events", "--to", "e.csv", *force, code=1).trouble
        assert trouble["kind"] == "DestinationTaken"
    assert (folder / ".e.csv.lading.json").is_fifo()
    assert sorted(os.listdir(folder)) == names


def test_a_pipe_in_the_place_of_an_archive_is_left(lading, folder, monkeypatch):
    """And what was to be archived stays in the lists."""
    real, before = archiving.put_file, lading.rows("list")

    def meeting(path, *fill, **how):
        os.mkfifo(path)
        real(path, *fill, **how)

    monkeypatch.setattr(archiving, "put_file", meeting)
    assert lading("--json", "archive", "--to", "a", code=1).trouble["kind"] == "DestinationTaken"
    (there,) = (folder / "a").iterdir()
    assert there.is_fifo()
    assert lading.rows("list") == before
