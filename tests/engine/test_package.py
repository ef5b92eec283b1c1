"""What an embedder sees: a few names, loaded when they are used, on the packages that were asked for."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import lading

ROOT = Path(__file__).parents[2]
ASKED_FOR = {"eventsourcing", "trio", "httpx", "cattrs", "orjson", "lmdb"}


def test_every_public_name_is_there_and_in_order():
    """`__all__` is sorted, and each of its names can be had."""
    assert lading.__all__ == sorted(lading.__all__)
    for name in lading.__all__:
        assert getattr(lading, name) is not None
    with pytest.raises(AttributeError):
        _ = lading.nonsense


def test_whatever_an_engine_returns_can_be_named():
    """Who annotates what he got needs no module of ours; a follower is only walked."""
    returned: set[str] = set()
    for _, method in inspect.getmembers(lading.Engine, inspect.isfunction):
        words = re.findall(r"[A-Za-z]+", str(inspect.signature(method).return_annotation))
        known = vars(sys.modules[method.__module__])
        kinds = (known.get(word) for word in words if not method.__name__.startswith("_"))
        returned |= {k.__name__ for k in kinds if isinstance(k, type) and k.__module__.startswith("lading")}
    assert {"Download", "Health", "Hold", "Statistics", "Taken"} <= returned
    assert returned - set(lading.__all__) == {"Follower"}


@pytest.mark.parametrize("package", ["lading.testing", "lading.tools.origin"])
def test_the_packages_for_tests_say_what_they_offer(package):
    """Embedders use them too."""
    module = importlib.import_module(package)
    assert len(module.__all__) == len(set(module.__all__))
    for name in module.__all__:
        assert getattr(module, name) is not None


def imported_by(program: str) -> set[str]:
    found = subprocess.run(
        [sys.executable, "-c", f"import sys\n{program}\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(found.stdout.split())


def test_importing_costs_next_to_nothing():
    """Neither the event loop nor the network nor a database comes with the name."""
    modules = imported_by("import lading")
    assert not modules & {"trio", "httpx", "h11", "lmdb", "eventsourcing", "cattrs", "attrs", "cryptography", "sqlite3"}
    assert "httpx" not in imported_by("import lading; lading.Request, lading.State, lading.LadingError")


@pytest.mark.row("C.8")
def test_the_packages_that_were_asked_for_are_the_ones_it_stands_on():
    """In the project's own words, and in the engine's modules."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {requirement.split(">")[0].split("[")[0].strip() for requirement in project["dependencies"]}
    assert names >= ASKED_FOR
    dev = {requirement.split(">")[0].strip() for requirement in project["optional-dependencies"]["dev"]}
    assert "pytest-trio" in dev
    assert imported_by("import lading; lading.open_engine") >= {"trio", "httpx", "cattrs", "orjson", "lmdb"}
    assert "eventsourcing" in imported_by("import lading.adapters.lmdb.factory")
