"""The same errors in two vocabularies: Lading's, which say what to do, and those that users of `eventsourcing` catch.

Each class here is both at once. A conflict is not among them: that is the library's `IntegrityError` and nothing
else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from eventsourcing.persistence import InternalError, NotSupportedError, OperationalError

from lading.domain.errors import DiskFull, LadingError, LogDamaged, StoreNewer, StoreUnavailable

P = ParamSpec("P")
R = TypeVar("R")


class RecorderUnavailable(StoreUnavailable, OperationalError):
    """The store of a recorder cannot be used; nothing in it was changed."""


class RecorderFull(DiskFull, OperationalError):
    """There is no room for what a recorder must write; nothing was stored, and the same call succeeds once there is."""


class RecorderDamaged(LogDamaged, InternalError):
    """What a recorder reads is not what was stored."""


class RecorderNewer(StoreNewer, NotSupportedError):
    """A later program wrote what a recorder should read."""


_SPOKEN: dict[type[LadingError], type[LadingError]] = {
    StoreUnavailable: RecorderUnavailable,
    DiskFull: RecorderFull,
    LogDamaged: RecorderDamaged,
    StoreNewer: RecorderNewer,
}


def speaks_both(method: Callable[P, R]) -> Callable[P, R]:
    """Let a recorder's method raise errors that are of both vocabularies."""

    @wraps(method)
    def spoken(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except LadingError as error:
            for kind, both in _SPOKEN.items():
                if isinstance(error, kind) and not isinstance(error, both):
                    raise both(error.message, hint=error.hint) from error
            raise

    return spoken
