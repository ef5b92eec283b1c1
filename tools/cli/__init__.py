"""The command line: `lading [--home DIR] [--log URL] [--json] VERB …`.

    program                       the verbs by name, the options before them; loads only the verb that is asked for
    verbs/                        one file a verb
    frame                         what was said before the verb, and what makes a function a verb
    trouble                       errors as people and programs read them, and exit codes
    answers, tables, units        what goes to stdout, and how figures are written
    homes, work, interruption     opening a home to look or to work, and leaving it in good order
    asking, lists, adding         requests out of options and out of lists, queued
    addresses, destinations       what is nearly a URL, and where no file can go: told before anything is queued
    naming                        how people name a download, and how hints do
    watching, display, sentences  downloads under way: followed, shown, told
    endings, rows                 downloads that have ended, and downloads in a table
    control                       what the control verbs share
    checking, diagnosis           what `verify` and `doctor` look at

Data goes to stdout, progress and errors go to stderr; with `--json` each line is one JSON object. Exit codes: 0 done,
1 some download failed, 2 usage, 3 store unavailable, locked or newer, 4 integrity violation, 130 interrupted. What is
heavy (an event loop, a network client, a store) is imported where it is used: `lading --version` should feel instant.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line on `arguments`, by default those of the process, and return its exit code."""
    from lading.tools.cli import program

    return program.run(arguments)
