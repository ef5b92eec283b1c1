"""Who vouches for a log: what was signed of it, in its home and at anchors outside, and the keys that check that.

    HOME/checkpoints/LOG    the checkpoints of a log, in order, as `lading.adapters.notebook` keeps notes
    HOME/keys               what signs them, and what checks their signatures

A log that was repaired goes on under another name, and says itself which it was and how much of that it has. What was
signed of its ancestors holds it to that much; what they had beyond was given up, and is counted, so that nobody can do
away with a history by the mere word that it was repaired.

None of this needs views, so it can be asked of a home that is only being made.
"""

from __future__ import annotations

import contextlib
import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from lading.adapters.notebook import Notebook
from lading.adapters.signing import PUBLIC, is_signed, read_keys
from lading.domain.errors import HistoryChanged, LadingError, NoteDamaged
from lading.domain.notes import Checkpoint, Note, VerifierKey

FOLDER, KEYS = "checkpoints", "keys"


class Ancestor(NamedTuple):
    """A log that another one was before it was repaired, and how many of its events that still has.

    `root` is that of so many events, as the repair said it; None where it did not, or where a later one kept less.
    """

    log_id: str
    kept: int
    root: bytes | None = None


Lineage = Callable[[], Iterable[Ancestor]]
Vouched = tuple[str, Checkpoint | LadingError]
"""A checkpoint, or why it cannot be believed, and where it is."""


class Vouchers:
    """What was signed of one log.

    Args:
        home: the folder of the home.
        log_id: names the log, in letters that a file name may have.
        anchored: files outside of the home to which its checkpoints are appended, by name.
        lineage: gives the logs that this one was, the last one first.
    """

    def __init__(
        self, home: Path, log_id: str, *, anchored: Mapping[str, Path] | None = None, lineage: Lineage = tuple
    ) -> None:
        self.origin = origin(log_id)
        self.book = Notebook(home / FOLDER / log_id)
        self.folder = home / KEYS
        self.anchored = {name: Notebook(path, outside=True) for name, path in (anchored or {}).items()}
        self._books = home / FOLDER
        self._lineage = lineage

    def keys(self) -> tuple[VerifierKey, ...]:
        """Return what checks the signatures of this home, the latest key last."""
        return read_keys(self.folder)

    def kept(self) -> dict[str, int]:
        """Return of each ancestor, by its origin, how many events this log has."""
        return {origin(ancestor.log_id): ancestor.kept for ancestor in self._lineage()}

    def vouched(self) -> Iterator[Vouched]:
        """Yield every checkpoint that holds this log to something, here and at its anchors, by size, with its place.

        What cannot be read, or was signed by nobody, comes as the error that it is.
        """
        books: list[tuple[str, Notebook, str, int | None]] = [("this home", self.book, self.origin, None)]
        for ancestor in self._lineage():
            before = Notebook(self._books / ancestor.log_id)
            books.append(("this home, before it was repaired", before, origin(ancestor.log_id), ancestor.kept))
        for name, book in self.anchored.items():
            books.append((f"the anchor {name!r}", book, self.origin, None))
            books += [(f"the anchor {name!r}", book, known, most) for known, most in self.kept().items()]
        said = sorted((ancestor.kept, ancestor.root) for ancestor in self._lineage() if ancestor.root is not None)
        repairs = (("the repair of the log", Checkpoint(self.origin, kept, root)) for kept, root in said)
        yield from heapq.merge(repairs, *(self._read(*each) for each in books), key=_size)

    def given_up(self) -> int:
        """Return how many events, at least, were signed of ancestors and are not in this log."""
        most = 0
        kept = self.kept()
        books = [Notebook(self._books / ancestor.log_id) for ancestor in self._lineage()]
        for book in [*books, *self.anchored.values()] if kept else ():
            with contextlib.suppress(LadingError):
                for note in book.notes():
                    found = Checkpoint.parse(note.text)
                    most = max(most, found.size - kept.get(found.origin, found.size))
        return most

    def last_at(self, name: str) -> Note | None:
        """Return the last checkpoint of this log at an anchor, None where it has none yet.

        Raises:
            HistoryChanged: it has checkpoints, and none of this log or an ancestor.
            NoteDamaged, StoreUnavailable: it cannot be read.
        """
        book = self.anchored[name]
        note = book.last()
        if note is None or Checkpoint.parse(note.text).origin == self.origin:
            return note
        own, is_related, kept = None, False, self.kept()
        for each in book.notes():
            of = Checkpoint.parse(each.text).origin
            own = each if of == self.origin else own
            is_related |= of == self.origin or of in kept
        if not is_related:
            raise HistoryChanged(
                f"the anchor {name!r} ({book.path}) is of another log, {Checkpoint.parse(note.text).origin}",
                hint="put the log back that it vouches for; or give this home an anchor of its own: "
                f"`lading config set anchors.{name}.file /another/path`",
            )
        return own

    def ancestral(self, name: str) -> Iterator[Note]:
        """Yield the last checkpoint at an anchor that holds this log to what it has of each ancestor."""
        kept = self.kept()
        last: dict[str, Note] = {}
        for note in self.anchored[name].notes() if kept else ():
            found = Checkpoint.parse(note.text)
            if found.size <= kept.get(found.origin, -1):
                last[found.origin] = note
        yield from last.values()

    def is_believed(self, note: Note) -> bool:
        """Tell whether a note of this log or of an ancestor was signed with a key of this home."""
        name = Checkpoint.parse(note.text).origin
        return is_signed(note, [*self.keys(), *(VerifierKey(name, key.key) for key in self.keys())])

    def _read(self, where: str, book: Notebook, of: str, most: int | None) -> Iterator[Vouched]:
        """Yield the checkpoints of one origin in a book, as far as they hold this log to something."""
        number = 0
        try:
            for number, note in enumerate(book.notes(), start=1):
                found = Checkpoint.parse(note.text)
                if found.origin != of or (most is not None and found.size > most):
                    continue
                yield f"checkpoint {number} of {where}", found
                if not self.is_believed(note):
                    yield (
                        f"checkpoint {number} of {where}",
                        HistoryChanged("it was not signed with a key of this home"),
                    )
        except LadingError as error:
            yield f"checkpoint {number + 1} of {where}", error


def set_damaged_aside(home: Path) -> list[Path]:
    """Give another name to every book of checkpoints and file of keys of a home that cannot be read; return these."""
    aside: list[Path] = []
    books = home / FOLDER
    for path in sorted(books.iterdir()) if books.is_dir() else []:
        try:
            for note in Notebook(path).notes():
                Checkpoint.parse(note.text)
        except NoteDamaged:
            aside.append(_renamed(path))
    try:
        read_keys(home / KEYS)
    except NoteDamaged:
        aside.append(_renamed(home / KEYS / PUBLIC))
    return aside


def _renamed(path: Path) -> Path:
    number = 1
    while (made := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    return path.rename(made)


def _size(found: Vouched) -> int:
    """Return what orders checkpoints; an error comes as soon as it is met."""
    return found[1].size if isinstance(found[1], Checkpoint) else 0


def origin(log_id: str) -> str:
    """Return how checkpoints name a log."""
    return f"lading/{log_id}"
