"""An origin with one file, and the ways of asking it."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from lading.tools.origin import Behaviour, Origin, Resource

FILE = Resource("a file.bin", 10_000, "seed")


class Got(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Client:
    """A connection to an origin, kept alive, made anew when it was closed."""

    def __init__(self, root: str) -> None:
        self.connection = http.client.HTTPConnection(root.removeprefix("http://").rstrip("/"), timeout=10)

    def get(self, name: str = FILE.name, method: str = "GET", /, **headers: str) -> Got:
        """Ask for `name`; underscores in the names of header fields stand for hyphens."""
        named = {field.replace("_", "-"): value for field, value in headers.items()}
        self.connection.request(method, "/" + name.replace(" ", "%20"), headers=named)
        with self.connection.getresponse() as response:
            return Got(response.status, response.headers, response.read())


@pytest.fixture
def origin() -> Iterator[Origin]:
    """Serve `FILE`."""
    with Origin([FILE]) as origin:
        yield origin


@pytest.fixture
def connect() -> Iterator[Callable[[str], Client]]:
    """Return what makes a client of the origin with that root."""
    clients: list[Client] = []

    def connect(root: str) -> Client:
        clients.append(Client(root))
        return clients[-1]

    yield connect
    for client in clients:
        client.connection.close()


@pytest.fixture
def client(origin: Origin, connect: Callable[[str], Client]) -> Client:
    """Return a client of `origin`."""
    return connect(origin.root)


@pytest.fixture
def treat(origin: Origin) -> Callable[..., None]:
    """Return what treats `FILE` by a behaviour of these fields."""
    return lambda **fields: origin.set(FILE.name, Behaviour(**fields))


@pytest.fixture
def raw(origin: Origin) -> Callable[[str], bytes]:
    """Return what sends bytes and returns all that comes back until the origin ends the connection."""

    def raw(sent: str) -> bytes:
        with socket.create_connection(("127.0.0.1", origin.port), timeout=10) as line:
            line.sendall(sent.encode())
            line.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: line.recv(1 << 16), b""))

    return raw
