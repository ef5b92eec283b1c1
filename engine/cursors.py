"""Where the hooks of a home have come to: HOME/hooks/NAME, one small file each, with a checksum, written durably."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import attrs
import orjson

from lading.adapters.durable import write_durably
from lading.domain import hooks
from lading.domain.errors import IntegrityError
from lading.domain.hooks import Cursor, Hook

if TYPE_CHECKING:
    from lading.reading import Reading

FOLDER = "hooks"
MOST_READ = 10_000
"""So many events are read to see whether a hook is to be told of them; of those after them, each counts."""


def behind(reading: Reading, hook: Hook, cursor: Cursor | None) -> int:
    """Return how many events of the log a hook has still to be told of; blocks. A new one begins where it says."""
    if cursor is None and hook.since != "start":
        return 0
    position, found, read = 0 if cursor is None else cursor.position, 0, 0
    while read < MOST_READ:
        page = reading.facts(position)
        if not page:
            return found
        found += sum(hook.matches(fact.event) for fact in page)
        position, read = page[-1].position, read + len(page)
    return found + max(0, reading.log.head() - position)


class FileCursors:
    """The cursors of the home at `home`."""

    def __init__(self, home: Path) -> None:
        self._folder = home / FOLDER

    def load(self, name: str) -> Cursor | None:
        """Return where a hook has come to, None for one that is new.

        Raises:
            IntegrityError: its file cannot be read.
        """
        hooks.check_name(name)
        path = self._folder / name
        try:
            words = orjson.loads(path.read_bytes())
            told = words.pop("sum", None)
            if told is not None and told != crc32(orjson.dumps(words)):
                raise ValueError("its checksum does not fit")
            return Cursor(**words)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, AttributeError) as error:
            hint = "remove it: the hook then begins as a new one does"
            raise IntegrityError(f"{path} does not tell where a hook has come to", hint=hint) from error

    def save(self, name: str, cursor: Cursor) -> None:
        """Keep where a hook has come to.

        Raises:
            OSError: it could not be kept.
        """
        hooks.check_name(name)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._folder / name
        words = attrs.asdict(cursor)
        words["sum"] = crc32(orjson.dumps(words))
        write_durably(path, orjson.dumps(words), draft=path.with_name(f".{name}.draft"))
