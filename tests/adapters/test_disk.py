"""The disk over real files: locks between real processes, full and foreign file systems, and names moved under way."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import mmap
import os
import pwd
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lading.adapters.disk import LocalDisk, folders, kernel, part, publishing
from lading.domain.disks import Publication
from lading.domain.errors import DestinationTaken, DiskFull, InvalidDestination
from lading.testing import MemoryDisk

DISK = LocalDisk()


def publish(made, final, *, replace, disk=DISK):
    """Publish one part, and raise what keeps it from being published."""
    (why,) = disk.publish([Publication(made, final, replace)])
    if why is not None:
        raise why


WORKER = """
import sys
from lading.adapters.disk import LocalDisk
part = LocalDisk().open_part(sys.argv[1], create=sys.argv[2] == "create")
print("none" if part is None else "held", flush=True)
for line in sys.stdin:
    part.write(0, line.strip().encode())
    part.flush()
    print("written", flush=True)
"""


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path)


@pytest.fixture
def new_part(folder):
    """Make parts that are closed in the end."""
    with contextlib.ExitStack() as parts:

        def make(name: str = ".file.1.part", data: bytes = b""):
            made = DISK.open_part(f"{folder}/{name}", create=True)
            assert made is not None
            parts.callback(made.close)
            if data:
                made.write(0, data)
            return made

        yield make


@pytest.fixture
def calls(monkeypatch):
    """What was flushed and named, in order, by name."""
    seen: list[tuple[str, str]] = []

    def spy(name, real, where):
        def call(*args, **more):
            result = real(*args, **more)
            seen.append((name, where(*args)))
            return result

        return call

    def of_descriptor(descriptor):
        return os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}"))

    monkeypatch.setattr(os, "fsync", spy("fsync", os.fsync, of_descriptor))
    monkeypatch.setattr(part, "_fdatasync", spy("fdatasync", os.fdatasync, of_descriptor))
    monkeypatch.setattr(os, "link", spy("link", os.link, lambda _, name: name))
    monkeypatch.setattr(os, "replace", spy("replace", os.replace, lambda _, name: name))
    return seen


@contextlib.contextmanager
def worker(path: str, how: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that opens the part, says whether it holds it, and writes each line that it is told."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, path, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def put(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)


def failing(number: int):
    def fail(*_args, **_more):
        raise OSError(number, os.strerror(number))

    return fail


@contextlib.contextmanager
def mounted(place: str, *how: str) -> Iterator[str]:
    """Mount a file system, or skip where this user may not."""
    os.makedirs(place, exist_ok=True)
    try:
        done = subprocess.run(["mount", *how, place], capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"no mount: {error}")
    if done.returncode:
        pytest.skip(f"this user may not mount: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture
def small(tmp_path):
    """A file system of 1 MiB."""
    with mounted(str(tmp_path / "small"), "-t", "tmpfs", "-o", "size=1m", "tmpfs") as place:
        yield place


@pytest.fixture
def image(tmp_path):
    """An ext4 of 8 MiB in a file, to be mounted."""
    path = str(tmp_path / "image")
    with open(path, "wb") as file:
        file.truncate(8 << 20)
    try:
        subprocess.run(["mkfs.ext4", "-q", path], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no mkfs.ext4: {error}")
    return path


# -- parts -----------------------------------------------------------------------------------------------------------


def test_new_part_is_empty_and_for_its_owner_only(new_part, folder):
    """A part is made with mode 0600 and without bytes, in folders made for it, and no program we start inherits it."""
    made = new_part("deep/er/.file.1.part")
    status = os.stat(made.path)
    assert made.path == f"{folder}/deep/er/.file.1.part"
    assert (made.size(), stat.S_IMODE(status.st_mode), made.inode) == (0, 0o600, status.st_ino)
    assert not os.get_inheritable(made.descriptor)


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
def test_flushes_of_one_folder_that_are_asked_for_together_are_one(folder, monkeypatch):
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
def test_much_is_written_past_the_page_cache_and_nothing_differs(new_part, writes):
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


@pytest.mark.law(2)
def test_a_write_beside_a_flush_is_flushed_before_it_gets_a_name(new_part, calls, monkeypatch):
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


def test_read_that_the_system_does_in_pieces_is_whole(new_part, monkeypatch):
    """A read that yields only some bytes at a time goes on until it has all, or the file ends."""
    made = new_part(data=bytes(range(100)))
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda descriptor, count, at: real(descriptor, min(count, 7), at))
    assert made.read(10, 50) == bytes(range(10, 60))
    assert made.read(90, 50) == bytes(range(90, 100))


def test_room_set_aside_is_no_size_and_is_given_back(new_part):
    """Blocks are there before the bytes are; cutting the file, and publishing it, give back those beyond its end."""
    made = new_part(data=b"x" * 5000)
    made.preallocate(8 << 20)
    assert made.size() == 5000
    if os.fstat(made.descriptor).st_blocks * 512 < 8 << 20:
        pytest.skip("this file system sets no blocks aside")
    made.truncate(5000)
    assert os.fstat(made.descriptor).st_blocks * 512 < 1 << 20
    made.preallocate(8 << 20)
    publish(made, made.path + ".final", replace=False)
    assert os.stat(made.path + ".final").st_blocks * 512 < 1 << 20
    assert content(made.path + ".final") == b"x" * 5000


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.ENOSYS])
def test_file_system_that_sets_nothing_aside_is_no_failure(new_part, monkeypatch, number):
    """Where there is no fallocate the part just grows."""
    monkeypatch.setattr(kernel, "allocate", failing(number))
    made = new_part()
    made.preallocate(1 << 20)
    assert made.size() == 0


def test_device_that_fails_is_an_oserror(new_part, monkeypatch):
    """An I/O error of a write or of setting room aside is told as it is."""
    made = new_part()
    monkeypatch.setattr(os, "pwrite", failing(errno.EIO))
    monkeypatch.setattr(kernel, "allocate", failing(errno.EIO))
    for attempt in (lambda: made.write(0, b"x"), lambda: made.preallocate(10)):
        with pytest.raises(OSError, match="Input/output error") as caught:
            attempt()
        assert caught.value.errno == errno.EIO


@pytest.mark.law(2)
def test_flush_that_failed_is_never_retried_and_believed(new_part, folder, monkeypatch):
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


# -- locks -----------------------------------------------------------------------------------------------------------


@pytest.mark.law(6)
@pytest.mark.parametrize("create", [True, False])
def test_part_has_one_holder(new_part, create):
    """While one holds a part, whoever opens it or makes it anew gets None, and changes nothing."""
    made = new_part(data=b"mine")
    assert DISK.open_part(made.path, create=create) is None
    with worker(made.path, "create" if create else "open") as other:
        assert other.stdout.readline() == "none\n"
    assert os.stat(made.path).st_ino == made.inode
    made.close()
    again = DISK.open_part(made.path, create=False)
    assert again is not None
    assert again.read(0, 10) == b"mine"
    again.close()


@pytest.mark.law(6)
def test_stopped_worker_keeps_its_part_and_a_killed_one_has_lost_it(folder):
    """No clock takes a part from a worker that was stopped; once it is dead the part is free at once."""
    path = f"{folder}/.file.1.part"
    with worker(path, "create") as holder:
        assert holder.stdout.readline() == "held\n"
        holder.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, holder.pid, os.WSTOPPED)
        assert DISK.open_part(path, create=False) is None
        assert DISK.open_part(path, create=True) is None
        holder.send_signal(signal.SIGCONT)
        holder.stdin.write("still mine\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "written\n"
        assert DISK.open_part(path, create=False) is None
        holder.kill()
        holder.wait()
        successor = DISK.open_part(path, create=False)
    assert successor is not None
    assert successor.read(0, 100) == b"still mine"
    successor.close()


@pytest.mark.law(6)
def test_no_byte_of_a_stopped_worker_reaches_its_successors_file(folder):
    """A successor works in a part of its own; what the old worker writes when it wakes goes nowhere near it."""
    old, new, final = f"{folder}/.file.1.part", f"{folder}/.file.2.part", f"{folder}/file"
    with worker(old, "create") as holder:
        assert holder.stdout.readline() == "held\n"
        holder.stdin.write("vouched for\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "written\n"
        holder.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, holder.pid, os.WSTOPPED)
        assert DISK.open_part(old, create=False) is None
        successor = DISK.open_part(new, create=True)
        assert successor is not None
        successor.write(0, DISK.read(old, 0, 100))
        publish(successor, final, replace=False)
        DISK.unlink(old)
        DISK.unlink(new)
        holder.send_signal(signal.SIGCONT)
        holder.stdin.write("POISON\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "written\n"
    assert content(final) == b"vouched for"
    assert os.listdir(folder) == ["file"]
    successor.close()


@pytest.mark.law(6)
@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("moved", ["unlinked", "replaced"])
def test_lock_on_what_lost_its_name_meanwhile_is_no_lock(new_part, monkeypatch, create, moved):
    """Between opening and locking another may take the name: then this one has nothing, and touches nothing."""
    stale = new_part(data=b"old")
    stale.close()
    real = fcntl.flock

    def late(descriptor, how):
        monkeypatch.setattr(fcntl, "flock", real)
        os.unlink(stale.path)
        if moved == "replaced":
            put(stale.path, b"the winner's")
        return real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    assert DISK.open_part(stale.path, create=create) is None
    if moved == "replaced":
        assert content(stale.path) == b"the winner's"
    else:
        assert not os.path.lexists(stale.path)


@pytest.mark.law(6)
def test_new_part_whose_name_is_taken_before_its_lock_is_given_up(folder, monkeypatch):
    """A part that another took for a dead worker's, before we could lock it, is theirs."""
    path = f"{folder}/.file.1.part"
    real = fcntl.flock

    def late(descriptor, how):
        monkeypatch.setattr(fcntl, "flock", real)
        os.unlink(path)
        put(path, b"the winner's")
        return real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    assert DISK.open_part(path, create=True) is None
    assert content(path) == b"the winner's"


@pytest.mark.law(6)
def test_many_who_fight_for_a_part_are_never_two(folder):
    """Threads that open, make, rename over and remove one part at once: whoever holds it is alone with its name."""
    path, holders, broken, rounds = f"{folder}/.file.1.part", [], [], []
    begin = threading.Barrier(6)

    def fight(number: int) -> None:
        disk = LocalDisk()
        begin.wait()
        for turn in range(100_000):
            if len(rounds) >= 200 or broken:
                break
            mine = disk.open_part(path, create=(turn + number) % 2 == 0)
            if mine is None:
                continue
            holders.append(number)
            mine.write(0, b"%d" % number)
            alone = holders == [number] and disk.inode(path) == mine.inode and mine.read(0, 9)[:1] == b"%d" % number
            rounds.append(alone)
            if not alone:
                broken.append((number, turn))
            holders.remove(number)
            if turn % 3 == 0:
                disk.unlink(path)
            mine.close()

    threads = [threading.Thread(target=fight, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert broken == []
    assert len(rounds) >= 200


@pytest.mark.law(5)
def test_making_a_part_anew_spares_the_file_that_its_old_inode_became(new_part, folder):
    """What a dead worker left under a part's name may be published already: it is unlinked and never cut or written."""
    dead = new_part(data=b"published")
    publish(dead, f"{folder}/file", replace=False)
    dead.close()
    anew = new_part()
    assert anew.size() == 0
    assert anew.inode != dead.inode
    anew.write(0, b"other")
    assert content(f"{folder}/file") == b"published"


# -- what is in the way ----------------------------------------------------------------------------------------------


def a_file(path):
    put(path, b"")
    return f"{path}/.file.1.part"


def a_folder(path):
    os.mkdir(path)
    return path


def a_link(path):
    os.symlink("precious", path)
    return path


def a_dangling_link(path):
    os.symlink("nowhere", path)
    return path


def a_fifo(path):
    os.mkfifo(path)
    return path


@pytest.mark.law(5)
@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("obstacle", [a_folder, a_link, a_dangling_link, a_fifo])
def test_what_is_no_part_of_ours_is_not_opened(folder, obstacle, create):
    """A folder, a link or a pipe under a part's name is refused with a hint, and left as it is."""
    put(f"{folder}/precious", b"precious")
    path = obstacle(f"{folder}/.file.1.part")
    before = os.lstat(path)
    with pytest.raises(InvalidDestination) as caught:
        DISK.open_part(path, create=create)
    assert caught.value.hint
    assert os.lstat(path).st_ino == before.st_ino
    assert content(f"{folder}/precious") == b"precious"
    assert not os.path.exists(f"{folder}/nowhere")


def test_path_through_a_file_is_no_folder(folder):
    """A file where a folder should be is said to be one; without making, there is just no part."""
    path = a_file(f"{folder}/file")
    with pytest.raises(InvalidDestination, match="cannot be used") as caught:
        DISK.open_part(path, create=True)
    assert "not a folder" in caught.value.hint
    with pytest.raises(InvalidDestination):
        DISK.open_part(path, create=False)
    assert (DISK.inode(path), DISK.unlink(path), DISK.read(path, 0, 1)) == (None, 0, b"")


@pytest.mark.parametrize("name", ["n" * 300, "null\0byte"])
def test_name_that_no_file_can_have_is_refused(folder, name):
    """A name that is too long or holds a NUL says so."""
    with pytest.raises(InvalidDestination):
        DISK.open_part(f"{folder}/{name}", create=True)


def test_folder_that_this_user_may_not_write_is_refused(tmp_path):
    """Neither a part nor a folder can be made there, and the hint says what to do."""
    if os.geteuid() == 0:
        try:
            nobody = pwd.getpwnam("nobody").pw_uid
        except KeyError:
            pytest.skip("root may write everywhere, and there is no user nobody to become")
    else:
        nobody = os.geteuid()
    tmp_path.chmod(0o500)
    os.seteuid(nobody)
    try:
        for name in (".file.1.part", "deeper/.file.1.part"):
            with pytest.raises(InvalidDestination) as caught:
                DISK.open_part(f"{tmp_path}/{name}", create=True)
            assert "-d" in caught.value.hint
    finally:
        os.seteuid(os.getuid())
        tmp_path.chmod(0o700)


def test_read_only_file_system_is_refused(tmp_path):
    """A file system that is mounted read-only says so."""
    read_only = mounted(str(tmp_path / "ro"), "-t", "tmpfs", "-o", "ro", "tmpfs")
    with read_only as place, pytest.raises(InvalidDestination) as caught:
        DISK.open_part(f"{place}/.file.1.part", create=True)
    assert "read-only" in caught.value.hint


@pytest.mark.law(6)
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_file_system_without_locks_is_refused(folder, monkeypatch, number):
    """Where no lock can be had there is no part, rather than one with two owners."""
    monkeypatch.setattr(fcntl, "flock", failing(number))
    with pytest.raises(InvalidDestination) as caught:
        DISK.open_part(f"{folder}/.file.1.part", create=True)
    assert "no locks" in caught.value.hint


@pytest.mark.law(2)
def test_full_disk_is_told_and_keeps_what_was_flushed(small):
    """On a file system of 1 MiB a write and room beyond it say DiskFull; flushed bytes stay, and room lets it go on."""
    made = DISK.open_part(f"{small}/.file.1.part", create=True)
    assert made is not None
    made.write(0, b"a" * 600_000)
    made.flush()
    with pytest.raises(DiskFull) as caught:
        made.preallocate(2 << 20)
    assert caught.value.hint
    with pytest.raises(DiskFull):
        made.write(600_000, b"b" * 600_000)
    assert made.read(0, 600_000) == b"a" * 600_000
    assert DISK.free(small) == 0
    made.truncate(600_000)
    made.write(600_000, b"c" * 400_000)
    made.flush()
    assert made.read(0, 2 << 20) == b"a" * 600_000 + b"c" * 400_000
    made.close()


def test_disk_without_room_for_another_name_is_full(tmp_path):
    """A part or a folder for which there is no inode left is told as DiskFull."""
    with mounted(str(tmp_path / "small"), "-t", "tmpfs", "-o", "nr_inodes=2", "tmpfs") as place:
        first = DISK.open_part(f"{place}/.file.1.part", create=True)
        assert first is not None
        first.close()
        for name in (".file.2.part", "deeper/.file.1.part"):
            with pytest.raises(DiskFull):
                DISK.open_part(f"{place}/{name}", create=True)


def test_room_set_aside_in_part_is_given_back(tmp_path, image):
    """An ext4 that is full half-way through setting room aside says DiskFull, and cutting the part frees it all."""
    with mounted(str(tmp_path / "mnt"), "-o", "loop", image) as place:
        made = DISK.open_part(f"{place}/.file.1.part", create=True)
        assert made is not None
        made.write(0, b"x" * 5000)
        made.flush()
        room = DISK.free(place)
        with pytest.raises(DiskFull):
            made.preallocate(16 << 20)
        made.truncate(made.size())
        assert DISK.free(place) == room
        assert made.read(0, 9000) == b"x" * 5000
        made.close()


# -- publishing ------------------------------------------------------------------------------------------------------


@pytest.mark.law(5)
def test_published_file_is_the_part_with_the_mode_of_any_new_file(new_part, folder):
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
def test_publishing_flushes_first_and_makes_the_name_last(new_part, folder, calls, replace):
    """Bytes are durable before they have a final name, and the name is durable before this is said to be done."""
    made = new_part(data=b"whole")
    calls.clear()
    publish(made, f"{folder}/file", replace=replace)
    named = [("link", ".file.1.part.new"), ("replace", "file")] if replace else [("link", "file")]
    assert calls == [("fdatasync", ".file.1.part"), *named, ("fsync", os.path.basename(folder))]


def test_published_file_that_was_flushed_is_not_flushed_again(new_part, folder, calls):
    """Publishing costs one flush of the folder when the part was flushed before."""
    made = new_part(data=b"whole")
    made.flush()
    calls.clear()
    publish(made, f"{folder}/file", replace=False)
    assert [name for name, _ in calls] == ["link", "fsync"]


@pytest.mark.law(5)
@pytest.mark.parametrize("replace", [False, True])
def test_publishing_twice_is_publishing_once(new_part, folder, calls, replace):
    """A name that is this part's already, as after a kill, is made durable again and counts as done."""
    made = new_part(data=b"whole")
    publish(made, f"{folder}/file", replace=False)
    calls.clear()
    publish(made, f"{folder}/file", replace=replace)
    assert calls == [("fsync", os.path.basename(folder))]
    assert sorted(os.listdir(folder)) == [".file.1.part", "file"]


def a_regular_file(path):
    put(path, b"somebody's")
    return path


@pytest.mark.law(5)
@pytest.mark.parametrize("obstacle", [a_regular_file, a_folder, a_link, a_dangling_link, a_fifo])
def test_nothing_that_lies_at_the_destination_is_touched(new_part, folder, obstacle):
    """A file, a folder, a pipe or a link, even one to nowhere, is a destination that is taken."""
    put(f"{folder}/precious", b"precious")
    made = new_part(data=b"ours")
    path = obstacle(f"{folder}/file")
    before = os.lstat(path)
    with pytest.raises(DestinationTaken):
        publish(made, path, replace=False)
    assert os.lstat(path).st_ino == before.st_ino
    assert content(f"{folder}/precious") == b"precious"
    assert DISK.inode(made.path) == made.inode


@pytest.mark.law(5)
@pytest.mark.parametrize("obstacle", [a_regular_file, a_link, a_dangling_link])
def test_replacing_takes_the_name_and_not_what_a_link_names(new_part, folder, obstacle):
    """With replace the name is ours; a file that a link there named is left as it is."""
    put(f"{folder}/precious", b"precious")
    made = new_part(data=b"ours")
    path = obstacle(f"{folder}/file")
    publish(made, path, replace=True)
    assert DISK.inode(path) == made.inode
    assert content(f"{folder}/precious") == b"precious"
    assert sorted(os.listdir(folder)) == [".file.1.part", "file", "precious"]


@pytest.mark.law(5)
def test_replacing_never_removes_a_folder(new_part, folder):
    """A folder at the destination is in the way with replace too, and nothing is left beside it."""
    made = new_part(data=b"ours")
    os.mkdir(f"{folder}/file")
    with pytest.raises(DestinationTaken):
        publish(made, f"{folder}/file", replace=True)
    assert sorted(os.listdir(folder)) == [".file.1.part", "file"]


@pytest.mark.law(5)
def test_replacing_goes_on_after_a_kill_half_way(new_part, folder):
    """The name beside that a killed publisher left is taken over, not tripped over."""
    made = new_part(data=b"ours")
    put(f"{folder}/file", b"old")
    os.link(made.path, f"{made.path}.new")
    publish(made, f"{folder}/file", replace=True)
    assert content(f"{folder}/file") == b"ours"
    assert sorted(os.listdir(folder)) == [".file.1.part", "file"]


def test_a_part_that_is_given_up_takes_the_name_beside_it_along(new_part, folder):
    """A publisher was killed half-way, and then nobody wanted the file any more: nothing is left."""
    made = new_part(data=b"ours")
    os.link(made.path, f"{made.path}.new")
    assert DISK.unlink(made.path) == 4
    assert os.listdir(folder) == []


def test_no_other_file_goes_with_the_one_that_is_removed(new_part, folder):
    """Neither another file of that name, nor another name of a file that is no part."""
    made = new_part(data=b"ours")
    put(f"{made.path}.new", b"somebody's")
    put(f"{folder}/file", b"final")
    os.link(f"{folder}/file", f"{folder}/file.new")
    DISK.unlink(made.path)
    DISK.unlink(f"{folder}/file")
    assert sorted(os.listdir(folder)) == [".file.1.part.new", "file.new"]


@pytest.mark.law(5)
def test_reader_sees_the_old_file_or_the_new_one_while_it_is_replaced(new_part, folder):
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
def test_of_two_who_publish_at_once_one_wins(new_part, folder):
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
def test_published_is_the_file_that_we_hold_whatever_has_its_name(new_part, folder, replace):
    """Somebody who moves the part away and another file to its name gets the part published, not that file."""
    made = new_part(data=b"verified")
    os.rename(made.path, f"{folder}/elsewhere")
    put(made.path, b"evil")
    publish(made, f"{folder}/file", replace=replace)
    assert content(f"{folder}/file") == b"verified"


@pytest.mark.parametrize("replace", [False, True])
def test_part_whose_last_name_is_gone_is_said_to_be_lost(new_part, folder, replace):
    """A part that somebody removed cannot be published, and the message says what happened to it."""
    made = new_part(data=b"verified")
    os.unlink(made.path)
    put(f"{folder}/old", b"old")
    with pytest.raises(FileNotFoundError, match="moved or removed by another program"):
        publish(made, f"{folder}/{'old' if replace else 'file'}", replace=replace)
    assert os.listdir(folder) == ["old"]
    assert content(f"{folder}/old") == b"old"


def test_destination_on_another_file_system_is_refused(new_part, small):
    """A final name must lie on the part's file system."""
    with pytest.raises(InvalidDestination) as caught:
        publish(new_part(data=b"x"), f"{small}/file", replace=False)
    assert "one file system" in caught.value.hint
    assert os.listdir(small) == []


def test_only_its_own_parts_are_published(folder):
    """A part of another disk is a mistake of the program."""
    with pytest.raises(TypeError):
        publish(object(), f"{folder}/file", replace=False)


@pytest.fixture(params=[errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK])
def no_links(request, monkeypatch):
    monkeypatch.setattr(os, "link", failing(request.param))


@pytest.mark.law(5)
def test_without_links_the_part_is_renamed(new_part, folder, no_links):
    """Where there are no links a rename that never replaces gives the name; the part's own name goes."""
    made = new_part(data=b"whole")
    publish(made, f"{folder}/file", replace=False)
    assert content(f"{folder}/file") == b"whole"
    assert DISK.inode(f"{folder}/file") == made.inode
    assert os.listdir(folder) == ["file"]
    publish(made, f"{folder}/file", replace=False)


@pytest.mark.law(5)
@pytest.mark.parametrize("obstacle", [a_regular_file, a_folder, a_dangling_link])
def test_without_links_nothing_is_replaced_either(new_part, folder, no_links, obstacle):
    """The rename of a file system without links fails rather than replace."""
    made = new_part(data=b"ours")
    path = obstacle(f"{folder}/file")
    before = os.lstat(path)
    with pytest.raises(DestinationTaken):
        publish(made, path, replace=False)
    assert os.lstat(path).st_ino == before.st_ino
    assert DISK.inode(made.path) == made.inode


def test_without_links_replacing_is_a_rename(new_part, folder, no_links):
    """With replace the part is renamed over what lies there."""
    made = new_part(data=b"ours")
    put(f"{folder}/file", b"old")
    publish(made, f"{folder}/file", replace=True)
    assert content(f"{folder}/file") == b"ours"
    assert os.listdir(folder) == ["file"]


@pytest.mark.law(5)
@pytest.mark.parametrize("replace", [False, True])
def test_without_links_a_foreign_file_under_the_parts_name_is_not_published(new_part, folder, no_links, replace):
    """A rename goes by name, so the name is looked at first."""
    made = new_part(data=b"verified")
    os.rename(made.path, f"{folder}/elsewhere")
    put(made.path, b"evil")
    with pytest.raises(FileNotFoundError, match="moved or removed"):
        publish(made, f"{folder}/file", replace=replace)
    assert not os.path.lexists(f"{folder}/file")


@pytest.mark.law(5)
def test_without_links_and_safe_renames_publishing_is_refused(new_part, folder, monkeypatch):
    """A file system that can do neither is refused with a hint, and the part stays what it is."""
    monkeypatch.setattr(os, "link", failing(errno.EPERM))
    monkeypatch.setattr(kernel, "rename_no_replace", failing(errno.EINVAL))
    made = new_part(data=b"whole")
    with pytest.raises(InvalidDestination) as caught:
        publish(made, f"{folder}/file", replace=False)
    assert "--if-exists overwrite" in caught.value.hint
    assert os.listdir(folder) == [".file.1.part"]


def test_without_proc_the_part_is_linked_by_its_name(new_part, folder, monkeypatch):
    """Where there is no /proc the part's own name is linked, and looked at afterwards."""
    real = os.path.lexists
    monkeypatch.setattr(publishing.os.path, "lexists", lambda path: not path.startswith("/proc") and real(path))
    made = new_part(data=b"whole")
    publish(made, f"{folder}/file", replace=False)
    assert DISK.inode(f"{folder}/file") == made.inode


def test_umask_is_known_with_and_without_proc(monkeypatch):
    """Both ways of asking tell the same, and leave it as it is."""
    mask = os.umask(0o026)
    try:
        assert kernel.umask() == 0o026
        monkeypatch.setattr("builtins.open", failing(errno.ENOENT))
        assert kernel.umask() == 0o026
        assert kernel.umask() == 0o026
    finally:
        os.umask(mask)


# -- names and places ------------------------------------------------------------------------------------------------


def test_unlinking_tells_the_bytes_and_is_content_with_nothing(folder):
    """What was removed is told by its size; what is not there had none; a folder is refused."""
    put(f"{folder}/file", b"12345")
    assert DISK.unlink(f"{folder}/file") == 5
    assert DISK.unlink(f"{folder}/file") == 0
    with pytest.raises(InvalidDestination):
        DISK.unlink(folder)


def test_inode_is_of_the_link_itself(folder):
    """A symbolic link is itself, also when it leads nowhere."""
    os.symlink("nowhere", f"{folder}/link")
    assert DISK.inode(f"{folder}/link") == os.lstat(f"{folder}/link").st_ino
    assert DISK.inode(f"{folder}/nowhere") is None


def test_reading_needs_no_lock_and_follows_no_link(new_part, folder):
    """The bytes of a part that another holds can be read; links and pipes are refused, and nothing waits."""
    made = new_part(data=b"0123456789")
    assert DISK.read(made.path, 3, 4) == b"3456"
    assert DISK.read(made.path, 8, 100) == b"89"
    assert DISK.read(f"{folder}/gone/.file.1.part", 0, 9) == b""
    for obstacle, name in ((a_dangling_link, "l"), (a_fifo, "p"), (a_folder, "d")):
        with pytest.raises(InvalidDestination):
            DISK.read(obstacle(f"{folder}/{name}"), 0, 9)


def test_storage_is_of_the_file_system(folder, small):
    """Folders of one file system have one id, also before they are made; another file system has another."""
    assert DISK.storage(folder) == DISK.storage(f"{folder}/not/yet/there")
    assert DISK.storage(small) != DISK.storage(folder)
    told = subprocess.run(
        [sys.executable, "-c", f"from lading.adapters.disk import LocalDisk; print(LocalDisk().storage({folder!r}))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == DISK.storage(folder)


def test_storage_outlives_the_device_number(tmp_path, image):
    """A file system that comes back as another device is the same storage."""
    with contextlib.ExitStack() as mounts:
        with mounted(str(tmp_path / "once"), "-o", "loop", image) as place:
            once = DISK.storage(place)
            device = os.stat(place).st_dev
        other = str(tmp_path / "other")
        with open(other, "wb") as file:
            file.truncate(8 << 20)
        subprocess.run(["mkfs.ext4", "-q", other], check=True, capture_output=True)
        mounts.enter_context(mounted(str(tmp_path / "between"), "-o", "loop", other))
        assert DISK.storage(str(tmp_path / "between")) != once
        again = mounts.enter_context(mounted(str(tmp_path / "again"), "-o", "loop", image))
        assert DISK.storage(again) == once
        if os.stat(again).st_dev == device:
            pytest.skip("the system gave it the same device again")


@pytest.mark.parametrize(("uuid", "number", "kind"), [("ab" * 16, 7, "uuid:"), (None, 7, "fsid:"), (None, 0, "dev:")])
def test_storage_is_told_by_the_most_lasting_name_there_is(folder, monkeypatch, uuid, number, kind):
    """A UUID before a number of statvfs, and a device number only where there is neither."""
    real = os.statvfs

    class Answer:
        f_fsid = number

    monkeypatch.setattr(kernel, "file_system_uuid", lambda _: uuid)
    monkeypatch.setattr(os, "statvfs", lambda path: Answer() if number is not None else real(path))
    assert DISK.storage(folder).startswith(kind)


@pytest.mark.parametrize(("answer", "uuid"), [(b"\x10" + b"\xab" * 16, "ab" * 16), (b"\x10" + bytes(16), None)])
def test_blank_uuid_tells_no_file_system_from_another(monkeypatch, answer, uuid):
    """File systems that were never given a UUID answer with zeros, all the same ones."""

    def ioctl(_descriptor, _request, room):
        room[:] = answer

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    assert kernel.file_system_uuid(0) == uuid


def test_free_room_is_what_statvfs_gives_us(small):
    """Bytes written are bytes less, and a folder that is not there yet has the room of where it would be."""
    before = DISK.free(f"{small}/not/yet/there")
    put(f"{small}/file", b"x" * 500_000)
    assert before - DISK.free(small) >= 500_000
    assert before <= 1 << 20


@pytest.mark.law(5)
def test_paths_that_leave_the_folder_are_refused(tmp_path):
    """Dots, links and neighbours with a longer name do not get out; what stays inside is let through."""
    root = tmp_path / "downloads"
    for made in (root / "inner", tmp_path / "downloads2"):
        made.mkdir(parents=True)
    (root / "out").symlink_to(tmp_path)
    (root / "in").symlink_to(root / "inner")
    (tmp_path / "alias").symlink_to(root)
    (root / "round").symlink_to(root / "round")
    for inside in ("a", "a/b/c", "in/a", "inner/../a", "..a", "out/downloads/a"):
        DISK.check(str(root), f"{root}/{inside}")
        DISK.check(str(tmp_path / "alias"), f"{root}/{inside}")
    for outside in ("..", "../a", "out", "out/a", "inner/../../a", "", ".", "../downloads2/a", "a\0b"):
        with pytest.raises(InvalidDestination):
            DISK.check(str(root), f"{root}/{outside}")
    with pytest.raises(InvalidDestination):
        DISK.check(str(root), "/etc/passwd")


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


def test_a_pipe_is_not_overwritten(new_part, tmp_path):
    """Whoever says that a file may be replaced does not mean a device."""
    part, final = new_part(), tmp_path / "pipe"
    os.mkfifo(final)
    part.write(0, b"x")
    with pytest.raises(DestinationTaken):
        publish(part, str(final), replace=True, disk=LocalDisk())
    assert final.is_fifo()


@pytest.mark.law(2)
@pytest.mark.row("S2.4")
def test_a_group_is_flushed_part_by_part_and_its_folder_once(new_part, folder, monkeypatch):
    """Each part's bytes before its name; the folder after all of the names, and before anybody is told."""
    steps = []
    real_link, real_fsync, real_sync = os.link, os.fsync, part._fdatasync
    monkeypatch.setattr(os, "link", lambda *a, **k: (steps.append("link"), real_link(*a, **k)))
    monkeypatch.setattr(os, "fsync", lambda fd: (steps.append("folder"), real_fsync(fd)))
    monkeypatch.setattr(part, "_fdatasync", lambda fd: (steps.append("content"), real_sync(fd)))
    monkeypatch.setattr(kernel, "begin_writing", lambda _: steps.append("begin"))
    made = [new_part(f".{n}.1.part", b"%d" % n) for n in range(3)]
    steps.clear()
    assert DISK.publish([Publication(p, f"{folder}/{n}", False) for n, p in enumerate(made)]) == [None] * 3
    assert steps == ["begin"] * 3 + ["content"] * 3 + ["link"] * 3 + ["folder"]
    assert [DISK.read(f"{folder}/{n}", 0, 9) for n in range(3)] == [b"0", b"1", b"2"]


@pytest.mark.law(5)
def test_in_a_group_each_is_told_his_own_fault(new_part, folder, tmp_path):
    """A name that is taken, a folder that is none, and a flush that failed before do not keep the others."""
    put(f"{folder}/taken", b"somebody's")
    made = [new_part(f".{n}.1.part", b"%d" % n) for n in range(4)]
    made[3]._flush_error = errno.EIO
    names = [f"{folder}/good", f"{folder}/taken", f"{folder}/nowhere/file", f"{folder}/broken"]
    told = DISK.publish([Publication(p, name, False) for p, name in zip(made, names, strict=True)])
    assert [type(why) for why in told[:3]] == [type(None), DestinationTaken, FileNotFoundError]
    assert isinstance(told[3], OSError)
    assert DISK.read(f"{folder}/good", 0, 9) == b"0"
    assert DISK.read(f"{folder}/taken", 0, 99) == b"somebody's"
    assert not os.path.lexists(f"{folder}/broken")


@pytest.mark.law(2)
def test_when_the_folder_of_a_group_cannot_be_flushed_nobody_of_it_is_told_that_he_has_his_name(
    new_part, folder, tmp_path, monkeypatch
):
    """But those in another folder are."""
    (tmp_path / "other").mkdir()
    real = folders.flush
    broken = os.stat(folder).st_ino

    def flush(place):
        if os.fstat(place).st_ino == broken:
            raise OSError(errno.EIO, "the disk failed")
        real(place)

    made = [new_part(f".{n}.1.part", b"%d" % n) for n in range(3)]
    elsewhere = DISK.open_part(str(tmp_path / "other" / ".3.1.part"), create=True)
    monkeypatch.setattr(folders, "flush", flush)
    group = [Publication(p, f"{folder}/{n}", False) for n, p in enumerate(made)]
    told = DISK.publish([*group, Publication(elsewhere, str(tmp_path / "other" / "3"), False)])
    elsewhere.close()
    assert [type(why) for why in told] == [OSError, OSError, OSError, type(None)]


@pytest.mark.law(5)
def test_without_proc_another_file_under_the_name_of_the_part_is_not_taken_for_it(new_part, folder, monkeypatch):
    """Where the inode that is held cannot be linked itself, what was linked is looked at."""
    made = new_part(data=b"verified")
    monkeypatch.setattr(publishing, "_has_proc", lambda: False)
    os.unlink(made.path)
    put(made.path, b"somebody else's")
    with pytest.raises(DestinationTaken):
        publish(made, f"{folder}/file", replace=False)


@pytest.fixture(params=["local", "memory"])
def either(request, folder):
    """A real disk and one in memory, with a way to put a file there."""
    if request.param == "memory":
        memory = MemoryDisk()
        return memory, memory.put

    def put(path: str, data: bytes) -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)

    return DISK, put


@pytest.mark.row("S3.8")
@pytest.mark.law(5)
def test_a_folder_or_a_file_gets_another_name_and_never_replaces(either, folder):
    """What lies there is still there, the source too; else everything in it has moved, and is the same inode."""
    disk, put = either
    put(f"{folder}/a/deep/x", b"x")
    put(f"{folder}/b/y", b"y")
    inode, inner = disk.inode(f"{folder}/a"), disk.inode(f"{folder}/a/deep/x")
    assert None not in {inode, inner}
    for source, target in (("a", "b"), ("a/deep/x", "b/y"), ("a", "b/y"), ("a/deep/x", "b")):
        with pytest.raises(DestinationTaken):
            disk.rename(f"{folder}/{source}", f"{folder}/{target}")
    disk.rename(f"{folder}/a", f"{folder}/b/c")
    assert disk.inode(f"{folder}/a") is None
    assert (disk.inode(f"{folder}/b/c"), disk.inode(f"{folder}/b/c/deep/x")) == (inode, inner)
    disk.rename(f"{folder}/b/c/deep/x", f"{folder}/b/z")
    assert disk.read(f"{folder}/b/z", 0, 9) == b"x"
    assert disk.read(f"{folder}/b/y", 0, 9) == b"y"
    with pytest.raises(OSError, match=r"nothing|No such"):
        disk.rename(f"{folder}/a", f"{folder}/d")


@pytest.mark.row("S3.8")
def test_names_are_taken_away_files_and_empty_folders_only(either, folder):
    """A folder with something in it stays; what is not there needs nothing."""
    disk, put = either
    put(f"{folder}/a/deep/x", b"x")
    put(f"{folder}/a/y", b"y")
    disk.retract([f"{folder}/a/deep/x", f"{folder}/a/deep", f"{folder}/a", f"{folder}/none", f"{folder}/a/y/z"])
    assert disk.inode(f"{folder}/a/deep") is None
    assert disk.read(f"{folder}/a/y", 0, 9) == b"y"
    disk.retract([f"{folder}/a/y", f"{folder}/a"])
    assert disk.inode(f"{folder}/a") is None


@pytest.mark.row("S3.8")
def test_new_and_lost_names_are_flushed_before_that_is_said(folder, calls):
    """After a rename the folder that has the name now, and the one that had it; after a removal the folder of that."""
    os.makedirs(f"{folder}/a/b")
    for name in ("a/x", "a/b/y"):
        with open(f"{folder}/{name}", "wb"):
            pass
    calls.clear()
    DISK.rename(f"{folder}/a/x", f"{folder}/a/b/x")
    assert [name for call, name in calls if call == "fsync"] == ["b", "a"]
    calls.clear()
    DISK.retract([f"{folder}/a/b/x", f"{folder}/a/b/y", f"{folder}/a/none"])
    assert [name for call, name in calls if call == "fsync"] == ["b"]


@pytest.mark.row("S3.8")
def test_a_file_system_without_such_a_rename_is_refused_with_a_hint(folder, monkeypatch):
    """Nothing is replaced where nobody can promise that."""
    os.mkdir(f"{folder}/a")
    monkeypatch.setattr(kernel, "_libc", object())
    with pytest.raises(InvalidDestination) as caught:
        DISK.rename(f"{folder}/a", f"{folder}/b")
    assert "-d" in caught.value.hint
    assert os.listdir(folder) == ["a"]


@pytest.mark.row("S2.13")
@pytest.mark.parametrize("stay", [False, True])
def test_what_is_put_aside_is_the_same_file_under_another_name_that_lasts(folder, calls, stay):
    """By a rename, or a second name where it is to stay; and the folder is flushed after that."""
    path, aside = f"{folder}/file", f"{folder}/.file.kept"
    with open(path, "wb") as file:
        file.write(b"content")
    before = os.stat(path).st_ino
    assert DISK.set_aside(path, aside, stay=stay)
    assert DISK.inode(aside) == before
    assert os.path.exists(path) is stay
    assert calls[-1] == ("fsync", os.path.basename(folder))
    assert DISK.set_aside(f"{folder}/nothing", f"{folder}/.nothing.kept") is False
    assert DISK.set_aside(f"{folder}/nowhere/nothing", f"{folder}/nowhere/.kept") is False


@pytest.mark.row("S2.13")
@pytest.mark.parametrize("stay", [False, True])
@pytest.mark.parametrize("without", [False, True])
def test_putting_aside_never_replaces(folder, monkeypatch, stay, without):
    """Neither by a rename nor, where the kernel has none of that kind, by a link."""
    if without:

        def refuse(*_):
            raise OSError(errno.EINVAL, "no such rename")

        monkeypatch.setattr(kernel, "rename_no_replace", refuse)
    path, aside = f"{folder}/file", f"{folder}/.file.kept"
    for name, content in ((path, b"mine"), (aside, b"other")):
        with open(name, "wb") as file:
            file.write(content)
    with pytest.raises(DestinationTaken):
        DISK.set_aside(path, aside, stay=stay)
    assert (DISK.read(path, 0, 9), DISK.read(aside, 0, 9)) == (b"mine", b"other")
    os.unlink(aside)
    assert DISK.set_aside(path, aside, stay=stay)
    assert DISK.read(aside, 0, 9) == b"mine"
    assert os.path.exists(path) is stay


@pytest.mark.row("S2.13")
def test_only_files_and_links_are_put_aside(folder):
    """A folder is left alone, and a link goes itself, not what it names."""
    os.mkdir(f"{folder}/inner")
    assert DISK.set_aside(f"{folder}/inner", f"{folder}/.inner.kept") is False
    assert os.path.isdir(f"{folder}/inner")
    os.symlink("inner", f"{folder}/link")
    assert DISK.set_aside(f"{folder}/link", f"{folder}/.link.kept", stay=True)
    assert os.readlink(f"{folder}/.link.kept") == "inner"
