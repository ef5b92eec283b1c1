"""Mishaps: errors of Lading itself in what is done beside the downloads; they end neither these nor the engine.

Maintenance, bundles, the cache, the look at the machine: whatever goes wrong there that nobody foresaw is told, with
the place in the code and without the words of the error, which may hold a secret; and what was to be done is tried
again another time. What the log or a view is like is another matter: without these an engine cannot go on.
"""

from __future__ import annotations

import os
import traceback
import warnings
from collections.abc import Callable
from types import TracebackType

from lading.domain.errors import IntegrityError, StoreError

_FATAL = (StoreError, IntegrityError)


class EngineWarning(UserWarning):
    """Something that an engine does beside its downloads failed, by an error of Lading itself."""


def _warn(text: str) -> None:
    warnings.warn(text, EngineWarning, stacklevel=2)


class Mishaps:
    """Tells `say` of mishaps; unless that is set, an `EngineWarning` is given, which ends who wants it to be an error.

    Each is told once: what fails again and again at the same place is no news.
    """

    def __init__(self) -> None:
        self.say: Callable[[str], None] = _warn
        self._told: set[str] = set()

    def survived(self, what: str, *expected: type[Exception]) -> Survived:
        """Let nothing that goes wrong in this context end more than that: what is `expected` is not even told.

        Raises:
            StoreError, IntegrityError: unless they are expected.
        """
        return Survived(self, what, expected)

    def tell(self, what: str, error: Exception) -> None:
        """Tell of a mishap, unless one at the same place was told."""
        described = describe(error)
        if described not in self._told:
            self._told.add(described)
            self.say(f"{what} failed by an error of Lading itself, and is tried again later: {described}")


class Survived:
    """A context that nothing ends but what is fatal."""

    def __init__(self, mishaps: Mishaps, what: str, expected: tuple[type[Exception], ...]) -> None:
        self._mishaps = mishaps
        self._what = what
        self._expected = expected

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        if not isinstance(error, Exception):
            return False
        unforeseen = [each for each in _leaves(error) if not isinstance(each, self._expected)]
        for each in unforeseen:
            if isinstance(each, _FATAL):
                raise each from None
        for each in unforeseen:
            self._mishaps.tell(self._what, each)
        return True


def describe(error: Exception) -> str:
    """Return which error it is and where it was raised, and none of its words."""
    place = traceback.extract_tb(error.__traceback__)[-1:]
    where = f", {os.path.basename(place[0].filename)}:{place[0].lineno}" if place else ""
    return f"{type(error).__name__}{where}"


def _leaves(error: Exception) -> list[Exception]:
    if isinstance(error, ExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]
