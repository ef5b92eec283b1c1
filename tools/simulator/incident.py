"""An incident: one file with what decisions were made of, gzip over lines of JSON.

The first line is the header: which format, from which engine and log, which range, the settings in force. Then one line
an event, `{"at": ns since the beginning, "stream": id, "topic": …, "data": …}`, in the order of the log; and a trailer
with their number and the SHA-256 of all lines before it. So a file that breaks off, or in which a bit was flipped, is
known. A topic is that of the log, so what an old engine wrote is read by `lading.domain.upcasting` here as well.

Who reads one trusts nothing: it may come from anybody. Lines, events, numbers and texts are bounded, and every value is
held against the type of its field.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple
from uuid import UUID

import attrs
import orjson

from lading.adapters import codec
from lading.adapters.plain_files import open_plain
from lading.domain import events as e
from lading.domain.errors import IntegrityError, LadingError, StoreNewer, StoreUnavailable, UsageError
from lading.domain.events import EVENTS
from lading.domain.upcasting import upcast
from lading.drafts import Draft
from lading.tools.simulator import shapes

KIND, FORMAT = "incident", 1
MOST_EVENTS = 1_000_000
MOST_DOWNLOADS = 20_000
LONGEST_LINE = 1024 * 1024
LONGEST_S = 14 * 86_400
_TAKEN = "--force replaces it, or name another file"
AGAIN = "make it again with `lading incident FILE`, and see that all of it is copied"
SHORTER = "take a shorter range (--from, --to), or single downloads (--id)"


class Line(NamedTuple):
    """One event of an incident, `at_ns` after its beginning."""

    at_ns: int
    stream: UUID
    event: e.Event


@attrs.frozen(kw_only=True)
class Header:
    """What an incident says of itself.

    Attributes:
        engine: the version that wrote it.
        log: a pseudonym of the log.
        first, last: positions of the range.
        settings: what was in force of those that decisions depend on, tables by their names.
        second: the second of the local day at which it begins; told only where a schedule was in force.
        kept: what was not replaced by pseudonyms.
        single: whether it is about single downloads, and what ran beside them is not in it.
    """

    engine: str
    log: str
    first: int
    last: int
    settings: Mapping[str, Any]
    second: int | None = None
    kept: tuple[str, ...] = ()
    single: bool = False


class Writer:
    """Writes the lines of an incident; `events` counts them."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.events = 0

    def header(self, header: Header) -> None:
        """Write the first line."""
        self._write({"lading": KIND, "format": FORMAT, **attrs.asdict(header)})

    def event(self, at_ns: int, stream: UUID, event: e.Event) -> None:
        """Write an event.

        Raises:
            UsageError: there are too many, or it comes too late.
        """
        if at_ns > LONGEST_S * 10**9:
            raise UsageError(f"an incident lasts at most {LONGEST_S // 86_400} days", hint=SHORTER)
        self.events += 1
        if self.events > MOST_EVENTS:
            raise UsageError(f"an incident has at most {MOST_EVENTS:,} events", hint=SHORTER)
        data = codec.words(event)
        self._write({"at": at_ns, "stream": stream.hex, "topic": type(event).TOPIC, "data": data})

    def trailer(self) -> None:
        """Write the last line."""
        self._write({"end": self.events, "sha256": self._digest.hexdigest()})

    def _write(self, words: Mapping[str, Any]) -> None:
        line = orjson.dumps(words) + b"\n"
        self._digest.update(line)
        self._file.write(line)


@contextmanager
def writing(path: Path, *, replace: bool = False) -> Iterator[Writer]:
    """Write an incident: when the block ends well it is at `path`, whole and durable; else nothing has changed there.

    Raises:
        DestinationTaken: something lies there, and is not to be replaced, or is no file.
        UsageError: no file can be made there.
        StoreUnavailable: it could not be written.
    """
    try:
        with Draft(path, replace=replace, taken=_TAKEN) as draft:
            with gzip.GzipFile(filename="", fileobj=draft.file, mode="wb", mtime=0, compresslevel=6) as file:
                writer = Writer(file)  # type: ignore[arg-type] # it writes bytes, which is all that is asked of it
                yield writer
                writer.trailer()
            draft.publish()
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", hint="name a file that can be made") from None
    except OSError as error:
        raise StoreUnavailable(
            f"{path} cannot be written: {error.strerror or type(error).__name__}", hint="name another place"
        ) from error


@contextmanager
def reading(path: Path) -> Iterator[tuple[Header, Iterator[Line]]]:
    """Open an incident: its header, and its events as they come; both are checked as they are read.

    Raises:
        UsageError: there is none at `path`.
        StoreNewer: a newer Lading wrote it.
        IntegrityError: it is damaged, or was never what it says.
    """
    try:
        with open_plain(path) as raw, gzip.GzipFile(fileobj=raw, mode="rb") as file:
            lines = _Lines(file)
            header = _header(lines.next())
            yield header, _events(lines)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise damaged(f"it cannot be unpacked ({type(error).__name__})") from None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror or type(error).__name__}", hint="name a file of `lading incident`"
        ) from None


def damaged(what: str) -> IntegrityError:
    """Return the error of an incident that is not what it should be."""
    return IntegrityError(f"the incident is damaged: {what}", hint=AGAIN)


class _Lines:
    """The lines of a file, each as the object that it is, with the digest of all before the last one."""

    def __init__(self, file: IO[bytes] | gzip.GzipFile) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._number = 0
        self.before = ""

    def next(self) -> dict[str, Any]:
        self._number += 1
        line = self._file.readline(LONGEST_LINE + 1)
        if not line:
            raise damaged("it breaks off")
        if len(line) > LONGEST_LINE or not line.endswith(b"\n"):
            raise damaged(f"line {self._number} has no end")
        self.before = self._digest.hexdigest()
        self._digest.update(line)
        try:
            words = orjson.loads(line)
        except ValueError:
            words = None
        if not isinstance(words, dict):
            raise damaged(f"line {self._number} is no object")
        return words

    def is_at_end(self) -> bool:
        return not self._file.read(1)


def _header(words: dict[str, Any]) -> Header:
    form = words.pop("format", None)
    if words.pop("lading", None) != KIND or type(form) is not int:
        raise UsageError("this file is no incident", hint="`lading incident FILE` writes one")
    if form > FORMAT:
        raise StoreNewer(f"the incident has format {form}; this version of Lading reads up to {FORMAT}")
    if form < FORMAT:
        raise damaged("there is no format before the first")
    known = {field.name for field in attrs.fields(Header)}
    kept = words.get("kept", [])
    header_words = {name: value for name, value in words.items() if name in known} | {"kept": kept}
    try:
        if isinstance(kept, list):
            header_words["kept"] = tuple(kept)
        header = Header(**header_words)
        shapes.check(header)
    except (TypeError, ValueError) as error:
        raise damaged(f"its header cannot be meant ({error})") from None
    if header.second is not None and not 0 <= header.second < 86_400:
        raise damaged("it begins at a second that no clock shows")
    return header


def _events(lines: _Lines) -> Iterator[Line]:
    count = 0
    while True:
        words = lines.next()
        if "end" in words:
            if words["end"] != count or words.get("sha256") != lines.before or not lines.is_at_end():
                raise damaged("its end does not fit to what comes before")
            return
        count += 1
        if count > MOST_EVENTS:
            raise damaged(f"it has more than {MOST_EVENTS:,} events")
        try:
            line = _line(words)
        except LadingError:
            raise
        except Exception as error:  # noqa: BLE001 # whatever a hostile line makes of the converter, it is not an event
            raise damaged(f"event {count} cannot be read ({type(error).__name__})") from None
        if not 0 <= line.at_ns <= LONGEST_S * 10**9:
            raise damaged(f"event {count} is at no time that it can be")
        yield line


def _line(words: dict[str, Any]) -> Line:
    at_ns, topic, data = words["at"], words["topic"], words["data"]
    if type(at_ns) is not int or not isinstance(topic, str) or not isinstance(data, dict):
        raise TypeError("line")
    kind = EVENTS.get(topic)
    if kind is None:
        topic, data = upcast(topic, data)
        kind = EVENTS[topic]
    names = {field.name for field in attrs.fields(kind)}
    event = codec.of_words(kind, {name: value for name, value in data.items() if name in names})
    shapes.check(event)
    return Line(at_ns, UUID(hex=words["stream"]), event)
