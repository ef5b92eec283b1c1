"""What is left on the disk of downloads: whether it is what the log says, and what nobody needs any more.

Pure decisions on what an engine has seen there. Nothing is given up here that the log has not given up before: a part
is an orphan only when its own download says that it has another one, or none; a failure is stale only when its time has
passed; and a published file is never touched, only judged.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import attrs

from lading.domain import commands as c
from lading.domain import events as e
from lading.domain.download import Download
from lading.domain.states import RUNNING, STOPPING, State

CLEAN_AFTER_S = 30 * 86_400.0
"""How long a failed or cancelled download stays in the queue for somebody to try it again."""

MAINTENANCE_S = 86_400.0
"""How often an engine looks for what is to be tidied up."""

_PART = re.compile(r"\..+\.(?P<tail>[0-9a-f]{8})\.(?P<attempt>[1-9][0-9]{0,8})\.(?:part(?:\.new)?|kept)", re.DOTALL)
_BESIDE, _KEPT = ".new", ".kept"


class Presence(enum.StrEnum):
    """What lies on the disk of a download."""

    VALID = "valid"
    NOT_VALID = "not valid"
    ABSENT = "absent"
    PARTIAL = "partial"
    QUARANTINED = "quarantined"
    NONE = "none"
    UNKNOWN = "unknown"


_VALID = {Presence.VALID: True, Presence.NOT_VALID: False, Presence.ABSENT: False}


class Look(NamedTuple):
    """What lies at a path, symbolic links followed: its bytes, when they were last written (UTC), and `real`, where.

    `is_file` is false of folders, devices and the like, of which there is nothing more to say.
    """

    size: int
    mtime_ns: int
    real: str
    is_file: bool = True


@attrs.frozen(kw_only=True)
class Verdict:
    """What is there of a download, why that is said, and how many bytes lie there, None for nothing."""

    presence: Presence
    reason: str = ""
    size: int | None = None

    @property
    def valid(self) -> bool | None:
        """Whether its published file is what was published; None where there is none to judge."""
        return _VALID.get(self.presence)


def watched(download: Download) -> str | None:
    """Return the path, below the order's root, at which there is something to look at; None where nothing should be."""
    if download.kept is not None:
        return download.kept
    return download.path if download.has_published else download.part


def is_doubtful(download: Download, look: Look) -> bool:
    """Tell whether only its digest can tell whether a published file is what was published.

    It has the size that it should have; but it was written to since the log said that it was complete, or was not what
    it should be when it was looked at last. Of one that is to be replaced the size says nothing: it may be the new one.
    """
    if download.unmended is not None:
        return look.is_file
    if not look.is_file or look.size != download.total:
        return False
    return download.invalid is not None or look.mtime_ns > (download.ended_at_ns or 0)


def judge(download: Download, look: Look | None, digest: str | None = None, *, replaced: bool = False) -> Verdict:
    """Say what is there of a download.

    Args:
        download: its state.
        look: what lies where it is to be `watched`, None for nothing.
        digest: that of its published file, where somebody computed it.
        replaced: whether a later download has published its own file under the same path.
    """
    size = None if look is None else look.size
    is_aside = download.quarantined_until_ns is not None and not download.has_published
    if download.kept is not None or is_aside:
        return Verdict(presence=Presence.QUARANTINED, reason="it was put aside", size=size)
    if not download.has_published:
        if look is not None:
            return Verdict(presence=Presence.PARTIAL, size=size)
        return Verdict(presence=Presence.NONE, reason="its part is gone" if download.durable else "")
    if replaced:
        return Verdict(presence=Presence.NONE, reason="a later download has put its file there")
    if look is None:
        return Verdict(presence=Presence.ABSENT, reason="it is missing")
    wrong = _wrong(download, look, digest)
    return Verdict(presence=Presence.NOT_VALID if wrong else Presence.VALID, reason=wrong, size=size)


def _wrong(download: Download, look: Look, digest: str | None) -> str:
    if not look.is_file:
        return "something that is no file lies there"
    if download.unmended is not None and digest is None:
        return download.unmended
    if download.unmended is None and look.size != download.total:
        return f"it has {look.size} bytes, and {download.total} were published"
    if digest is not None and digest != download.digest:
        return f"it has changed: {digest} is not {download.digest}"
    return ""


def word(download: Download, verdict: Verdict) -> c.Invalidate | c.Confirm | None:
    """Return what the log is to be told of a published file, None when it knows that already or nothing is known."""
    if download.state is not State.COMPLETED:
        return None
    if verdict.valid is False and download.invalid is None:
        return c.Invalidate(reason=verdict.reason, version=download.version)
    if verdict.valid and download.invalid is not None:
        return c.Confirm(version=download.version)
    return None


def irreparable(download: Download) -> str | None:
    """Return what to do where the file of a completed download cannot be repaired as it stands, None where it can."""
    if download.invalid is None:
        return "nothing is known to be wrong with its file; `lading files --digest` looks"
    if download.kept is not None:
        return "its file is put aside; `lading retry ID` puts it back"
    if download.order.together:
        return "its bundle was published as one; add it anew by itself"
    if download.replaced is not None:
        return f"what it had replaced is still kept as {download.replaced}: move that away, and ask again"
    return None


def is_damaged_copy(events: Iterable[e.Event]) -> bool:
    """Tell whether the file that a download replaced, and that is kept, is one that a repair put aside.

    What it had found at its path when it was new, what made room for a file that came back, and what `retry
    --overwrite` put aside may be somebody's.
    """
    repairs = is_copy = False
    kept: str | None = None
    for event in events:
        match event:
            case e.Resumed(fresh=True):
                repairs = event.repair
            case e.Completed(replaced=str()) | e.Confirmed(replaced=str()):
                if kept is None:
                    is_copy = repairs and isinstance(event, e.Completed)
                kept = event.replaced
            case e.Discarded() | e.Quarantined(back=True):
                kept = None
            case _:
                pass
    return kept is not None and is_copy


def is_part_name(name: str) -> bool:
    """Tell whether a file could have been made by an attempt, by its name alone, which proves nothing yet.

    What an attempt left may have been put aside meanwhile. A file of the user's own that was replaced has the number
    0, and is never looked at here.
    """
    return _PART.fullmatch(name) is not None


def tail(name: str) -> bytes:
    """Return the last four bytes of the id that the name of a part ends with."""
    match = _PART.fullmatch(name)
    assert match is not None, "only the name of a part has an id in it"
    return bytes.fromhex(match["tail"])


def is_orphan(path: str, name: str, downloads: Sequence[Download]) -> bool:
    """Tell whether no download vouches for a part any more.

    Args:
        path: the part, below the root of the downloads.
        name: its name in its folder.
        downloads: all of that folder whose id ends as the name says; of none the file is somebody else's.
    """
    match = _PART.fullmatch(name)
    if match is None or not downloads:
        return False
    return all(_disowns(download, path, int(match["attempt"])) for download in downloads)


def _disowns(download: Download, path: str, attempt: int) -> bool:
    """Tell whether a download has done with a part: it was made by an attempt of its own, and is not its part now.

    While it runs or stops, nothing is said: its worker may be copying from an old part.
    """
    if download.state in RUNNING | STOPPING or attempt > download.attempt:
        return False
    if path.endswith(_KEPT):
        return is_let_go(download) and path not in {download.part, download.kept}
    if download.state is State.COMPLETED:
        return True
    return path not in {download.part, f"{download.part}{_BESIDE}"}


def is_let_go(download: Download) -> bool:
    """Tell whether it was said that all that was put aside of a download that was given up goes from the disk."""
    given_up = download.state in {State.CANCELLED, State.REMOVED}
    return given_up and not download.litter and download.quarantined_until_ns is None


def is_stale(download: Download, before_ns: int) -> bool:
    """Tell whether a download failed or was cancelled before a time (UTC), and nobody has wanted it since."""
    return (
        download.state in {State.FAILED, State.CANCELLED}
        and download.ended_at_ns is not None
        and download.ended_at_ns < before_ns
    )
