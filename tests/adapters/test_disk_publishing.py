"""A part gets its final name whole and at once, also when many want that name or a kill came between."""

from __future__ import annotations

import errno
import os
import stat
import threading

import pytest

from lading.adapters.disk import LocalDisk, kernel
from lading.domain.errors import DestinationTaken

DISK = LocalDisk()


@pytest.mark.law(5)
def test_published_file_is_the_part_with_the_mode_of_any_new_file(new_part, folder, publish, content):
    """The final name is the part's own inode, readable as the umask says; the part's name stays for the log's sake."""
    made = new_part(data=b"whole")
    mask = os.umask(0o027)
    try:
        disk = LocalDisk()
    finally:
        os.umask(mask)
    publish(made, f"{folder}/file", replace=False, disk=disk)
    assert content(f"{folder}/file") == b"whole"
    assert DISK.inode(f"{folder}/file") == made.inode == DISK.inode(made.path)
    assert stat.S_IMODE(os.stat(f"{folder}/file").st_mode) == 0o640


@pytest.mark.law(5)
@pytest.mark.parametrize("replace", [False, True])
def test_publishing_flushes_first_and_makes_the_name_last(new_part, folder, calls, replace, publish):
    """Bytes are durable before they have a final name, and the name is durable before this is said to be done."""
    made = new_part(data=b"whole")
    calls.clear()
    publish(made, f"{folder}/file", replace=replace)
    named = [("link", ".file.1.part.new"), ("replace", "file")] if replace else [("link", "file")]
    assert calls == [("fdatasync", ".file.1.part"), *named, ("fsync", os.path.basename(folder))]


def test_published_file_that_was_flushed_is_not_flushed_again(new_part, folder, calls, publish):
    """Publishing costs one flush of the folder when the part was flushed before."""
    made = new_part(data=b"whole")
    made.flush()
    calls.clear()
    publish(made, f"{folder}/file", replace=False)
    assert [name for name, _ in calls] == ["link", "fsync"]


@pytest.mark.law(5)
@pytest.mark.parametrize("replace", [False, True])
def test_publishing_twice_is_publishing_once(new_part, folder, calls, replace, publish):
    """A name that is this part's already, as after a kill, is made durable again and counts as done."""
    made = new_part(data=b"whole")
    publish(made, f"{folder}/file", replace=False)
    calls.clear()
    publish(made, f"{folder}/file", replace=replace)
    assert calls == [("fsync", os.path.basename(folder))]
    assert sorted(os.listdir(folder)) == [".file.1.part", "file"]


@pytest.mark.law(5)
def test_replacing_goes_on_after_a_kill_half_way(new_part, folder, publish, content, put):
    """The name beside that a killed publisher left is taken over, not tripped over."""
    made = new_part(data=b"ours")
    put(f"{folder}/file", b"old")
    os.link(made.path, f"{made.path}.new")
    publish(made, f"{folder}/file", replace=True)
    assert content(f"{folder}/file") == b"ours"
    assert sorted(os.listdir(folder)) == [".file.1.part", "file"]


@pytest.mark.law(5)
def test_reader_sees_the_old_file_or_the_new_one_while_it_is_replaced(new_part, folder, publish, content, put):
    """At no moment is the destination missing, empty or mixed."""
    final, seen, stop = f"{folder}/file", set(), threading.Event()
    put(final, b"0" * 5000)

    def look() -> None:
        while not stop.is_set():
            try:
                data = content(final)
            except FileNotFoundError:
                data = b"missing"
            seen.add(data[:1] if len(data) == 5000 and len(set(data)) == 1 else data)

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(1, 40):
        made = new_part(f".file.{number}.part", b"%d" % (number % 10) * 5000)
        publish(made, final, replace=True)
        made.close()
    stop.set()
    reader.join()
    assert seen <= {b"%d" % digit for digit in range(10)}


@pytest.mark.law(5)
def test_of_two_who_publish_at_once_one_wins(new_part, folder, publish):
    """One destination, many publishers: exactly one is told that it has the name, and has it."""
    for turn in range(20):
        parts, won, lost = [new_part(f".{turn}.{n}.part", b"%d" % n) for n in range(4)], [], []
        begin = threading.Barrier(4)

        def take(made, turn=turn, won=won, lost=lost, begin=begin) -> None:
            begin.wait()
            try:
                publish(made, f"{folder}/file{turn}", replace=False, disk=LocalDisk())
                won.append(made)
            except DestinationTaken:
                lost.append(made)

        threads = [threading.Thread(target=take, args=(made,)) for made in parts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(won), len(lost)) == (1, 3)
        assert DISK.inode(f"{folder}/file{turn}") == won[0].inode


@pytest.mark.law(5)
@pytest.mark.parametrize("replace", [False, True])
def test_published_is_the_file_that_we_hold_whatever_has_its_name(new_part, folder, replace, publish, content, put):
    """Somebody who moves the part away and another file to its name gets the part published, not that file."""
    made = new_part(data=b"verified")
    os.rename(made.path, f"{folder}/elsewhere")
    put(made.path, b"evil")
    publish(made, f"{folder}/file", replace=replace)
    assert content(f"{folder}/file") == b"verified"


@pytest.mark.parametrize("replace", [False, True])
def test_part_whose_last_name_is_gone_is_said_to_be_lost(new_part, folder, replace, publish, content, put):
    """A part that somebody removed cannot be published, and the message says what happened to it."""
    made = new_part(data=b"verified")
    os.unlink(made.path)
    put(f"{folder}/old", b"old")
    with pytest.raises(FileNotFoundError, match="moved or removed by another program"):
        publish(made, f"{folder}/{'old' if replace else 'file'}", replace=replace)
    assert os.listdir(folder) == ["old"]
    assert content(f"{folder}/old") == b"old"


def test_only_its_own_parts_are_published(folder, publish):
    """A part of another disk is a mistake of the program."""
    with pytest.raises(TypeError):
        publish(object(), f"{folder}/file", replace=False)


def test_umask_is_known_with_and_without_proc(monkeypatch, failing):
    """Both ways of asking tell the same, and leave it as it is."""
    mask = os.umask(0o026)
    try:
        assert kernel.umask() == 0o026
        monkeypatch.setattr("builtins.open", failing(errno.ENOENT))
        assert kernel.umask() == 0o026
        assert kernel.umask() == 0o026
    finally:
        os.umask(mask)
