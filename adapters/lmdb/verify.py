"""Whether a log is what was stored: every record's checksum, and that log, index and topics say the same.

LMDB notices no damaged payload, and a damaged page can end the process that reads it (SIGBUS, or an assertion of
LMDB's). So this runs as a program of its own, `python -m lading.adapters.lmdb.verify FOLDER`, in a process that may die
of it: one JSON object a line for each finding, and a last one with `"done": true` and what was looked at. `examine`
runs it so.

What holds: positions follow one another without a gap from 1 on; each record passes its CRC32, names a topic that the
table of topics has, and is the one that the index has under its stream and version; the index has nothing else. With
`strict`, a stream's versions follow one another from 1 on too: Lading's do, while `eventsourcing` allows others.
"""

from __future__ import annotations

import argparse
import json
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from lading.adapters.lmdb.environment import Environment
from lading.adapters.lmdb.format import check_format
from lading.adapters.lmdb.ground import DATA_FILE
from lading.adapters.lmdb.handle import Settings
from lading.adapters.lmdb.log import LOG_MAP_BYTES
from lading.adapters.lmdb.record import CRC_MISFIT, index_key, is_whole, number, pack_number
from lading.adapters.lmdb.registry import let_go, open_environment
from lading.adapters.lmdb.residency import give_back
from lading.adapters.lmdb.tables import EventTables
from lading.domain.errors import LogDamaged, StoreError, StoreUnavailable

if TYPE_CHECKING:
    from lmdb import Transaction

MOST_MISFITS = 1000
_FIRST = pack_number(1)

PAGE = 2000
"""Records that one read transaction looks at, so that a check of a long log keeps no old pages alive."""

Item = tuple[bytes, bytes]
Progress = Callable[[int, int | None], None]


@attrs.frozen(kw_only=True)
class Finding:
    """One thing that is not as it was stored.

    `kind` is record, order, index, topic, version, snapshot, pages or reader; `position` is None where there is none;
    `log` is the name of the application whose tables these are, empty for Lading's own.
    """

    kind: str
    message: str
    position: int | None = None
    log: str = ""


class Verification:
    """One pass over the tables of one log.

    Args:
        environment: where they lie.
        name: the prefix of their names.
        strict: whether versions must follow one another.
        progress: told how many records were looked at, of how many: each is met in the log and in the index.
    """

    def __init__(
        self,
        environment: Environment,
        name: str = "",
        *,
        strict: bool = False,
        progress: Progress = lambda _, __: None,
    ) -> None:
        self._tables = EventTables(environment, name)
        self._tables.open(create=False)
        self._name = name
        self._strict = strict
        self._topics = 0
        self._progress = progress
        self._data = environment.folder / DATA_FILE
        self._seen = 0
        self._is_indexed = True
        self.events = 0
        self.streams = 0
        self.head = self._tables.read(self._tables.last_position)

    def findings(self) -> Iterator[Finding]:
        """Yield what is wrong in topics, log, index and snapshots; events that come meanwhile are left out."""
        for check in (self._check_topics, self._check_log, self._check_index, self._check_snapshots):
            try:
                yield from check()
            except LogDamaged as damage:
                yield self._finding("pages", damage.message)

    def _check_topics(self) -> Iterator[Finding]:
        names: set[bytes] = set()
        for items in self._pages(self._tables.topic):
            for key, name in items:
                if number(key) != self._topics or name in names:
                    yield self._finding("topic", f"the table of topics has {name!r} under the number {number(key)}")
                names.add(name)
                self._topics += 1

    def _check_log(self) -> Iterator[Finding]:
        before = 0
        for items in self._pages(self._tables.log):
            keys = [_key_of(record) for _, record in items]
            index = self._tables.read(partial(self._indexed, keys))
            for (packed, record), key, indexed in zip(items, keys, index, strict=True):
                position = number(packed)
                if position > self.head:
                    return
                if position != before + 1:
                    yield self._finding("order", f"position {position} follows {before}", position)
                before = position
                self.events += 1
                if key is None or indexed != packed or number(record[4:8]) >= self._topics:
                    self._is_indexed = False
                    yield self._misfit(position, record, key, indexed)

    def _misfit(self, position: int, record: bytes, key: bytes | None, indexed: bytes | None) -> Finding:
        why = CRC_MISFIT if key is None else self._judge(record)
        if why:
            return self._finding("record", f"the record at position {position} is damaged: {why}", position)
        found = "nothing" if indexed is None else f"position {number(indexed)}"
        return self._finding("index", f"the index has {found} for the record at position {position}", position)

    def _indexed(self, keys: Sequence[bytes | None], txn: Transaction[bytes]) -> list[bytes | None]:
        """Return what the index has for each record; None also for one that is damaged."""
        table = self._tables.environment.tables[self._tables.idx]
        return [None if key is None else txn.get(key, db=table) for key in keys]

    def _check_index(self) -> Iterator[Finding]:
        """See that the index has nothing else.

        Where each record was found there under its own key, it has nothing else if it has as many entries.
        """
        count, misfits = self._scan_index()
        if self._is_indexed and count == self.events:
            yield from misfits
            return
        self.streams = 0
        yield from self._hold_index()

    def _scan_index(self) -> tuple[int, list[Finding]]:
        """Count streams and entries, and return how many entries there are, and which versions do not follow."""
        head, prefix, expected, count = pack_number(self.head), b"", b"", 0
        misfits: list[Finding] = []
        for items in self._pages(self._tables.idx):
            for key, packed in items:
                if packed > head:
                    continue
                count += 1
                if key != expected:
                    is_first = key[:-8] != prefix
                    self.streams += is_first
                    if self._strict and not (is_first and key[-8:] == _FIRST) and len(misfits) < MOST_MISFITS:
                        misfits.append(self._unfollowing(key, 0 if is_first else number(expected[-8:]) - 1, packed))
                    prefix = key[:-8]
                expected = prefix + pack_number(number(key[-8:]) + 1)
        return count, misfits

    def _unfollowing(self, key: bytes, before: int, packed: bytes) -> Finding:
        position = number(packed)
        message = f"version {number(key[-8:])} of its stream follows {before} at position {position}"
        return self._finding("version", message, position)

    def _hold_index(self) -> Iterator[Finding]:
        """Hold each entry of the index against the record that it names."""
        prefix, version = b"", 0
        for items in self._pages(self._tables.idx):
            records = self._tables.read(partial(self._recorded, items))
            for (key, packed), record in zip(items, records, strict=True):
                position = number(packed)
                if position > self.head:
                    continue
                if record is None:
                    yield self._finding("index", f"the index names position {position}, which the log lacks", position)
                elif _key_of(record) not in {None, key}:
                    yield self._finding("index", f"the index names position {position} for another event", position)
                if key[:-8] != prefix:
                    prefix, version = key[:-8], 0
                    self.streams += 1
                if self._strict and number(key[-8:]) != version + 1:
                    yield self._unfollowing(key, version, packed)
                version = number(key[-8:])

    def _recorded(self, items: Sequence[Item], txn: Transaction[bytes]) -> list[bytes | None]:
        table = self._tables.environment.tables[self._tables.log]
        return [txn.get(position, db=table) for _, position in items]

    def _check_snapshots(self) -> Iterator[Finding]:
        for items in self._pages(self._tables.snap):
            for key, record in items:
                why = self._judge(record)
                if why or _key_of(record) != key:
                    yield self._finding(
                        "snapshot", f"the snapshot {key.hex()} is damaged: {why or 'it is another one'}"
                    )

    def _judge(self, record: bytes) -> str:
        """Return why a record cannot be what was stored; empty when it can."""
        if not is_whole(record):
            return CRC_MISFIT
        topic = number(record[4:8])
        return "" if topic < self._topics else f"its topic has the unknown number {topic}"

    def _pages(self, name: bytes) -> Iterator[list[Item]]:
        """Yield a table's items in order, each list from a transaction of its own."""
        start = b""
        while True:
            items = self._tables.read(partial(self._page, name, start))
            if not items:
                return
            if any(later <= earlier for earlier, later in pairwise([start, *(key for key, _ in items)])):
                raise LogDamaged(
                    f"the table {name.decode()!r} is out of order after the key {start.hex() or 'at its start'}"
                )
            yield items
            start = items[-1][0]
            self._seen += len(items)
            self._progress(self._seen, 2 * self.head)
            give_back()

    def _page(self, name: bytes, after: bytes, txn: Transaction[bytes]) -> list[Item]:
        cursor = self._tables.cursor(txn, name)
        if not (cursor.set_range(after + b"\0") if after else cursor.first()):
            return []
        return list(islice(cursor, PAGE))

    def _finding(self, kind: str, message: str, position: int | None = None) -> Finding:
        return Finding(kind=kind, message=message, position=position, log=self._name)


def _key_of(record: bytes) -> bytes | None:
    """Return the key that the index should have for a record, None when the record is damaged."""
    try:
        return index_key(record) if is_whole(record) else None
    except (ValueError, struct.error):
        return None


def verify(folder: str | Path, *, strict: bool = False, progress: Progress = lambda _, __: None) -> Iterator[Finding]:
    """Yield what is wrong with the logs in an environment; in this process, which a damaged page may end.

    `progress` is told how many records were looked at, of how many.

    Raises:
        StoreUnavailable: there is none, or it cannot be opened.
        StoreNewer: a later program wrote it.
        LogDamaged: its file is cut short.
    """
    for verification in _verifications(Path(folder), strict=strict, progress=progress):
        yield from verification.findings()


def _verifications(folder: Path, *, strict: bool, progress: Progress = lambda _, __: None) -> Iterator[Verification]:
    settings = Settings(map_size=LOG_MAP_BYTES)
    environment = open_environment(folder, settings, create=False, trust_file_system=True)
    try:
        check_format(environment, create=False)
        for table in environment.table_names():
            name, _, kind = table.decode().rpartition(".")
            if kind == "log":
                yield Verification(environment, name, strict=strict, progress=progress)
    finally:
        let_go(environment)


def examine(folder: str | Path, *, strict: bool = False) -> Iterator[Finding]:
    """Yield what is wrong with the logs in an environment, as a child process finds it; if it dies, that is a finding.

    Raises:
        StoreUnavailable: there is none, or it cannot be opened.
    """
    command = [sys.executable, "-m", __spec__.name, str(folder), *(["--strict"] if strict else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        is_done = False
        for line in child.stdout:
            found = json.loads(line)
            if found.pop("done", False):
                is_done = True
            else:
                yield Finding(**found)
        error = child.stderr.read() if child.stderr else ""
        code = child.wait()
    if code == StoreError.exit_code:
        raise StoreUnavailable(error.strip(), hint="check the path")
    if not is_done:
        by = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        yield Finding(kind="reader", message=f"reading the log ended the process that did it ({by}): pages are damaged")


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the logs in a folder; return 0 when they are whole, 4 when not, 3 when there are none."""
    parser = argparse.ArgumentParser(prog="python -m lading.adapters.lmdb.verify", description="Check a log.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--strict", action="store_true", help="versions of a stream must follow one another from 1 on")
    asked = parser.parse_args(arguments)
    looked_at = {"events": 0, "streams": 0, "findings": 0}
    try:
        for verification in _verifications(asked.folder, strict=asked.strict):
            for finding in verification.findings():
                looked_at["findings"] += 1
                _print(attrs.asdict(finding))
            looked_at["events"] += verification.events
            looked_at["streams"] += verification.streams
    except StoreError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except LogDamaged as damage:
        looked_at["findings"] += 1
        _print(attrs.asdict(Finding(kind="pages", message=damage.message)))
    _print({"done": True, **looked_at})
    return LogDamaged.exit_code if looked_at["findings"] else 0


def _print(line: dict[str, object]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    sys.exit(main())
