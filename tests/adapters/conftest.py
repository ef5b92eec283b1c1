"""What the tests of the disk and of HTTP share: parts, file systems, origins and raw servers, and how they are used.

The plain functions are handed out by session fixtures, so that hypothesis may use them, and no test imports another.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NoReturn

import pytest
import trustme

from lading.adapters.disk import LocalDisk, part
from lading.adapters.http import HTTPXTransport
from lading.domain.disks import Part, Publication
from lading.domain.errors import TransferError
from lading.domain.ports import Call, Reply
from lading.tools.origin import Origin, Resource

DISK = LocalDisk()
FILE = Resource("file.bin", 300_000)


# -- the disk --------------------------------------------------------------------------------------------------------


def publish(made: Part, final: str, *, replace: bool, disk: LocalDisk = DISK) -> None:
    """Publish one part, and raise what keeps it from being published."""
    (why,) = disk.publish([Publication(made, final, replace)])
    if why is not None:
        raise why


def content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def put(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)


def failing(number: int) -> Callable[..., NoReturn]:
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
def folder(tmp_path: Path) -> str:
    """An empty folder, by its path."""
    return str(tmp_path)


@pytest.fixture
def new_part(folder: str) -> Iterator[Callable[..., part.LocalPart]]:
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
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
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


@pytest.fixture
def small(tmp_path: Path) -> Iterator[str]:
    """A file system of 1 MiB."""
    with mounted(str(tmp_path / "small"), "-t", "tmpfs", "-o", "size=1m", "tmpfs") as place:
        yield place


@pytest.fixture
def image(tmp_path: Path) -> str:
    """An ext4 of 8 MiB in a file, to be mounted."""
    path = str(tmp_path / "image")
    with open(path, "wb") as file:
        file.truncate(8 << 20)
    try:
        subprocess.run(["mkfs.ext4", "-q", path], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no mkfs.ext4: {error}")
    return path


@pytest.fixture(params=[errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK])
def no_links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without links, as each kind of it says so."""
    monkeypatch.setattr(os, "link", failing(request.param))


@pytest.fixture(scope="session", name="publish")
def _publish() -> Callable[..., None]:
    """Publishes one part."""
    return publish


@pytest.fixture(scope="session", name="content")
def _content() -> Callable[[str], bytes]:
    """Reads a file."""
    return content


@pytest.fixture(scope="session", name="put")
def _put() -> Callable[[str, bytes], None]:
    """Writes a file."""
    return put


@pytest.fixture(scope="session", name="failing")
def _failing() -> Callable[[int], Callable[..., NoReturn]]:
    """Makes calls that fail with an error of the system's."""
    return failing


@pytest.fixture(scope="session", name="mounted")
def _mounted() -> Callable[..., AbstractContextManager[str]]:
    """Mounts file systems."""
    return mounted


# -- HTTP ------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def raw(*answers: bytes | Callable[[socket.socket], Any], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve one connection after the other: read a head, send these bytes (or do this), close; yields the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for answer in answers:
            with contextlib.suppress(OSError), contextlib.ExitStack() as open_lines:
                line = open_lines.enter_context(listener.accept()[0])
                line.settimeout(20)
                if tls is not None:
                    line = open_lines.enter_context(tls.wrap_socket(line, server_side=True))
                if callable(answer):
                    answer(line)
                else:
                    read_head(line)
                    line.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(20)
        assert not thread.is_alive()


def read_head(line: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = line.recv(65536)
        if not more:
            raise OSError("the client went away")
        data += more
    return data


async def body(reply: Reply, room: int = 10_007) -> bytes:
    """Receive the rest of a body through one buffer that is used again and again."""
    data, buffer = bytearray(), bytearray(room)
    while count := await reply.receive_into(memoryview(buffer)):
        data += buffer[:count]
    return bytes(data)


async def until_it_breaks(reply: Reply) -> tuple[bytes, TransferError]:
    data, buffer = bytearray(), bytearray(10_007)
    try:
        while count := await reply.receive_into(memoryview(buffer)):
            data += buffer[:count]
    except TransferError as error:
        return bytes(data), error
    pytest.fail(f"the body ended well after {len(data)} bytes")


async def failure(transport: HTTPXTransport, call: Call) -> TransferError:
    with pytest.raises(TransferError) as caught:
        async with transport.exchange(call) as reply:
            await body(reply)
    return caught.value


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Issues certificates, for which nobody else vouches."""
    return trustme.CA()


@pytest.fixture(scope="module")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """Believes that authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture(scope="module")
def served(authority: trustme.CA) -> ssl.SSLContext:
    """TLS of a server on this machine, with a certificate of that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


@pytest.fixture
def origin() -> Iterator[Origin]:
    """Serve `FILE`."""
    with Origin([FILE]) as one:
        yield one


@pytest.fixture
def other() -> Iterator[Origin]:
    """Serve `FILE` from another origin."""
    with Origin([FILE]) as one:
        yield one


@pytest.fixture
async def transport() -> AsyncIterator[HTTPXTransport]:
    """A transport of a few seconds' patience."""
    made = HTTPXTransport(connect_timeout_s=5.0, read_timeout_s=5.0, connections_max=2)
    yield made
    await made.aclose()
    gc.collect()


@pytest.fixture(scope="session", name="raw")
def _raw() -> Callable[..., AbstractContextManager[int]]:
    """Serves raw answers."""
    return raw


@pytest.fixture(scope="session", name="read_head")
def _read_head() -> Callable[[socket.socket], bytes]:
    """Reads the head of a question."""
    return read_head


@pytest.fixture(scope="session", name="body")
def _body() -> Callable[..., Awaitable[bytes]]:
    """Receives a body."""
    return body


@pytest.fixture(scope="session", name="until_it_breaks")
def _until_it_breaks() -> Callable[[Reply], Awaitable[tuple[bytes, TransferError]]]:
    """Receives a body that breaks, and says how."""
    return until_it_breaks


@pytest.fixture(scope="session", name="failure")
def _failure() -> Callable[[HTTPXTransport, Call], Awaitable[TransferError]]:
    """Makes an exchange that fails, and says how."""
    return failure
