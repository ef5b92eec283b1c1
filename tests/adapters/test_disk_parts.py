"""A part on a real disk: an array of bytes, whatever the system does in pieces, and what fails is told."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lading.adapters.disk import LocalDisk, kernel
from lading.domain.errors import DiskFull

DISK = LocalDisk()


def test_new_part_is_empty_and_for_its_owner_only(new_part, folder):
    """A part is made with mode 0600 and without bytes, in folders made for it, and no program we start inherits it."""
    made = new_part("deep/er/.file.1.part")
    status = os.stat(made.path)
    assert made.path == f"{folder}/deep/er/.file.1.part"
    assert (made.size(), stat.S_IMODE(status.st_mode), made.inode) == (0, 0o600, status.st_ino)
    assert not os.get_inheritable(made.descriptor)


def test_part_that_is_not_there_is_none(folder):
    """Opening without making neither makes a part nor its folder."""
    assert DISK.open_part(f"{folder}/gone/.file.1.part", create=False) is None
    assert os.listdir(folder) == []


def test_open_part_keeps_what_it_holds(new_part):
    """A part that is opened again has its bytes and its inode."""
    first = new_part(data=b"kept")
    first.close()
    again = DISK.open_part(first.path, create=False)
    assert again is not None
    assert (again.read(0, 10), again.inode) == (b"kept", first.inode)
    again.close()
    again.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["write", "truncate", "preallocate", "flush"]),
            st.integers(0, 40_000),
            st.binary(max_size=300),
        ),
        max_size=12,
    )
)
def test_part_is_an_array_of_bytes(new_part, steps):
    """Whatever is written, cut and set aside: size and every byte are those of the same steps on an array."""
    made, model = new_part(), bytearray()
    for what, at, data in steps:
        if what == "write":
            made.write(at, memoryview(data))
            if data:
                model.extend(bytes(max(0, at + len(data) - len(model))))
                model[at : at + len(data)] = data
        elif what == "truncate":
            made.truncate(min(at, len(model)))
            del model[at:]
        elif what == "preallocate":
            made.preallocate(at)
        else:
            made.flush()
        assert made.size() == len(model)
    assert made.read(0, 100_000) == bytes(model)
    assert made.read(17, 5) == bytes(model[17:22])
    made.close()


def test_write_that_the_system_does_in_pieces_is_whole(new_part, monkeypatch):
    """A write that takes only some bytes at a time goes on until all are written, where they belong."""
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda descriptor, data, at: real(descriptor, data[:7], at))
    made = new_part()
    made.write(3, bytearray(range(100)))
    assert made.read(0, 200) == bytes(3) + bytes(range(100))


@pytest.mark.row("S2.12")
def test_a_part_can_be_what_another_file_is_only_where_blocks_can_be_shared(new_part, folder, monkeypatch):
    """Where they cannot be, nothing is changed; where there is no room, that is told."""
    Path(f"{folder}/kept").write_bytes(b"kept")
    made = new_part()
    made.write(0, b"before")
    with open(f"{folder}/kept", "rb") as file:
        if made.clone(file.fileno()):
            assert made.read(0, 10) == b"kept"
        else:
            assert made.read(0, 10) == b"before"
        monkeypatch.setattr(kernel.fcntl, "ioctl", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
        with pytest.raises(DiskFull):
            made.clone(file.fileno())


def test_read_that_the_system_does_in_pieces_is_whole(new_part, monkeypatch):
    """A read that yields only some bytes at a time goes on until it has all, or the file ends."""
    made = new_part(data=bytes(range(100)))
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda descriptor, count, at: real(descriptor, min(count, 7), at))
    assert made.read(10, 50) == bytes(range(10, 60))
    assert made.read(90, 50) == bytes(range(90, 100))


def test_device_that_fails_is_an_oserror(new_part, monkeypatch, failing):
    """An I/O error of a write or of setting room aside is told as it is."""
    made = new_part()
    monkeypatch.setattr(os, "pwrite", failing(errno.EIO))
    monkeypatch.setattr(kernel, "allocate", failing(errno.EIO))
    for attempt in (lambda: made.write(0, b"x"), lambda: made.preallocate(10)):
        with pytest.raises(OSError, match="Input/output error") as caught:
            attempt()
        assert caught.value.errno == errno.EIO


def test_what_was_never_written_has_no_data(new_part):
    """Neither behind the last byte of a block, nor in room that was only set aside; a byte anywhere is data."""
    part = new_part()
    part.preallocate(1 << 20)
    part.write(0, b"x" * 5000)
    part.write(900_000, b"y" * 1000)
    part.flush()
    assert part.has_data(0, 5000)
    assert not part.has_data(5000, 5001)
    assert part.has_data(4999, 5001)
    assert part.has_data(5000, 900_001)
    part.write(6000, b"z")
    assert part.has_data(5000, 6001)
    if hasattr(os, "SEEK_DATA"):
        assert not part.has_data(5000, 6000)
        assert not part.has_data(8192, 800_000)
