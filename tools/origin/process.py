"""An origin in a process of its own, held by its stdin: it shares neither our loop nor our interpreter's lock."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from lading.domain.errors import UsageError
from lading.tools.origin import script
from lading.tools.origin.behaviour import Behaviour
from lading.tools.origin.content import Content

STOP_S = 10.0


class OriginProcess:
    """What `Origin` is, out of process and without its memory of requests; ends with its context, or with us.

    Args:
        contents: What it serves from the start.
        port_file: File that gets the port, for other processes to find.
        tls_certificate: PEM with key and chain, to speak https.
        connections_max: Connections served at once.
    """

    def __init__(
        self,
        contents: Iterable[Content] = (),
        *,
        port_file: Path | None = None,
        tls_certificate: Path | None = None,
        connections_max: int | None = None,
    ) -> None:
        self._contents = tuple(contents)
        self._certificate = tls_certificate
        self._command = [sys.executable, "-m", "lading.tools.origin"]
        if port_file:
            self._command += ["--port-file", str(port_file)]
        if tls_certificate:
            self._command += ["--tls-certificate", str(tls_certificate)]
        if connections_max:
            self._command += ["--connections", str(connections_max)]
        self.root = ""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        try:
            self.root = self._hear()["url"]
            for content in self._contents:
                self.put(content)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._process.communicate(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    @property
    def environ(self) -> dict[str, str]:
        """What a program needs in its environment to trust this origin."""
        return {"SSL_CERT_FILE": str(self._certificate)} if self._certificate else {}

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def url(self, name: str) -> str:
        """Return the URL of the resource of that name, whether there is one or not."""
        return self.root + quote(name)

    def put(self, content: Content) -> None:
        """Serve this, in place of what has its name already, which passes on its behaviour; counts begin anew."""
        self._tell(script.write(content))

    def set(self, name: str, behaviour: Behaviour) -> None:
        """From the next request on treat the resource of that name so, and count its requests anew.

        Raises:
            UsageError: nothing of that name is served.
        """
        self._tell(script.write(name=name, behaviour=behaviour))

    def _tell(self, text: str) -> None:
        assert self._process.stdin is not None
        print(text, file=self._process.stdin, flush=True)
        answer = self._hear()
        if "error" in answer:
            raise UsageError(answer["error"], hint=answer["hint"])

    def _hear(self) -> dict[str, str]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise UsageError(
                f"the origin process ended by itself (status {self._process.wait(STOP_S)})",
                hint="its stderr above says why",
            )
        answer: dict[str, str] = json.loads(line)
        return answer
