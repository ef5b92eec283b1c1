"""The server of a race: nginx on loopback where it is installed, else our own origin, which is slower.

It serves what it is given over http, and over https with a certificate made for the occasion.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from lading.domain.errors import StoreUnavailable
from lading.tools.origin import Behaviour, OriginProcess, Resource
from lading.tools.origin.certificate import certify

READY_S = 10.0
SPARE = 64
"""How many connections there may be beside those that were asked for."""

_CONFIG = """
{user} daemon off; worker_processes 1; pid {place}/pid; error_log {place}/log;
events {{ worker_connections {connections}; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; default_type application/octet-stream;
  client_body_temp_path {place}/1; proxy_temp_path {place}/2; fastcgi_temp_path {place}/3;
  uwsgi_temp_path {place}/4; scgi_temp_path {place}/5;
  server {{
    listen 127.0.0.1:{plain}; listen 127.0.0.1:{tls} ssl; root {root};
    ssl_certificate {certificate}; ssl_certificate_key {certificate};{pace}
  }}
}}
"""


@attrs.frozen(kw_only=True)
class Web:
    """Where files are served: `plain` and `tls` are the roots of their URLs, `certificate` what to trust."""

    server: str
    plain: str
    tls: str
    certificate: Path


@contextlib.contextmanager
def serving(
    resources: Sequence[Resource], place: Path, *, rate: int | None = None, connections: int = 1024
) -> Iterator[Web]:
    """Serve these; what the server needs goes to `place`, an empty folder.

    Each connection is given at most `rate` bytes a second, and there may be so many `connections` at once.

    Raises:
        StoreUnavailable: the server does not start.
    """
    certificate = place / "certificate.pem"
    certify(certificate)
    nginx = shutil.which("nginx")
    server = (
        _nginx(nginx, resources, certificate, rate=rate, connections=connections)
        if nginx
        else _origin(resources, certificate, rate=rate, connections=connections)
    )
    with server as web:
        yield web


@contextlib.contextmanager
def _nginx(
    nginx: str, resources: Sequence[Resource], certificate: Path, *, rate: int | None, connections: int
) -> Iterator[Web]:
    place = certificate.parent
    root = place / "www"
    root.mkdir()
    for resource in resources:
        with (root / resource.name).open("wb") as file:
            file.writelines(resource.pieces(0, resource.size))
    plain, tls = _free_ports(2)
    user = "user root;" if os.geteuid() == 0 else ""  # else its workers could not enter our folder
    config = place / "nginx.conf"
    config.write_text(
        _CONFIG.format(
            user=user,
            place=place,
            plain=plain,
            tls=tls,
            root=root,
            certificate=certificate,
            connections=connections + SPARE,
            pace="" if rate is None else f" limit_rate {rate};",
        )
    )
    process = subprocess.Popen([nginx, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await(process, plain)
        yield Web(
            server="nginx",
            plain=f"http://127.0.0.1:{plain}/",
            tls=f"https://127.0.0.1:{tls}/",
            certificate=certificate,
        )
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def _origin(resources: Sequence[Resource], certificate: Path, rate: int | None, connections: int) -> Iterator[Web]:
    most = connections + SPARE
    with (
        OriginProcess(resources, connections_max=most) as plain,
        OriginProcess(resources, connections_max=most, tls_certificate=certificate) as tls,
    ):
        for resource in resources if rate is not None else ():
            for origin in (plain, tls):
                origin.set(resource.name, Behaviour(rate=rate))
        yield Web(server="our own origin", plain=plain.root, tls=tls.root, certificate=certificate)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    patience_s = time.monotonic() + READY_S
    while process.poll() is None and time.monotonic() < patience_s:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return
        time.sleep(0.02)
    raise StoreUnavailable("nginx does not start", hint="`nginx -t` tells why")
