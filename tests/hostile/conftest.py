"""What the tests against hostile origins share: a real engine on real sockets and disks, and what came of it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

import lading
from lading.domain import events as e

Answer = bytes | Callable[[socket.socket], None]
Fetch = Callable[..., Awaitable["Verdict"]]
PATIENCE_S = 20.0


@attrs.frozen(kw_only=True)
class Verdict:
    """How a download ended, what the log tells of it, and what lies on the disk now."""

    outcome: lading.Outcome
    events: list[e.Event]
    files: dict[str, bytes]
    """What lies in the download folder under names that people see."""
    parts: list[str]
    """What else lies there."""

    @property
    def ended(self) -> str:
        """`whole`, or the cause of the failure."""
        return "whole" if self.outcome.ok else str(self.outcome.cause)

    def all(self, kind: type[e.Event]) -> list[Any]:
        """Return its events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def fetch(tmp_path: Path) -> Fetch:
    """Download a URL with an engine of its own home, to whatever end it comes."""
    folder = tmp_path / "files"
    folder.mkdir()
    settings = lading.Settings(stall_timeout_s=0.6, connect_timeout_s=2.0, trust_env=False)

    async def download(url: str, **options: Any) -> Verdict:
        async with lading.open_engine(tmp_path / "home", downloads=folder, settings=settings) as engine:
            id = (await engine.submit(lading.Request(url, **options))).id
            outcome = await engine.wait(id)
            events = [fact.event for fact in engine.reading.stream(id)]
        found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        hidden = [name for name in found if name.rpartition("/")[2].startswith(".")]
        files = {name: path.read_bytes() for name, path in found.items() if name not in hidden}
        return Verdict(outcome=outcome, events=events, files=files, parts=hidden)

    return download


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Serve raw answers, one connection after the other, the last for all that follow; returns the URL of a file."""
    with contextlib.ExitStack() as stack:
        yield lambda *answers: stack.enter_context(_server(answers))


@contextlib.contextmanager
def _server(answers: tuple[Answer, ...]) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    lines: list[threading.Thread] = []

    def accept() -> None:
        number = 0
        with contextlib.suppress(OSError):
            while True:
                line = listener.accept()[0]
                line.settimeout(PATIENCE_S)
                answer = answers[min(number, len(answers) - 1)]
                number += 1
                lines.append(threading.Thread(target=_answer, args=(line, answer), daemon=True))
                lines[-1].start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/file.bin"
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in (acceptor, *lines):
            thread.join(PATIENCE_S)


def _answer(line: socket.socket, answer: Answer) -> None:
    with line, contextlib.suppress(OSError):
        if callable(answer):
            answer(line)
            return
        head = b""
        while b"\r\n\r\n" not in head and (more := line.recv(65536)):
            head += more
        line.sendall(answer)
