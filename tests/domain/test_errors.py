"""The one tree of errors: as drawn, with exit codes that scripts rely on and hints that say what to do."""

from __future__ import annotations

import re

import pytest

from lading.domain import errors
from lading.domain.errors import LadingError

pytestmark = pytest.mark.row("S1.7")

CLASSES = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, LadingError)
}


def drawn() -> dict[str, tuple[str | None, int | None]]:
    """Read the tree out of the docstring: for each class its parent, and its exit code where one is drawn."""
    found: dict[str, tuple[str | None, int | None]] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^[ │├└─]*([A-Z][A-Za-z]+) {2,}(\S.*)$", line)
        if match is None:
            continue
        depth, name = match.start(1), match[1]
        above = [(column, other) for column, other in above if column < depth]
        code = re.search(r"\(exit (\d)\)", match[2])
        found[name] = (above[-1][1] if above else None, int(code[1]) if code else None)
        above.append((depth, name))
    return found


def test_the_tree_that_is_drawn_is_the_tree_that_is():
    """Every class is in the drawing, under its parent, and the drawing shows no other."""
    assert {name: parent for name, (parent, _) in drawn().items()} == {
        name: kind.__base__.__name__ if kind is not LadingError else None for name, kind in CLASSES.items()
    }


def test_the_exit_codes_that_are_drawn_are_those_of_the_classes():
    """A drawn code is the class's own and that of everything below it."""
    codes = {name: code for name, (_, code) in drawn().items() if code is not None}
    assert codes
    for name, code in codes.items():
        for kind in CLASSES.values():
            if issubclass(kind, CLASSES[name]):
                assert kind.exit_code == code, kind


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("LadingError", 1),
        ("UsageError", 2),
        ("InvalidURL", 2),
        ("IllegalCommand", 2),
        ("UnknownDownload", 2),
        ("TransferError", 1),
        ("DestinationTaken", 1),
        ("DiskFull", 1),
        ("StoreUnavailable", 3),
        ("StoreLocked", 3),
        ("StoreNewer", 3),
        ("IntegrityError", 4),
        ("LogDamaged", 4),
    ],
)
def test_exit_codes_are_those_of_the_design(name, code):
    """0 done, 1 a download failed, 2 usage, 3 the store, 4 integrity."""
    assert CLASSES[name].exit_code == code


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for kind in CLASSES.values()
        if issubclass(kind, errors.UsageError | errors.StoreError | errors.IntegrityError)
        and kind not in {errors.UsageError, errors.StoreError}
    ],
)
def test_an_error_that_a_person_can_act_on_says_how(kind):
    """Without a hint of its own it has that of its class; a given one wins, the empty one too."""
    assert kind("it broke").hint == kind.default_hint != ""
    assert kind("it broke", hint="mend it").hint == "mend it"
    assert kind("it broke", hint="").hint == ""
    assert str(kind("it broke")) == kind("it broke").message == "it broke"


def test_every_class_says_in_one_sentence_when_it_is_raised():
    """The documentation of an error is its class."""
    assert all(kind.__doc__ and kind.__doc__.strip() for kind in CLASSES.values())


@pytest.mark.row("S1.7")
def test_the_four_kinds_of_the_document_have_their_place():
    """Queue: the command cannot be done; executor: the transfer; state corruption: the log; coordination: the fence."""
    assert issubclass(errors.IllegalCommand, errors.UsageError)
    assert errors.TransferError("it broke", cause="network", retry_after_s=5.0).retry_after_s == 5.0
    assert issubclass(errors.LogDamaged, errors.IntegrityError)
    assert not issubclass(errors.Fenced, errors.UsageError | errors.StoreError | errors.IntegrityError)
