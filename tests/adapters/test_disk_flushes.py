"""What was flushed lasts, name and all, and a flush that failed is believed by nobody."""

from __future__ import annotations

import errno
import itertools
import os
import threading
import time

import pytest

from lading.adapters.disk import LocalDisk, folders, part

DISK = LocalDisk()


@pytest.mark.law(2)
def test_name_of_a_part_is_durable_when_it_was_flushed(new_part, folder, calls):
    """Each folder that was made for it at once, its own name with its first flush, found again after a crash or not."""
    made = new_part("deep/er/.file.1.part", b"bytes")
    assert calls == [("fsync", os.path.basename(folder)), ("fsync", "deep")]
    calls.clear()
    made.flush()
    made.flush()
    assert calls == [("fdatasync", ".file.1.part"), ("fsync", "er"), ("fdatasync", ".file.1.part")]
    made.close()
    calls.clear()
    claimed = DISK.open_part(made.path, create=False)
    claimed.flush()
    claimed.close()
    assert calls == [("fdatasync", ".file.1.part"), ("fsync", "er")]


@pytest.mark.law(2)
def test_flushes_of_one_folder_that_are_asked_for_together_are_one(folder, monkeypatch, put):
    """Whoever asks while one runs shares the next, which begins after all of them have asked; nobody is left out."""
    began, go, count = threading.Event(), threading.Event(), itertools.count(1)
    real, seen = os.fsync, []

    def slow(descriptor):
        if next(count) == 1:
            began.set()
            assert go.wait(10)
        seen.append(sorted(os.listdir(folder)))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", slow)

    def name(number):
        put(f"{folder}/{number}", b"")
        folders.flush_at(folder)
        assert str(number) in seen[-1]

    first = threading.Thread(target=name, args=(0,))
    first.start()
    assert began.wait(10)
    rest = [threading.Thread(target=name, args=(number,)) for number in range(1, 9)]
    for thread in rest:
        thread.start()
    while len(os.listdir(folder)) < 9:
        time.sleep(0.001)
    go.set()
    for thread in (first, *rest):
        thread.join()
    assert len(seen) < 9


@pytest.mark.law(2)
def test_a_flush_of_a_folder_that_fails_fails_for_all_who_shared_it(folder, monkeypatch):
    """Names that one failed flush may have dropped are not believed because the next succeeds."""
    began, go, count = threading.Event(), threading.Event(), itertools.count(1)
    results: list[str] = []

    def broken(descriptor):
        if next(count) == 1:
            began.set()
            assert go.wait(10)
            raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "fsync", broken)

    def ask():
        try:
            folders.flush_at(folder)
            results.append("durable")
        except OSError:
            results.append("failed")

    threads = [threading.Thread(target=ask) for _ in range(4)]
    threads[0].start()
    assert began.wait(10)
    for thread in threads[1:]:
        thread.start()
    time.sleep(0.05)
    go.set()
    for thread in threads:
        thread.join()
    assert results == ["failed"] * 4
    ask()
    assert results[-1] == "durable"


@pytest.mark.law(2)
def test_a_write_beside_a_flush_is_flushed_before_it_gets_a_name(new_part, calls, monkeypatch, publish):
    """A flush that ends while a write goes on says nothing of that write."""
    made = new_part()
    real = os.pwrite

    def late(descriptor, data, at):
        made.flush()
        return real(descriptor, data, at)

    monkeypatch.setattr(os, "pwrite", late)
    made.write(0, b"late")
    flushes = [call for call in calls if call[0] == "fdatasync"]
    publish(made, made.path + ".final", replace=False)
    assert len([call for call in calls if call[0] == "fdatasync"]) == len(flushes) + 1


@pytest.mark.law(2)
def test_flush_that_failed_is_never_retried_and_believed(new_part, folder, monkeypatch, publish, failing):
    """After one failed flush every further one fails without asking the system, and the part cannot be published."""
    made = new_part(data=b"maybe lost")
    with monkeypatch.context() as broken:
        broken.setattr(part, "_fdatasync", failing(errno.EIO))
        with pytest.raises(OSError, match="Input/output error"):
            made.flush()
    made.write(0, b"more")
    for attempt in (made.flush, lambda: publish(made, f"{folder}/final", replace=True)):
        with pytest.raises(OSError, match="earlier flush") as caught:
            attempt()
        assert caught.value.errno == errno.EIO
    assert not os.path.lexists(f"{folder}/final")
