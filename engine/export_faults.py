"""What is wrong where an export and the log of a home do not say the same: with the one or with the other.

A file is blamed only for what is wrong with the file. Where the log cannot be read, or is not what was signed of it,
nothing can be held against it; then the file may be sound, and be all that there is.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import attrs

from lading.domain.errors import IntegrityError
from lading.extracting import Extract, Page, extract
from lading.reading import Reading


class Fault(enum.StrEnum):
    """With what something is wrong, the one that is told first where there are several."""

    LOG = "log"
    """The log is damaged, or is not what was signed: the file could not be held against it."""
    BEYOND = "beyond"
    """The file covers more than the log has, and nobody knows yet which of them is wrong."""
    LOST = "lost"
    """A repair of the log lost what the file has."""
    OTHER = "other"
    """The file is of another log."""
    FILE = "file"
    """The file is damaged or was changed."""


class Difference(NamedTuple):
    """One way in which a file is not what the log says; `position` is that of the row, where one row is meant."""

    path: Path
    message: str
    position: int | None = None
    fault: Fault = Fault.FILE


class Verdict(NamedTuple):
    """What people are told of an export that differs, and what to do about it."""

    error: str
    hint: str


class LogAtFault(Exception):
    """The log, or a view of it, could not be read; this never leaves a check."""


@contextmanager
def asking_log() -> Iterator[None]:
    """Tell what is wrong with the log from what is wrong with a file.

    Raises:
        LogAtFault: it is damaged.
    """
    try:
        yield
    except IntegrityError as error:
        raise LogAtFault(error.message) from error


@contextmanager
def as_logged(reading: Reading, view: str, after: int, upto: int) -> Iterator[Extract]:
    """Open a table of the log at a position, as `extract` does.

    Raises:
        LogAtFault: it cannot be read, now or while its pages are walked.
    """
    with ExitStack() as opened:
        with asking_log():
            of = opened.enter_context(extract(reading, view, after=after, upto=upto))
        yield attrs.evolve(of, pages=lambda: _walk(of.pages))


def _walk(pages: Callable[[], Iterator[Page]]) -> Iterator[Page]:
    walked = pages()
    while True:
        with asking_log():
            page = next(walked, None)
        if page is None:
            return
        yield page


def verdict(path: Path, faults: Iterable[Fault]) -> Verdict:
    """Return what is to be told of an export in which something is wrong with these.

    Nobody is told to make an export anew that may have what the log has no more.
    """
    told = set(faults)
    if Fault.LOG in told:
        return Verdict(
            f"{path} could not be held against the log of this home, which is itself damaged or not what was signed",
            "keep the file, which may be sound: `lading verify` tells what is wrong with the log, and "
            "`lading repair --log` goes on from what of it is whole",
        )
    if Fault.BEYOND in told:
        return Verdict(
            f"{path} covers more than the log of this home has",
            "keep the file until it is known which of the two is right: `lading verify` checks the log, and if an "
            "older copy of the home was put back, the newest one has the rest",
        )
    if Fault.LOST in told:
        rest = "; and in the rest it is not what the log says" if Fault.FILE in told else ""
        return Verdict(
            f"{path} has what was lost when the log of this home was repaired{rest}",
            "keep the file: but for the damaged log, which lies aside in the home, it is the only place that is known "
            "to have these rows",
        )
    if Fault.OTHER in told:
        return Verdict(
            f"{path} is of another log than that of this home",
            "--home names the home that it was made of; whether it is sound cannot be told by this one",
        )
    return Verdict(
        f"{path} is not what the log says",
        "the log is what counts: `lading verify` checks it, `lading export` makes the export anew",
    )
