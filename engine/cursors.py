"""Where the hooks of a home have come to: HOME/hooks/NAME, one small file each, written whole and durably."""

from __future__ import annotations

from pathlib import Path

import attrs
import orjson

from lading.domain import hooks
from lading.domain.errors import IntegrityError
from lading.domain.hooks import Cursor
from lading.home import write_durably

FOLDER = "hooks"


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
            return Cursor(**orjson.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
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
        write_durably(path, orjson.dumps(attrs.asdict(cursor)), draft=path.with_name(f".{name}.draft"))
