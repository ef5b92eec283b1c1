"""What can be taken from a damaged log: its valid prefix, and behind that whatever single records can still be read.

The file is read page by page (`lading.adapters.lmdb.pages`), so nothing here can end the process. The prefix ends
before the first position that is missing, whose record does not pass its checksum, or whose topic the table of topics
does not name. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Self
from uuid import UUID

from lading.adapters.lmdb.format import FORMAT_KEY, ID_KEY, META
from lading.adapters.lmdb.ground import DATA_FILE
from lading.adapters.lmdb.pages import Broken, Pages, State, Tree
from lading.adapters.lmdb.record import CRC_MISFIT, decode, is_whole, number
from lading.domain.errors import LogDamaged
from lading.domain.ports import Recorded

_NO_TREE = Tree(2**64 - 1, 0)


class DamagedLog:
    """The log in `folder`, as one of its meta pages has it; use it as a context.

    Attributes:
        log_id, format: its id and the format of its tables, None when they cannot be read.
        entries: how many events it says that it has, None when it does not say.

    Raises:
        OSError: the file cannot be read at all.
    """

    def __init__(self, folder: Path, state: State | None = None) -> None:
        self._pages = Pages(folder / DATA_FILE)
        self._wrong: list[str] = []
        states = self._pages.states()
        self.states = states
        chosen = state if state is not None else states[0] if states else None
        tables = self._pages.tables(chosen) if chosen is not None else {}
        self._log = tables.get(b"log", _NO_TREE)
        self._idx = tables.get(b"idx", _NO_TREE)
        self._topics = self._read_topics(tables.get(b"topic", _NO_TREE))
        told = dict(self._pages.items(tables.get(META, _NO_TREE)))
        log_id, form = told.get(ID_KEY, b""), told.get(FORMAT_KEY)
        self.log_id = UUID(bytes=log_id) if len(log_id) == 16 else None
        self.format = None if form is None else number(form)
        self.entries = self._log.entries if b"log" in tables else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._pages.__exit__(None, None, None)

    def prefix(self) -> Iterator[Recorded | str]:
        """Yield the events from position 1 on as long as they can be believed, and then why the next one cannot be.

        Nothing is said at the end of a log that is whole.
        """
        at = 0
        self._wrong.clear()
        for key, record in self._pages.items(self._log, self._note):
            if self._wrong:
                yield self._wrong[0]
                return
            found = self._event(key, record)
            position = number(key) if len(key) == 8 else -1
            if position != at + 1:
                yield f"position {position} follows {at}"
                return
            if isinstance(found, str):
                yield found
                return
            at = position
            yield found
        if self._wrong or self.entries is None:
            yield self._wrong[0] if self._wrong else "the table of events cannot be found"
        elif at != self.entries:
            yield f"{at} events are there, and {self.entries} should be"

    def beyond(self, position: int) -> Iterator[Recorded]:
        """Yield whatever events behind a position can still be read, in order, the broken ones left out."""
        for key, record in self._pages.items(self._log, lambda _: None):
            if len(key) == 8 and number(key) > position:
                found = self._event(key, record)
                if isinstance(found, Recorded):
                    yield found

    def indexed(self, position: int) -> Iterator[tuple[UUID, int]]:
        """Yield the stream and the position of each event behind a position, as the index has them, read or not."""
        for key, packed in self._pages.items(self._idx):
            if len(key) == 1 + 16 + 8 and key[0] == 0 and len(packed) == 8 and number(packed) > position:
                yield UUID(bytes=key[1:17]), number(packed)

    def _note(self, broken: Broken) -> None:
        self._wrong.append(str(broken))

    def _event(self, key: bytes, record: bytes) -> Recorded | str:
        if not is_whole(record):
            return CRC_MISFIT
        try:
            ((position, stream, version, topic, state),) = decode([(key, record)], self._topics)
        except (LogDamaged, ValueError) as error:
            return str(error)
        if not isinstance(stream, UUID):
            return "its stream is none of Lading's"
        return Recorded(position, stream, version, topic, state)

    def _read_topics(self, tree: Tree) -> list[str]:
        names: list[str] = []
        for key, name in self._pages.items(tree, self._note):
            if self._wrong or number(key) != len(names):
                break
            names.append(name.decode(errors="replace"))
        return names
