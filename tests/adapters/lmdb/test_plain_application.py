"""Who uses `eventsourcing` for something else can use this module alone, beginning with the README's program."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import InfrastructureFactory, IntegrityError

import lading.adapters.lmdb
from lading.adapters.lmdb.verify import verify

README = Path(lading.adapters.lmdb.__file__).with_name("README.md")


class Parcel(Aggregate):
    """Something that is not a download."""

    @event("Posted")
    def __init__(self, to: str) -> None:
        self.to = to
        self.stops: list[str] = []

    @event("Scanned")
    def scan(self, stop: str) -> None:
        self.stops.append(stop)


class Post(Application[Any]):
    """An application that has nothing to do with Lading."""

    is_snapshotting_enabled = True


def _environment(folder: Path, **more: str) -> dict[str, str]:
    return {"PERSISTENCE_MODULE": "lading.adapters.lmdb", "LMDB_PATH": str(folder), **more}


def test_the_program_in_the_readme_runs(tmp_path: Path) -> None:
    """Its only code block, run as it stands, twice on the same folder, counts what both runs did."""
    (program,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    script = tmp_path / "dogs.py"
    script.write_text(program, encoding="utf-8")
    command = [sys.executable, "-W", "error", str(script), str(tmp_path / "dogs")]
    trusting = {**os.environ, "LMDB_TRUST_FILE_SYSTEM": "yes"}
    said = [
        subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=trusting) for _ in range(2)
    ]
    assert [(run.stdout, run.stderr) for run in said] == [("sit: 2\n", ""), ("sit: 4\n", "")]
    assert list(verify(tmp_path / "dogs")) == []


def test_what_was_saved_is_there_after_the_application_was_closed_and_opened_again(tmp_path: Path) -> None:
    """Events, snapshots and positions survive the application object."""
    with Post(_environment(tmp_path / "post")) as app:
        parcel = Parcel("Oslo")
        parcel.scan("Hamburg")
        app.save(parcel)
        app.take_snapshot(parcel.id)
        app.close()
    with Post(_environment(tmp_path / "post")) as app:
        found: Parcel = app.repository.get(parcel.id)
        assert (found.to, found.stops, found.version) == ("Oslo", ["Hamburg"], 2)
        assert [item.id for item in app.notification_log.select(start=1, limit=10)] == [1, 2]
        app.close()


def test_two_writers_of_one_version_conflict(tmp_path: Path) -> None:
    """The second to save what both changed gets the library's IntegrityError, and nothing of it is stored."""
    app = Post(_environment(tmp_path / "post"))
    parcel = Parcel("Oslo")
    app.save(parcel)
    one, other = app.repository.get(parcel.id), app.repository.get(parcel.id)
    one.scan("Hamburg")
    other.scan("Malmö")
    app.save(one)
    with pytest.raises(IntegrityError):
        app.save(other)
    assert app.repository.get(parcel.id).stops == ["Hamburg"]
    app.close()


def test_applications_that_share_a_folder_do_not_see_each_other(tmp_path: Path) -> None:
    """Each has its own events and its own positions."""

    class Courier(Post):
        name = "Courier"

    post, courier = Post(_environment(tmp_path / "both")), Courier(_environment(tmp_path / "both"))
    parcel = Parcel("Oslo")
    post.save(parcel)
    with pytest.raises(AggregateNotFoundError):
        courier.repository.get(parcel.id)
    assert courier.save(Parcel("Bergen"))[-1].notification.id == 1
    post.close()
    courier.close()


def test_a_prefixed_key_gives_an_application_a_folder_of_its_own(tmp_path: Path) -> None:
    """POST_LMDB_PATH goes before LMDB_PATH, as with every key of the library."""
    app = Post(_environment(tmp_path / "shared", POST_LMDB_PATH=str(tmp_path / "own")))
    app.close()
    assert (tmp_path / "own" / "data.mdb").exists()
    assert not (tmp_path / "shared").exists()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"LMDB_PATH": ""}, "POST_LMDB_PATH, LMDB_PATH"),
        ({"LMDB_MAP_SIZE": "much"}, "number of bytes"),
        ({"APPLICATION_RECORDER_TOPIC": "builtins:dict"}, "not a subclass of LMDBApplicationRecorder"),
    ],
)
def test_a_key_that_cannot_be_meant_is_refused_by_name(tmp_path: Path, keys: dict[str, str], said: str) -> None:
    """What is wrong with the environment is said in terms of its keys."""
    with pytest.raises(OSError, match=said):
        Post({**_environment(tmp_path / "post"), **keys})


def test_the_module_has_exactly_one_factory() -> None:
    """The library looks for one in the module's namespace, and refuses to choose between two."""
    members = {member for member in vars(lading.adapters.lmdb).values() if isinstance(member, type)}
    assert [m for m in members if issubclass(m, InfrastructureFactory)] == [lading.adapters.lmdb.LMDBFactory]
