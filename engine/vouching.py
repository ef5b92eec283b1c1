"""Who vouches for a log: what was signed of it, in its home and at anchors outside, and the keys that check that.

    HOME/checkpoints/LOG    the checkpoints of a log, in order, as `lading.adapters.notebook` keeps notes
    HOME/keys               what signs them, and what checks their signatures

It needs neither the log nor its views, so it can be asked of a home that is only being made.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from pathlib import Path

from lading.adapters.notebook import Notebook
from lading.adapters.signing import is_signed, read_keys
from lading.domain.errors import HistoryChanged, LadingError
from lading.domain.notes import Checkpoint, VerifierKey

FOLDER, KEYS = "checkpoints", "keys"


class Vouchers:
    """What was signed of one log.

    Args:
        home: the folder of the home.
        log_id: names the log, in letters that a file name may have.
        anchored: files outside of the home to which its checkpoints are appended, by name.
    """

    def __init__(self, home: Path, log_id: str, *, anchored: Mapping[str, Path] | None = None) -> None:
        self.origin = origin(log_id)
        self.book = Notebook(home / FOLDER / log_id)
        self.folder = home / KEYS
        self.anchored = {name: Notebook(path) for name, path in (anchored or {}).items()}

    def keys(self) -> tuple[VerifierKey, ...]:
        """Return what checks the signatures of this home, the latest key last."""
        return read_keys(self.folder)

    def vouched(self) -> Iterator[tuple[str, Checkpoint | LadingError]]:
        """Yield every checkpoint of this log that is kept here and at its anchors, by size, with its place.

        What cannot be read, or was signed by nobody, comes as the error that it is.
        """
        books = {"this home": self.book} | {f"the anchor {name!r}": book for name, book in self.anchored.items()}
        yield from heapq.merge(*(self._read(where, book) for where, book in books.items()), key=_size)

    def _read(self, where: str, book: Notebook) -> Iterator[tuple[str, Checkpoint | LadingError]]:
        number = 0
        try:
            keys = self.keys()
            for number, note in enumerate(book.notes(), start=1):
                found = Checkpoint.parse(note.text)
                place = f"checkpoint {number} of {where}"
                if found.origin != self.origin:
                    continue
                yield place, found
                if not is_signed(note, keys):
                    yield place, HistoryChanged("it was not signed with a key of this home")
        except LadingError as error:
            yield f"checkpoint {number + 1} of {where}", error


def _size(found: tuple[str, Checkpoint | LadingError]) -> int:
    """Return what orders checkpoints; an error comes as soon as it is met."""
    return found[1].size if isinstance(found[1], Checkpoint) else 0


def origin(log_id: str) -> str:
    """Return how checkpoints name a log."""
    return f"lading/{log_id}"
