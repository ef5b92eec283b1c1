"""A real network taken away: the link of a network namespace goes down for a while in the midst of downloads.

The engine runs in a namespace of its own and reaches the origin over a pair of virtual interfaces. That needs root and
the kernel's leave; else this is skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time

import pytest

from lading.tools.origin import Resource

pytestmark = [
    pytest.mark.long,
    pytest.mark.row("S3.7"),
    pytest.mark.timeout(120),
]

MIB = 1024 * 1024
HOST, GUEST = "10.213.77.1", "10.213.77.2"
FILES = [Resource(f"file{number}", 8 * MIB, f"seed{number}") for number in range(3)]
OUTAGE_S = 30.0
SERVE = """
import sys, trio
from lading.tools.origin import Behaviour, Origin, Resource
files = [Resource(f"file{number}", 8 * 1024 * 1024, f"seed{number}") for number in range(3)]
with Origin(files, host=sys.argv[1]) as origin:
    for file in files:
        origin.set(file.name, Behaviour(rate=1_000_000))
    print(origin.url(""), flush=True)
    sys.stdin.read()
"""


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def namespace():
    """A namespace with one interface, and the name of ours at the other end of it."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("making a network namespace needs root and the program ip")
    name, ours, theirs = f"lading{os.getpid()}", f"ld{os.getpid()}a"[-15:], f"ld{os.getpid()}b"[-15:]
    try:
        run("ip", "netns", "add", name)
    except subprocess.CalledProcessError:
        pytest.skip("this kernel lets nobody make a network namespace")
    try:
        run("ip", "link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", name)
        run("ip", "addr", "add", f"{HOST}/24", "dev", ours)
        run("ip", "link", "set", ours, "up")
        inside = ("ip", "netns", "exec", name)
        run(*inside, "ip", "addr", "add", f"{GUEST}/24", "dev", theirs)
        run(*inside, "ip", "link", "set", theirs, "up")
        yield name, theirs
    finally:
        subprocess.run(["ip", "link", "del", ours], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def test_a_link_that_is_down_for_half_a_minute_costs_no_retry(namespace, tmp_path):
    """What runs gives way, what waits stays, and all of it is there in the end, from where it was."""
    name, link = namespace
    serving = [sys.executable, "-c", SERVE, HOST]
    with subprocess.Popen(serving, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as origin:
        root = origin.stdout.readline().strip()
        lading = [
            "ip",
            "netns",
            "exec",
            name,
            sys.executable,
            "-m",
            "lading",
            "--home",
            str(tmp_path / "home"),
            "--json",
        ]
        environ = {**os.environ, "LADING_WATCH_S": "0.5", "LADING_CONCURRENCY": "2"}
        urls = [f"{root.rstrip('/')}/{file.name}" for file in FILES]
        with subprocess.Popen(
            [*lading, "get", "--retries", "0", "--connections", "1", "-d", str(tmp_path / "files"), *urls],
            stdout=subprocess.PIPE,
            env=environ,
            text=True,
        ) as engine:
            time.sleep(4)
            run("ip", "netns", "exec", name, "ip", "link", "set", link, "down")
            time.sleep(OUTAGE_S)
            during = subprocess.run([*lading, "list"], capture_output=True, text=True, check=True, env=environ)
            run("ip", "netns", "exec", name, "ip", "link", "set", link, "up")
            told = engine.communicate(timeout=60)[0]
        origin.communicate()
    rows = [json.loads(line) for line in during.stdout.splitlines()]
    assert {row["state"] for row in rows} <= {"waiting", "queued"}
    assert all("network" in row["why"] for row in rows)
    assert engine.returncode == 0
    ended = [json.loads(line) for line in told.splitlines()]
    assert sorted(row["state"] for row in ended) == ["completed"] * 3
    assert any(row["resumed_from"] > 0 for row in ended)
    for file in FILES:
        assert (tmp_path / "files" / file.name).read_bytes() == file.read(0, file.size)
    log = subprocess.run([*lading, "log"], capture_output=True, text=True, check=True).stdout
    assert "RetryScheduled" not in log
    assert log.count("NetworkChanged") == 2
