"""Much is written past the page cache where the file system lets it, and no byte differs for that."""

from __future__ import annotations

import errno
import mmap
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lading.adapters.disk import kernel, part


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    writes=st.lists(
        st.tuples(
            st.integers(0, 3).map(lambda number: number * 4096) | st.integers(0, 10_000),
            st.sampled_from([part._MUCH_BYTES, part._MUCH_BYTES + 4096, part._MUCH_BYTES + 77, 4096, 5]),
            st.sampled_from([0, 0, 1]),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_much_is_written_past_the_page_cache_and_nothing_differs(new_part, writes, content):
    """Aligned or not, in memory and in the file, over and beside each other and what went through the cache."""
    made, model = new_part(), bytearray()
    memory = memoryview(mmap.mmap(-1, part._MUCH_BYTES + 3 * 4096))
    for mark, (at, size, shift) in enumerate(writes, start=1):
        data = memory[shift : shift + size]
        data[:] = bytes([mark]) * size
        made.write(at, data)
        model.extend(bytes(max(0, at + size - len(model))))
        model[at : at + size] = data
    assert made.read(0, 1 << 20) == bytes(model)
    made.flush()
    assert content(made.path) == bytes(model)
    made.close()


def test_aligned_writes_leave_no_copy_in_the_page_cache(new_part):
    """Where the file system knows such writes; elsewhere nothing is different but the speed."""
    made = new_part()
    made.write(0, memoryview(mmap.mmap(-1, 1 << 20)))
    if made._past_cache in {None, -1}:
        pytest.skip("this file system writes through its cache only")
    with open(f"/proc/self/fdinfo/{made._past_cache}") as file:
        flags = next(int(line.split()[1], 8) for line in file if line.startswith("flags"))
    assert flags & os.O_DIRECT
    made.close()
    assert made._past_cache == -1


@pytest.mark.row("S3.11")
@pytest.mark.parametrize("where", ["opening", "writing"])
def test_a_file_system_that_refuses_direct_io_is_written_through_its_cache(new_part, monkeypatch, where):
    """Every byte is there, and why it went that way is told."""

    def refuse(*_):
        raise OSError(errno.EINVAL, "Invalid argument")

    if where == "opening":
        monkeypatch.setattr(kernel, "reopen_past_cache", refuse)
    else:
        write = os.pwrite
        monkeypatch.setattr(kernel, "reopen_past_cache", os.dup)
        monkeypatch.setattr(
            os, "pwrite", lambda to, data, at: refuse() if to == made._past_cache else write(to, data, at)
        )
    made = new_part()
    data = memoryview(mmap.mmap(-1, 1 << 20))
    data[:] = bytes([7]) * len(data)
    assert made.refusal is None
    made.write(0, data)
    assert made.read(0, 2 << 20) == bytes(data)
    assert "Invalid argument" in made.refusal


@pytest.mark.row("S3.11")
def test_what_is_to_stay_in_the_cache_is_never_written_past_it(new_part, monkeypatch):
    """Nor what is no buffer of ours, which may lie anywhere in memory; neither is a refusal."""
    asked = []
    monkeypatch.setattr(kernel, "reopen_past_cache", lambda descriptor: asked.append(descriptor) or os.dup(descriptor))
    made = new_part()
    made.write(0, bytes(1 << 20))
    assert asked == []
    made.stay_in_cache()
    made.write(0, memoryview(mmap.mmap(-1, 1 << 20)))
    assert asked == []
    assert made.refusal is None
