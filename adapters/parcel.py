"""One file that holds several, of which every bit counts: a tar archive that was written in one way, and no other.

    members, in any order      each a plain file, mode 0600, time 0, padded with zeros to 512 bytes
    manifest.json              what the maker says of it, with name, size and SHA-256 of each member before it
    seal                       the SHA-256 of manifest.json, in hex
    1024 zero bytes            the end of a tar archive, and of the file

`tar` lists and unpacks it. A reader of ours believes nothing of it: the header of each member must be, byte for byte,
the one that a maker of ours writes for that name and size, so that there are no links, devices, owners, absolute paths
or hidden bytes; what pads is zero; the digests cover the rest. So each flipped bit is found, and a file that was cut
short or that goes on is refused. The seal is no signature: whoever can write the file can make another.

Reading takes the memory of one block, whatever the sizes say; they are held against the file's own before anything is
read. The one who unpacks reads member by member, with the digest counted along, and raises at its end if it differs.
"""

from __future__ import annotations

import hashlib
import os
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Self

import attrs
import orjson

from lading.adapters.plain_files import open_plain
from lading.domain.errors import BackupDamaged

MANIFEST, SEAL = "manifest.json", "seal"
BLOCK = 512
END = bytes(2 * BLOCK)
MOST_MEMBERS = 10_000
MANIFEST_BYTES_MAX = 8 * 1024 * 1024
READ_BYTES = 1024 * 1024
_SEAL_BYTES = 64
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)?")
_NAME_LENGTH_MAX = 99


@attrs.frozen
class Member:
    """One file in a parcel: its name, its length, its SHA-256 in hex, and where in the parcel it begins."""

    name: str
    size: int
    sha256: str
    start: int


class Packer:
    """Writes a parcel into an empty file that is open for writing and can be sought in; the caller flushes it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._members: list[Member] = []

    def add(self, name: str, chunks: Iterable[bytes]) -> Member:
        """Put in a member, as long as its chunks come to be.

        Raises:
            ValueError: it cannot be called that, or is there already.
        """
        if not is_name(name) or any(name == member.name for member in self._members):
            raise ValueError(f"no member of a parcel can be called {name!r}")
        member = self._put(name, chunks)
        self._members.append(member)
        return member

    def close(self, words: Mapping[str, Any]) -> None:
        """Write manifest, seal and end; `words` are what the maker says."""
        members = [{"name": m.name, "size": m.size, "sha256": m.sha256} for m in self._members]
        manifest = self._put(MANIFEST, [orjson.dumps({**words, "members": members}, option=orjson.OPT_INDENT_2)])
        self._put(SEAL, [manifest.sha256.encode()])
        self._file.write(END)

    def _put(self, name: str, chunks: Iterable[bytes]) -> Member:
        file, start, size, digest = self._file, self._file.tell(), 0, hashlib.sha256()
        file.write(bytes(BLOCK))
        for chunk in chunks:
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
        file.write(bytes(-size % BLOCK))
        end = file.tell()
        file.seek(start)
        file.write(header(name, size))
        file.seek(end)
        return Member(name, size, digest.hexdigest(), start + BLOCK)


class Parcel:
    """A parcel that was read through once and found whole; its file stays open until it is closed.

    Raises:
        BackupDamaged: it is not one, or one bit of it is not what was written.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = open_plain(path)
        try:
            self.words, self.members = self._check()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield a member's bytes; at its end, raise if they are not the ones that the manifest has the digest of.

        Raises:
            BackupDamaged: the file has changed since it was checked.
        """
        member = self.members[name]
        digest, left = hashlib.sha256(), member.size
        self._file.seek(member.start)
        while left:
            chunk = self._take(min(left, READ_BYTES))
            digest.update(chunk)
            left -= len(chunk)
            at = self._file.tell()
            yield chunk
            self._file.seek(at)
        if digest.hexdigest() != member.sha256:
            raise self._damaged(f"{name} has changed while it was read")

    def _check(self) -> tuple[Mapping[str, Any], dict[str, Member]]:
        length = os.fstat(self._file.fileno()).st_size
        found: dict[str, Member] = {}
        while True:
            member, data = self._next(length)
            if member.name == MANIFEST:
                break
            if len(found) == MOST_MEMBERS or not is_name(member.name) or member.name in found:
                raise self._damaged(f"it holds {member.name!r}, which no backup does, or not so")
            found[member.name] = member
        sealed, seal = self._next(length)
        if sealed.name != SEAL or seal != member.sha256.encode():
            raise self._damaged("its seal does not fit its manifest")
        if self._file.read() != END:
            raise self._damaged("it does not end where it should")
        words = self._manifest(data)
        promised = words.pop("members", None)
        if promised != [{"name": m.name, "size": m.size, "sha256": m.sha256} for m in found.values()]:
            raise self._damaged("what it holds is not what its manifest says")
        return words, found

    def _next(self, length: int) -> tuple[Member, bytes]:
        """Read one member through; return it, and its bytes if it is one of the two that tell of the others."""
        head = self._take(BLOCK)
        try:
            told = tarfile.TarInfo.frombuf(head, "ascii", "strict")
            known = head == header(told.name, told.size)
        except (tarfile.TarError, ValueError, UnicodeError) as error:
            raise self._damaged("a header in it cannot be read") from error
        if not known:
            raise self._damaged(f"the header of {told.name!r} is not as a backup has it")
        start = self._file.tell()
        if told.size > length - start or (told.name in {MANIFEST, SEAL} and told.size > MANIFEST_BYTES_MAX):
            raise self._damaged(f"{told.name} would be longer than the whole file, or than any")
        digest, kept, left = hashlib.sha256(), [], told.size
        while left:
            chunk = self._take(min(left, READ_BYTES))
            digest.update(chunk)
            left -= len(chunk)
            if told.name in {MANIFEST, SEAL}:
                kept.append(chunk)
        if any(self._take(-told.size % BLOCK)):
            raise self._damaged(f"behind {told.name} there is something")
        return Member(told.name, told.size, digest.hexdigest(), start), b"".join(kept)

    def _manifest(self, data: bytes) -> dict[str, Any]:
        try:
            words: Any = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise self._damaged("its manifest cannot be read") from error
        if not isinstance(words, dict):
            raise self._damaged("its manifest is none")
        return words

    def _take(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) != count:
            raise self._damaged("it is cut short")
        return data

    def _damaged(self, why: str) -> BackupDamaged:
        return BackupDamaged(f"{self._path} is no backup, or a damaged one: {why}")


def is_name(name: str) -> bool:
    """Tell whether a member can be called that: a file, or one in a folder, and nothing that leads elsewhere."""
    return len(name) <= _NAME_LENGTH_MAX and _NAME.fullmatch(name) is not None and name not in {MANIFEST, SEAL}


def header(name: str, size: int) -> bytes:
    """Return the one header that a member of that name and size can have.

    Raises:
        ValueError: there is none.
    """
    told = tarfile.TarInfo(name)
    told.size, told.mode = size, 0o600
    made = told.tobuf(tarfile.GNU_FORMAT, "ascii", "strict")
    if len(made) != BLOCK:
        raise ValueError(f"no header of one block holds the name {name!r}")
    return made
