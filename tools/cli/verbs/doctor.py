"""`lading doctor`: what this machine and this home can do."""

from __future__ import annotations

from lading.tools.cli.frame import Frame, verb

_MARKS = {"ok": "ok", "warn": "warn", "fail": "FAIL"}


@verb()
def command(frame: Frame) -> int:
    """Tell what this machine and this home can do; exit code 3 if downloads cannot be run here."""
    from lading.tools.cli import trouble
    from lading.tools.cli.answers import answer, plain
    from lading.tools.cli.diagnosis import examine
    from lading.tools.cli.homes import folder

    worst = trouble.DONE
    for found in examine(folder(frame)):
        line = f"{_MARKS[found.status]:<5} {found.check:<22} {found.value}"
        answer(frame, found._asdict(), plain(line + (f"  ({found.hint})" if found.hint else "")))
        if found.status == "fail":
            worst = trouble.STORE
    return worst
