"""Why an attempt stopped though nobody had asked it to: what `Stopped` says when an engine's end cut it short.

The words are those of the log, as people read them; statistics tell by them which downloads were interrupted.
"""

from __future__ import annotations

CRASHED = "the engine ended without a word"
CLOSED = "the engine was closed"
NO_ROOM = "the log had no room"

INTERRUPTIONS = {CRASHED: "crash", CLOSED: "close", NO_ROOM: "full-log"}
"""What to call each in statistics; a stop for any other reason is somebody's wish, and no interruption."""
