"""What a tamperer does to the files of a home, and what is made of it: a process that forks one victim for each.

It reads one JSON object a line from stdin: the whole home, an older copy of it, a scratch folder, and how to tamper. A
child copies the home, tampers, runs every check, and, where none finds anything, holds every answer of the home against
what it answered before. `verdict` is the one place where what `verify` says is judged: a check that joins
`lading.checks.CHECKS` joins here.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import lmdb

from lading.adapters import codec
from lading.adapters.lmdb import LMDBLog, LMDBStore
from lading.adapters.lmdb.record import encode, index_key, pack_number
from lading.adapters.vault import SealedVault
from lading.checks import CHECKS, Subject
from lading.cursors import FileCursors
from lading.domain import events as e
from lading.domain.errors import LadingError
from lading.home import open_home
from lading.opening import open_notary, open_reading
from lading.settings import Settings, load

DETECTED, UNCHANGED, MISSED = "detected", "unchanged", "missed"
STORED = ("log/data.mdb", "views-*/data.mdb", "vault/data.mdb", "vault/key", "home.json", "views", "hooks/h",
          "settings.toml", "checkpoints/*", "keys/signing", "keys/signing.pub")  # fmt: skip
SETTINGS = "settings"
"""The user's own words: what can be read there is what the user said."""


# -- what is made of it ------------------------------------------------------------------------------------------------


def verdict(home: Path) -> list[str]:
    """Return what `verify` with everything asked for has to say."""
    said: list[str] = []
    try:
        subject = Subject(home)
    except LadingError as error:
        return [f"home: {error.message}"]
    try:
        for check in CHECKS:
            found = _found(check.findings, subject)
            said += [f"{check.name}: {message}" for message in found]
            if found and check.needed:
                break
    finally:
        subject.close()
    return said


def _found(findings: Callable[[Subject], Iterator[Any]], subject: Subject) -> list[str]:
    try:
        return [finding.message for finding in findings(subject)]
    except LadingError as error:
        return [error.message]


def answers(home: Path) -> dict[str, str]:
    """Return all that a home answers, digested by what answers it."""
    found: dict[str, Any] = {}
    place = open_home(home, new_id=None)
    found["home"] = (str(place.id), place.log)
    reading = open_reading(place)
    reading.catch_up()
    found["log"] = [tuple(map(repr, recorded)) for recorded in reading.log.read(0, 100_000)]
    streams = {recorded.stream for recorded in reading.log.read(0, 100_000)}
    found["streams"] = [[repr(one) for one in reading.log.stream(stream)] for stream in sorted(streams)]
    found["log id"] = str(getattr(reading.log, "log_id", ""))
    with reading.views.read() as reader:
        found["views"] = [(key.hex(), value.hex()) for key, value in reader.scan(b"")]
    vault = SealedVault(place.vault_path, LMDBStore)
    found["vault"] = [
        (str(id), kept and [kept.urls, dict(kept.headers)]) for id in streams for kept in [vault.recall(id)]
    ]
    found["vault"].sort()
    vault.close()
    reading.close()
    load(place.settings_path, {})
    found[SETTINGS] = sorted(tomllib.loads(place.settings_path.read_text()).items())
    found["hook"] = repr(FileCursors(home).load("h"))
    return {name: hashlib.sha256(repr(value).encode()).hexdigest() for name, value in found.items()}


# -- what is done ------------------------------------------------------------------------------------------------------


def flip(home: Path, _: Path, chance: random.Random) -> str:
    """Flip one bit of a file, nine times in ten where something is stored."""
    path = _any_file(home, chance)
    data = bytearray(path.read_bytes())
    used = len(data.rstrip(b"\0")) or len(data)
    at = chance.randrange(used if chance.random() < 0.9 else len(data))
    bit = chance.randrange(8)
    data[at] ^= 1 << bit
    path.write_bytes(data)
    return f"bit {bit} of byte {at} of {path.relative_to(home)}"


def truncate(home: Path, _: Path, chance: random.Random) -> str:
    """Cut a file short."""
    path = _any_file(home, chance)
    length = chance.randrange(path.stat().st_size)
    os.truncate(path, length)
    return f"{path.relative_to(home)} cut to {length}"


def swap(home: Path, _: Path, chance: random.Random) -> str:
    """Let two records of the log change places; nothing else knows of it."""
    with _tables(home / "log") as (txn, tables):
        one, other = chance.sample(_keys(txn, tables["log"]), 2)
        first, second = txn.get(one, db=tables["log"]), txn.get(other, db=tables["log"])
        txn.put(one, second, db=tables["log"])
        txn.put(other, first, db=tables["log"])
        return f"positions {one.hex()} and {other.hex()} swapped"


def delete(home: Path, _: Path, chance: random.Random) -> str:
    """Take a row out of a table of the log, of the views or of the vault."""
    folder, names = chance.choice([
        (home / "log", ("log", "idx", "topic")), (home / "vault", ("data",)),
        (next(home.glob("views-*")), ("data",)),
    ])  # fmt: skip
    with _tables(folder, names) as (txn, tables):
        name = chance.choice(names)
        key = chance.choice(_keys(txn, tables[name]))
        txn.delete(key, db=tables[name])
        return f"{key.hex()} deleted from {name} of {folder.name}"


def forge(home: Path, _: Path, chance: random.Random) -> str:
    """Put a record with a right checksum at the end of the log, which the index does not know, or knows as another."""
    with _tables(home / "log") as (txn, tables):
        keys = _keys(txn, tables["log"])
        record = txn.get(chance.choice(keys), db=tables["log"])
        txn.put(pack_number(len(keys) + chance.choice([1, 2])), record, db=tables["log"])
        return "a record appended twice"


def restore(home: Path, old: Path, chance: random.Random) -> str:
    """Put an older copy of one of the files back."""
    path = _any_file(home, chance)
    older = old / path.relative_to(home)
    if older.exists():
        shutil.copyfile(older, path)
    return f"an older copy of {path.relative_to(home)}"


def _any_file(home: Path, chance: random.Random) -> Path:
    files = [path for pattern in STORED for path in sorted(home.glob(pattern)) if path.is_file()]
    large = [path for path in files if path.name == "data.mdb"]
    return chance.choice(large if chance.random() < 0.7 else files)


WAYS = (flip, flip, flip, flip, truncate, swap, delete, forge, restore)


# -- what only a tree or an anchor can tell ----------------------------------------------------------------------------


def forge_well(home: Path, *_: Any) -> str:
    """Append an event that could have been, indexed, with everything right: nobody ever asked for it."""
    log = LMDBLog(home / "log")
    facts = [codec.open_envelope(recorded) for recorded in log.read(0, 100_000)]
    log.close()
    queued = next(fact for fact in facts if isinstance(fact.event, e.Queued) and "plain" in fact.event.order.url)
    last = max(fact.version for fact in facts if fact.stream == queued.stream)
    state = codec.seal(e.Reprioritised(priority=9), id=queued.stream, at_ns=facts[-1].at_ns)
    with _tables(home / "log") as (txn, tables):
        topics = {name.decode(): int.from_bytes(key, "big") for key, name in txn.cursor(tables["topic"])}
        topics.setdefault(e.Reprioritised.TOPIC, len(topics))
        number = topics[e.Reprioritised.TOPIC]
        txn.put(number.to_bytes(8, "big"), e.Reprioritised.TOPIC.encode(), db=tables["topic"])
        keys, records = encode([(queued.stream, last + 1, e.Reprioritised.TOPIC, state)], topics)
        position = pack_number(facts[-1].position + 1)
        txn.put(position, records[0], db=tables["log"])
        txn.put(keys[0], position, db=tables["idx"])
    return "a well forged event"


def swap_well(home: Path, *_: Any) -> str:
    """Let the histories of two keys change places, in the index too, and drop the views, which know better."""
    with _tables(home / "log") as (txn, tables):
        topics = {int.from_bytes(key, "big"): name for key, name in txn.cursor(tables["topic"])}
        found = [
            (position, record)
            for position, record in txn.cursor(tables["log"])
            if topics[int.from_bytes(record[4:8], "big")] == e.KeyClaimed.TOPIC.encode()
        ]
        (one, first), (other, second) = found[:2]
        for position, record in ((one, second), (other, first)):
            txn.put(position, record, db=tables["log"])
            txn.put(index_key(record), position, db=tables["idx"])
    for folder in home.glob("views-*"):
        shutil.rmtree(folder)
    return "two events swapped well"


def roll_back(home: Path, old: Path, *_: Any) -> str:
    """Put the older copy of everything back."""
    shutil.rmtree(home)
    shutil.copytree(old, home)
    return "all of it rolled back"


def rewrite(home: Path, *_: Any) -> str:
    """Give an event other words and a right checksum, and drop the views."""
    with _tables(home / "log") as (txn, tables):
        for position, record in txn.cursor(tables["log"]):
            if b"http://a.test/plain" in record:
                body = record[:-4].replace(b"http://a.test/plain", b"http://b.test/plain")
                txn.put(position, body + crc32(body).to_bytes(4, "little"), db=tables["log"])
                break
    for folder in home.glob("views-*"):
        shutil.rmtree(folder)
    return "an event rewritten"


def sign_anew(home: Path, old: Path, chance: random.Random) -> str:
    """Change the past, and sign what came of it with the key of the home, as if nothing else had ever been signed."""
    rewrite(home, old, chance)
    shutil.rmtree(home / "checkpoints")
    place = open_home(home, new_id=None)
    reading = open_reading(place)
    notary = open_notary(place, reading.log, reading.views, Settings())
    assert notary is not None
    notary.sign()
    reading.close()
    return "an event rewritten, and signed anew"


WELL = {function.__name__: function for function in (forge_well, swap_well, roll_back, rewrite, sign_anew)}


class _tables:  # noqa: N801 # it is used as a function
    """The tables of an environment in one write transaction, which is committed twice: no meta page knows better."""

    def __init__(self, folder: Path, names: tuple[str, ...] = ("log", "idx", "topic")) -> None:
        self._handle = lmdb.Environment(str(folder), max_dbs=16, map_size=1 << 28)
        self._tables = {name: self._handle.open_db(name.encode()) for name in (*names, "meta")}

    def __enter__(self) -> tuple[Any, dict[str, Any]]:
        self._txn = self._handle.begin(write=True)
        return self._txn, self._tables

    def __exit__(self, *_: object) -> None:
        self._txn.commit()
        for change in (lambda txn, db: txn.put(b"x", b"x", db=db), lambda txn, db: txn.delete(b"x", db=db)):
            with self._handle.begin(write=True) as txn:
                change(txn, self._tables["meta"])
        self._handle.close()


def _keys(txn: Any, table: Any) -> list[bytes]:
    return [key for key, _ in txn.cursor(table)]


# -- the process -------------------------------------------------------------------------------------------------------


def _tamper(home: Path, old: Path, scratch: Path, seed: int, way: str | None) -> dict[str, Any]:
    shutil.rmtree(scratch, ignore_errors=True)
    subprocess.run(["cp", "-a", "--sparse=always", home, scratch], check=True)
    chance = random.Random(seed)
    did = (WELL[way] if way else chance.choice(WAYS))(scratch, old, chance)
    if os.environ.get("TAMPER_ONLY"):
        return {"did": did, "outcome": "tampered", "said": []}
    before = json.loads((old.parent / "answers.json").read_text())
    said = verdict(scratch)
    if said:
        return {"did": did, "outcome": DETECTED, "said": said}
    now = answers(scratch)
    other = [name for name in before if before[name] != now[name]]
    is_own = other == [SETTINGS] and "settings.toml" in did
    is_told_again = other == ["hook"] and did.startswith("an older copy of hooks")
    outcome = UNCHANGED if not other or is_own or is_told_again else MISSED
    return {"did": did, "outcome": outcome, "said": other}


def main() -> None:
    """Fork for each line."""
    for line in sys.stdin:
        words = json.loads(line)
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            try:
                paths = [Path(words[name]) for name in ("home", "old", "scratch")]
                told = _tamper(*paths, words["seed"], words.get("way"))
            except BaseException as error:
                told = {"did": repr(error), "outcome": "error", "said": []}
            os.write(writer, json.dumps(told).encode()[:60_000])
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            told = json.loads(pipe.read() or b'{"outcome": "died", "did": "", "said": []}')
        os.waitpid(child, 0)
        sys.stdout.write(json.dumps({"seed": words["seed"], **told}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
