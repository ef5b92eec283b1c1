"""The notary: signs what the ledger of a home is like, and refuses a log that is not what was signed.

    HOME/checkpoints/LOG    the checkpoints of a log, in order, as `lading.adapters.notebook` keeps notes

A checkpoint is signed only where the ledger still has the root of the one before it, so that each proves all that came
before. Any process of the home may sign; they take turns at the notebook. All of it blocks.
"""

from __future__ import annotations

import functools
import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from lading.adapters.notebook import Notebook
from lading.adapters.signing import FileSigner, is_signed, read_keys, read_private
from lading.domain import anchors
from lading.domain.errors import HistoryChanged, IntegrityError, LadingError
from lading.domain.notes import Checkpoint, Note, VerifierKey
from lading.projections import ledger
from lading.views import Views

FOLDER, KEYS = "checkpoints", "keys"


class Notary:
    """Signs for one log of a home.

    Args:
        home: the folder of the home.
        log_id: names the log, in letters that a file name may have.
        views: its views, of which the ledger is one.
        anchored: files outside of the home to which its checkpoints are appended, by name.
        predecessors: gives the names of logs that this one was, before it was repaired.
    """

    def __init__(
        self,
        home: Path,
        log_id: str,
        views: Views,
        *,
        anchored: Mapping[str, Path] | None = None,
        predecessors: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self.origin = origin(log_id)
        self.book = Notebook(home / FOLDER / log_id)
        self._views = views
        self._keys = home / KEYS
        self._anchored = {name: Notebook(path) for name, path in (anchored or {}).items()}
        self._predecessors = predecessors

    @functools.cached_property
    def signer(self) -> FileSigner:
        """What signs; its key is made with the first checkpoint."""
        return FileSigner(self._keys, self.origin)

    def keys(self) -> tuple[VerifierKey, ...]:
        """Return what checks the signatures of this home, the latest key last."""
        return read_keys(self._keys)

    def check_key(self) -> None:
        """See to it that the private key, if there is one, is one whose signatures can be checked.

        Raises:
            StoreUnavailable, StoreNewer, NoteDamaged: a key cannot be read.
            IntegrityError: the two do not belong together.
        """
        signed = read_private(self._keys)
        if signed is not None and signed not in {key.key for key in self.keys()}:
            raise IntegrityError(
                "HOME/keys/signing.pub does not have the key that signs for this home",
                hint="put it back from a backup; the next checkpoint writes it again",
            )

    def follows(self, note: Note, where: str) -> None:
        """See to it that the log is a later one of what somebody else has kept, `where` that may be.

        Raises:
            HistoryChanged: it is not, or that is of another log.
        """
        if Checkpoint.parse(note.text).origin != self.origin:
            raise HistoryChanged(f"{where} is of another log", hint="see that it is of this home")
        self._follow(where, note)

    def examine(self) -> None:
        """See to it that the log is a later one of what was signed last, here and at each anchor.

        Raises:
            HistoryChanged: it is not: the log must not be written to.
            NoteDamaged: a checkpoint or a key cannot be read.
        """
        self._follow("the last checkpoint of this home", self.book.last())
        for name, book in self._anchored.items():
            note = book.last()
            if note is None:
                continue
            found = Checkpoint.parse(note.text)
            if found.origin == self.origin:
                self._follow(f"the anchor {name!r} ({book.path})", note)
            elif found.origin not in map(origin, self._predecessors()):
                raise HistoryChanged(
                    f"the anchor {name!r} ({book.path}) is of another log, {found.origin}",
                    hint="put the log back that it vouches for; or give this home another anchor",
                )

    def review(self) -> None:
        """Hold the ledger, the views caught up with the log, against everything that was ever signed of it.

        Raises:
            HistoryChanged: it is not what was signed.
            NoteDamaged: a checkpoint or a key cannot be read.
        """
        self.examine()
        with self._views.read() as reader:
            for where, found in self.vouched():
                if not isinstance(found, Checkpoint):
                    raise found
                anchors.expect(found, where, ledger.size(reader), functools.partial(ledger.root, reader))

    def vouched(self) -> Iterator[tuple[str, Checkpoint | LadingError]]:
        """Yield every checkpoint of this log that is kept here and at its anchors, by size, with its place.

        What cannot be read, or was signed by nobody, comes as the error that it is.
        """
        books = {"this home": self.book} | {f"the anchor {name!r}": book for name, book in self._anchored.items()}
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

    def _follow(self, where: str, note: Note | None) -> None:
        """See that the log is a later one of what a note tells, and then that it is one to be believed.

        So a home of which an older copy was put back, older than its key even, is told that and nothing else.
        """
        if note is not None:
            self._expect(Checkpoint.parse(note.text), where)
            self._believe(note, where)

    def _believe(self, note: Note, where: str) -> Checkpoint:
        """Return what a note says, if somebody signed it whose key this home has."""
        if not is_signed(note, self.keys()):
            raise HistoryChanged(
                f"{where} was not signed with a key of this home",
                hint="put HOME/keys/signing.pub back from a backup; `lading verify` tells what else is wrong",
            )
        return Checkpoint.parse(note.text)

    def _expect(self, checkpoint: Checkpoint, where: str) -> None:
        reached = False
        while True:
            with self._views.read() as reader:
                size = ledger.size(reader)
                if reached or size >= checkpoint.size:
                    anchors.expect(checkpoint, where, size, functools.partial(ledger.root, reader))
                    return
            reached = self._views.catch_up().reached

    def sign(self) -> tuple[Note, bool]:
        """Sign what the ledger is like now, the views caught up with the log; return the last note, and if it is new.

        Raises:
            HistoryChanged: it is not what follows on the last checkpoint; nothing was signed.
            DiskFull, StoreUnavailable: it could not be kept; nothing was signed.
        """
        while not self._views.catch_up().reached:
            continue
        with self.book.turn() as turn:
            held = turn.last()
            before = None if held is None else self._believe(held, "the last checkpoint of this home")
            with self._views.read() as reader:
                size = ledger.size(reader)
                if before is not None:
                    anchors.expect(
                        before, "the last checkpoint of this home", size, functools.partial(ledger.root, reader)
                    )
                if held is not None and before is not None and before.size == size and self._is_ours(held):
                    return held, False
                root = ledger.root(reader)
            note = self.signer.sign(Checkpoint(self.origin, size, root).text)
            turn.append(note)
        return note, True

    def covering(self, ordinal: int) -> Note:
        """Return the last checkpoint, of a ledger that has the event of this ordinal; one is signed if need be.

        It is signed with the key of today.
        """
        note = self.book.last()
        if note is not None and Checkpoint.parse(note.text).size > ordinal and self._is_ours(note):
            return note
        return self.sign()[0]

    def _is_ours(self, note: Note) -> bool:
        """Tell whether a note names the key of today: those of keys that were lost are believed, and made no more."""
        return note.signed_by(self.signer.key) is not None

    def anchor(self, name: str, note: Note) -> None:
        """Append a checkpoint to a file outside of the home, unless it is the last there already."""
        with self._anchored[name].turn() as turn:
            if turn.last() != note:
                turn.append(note)


def _size(found: tuple[str, Checkpoint | LadingError]) -> int:
    """Return what orders checkpoints; an error comes as soon as it is met."""
    return found[1].size if isinstance(found[1], Checkpoint) else 0


def origin(log_id: str) -> str:
    """Return how checkpoints name a log."""
    return f"lading/{log_id}"
