"""What every room's tests may stand on: a PostgreSQL server of our own, for as long as the session lasts."""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

START_TIMEOUT_S = 30
SERVER = "LADING_TEST_POSTGRES"
os.environ |= {"LADING_DISK_FREE_PERCENT": "0", "LADING_MEMORY_PERCENT": "100"}  # nothing waits for whose machine it is


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL database that tests may fill, or a skip that says why there is none."""
    named = os.environ.get(SERVER)
    if named:
        yield named
        return
    if sys.version_info >= (3, 13):
        pytest.skip(f"pgserver has no wheel for this Python; name a server in {SERVER}")
    package = importlib.util.find_spec("pgserver")
    if package is None or package.origin is None:
        pytest.skip(f"pgserver is not installed; name a server in {SERVER}")
    programs = Path(package.origin).parent / "pginstall" / "bin"
    with contextlib.ExitStack() as cleanup:
        folder = Path(tempfile.mkdtemp(prefix="lading-pg-"))
        cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
        yield _start(programs, folder, cleanup)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of an empty schema of its own in that server."""
    psycopg = pytest.importorskip("psycopg")
    schema = f"t{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
    yield f"{postgres_server}{'&' if '?' in postgres_server else '?'}schema={schema}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA {schema} CASCADE")


def _start(programs: Path, folder: Path, cleanup: contextlib.ExitStack) -> str:
    """Start a server in `folder` that listens on a socket there only, and return its URL.

    PostgreSQL refuses to run as root; then it runs as `nobody`, who must be able to read the programs.
    """
    who = {}
    if os.geteuid() == 0:
        try:
            nobody = pwd.getpwnam("nobody")
        except KeyError:
            pytest.skip(f"PostgreSQL does not run as root, and there is no user nobody; name a server in {SERVER}")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        who = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    data, log = folder / "data", folder / "log"
    calm = {"cwd": folder, "env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}, **who}
    make = [programs / "initdb", "-D", data, "-U", "lading", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    try:
        made = subprocess.run(make, capture_output=True, text=True, timeout=START_TIMEOUT_S, check=False, **calm)
    except OSError as error:
        pytest.skip(f"initdb cannot be run: {error}; name a server in {SERVER}")
    if made.returncode:
        pytest.skip(f"initdb failed: {made.stderr.strip().splitlines()[-1:]}; name a server in {SERVER}")
    run = [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "shared_buffers=16MB"]
    with log.open("wb") as output:
        server = subprocess.Popen(run, stdout=output, stderr=output, stdin=subprocess.DEVNULL, **calm)
    cleanup.callback(_stop, server)
    socket = folder / ".s.PGSQL.5432"
    deadline = time.monotonic() + START_TIMEOUT_S
    while not (socket.exists() and b"ready to accept connections" in log.read_bytes()):
        if server.poll() is not None or time.monotonic() > deadline:
            pytest.skip(f"postgres did not start: {log.read_text()[-300:]!r}; name a server in {SERVER}")
        time.sleep(0.02)
    return f"postgresql://lading@/postgres?host={quote(str(folder), safe='')}"


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGINT)  # at once: SIGTERM would wait for every client to leave
    try:
        server.wait(START_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def spellings(secret: str) -> dict[str, bytes]:
    """Every way in which a secret might be written down."""
    raw = secret.encode()
    found = {
        "raw": raw,
        "percent-encoded": quote(secret, safe="").encode(),
        "mildly encoded": quote(secret).encode(),
        "latin-1": secret.encode("latin-1"),
        "JSON": json.dumps(secret)[1:-1].encode(),
        "Python": repr(secret)[1:-1].encode(),
        "hexadecimal": raw.hex().encode(),
    }
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + raw)
        found[f"base64 at {shift}"] = coded[-(-shift * 4 // 3) + (shift > 0) : len(coded) // 4 * 4 - 4]
    return found


@pytest.fixture(scope="session")
def sought() -> Callable[[dict[str, str], bytes], list[str]]:
    """Say which of the secrets of those names are in a text, and how they are spelt."""

    def sought(canaries: dict[str, str], text: bytes) -> list[str]:
        return [
            f"{name}, {how}"
            for name, secret in canaries.items()
            for how, form in spellings(secret).items()
            if form in text
        ]

    return sought
