"""What a home can be held against, as a list of checks; `lading verify` runs them in a process that may die of one.

A check is a name and a function that yields what is wrong. One that is `needed` stands under all that come after it:
where it finds anything, or dies, nothing else is tried, since nothing else could be believed. The order is that of
`CHECKS`, which is the one place where another is put in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs

from lading.checks import of_files, of_log, of_rest, of_tree, of_views
from lading.checks.subject import Finding, Subject


@attrs.frozen
class Check:
    """One check: `kind` is what its findings are called, `asked` that it is run only when somebody asks for it."""

    name: str
    kind: str
    findings: Callable[[Subject], Iterator[Finding]]
    needed: bool = False
    asked: bool = False


CHECKS = (
    Check("pages", "log", of_log.pages, needed=True),
    Check("log", "log", of_log.records, needed=True),
    Check("events", "log", of_log.events, needed=True),
    Check("tree", "log", of_tree.tree),
    Check("witness", "view", of_views.witness),
    Check("settings", "settings", of_rest.settings),
    Check("vault", "vault", of_rest.vault),
    Check("hooks", "hook", of_rest.hooks),
    Check("views", "view", of_views.fold, asked=True),
    Check("files", "file", of_files.files, asked=True),
)

__all__ = ["CHECKS", "Check", "Finding", "Subject"]
