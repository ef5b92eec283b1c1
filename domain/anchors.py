"""Anchors: where a checkpoint goes that is to be believed against the owner of the home himself.

Whoever can write to a home can put back an older copy of it, or sign another history with its key. What tells of that
is a checkpoint that lies somewhere else: in a file that only grows, or with a program or a server that keeps it. A file
can be asked again: a log that is behind what it says, or that has another history, is not written to.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from lading.domain import receivers
from lading.domain.errors import HistoryChanged, InvalidSetting
from lading.domain.notes import Checkpoint

SECRET = {"secret": True}


@attrs.frozen(kw_only=True)
class Anchor:
    """What a table `[anchors.NAME]` of the settings says: just one of `file`, `command` and `url`.

    Attributes:
        file: to which each checkpoint is appended; it is asked when the home is opened. A whole path.
        command: a program with its arguments, written as for a shell, that gets the signed note on stdin.
        url: where the signed note is posted.
        timeout_s: longest that one of them may take.
    """

    file: str = ""
    command: str = attrs.field(default="", repr=False, metadata=SECRET)
    url: str = attrs.field(default="", repr=False, metadata=SECRET)
    timeout_s: float = 60.0

    def __attrs_post_init__(self) -> None:
        if sum(map(bool, (self.file, self.command, self.url))) != 1:
            raise InvalidSetting(
                "an anchor is a file, a command or a url",
                hint="write just one of them, such as file = '/mnt/log.anchor'",
            )
        if self.file and not self.file.startswith("/"):
            raise InvalidSetting("the file of an anchor has to be a whole path", hint="begin it with /")
        if not 0.1 <= self.timeout_s <= 3600:
            raise InvalidSetting(f"timeout_s cannot be {self.timeout_s}", hint="allowed is 0.1 to 3600")
        if self.url:
            receivers.check_url(self.url, "an anchor")
        elif self.command:
            self.arguments()

    def arguments(self) -> list[str]:
        """Return the program and its arguments.

        Raises:
            InvalidSetting: a quote is left open, or there is nothing.
        """
        return receivers.words(self.command, "an anchor")


def expect(checkpoint: Checkpoint, where: str, size: int, root: Callable[[int], bytes]) -> None:
    """See to it that a ledger is a later one of that of which a checkpoint tells.

    Args:
        checkpoint: what was signed.
        where: what vouches for it, as people are told.
        size: how many events the ledger has.
        root: gives its root of a size.

    Raises:
        HistoryChanged: it is not.
    """
    if size < checkpoint.size:
        raise HistoryChanged(
            f"the log has {size:,} events, and {where} vouches for {checkpoint.size:,}: an older copy was put back, or "
            "its end was cut off",
            vouched=checkpoint.size,
        )
    if root(checkpoint.size) != checkpoint.root:
        raise HistoryChanged(
            f"the first {checkpoint.size:,} events of the log are not those for which {where} vouches: its history was "
            "changed",
            vouched=checkpoint.size,
        )
