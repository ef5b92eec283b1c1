"""Every row of the feature list that this version owns has a test that names it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent

OWNED = {
    "S0.1": "the log as the queue's memory: progress, order and the queue's own pause outlive the process",
    "S0.2": "progress of each download and of all: bytes, rate, ETA",
    "S0.3": "part files that the log vouches for; orphans are cleaned",
    "S0.4": "recovery by replay, reconciled with the disk, told in one event",
    "S0.5": "history with its fields, limit and tags",
    "S0.6": "survival of restarts and crashes without loss; honest estimates",
    "S1.1": "bounded parallelism and an orderly shutdown",
    "S1.2": "files that belong together: progress of each and of all, failures that stop no others, an aggregate state",
    "S1.3": "state transitions, persisted and recovered",
    "S1.4": "transient errors backed off, a server's wish heeded for its whole host, a full disk waited for",
    "S1.5": "cancel: stop, clean, say so",
    "S1.6": "events followed as they happen",
    "S1.7": "errors split by who must act",
    "S1.8": "ports in memory, shipped for tests",
    "S2.10": "disk, memory and network as requirements, said once and why",
    "S2.3": "a persistent queue by priority, then age",
    "S2.4": "HTTP: resumes, several connections, the file's name; the byte path, and every lie of a server",
    "S2.11": "limits of rate, global, per host, per bundle and per download, changed while running; even shares",
    "S2.7": "statistics and health: rates, durations, causes, bytes; memory, CPU, open files, disk, view lag",
    "S2.6": "many downloads asked for as one",
    "S2.14": "a damaged home is reported, never overwritten; files are repaired, a damaged log is gone on from",
    "S2.13": "undo and redo: what was taken away is kept until the retention ends",
    "S2.9": "layered settings with their origins, and tables of them",
    "S2.12": "a cache by digest and validator, bounded, checked on each hit",
    "S3.1": "states and the download's record, shown whole",
    "S3.2": "a storage protocol, versioned topics and upcasters",
    "S3.3": "decide and evolve; stale failures are cleaned",
    "S3.4": "a budget of retries that only progress renews",
    "S3.5": "recovery when the engine starts",
    "S3.6": "cleaning, validity of files, and a periodic task that does both",
    "S3.7": "offline costs no retries, metered runs or pauses, each change followable",
    "S3.9": "metrics and a health report",
    "S3.10": "a structured log of state changes, retries, recovery and maintenance, with their counts",
    "S3.8": "a licence and its media, together or not at all",
    "S3.12": "submitting by key, removing, and the state of files by key; verbs and fields only grow",
    "S3.13": "the proof lab: one seed, one log; hostile origins; torture by crashes",
    "S3.11": "features on, off or for a share; a fast path that fails goes the plain way",
    "C.1": "every transition an appended event in an LMDB log",
    "C.2": "projections rebuild queue, progress and history",
    "C.3": "trio nurseries; crash recovery is replay",
    "C.4": "pluggable storage that agrees",
    "C.6": "any view as it stood then, what changed between, why, and where a byte came from",
    "C.7": "events and views exported for analytics, checked against the log, and asked in SQL",
    "C.5": "the engine as a library; a ledger of all events, signed, anchored, and receipts that a third party checks",
    "C.8": "the packages and the top-level entries asked for",
}


def marked_rows(tree: ast.AST) -> Iterator[str]:
    """Yield the row of each `pytest.mark.row("…")` that is applied in a module, to a test or to all of it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.row":
            for argument in node.args:
                assert isinstance(argument, ast.Constant), "a row is named by a plain string"
                yield str(argument.value)


def test_every_owned_row_has_a_test() -> None:
    """A row without a test is a promise that nobody holds."""
    held = {row for path in TESTS.rglob("test_*.py") for row in marked_rows(ast.parse(path.read_text()))}
    missing = [f"{row}: {what}" for row, what in OWNED.items() if row not in held]
    assert not missing, "rows without a test:\n" + "\n".join(missing)


def test_marks_are_found_wherever_they_stand() -> None:
    """On a function, on a class, in a module's list; several rows in one mark; and only real marks."""
    module = """
pytestmark = [pytest.mark.row("A.1"), pytest.mark.law(7)]
@pytest.mark.row("A.2", "A.3")
def test_a(): "pytest.mark.row('A.9')"
class TestB:
    @pytest.mark.row("A.4")
    def test_b(self): ...
"""
    assert sorted(marked_rows(ast.parse(module))) == ["A.1", "A.2", "A.3", "A.4"]
