"""Checks in a process of their own, which may die of what it reads.

The process is asked in one JSON object on stdin, so that no argument list shows a password, and answers one object a
line. When it dies in a check, that is a finding of that check; unless nothing could be believed after it, another
process goes on with the next. A check that raises has failed by itself, and no page is blamed for it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from subprocess import PIPE
from typing import Any
from uuid import UUID

import attrs

from lading.checks import CHECKS, Check, Finding, Subject
from lading.checks.subject import Word
from lading.domain import commands as c
from lading.domain import errors
from lading.domain.errors import IntegrityError, LadingError, LogDamaged, StoreError, StoreUnavailable

Progress = Callable[[str, int, int | None], None]


def chosen(asked: Iterable[str]) -> list[Check]:
    """Return the checks that are always run, and those that are `asked` for, in order."""
    names = set(asked)
    return [check for check in CHECKS if not check.asked or check.name in names]


class Examination:
    """The checks of one home, by as many processes as die of it; `findings` runs them.

    Attributes:
        counts: of what was looked at.
        words: what the log is to be told of published files.
        stopped: whether a check that is needed found something, so that nothing else was tried.

    Args:
        home: where it lies.
        log: its log's URL, None for its own.
        downloads: the download folder of its program, if it has one.
        progress: told which check is at work, and how far it has come.
    """

    def __init__(
        self,
        home: Path,
        *,
        log: str | None = None,
        downloads: Path | None = None,
        progress: Progress = lambda _, __, ___: None,
    ) -> None:
        self.counts: dict[str, Any] = {}
        self.words: list[Word] = []
        self.stopped = False
        folder = None if downloads is None else os.path.abspath(downloads)
        self._asked = {"home": os.path.abspath(home), "log": log, "downloads": folder}
        self._progress = progress
        self._at = ""
        self._died: str | None = None

    def findings(self, checks: Iterable[Check]) -> Iterator[Finding]:
        """Yield what is wrong.

        Raises:
            StoreError: the home cannot be opened.
        """
        left = list(checks)
        while left and not self.stopped:
            yield from self._one_process(left)
            if self._died is None:
                return
            number = next((n for n, check in enumerate(left) if check.name == self._at), 0)
            check, left = left[number], left[number + 1 :]
            self.stopped = check.needed
            yield Finding(check.kind, self._died)

    def _one_process(self, checks: list[Check]) -> Iterator[Finding]:
        self._at, self._died = "", None
        request = self._asked | {"checks": [check.name for check in checks]}
        command = [sys.executable, "-m", __spec__.name]
        with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=subprocess.DEVNULL) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write(json.dumps(request).encode())
            child.stdin.close()
            is_done = False
            for line in child.stdout:
                said = json.loads(line)
                if said["say"] == "finding":
                    yield Finding(**said["finding"])
                else:
                    is_done |= self._hear(said)
            code = child.wait()
        if not is_done and code < 0:
            self._died = f"reading it ended the process that did it ({signal.Signals(-code).name}): pages are damaged"
        elif not is_done:
            self._died = f"it could not be checked: the process that did it ended with exit code {code}"

    def _hear(self, said: dict[str, Any]) -> bool:
        """Take in what the process says beside findings, and tell whether that was its last word."""
        match said["say"]:
            case "begin":
                self._at = said["check"]
            case "progress":
                self._progress(self._at, said["done"], said["of"])
            case "word":
                self.words.append(_word(said))
            case "end":
                self.counts |= said["counts"]
                self.stopped = said["stopped"]
                return True
            case "error":
                raise _error(said)
        return False


def _word(said: dict[str, Any]) -> Word:
    id, version, reason = UUID(said["id"]), said["version"], said["reason"]
    return id, c.Confirm(version=version) if reason is None else c.Invalidate(version=version, reason=reason)


def _error(said: dict[str, Any]) -> LadingError:
    kind = getattr(errors, said["kind"], StoreUnavailable)
    found: LadingError = kind(said["message"], hint=said["hint"])
    return found


def main() -> int:
    """Run the checks that stdin asks for, and answer on stdout."""
    request = json.loads(sys.stdin.read())
    wanted = set(request["checks"])
    downloads = request["downloads"]
    try:
        subject = Subject(
            Path(request["home"]),
            request["log"],
            None if downloads is None else Path(downloads),
            progress=lambda done, of: _say("progress", done=done, of=of),
            say=lambda word: _say(
                "word", id=str(word[0]), version=word[1].version, reason=getattr(word[1], "reason", None)
            ),
        )
        stopped = any(_is_fatal(check, subject) for check in CHECKS if check.name in wanted)
        _say("end", counts=subject.counts, stopped=stopped)
        subject.close()
    except StoreError as error:
        _say("error", kind=type(error).__name__, message=error.message, hint=error.hint)
        return error.exit_code
    return 0


def _is_fatal(check: Check, subject: Subject) -> bool:
    """Run one check, and tell whether nothing can be believed after it."""
    _say("begin", check=check.name)
    found = False
    try:
        for finding in check.findings(subject):
            found = True
            _say("finding", finding=attrs.asdict(finding))
    except IntegrityError as damage:
        found = True
        position = damage.position if isinstance(damage, LogDamaged) else None
        _say("finding", finding=attrs.asdict(Finding(check.kind, damage.message, position=position)))
    except StoreError:
        raise
    except Exception as error:  # noqa: BLE001 # whatever else it meets is told as what it is, and the next check tried
        found = True
        why = error.message if isinstance(error, LadingError) else f"{type(error).__name__} inside Lading"
        _say(
            "finding", finding=attrs.asdict(Finding(check.kind, f"{check.name} could not be checked to the end: {why}"))
        )
    return found and check.needed


def _say(what: str, **words: Any) -> None:
    sys.stdout.write(json.dumps({"say": what, **words}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
