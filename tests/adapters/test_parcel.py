"""A parcel: whatever is wrong with one bit of it, it is refused; and it holds nothing but plain files."""

from __future__ import annotations

import io
import random
import tarfile

import pytest

from lading.adapters import parcel
from lading.adapters.parcel import MANIFEST, SEAL, Packer, Parcel
from lading.domain.errors import BackupDamaged

pytestmark = pytest.mark.row("S2.14")

PIECES = {"events": [b"one", b"", b"two" * 400], "hooks/notify": [b"{}"], "empty": []}


def pack(path, pieces=None, words=None):
    """Make a parcel."""
    with path.open("w+b") as file:
        packer = Packer(file)
        for name, chunks in (pieces or PIECES).items():
            packer.add(name, chunks)
        packer.close({"format": 1} if words is None else words)
    return path


def unpack(path):
    """Read a parcel whole."""
    with Parcel(path) as found:
        return {name: b"".join(found.chunks(name)) for name in found.members}, dict(found.words)


def test_what_was_put_in_comes_out(tmp_path):
    """Names, bytes and words; and tar reads it too."""
    path = pack(tmp_path / "p")
    assert unpack(path) == ({name: b"".join(chunks) for name, chunks in PIECES.items()}, {"format": 1})
    with tarfile.open(path) as tar:
        assert tar.getnames() == [*PIECES, MANIFEST, SEAL]


def test_a_flipped_bit_is_found_wherever_it_is(tmp_path):
    """One of each byte of the file: headers, contents, padding, manifest, seal and end."""
    whole = pack(tmp_path / "p").read_bytes()
    path, dice = tmp_path / "q", random.Random(7)
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << dice.randrange(8)]) + whole[at + 1 :])
        with pytest.raises(BackupDamaged):
            Parcel(path)


def test_a_file_that_is_cut_short_or_goes_on_is_refused(tmp_path):
    """At each length, and with one byte or a whole other archive behind it."""
    whole = pack(tmp_path / "p").read_bytes()
    path = tmp_path / "q"
    for wrong in [*(whole[:length] for length in range(0, len(whole), 97)), whole[:-1], whole + b"\0", whole + whole]:
        path.write_bytes(wrong)
        with pytest.raises(BackupDamaged):
            Parcel(path)


def _archive(members):
    """Return a tar archive of these (name, type, content, link), as tar makes it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, kind, data, link in members:
            told = tarfile.TarInfo(name)
            told.type, told.size, told.linkname, told.mode = kind, len(data), link, 0o600
            tar.addfile(told, io.BytesIO(data))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "members",
    [
        [("../../escaped", tarfile.REGTYPE, b"x", "")],
        [("/etc/escaped", tarfile.REGTYPE, b"x", "")],
        [("hooks/../../escaped", tarfile.REGTYPE, b"x", "")],
        [("vault/key", tarfile.SYMTYPE, b"", "/etc/passwd")],
        [("vault/key", tarfile.LNKTYPE, b"", "/etc/passwd")],
        [("events", tarfile.CHRTYPE, b"", "")],
        [("events", tarfile.FIFOTYPE, b"", "")],
        [("vault", tarfile.DIRTYPE, b"", "")],
        [("a/b/c", tarfile.REGTYPE, b"x", "")],
        [("events", tarfile.REGTYPE, b"x", ""), ("events", tarfile.REGTYPE, b"y", "")],
        [("n" * 150, tarfile.REGTYPE, b"x", "")],
    ],
    ids=lambda members: f"{members[0][0][:20]} {members[0][1]!r}",
)
def test_what_no_maker_of_ours_writes_is_refused(tmp_path, members):
    """Paths that lead elsewhere, links, devices, folders, doubles and long names."""
    path = tmp_path / "p"
    path.write_bytes(_archive(members))
    with pytest.raises(BackupDamaged):
        Parcel(path)


def test_a_size_beyond_the_file_is_refused_before_anything_is_read(tmp_path):
    """Eight exbibytes of events in four kilobytes."""
    whole = pack(tmp_path / "p").read_bytes()
    (tmp_path / "q").write_bytes(parcel.header("events", 2**63 - 1) + whole[512:])
    with pytest.raises(BackupDamaged, match="longer than"):
        Parcel(tmp_path / "q")


def test_a_manifest_that_lies_is_refused(tmp_path):
    """Of what it holds, its seal does not help: the digests are those of what is there."""
    path = pack(tmp_path / "p")
    other = pack(tmp_path / "q", {**PIECES, "events": [b"thr", b"", b"two" * 400]}).read_bytes()
    mixed = path.read_bytes()[:512] + other[512 : 512 + 1536] + path.read_bytes()[512 + 1536 :]
    (tmp_path / "r").write_bytes(mixed)
    with pytest.raises(BackupDamaged, match="manifest"):
        Parcel(tmp_path / "r")


def test_a_file_that_changes_after_it_was_checked_is_noticed_by_who_reads_it(tmp_path):
    """The digest is counted along."""
    path = pack(tmp_path / "p")
    with Parcel(path) as found:
        at = found.members["events"].start
        with path.open("r+b") as file:
            file.seek(at)
            file.write(b"X")
        with pytest.raises(BackupDamaged, match="changed"):
            list(found.chunks("events"))


def test_no_member_can_be_called_what_leads_elsewhere(tmp_path):
    """Nor twice the same, nor as the parcel's own."""
    with (tmp_path / "p").open("w+b") as file:
        packer = Packer(file)
        packer.add("a", [])
        for name in ("../a", "/a", "a/../b", ".a", "a/.b", "", "a", MANIFEST, SEAL, "a/b/c", "ä", "x" * 100):
            with pytest.raises(ValueError):
                packer.add(name, [])
