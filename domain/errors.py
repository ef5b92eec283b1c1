"""Every error that Lading raises on purpose, as one tree, split by who must act.

    LadingError                     everything below; carries a `hint`: what to do about it
    ├── UsageError                  you: the request cannot be meant as it stands         (exit 2)
    │   ├── InvalidURL              no scheme, no host, a scheme that no transport takes
    │   ├── InvalidDestination      a path outside the folder, a name that cannot be one
    │   ├── InvalidDigest           not ALGORITHM:HEX, or an algorithm that we do not have
    │   ├── InvalidSetting          a setting that does not exist or cannot have that value
    │   ├── UnknownDownload         no stream of that id or key
    │   ├── IllegalCommand          the download is in a state in which that cannot be done
    │   └── NotAReceipt             no file that `lading receipt` makes, or one that was cut short
    ├── TransferError               the other side or the network: one attempt came to nothing   (exit 1)
    ├── DestinationTaken            the disk: something lies there already, and we do not overwrite  (exit 1)
    ├── DiskFull                    the disk: no room; the download waits for it          (exit 1)
    ├── Fenced                      nobody: this worker no longer owns the download and must stop (internal)
    ├── StoreError                  the operator: the home or its log cannot be used      (exit 3)
    │   ├── StoreUnavailable        missing, not a folder, not writable, foreign file system, no room
    │   ├── StoreLocked             another engine owns this home and this work needs the owner
    │   └── StoreNewer              written by a newer Lading; nothing was touched
    └── IntegrityError              everybody: what is stored is not what was stored      (exit 4)
        ├── LogDamaged              a record, an index or a file of the log is damaged
        ├── BackupDamaged           a backup is not what was written, or none at all; nothing of it was taken over
        ├── ViewsDamaged            a view contradicts the log, or cannot be read; it can be made anew from the log
        ├── HistoryChanged          the log is not the one, or less of it, for which a signed checkpoint vouches
        ├── NoteDamaged             this is no signed note, no checkpoint, no verifier key
        └── ReceiptRefused          a receipt was not signed by whom it should be, or does not prove what it says

The exit codes are those of the command line; a library user catches the classes.
"""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID


class LadingError(Exception):
    """The root: a message for people, and a hint that says what to do about it."""

    exit_code: ClassVar[int] = 1
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = self.default_hint if hint is None else hint


class UsageError(LadingError):
    """The request cannot be meant as it stands; nothing was recorded."""

    exit_code = 2


class InvalidURL(UsageError):
    """Not an absolute URL that a transport of this engine can fetch."""

    default_hint = "give an absolute URL, such as https://example.org/file.iso"


class InvalidDestination(UsageError):
    """A path that leaves the download folder, or a name that no file can have."""

    default_hint = "use -d for another folder, or -o with the path that you mean"


class InvalidDigest(UsageError):
    """Not ALGORITHM:HEX, or an algorithm that this engine does not compute."""

    default_hint = "give ALGORITHM:HEX, such as sha256:e3b0c442…"


class InvalidSetting(UsageError):
    """A setting that does not exist, or a value that it cannot have."""

    default_hint = "`lading config` shows every setting, its value and where that comes from"


class UnknownDownload(UsageError):
    """No download has this id or key."""

    default_hint = "`lading list` shows the downloads of this home; another home is chosen with --home"


class IllegalCommand(UsageError):
    """The download is in a state in which that cannot be done; nothing was recorded."""

    default_hint = "`lading show ID` tells where it stands, `lading why ID` how it came there"


class NotAReceipt(UsageError):
    """No receipt, or one that was cut short."""

    default_hint = "give the file that `lading receipt ID -o FILE` made; if it was cut short, take another copy of it"


class TransferError(LadingError):
    """One attempt came to nothing; `cause` is a class of `lading.domain.faults`."""

    def __init__(
        self, message: str, *, cause: str, retry_after_s: float | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.cause = cause
        self.retry_after_s = retry_after_s


class DestinationTaken(LadingError):
    """Something lies at the destination already, and nobody said that it may be replaced."""

    default_hint = "choose another name with -o, or say --if-exists rename, skip or overwrite"


class DiskFull(LadingError):
    """There is no room for what must be written; nothing that was acknowledged is lost."""

    default_hint = "free some space on that file system; the download goes on from its last durable byte"


class Fenced(LadingError):
    """This worker no longer owns the download: a newer attempt or a control verb has the word."""


class StoreError(LadingError):
    """The home or its log cannot be used as it stands; nothing in it was changed."""

    exit_code = 3


class StoreUnavailable(StoreError):
    """Missing, not a folder, not writable, on a file system that cannot hold it, or out of room."""

    default_hint = "check that the home exists, is writable and has room, or choose another with --home"


class StoreLocked(StoreError):
    """Another engine owns this home, and this needs to be the owner."""

    default_hint = "stop the other engine first, or use the verbs that work beside it"


class StoreNewer(StoreError):
    """A newer Lading wrote this; this one would misread it, so it stops before touching anything."""

    default_hint = "upgrade Lading: python -m pip install --upgrade lading"


class IntegrityError(LadingError):
    """What is stored is not what was stored."""

    exit_code = 4
    default_hint = "`lading verify` says what is damaged and where; keep a copy of the home before anything else"


class LogDamaged(IntegrityError):
    """A record, an index or a file of the log is damaged; the rest was left as it is.

    `position` is that of the first such record, where it is known.
    """

    def __init__(self, message: str, *, hint: str | None = None, position: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.position = position


class BackupDamaged(IntegrityError):
    """A file is no backup, or not the backup that was written; nothing of it was taken over."""

    default_hint = "take another backup; `lading verify --backup FILE` tells whether one is whole"


class ViewsDamaged(IntegrityError):
    """A view contradicts the log or cannot be read; `stream` names the download at which that was found, if any."""

    default_hint = "`lading rebuild` drops the views and replays the log; nothing is lost by that"

    def __init__(self, message: str, *, stream: UUID | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.stream = stream


class HistoryChanged(IntegrityError):
    """The log is behind a signed checkpoint of it, or has another history than that; nothing is written to it."""

    default_hint = (
        "if an older copy was put back, put back the newest one; `lading verify` tells what is wrong, and "
        "`lading repair --log` goes on from here under a new log id, which says so for ever"
    )

    def __init__(self, message: str, *, hint: str | None = None, vouched: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.vouched = vouched
        """How many events somebody vouches for, where that is what is wrong."""


class NoteDamaged(IntegrityError):
    """This is no signed note, no checkpoint or no verifier key."""

    default_hint = (
        "it was cut short or changed; take another copy of it. Of what lies in the home, `lading repair --log` goes on "
        "without it, under a new log id"
    )


class ReceiptRefused(IntegrityError):
    """A receipt was not signed by whom it should be, or does not prove what it says; `check` names what failed."""

    default_hint = "do not rely on it; ask whoever issued it for another one, and whether the key is theirs"

    def __init__(self, message: str, *, check: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.check = check
