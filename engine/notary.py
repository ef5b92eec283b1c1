"""The notary: signs what the ledger of a home is like, and refuses a log that is not what was signed.

A checkpoint is signed only where the ledger still has the root of the one before it, so that each proves all that came
before. Any process of the home may sign; they take turns at the notebook. All of it blocks.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

from lading.adapters.signing import FileSigner, is_signed, read_private
from lading.domain import anchors
from lading.domain.errors import HistoryChanged, IntegrityError, LadingError, StoreUnavailable
from lading.domain.health import Signed
from lading.domain.notes import Checkpoint, Note
from lading.projections import ledger
from lading.views import Views
from lading.vouching import Lineage, Vouchers


class Notary(Vouchers):
    """Signs for one log of a home.

    Args:
        home: the folder of the home.
        log_id: names the log, in letters that a file name may have.
        views: its views, of which the ledger is one.
        anchored: files outside of the home to which its checkpoints are appended, by name.
        lineage: gives the logs that this one was, before it was repaired.
    """

    def __init__(
        self,
        home: Path,
        log_id: str,
        views: Views,
        *,
        anchored: Mapping[str, Path] | None = None,
        lineage: Lineage = tuple,
    ) -> None:
        super().__init__(home, log_id, anchored=anchored, lineage=lineage)
        self._views = views
        self.untold: dict[str, str] = {}
        """Why an anchor was not told of the last checkpoint that this process signed, by name."""

    @functools.cached_property
    def signer(self) -> FileSigner:
        """What signs; its key is made with the first checkpoint."""
        return FileSigner(self.folder, self.origin)

    def check_key(self) -> None:
        """See to it that the private key, if there is one, is one whose signatures can be checked.

        Raises:
            StoreUnavailable, StoreNewer, NoteDamaged: a key cannot be read.
            IntegrityError: the two do not belong together.
        """
        signed = read_private(self.folder)
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

    def descends(self, note: Note, where: str, ancestor: str) -> None:
        """See to it that the log has what a checkpoint tells of what it was before a repair, as far as that was kept.

        Args:
            note: the checkpoint.
            where: whose it is, as people are told.
            ancestor: the origin that it has to be of.

        Raises:
            HistoryChanged: it has not, or that is of another log, or nobody of this home signed it.
        """
        found = Checkpoint.parse(note.text)
        if found.origin != ancestor:
            raise HistoryChanged(f"{where} is of another log", hint="see that it is of this home")
        if found.size <= self.kept().get(ancestor, -1):
            self._expect(found, where)
        self._believe(note, where)

    def examine(self) -> None:
        """See to it that the log is a later one of what was signed last, here and at each anchor that can be asked.

        Raises:
            HistoryChanged: it is not: the log must not be written to.
            NoteDamaged: a checkpoint or a key cannot be read.
        """
        self._follow("the last checkpoint of this home", self.book.last())
        for name in self.anchored:
            try:
                self._examine(name)
            except StoreUnavailable as error:
                self.untold[name] = error.message

    def _examine(self, name: str) -> Note | None:
        """See to it that the log is a later one of what an anchor has, and return the last that it has of this log."""
        where = f"the anchor {name!r} ({self.anchored[name].path})"
        note = self.last_at(name)
        for each in () if note is not None else self.ancestral(name):
            self._follow(where, each)
        self._follow(where, note)
        return note

    def standing(self) -> Signed:
        """Return how far the log is signed, and what is wrong with that."""
        signed, trouble, refused = 0, None, set[str]()
        troubles: dict[str, str | None] = {}
        try:
            note = self.book.last()
            signed = 0 if note is None else Checkpoint.parse(note.text).size
            self._follow("the last checkpoint of this home", note)
        except LadingError as error:
            trouble = error.message
        for name in self.anchored:
            try:
                note = self._examine(name)
                size = 0 if note is None else Checkpoint.parse(note.text).size
                troubles[name] = f"it lacks the last checkpoint, of {signed:,} events" if size < signed else None
            except StoreUnavailable as error:
                troubles[name] = error.message
            except LadingError as error:
                troubles[name] = error.message
                refused.add(name)
        with self._views.read() as reader:
            return Signed(
                events=ledger.size(reader),
                signed=signed,
                trouble=trouble,
                anchors=troubles | self.untold,
                refused=frozenset(refused),
                given_up=self.given_up(),
            )

    def review(self) -> None:
        """Hold the log against everything that was ever signed of it.

        Raises:
            HistoryChanged: it is not what was signed.
            NoteDamaged: a checkpoint or a key cannot be read.
        """
        self.examine()
        for where, found in self.vouched():
            if not isinstance(found, Checkpoint):
                raise found
            self._expect(found, where)

    def _follow(self, where: str, note: Note | None) -> None:
        """See that a note is one to be believed, and that the log is a later one of what it tells.

        A home without a key may be an older copy, from before there was one: then that is told, and nothing else.
        """
        if note is not None:
            if self.keys():
                self._believe(note, where)
            self._expect(Checkpoint.parse(note.text), where)
            self._believe(note, where)

    def _believe(self, note: Note, where: str) -> Checkpoint:
        """Return what a note says, if somebody signed it whose key this home has."""
        if not self.is_believed(note):
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
            before = None
            if held is not None:
                before = self._believe(held, "the last checkpoint of this home")
                self._expect(before, "the last checkpoint of this home")
            with self._views.read() as reader:
                size, root = ledger.size(reader), ledger.root(reader)
            if held is not None and before is not None:
                is_behind = size < before.size  # another program has just begun to make the views anew
                if is_behind or (size == before.size and self._is_ours(held)):
                    return held, False
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

    def first_covering(self, ordinal: int) -> Note:
        """Return the first checkpoint, signed with the key of today, of a ledger that has the event of this ordinal.

        Whoever asks again gets the same, whatever was signed meanwhile; one is signed if need be.
        """
        found = self._first_covering(ordinal)
        if found is None:
            signed, _ = self.sign()
            found = self._first_covering(ordinal) or signed  # somebody else may have been first
        self._follow("a checkpoint of this home", found)
        return found

    def _first_covering(self, ordinal: int) -> Note | None:
        notes = (note for note in self.book.notes() if Checkpoint.parse(note.text).size > ordinal)
        return next(filter(self._is_ours, notes), None)

    def _is_ours(self, note: Note) -> bool:
        """Tell whether a note names the key of today: those of keys that were lost are believed, and made no more."""
        return note.signed_by(self.signer.key) is not None

    def anchor(self, name: str, note: Note, *, take_over: bool = False) -> None:
        """Append a checkpoint to a file outside of the home, unless that has this one, or a later one, already.

        So an anchor only grows, whoever signs at the same time and comes first.

        Raises:
            HistoryChanged: somebody else writes there, in the name of this log and with another key: this home is a
                copy of his, or he has one of this. With `take_over` it is appended all the same. Or what is there is
                of another history of this log.
            StoreUnavailable, DiskFull: it cannot be.
        """
        with self.anchored[name].turn() as turn:
            last = turn.last()
            if last is not None and Checkpoint.parse(last.text).origin != self.origin:
                last = self.last_at(name)
            if last is not None and self._has_already(name, last, note, take_over=take_over):
                return
            turn.append(note)

    def _has_already(self, name: str, last: Note, note: Note, *, take_over: bool) -> bool:
        """Tell whether the last note of this log at an anchor proves as much as one that is brought there."""
        if last == note:
            return True
        if not is_signed(last, [self.signer.key]):
            if take_over:
                return False
            raise HistoryChanged(
                f"the anchor {name!r} was written with another key of this log: a copy of this home may be in use",
                hint="`lading checkpoint --anchor` takes it over, if this home is the one that counts",
            )
        there, brought = Checkpoint.parse(last.text), Checkpoint.parse(note.text)
        if there.size == brought.size and there.root != brought.root:
            raise HistoryChanged(f"the anchor {name!r} has another history of the first {there.size:,} events")
        return there.size >= brought.size
