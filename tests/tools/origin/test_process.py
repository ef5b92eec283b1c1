"""An origin in a process of its own is the same origin, and never outlives who started it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain.errors import UsageError
from lading.tools.origin import (
    Behaviour,
    Change,
    Drip,
    Drop,
    Framing,
    IfRange,
    Modified,
    OriginProcess,
    Page,
    Ranges,
    Redirect,
    Refusal,
    Resource,
    Stall,
    script,
)

SIZE = 10_000
FILE = Resource("a file.bin", SIZE, "seed")
TRUTH = FILE.read()


@settings(deadline=None)  # cattrs compiles its hooks at the first example
@given(
    st.builds(
        Behaviour,
        refusals=st.lists(st.builds(Refusal, st.integers(400, 599), st.none() | st.integers(0, 5))).map(tuple),
        redirect=st.none() | st.builds(Redirect, st.none() | st.text()),
        change=st.none() | st.builds(Change, st.integers(0, 9)),
        ranges=st.sampled_from(Ranges),
        if_range=st.sampled_from(IfRange),
        framing=st.sampled_from(Framing),
        modified=st.sampled_from(Modified),
        headers=st.lists(st.tuples(st.text(), st.text())).map(tuple),
        drip=st.none() | st.builds(Drip, st.integers(1, 9)),
        rate=st.none() | st.integers(1, 9),
        stall=st.none() | st.builds(Stall, st.floats(0, 9), st.integers(0, 9), st.none() | st.integers(0, 9)),
        drop=st.none() | st.builds(Drop, st.none() | st.integers(0, 9), probability=st.floats(0, 1)),
        gzip=st.booleans(),
    )
)
def test_a_behaviour_survives_the_way_to_another_process(behaviour):
    """What is written for a process is read there as what it was."""
    line = script.read(script.write(FILE, behaviour=behaviour), seed="unused")
    assert line == script.Line(
        name=FILE.name, size=str(SIZE), seed=FILE.seed, media_type=FILE.media_type, behaviour=behaviour
    )
    assert line.content == FILE


def test_a_page_survives_the_way_to_another_process():
    """Body and media type arrive."""
    page = Page("list", "ü\n".encode(), media_type="text/plain")
    assert script.read(script.write(page), seed="unused").content == page


@pytest.mark.parametrize(
    ("text", "size"),
    [("x=4096", 4096), ("x=64K", 65536), ("x=2M", 2 << 20), ("x=2M\n", 2 << 20), ('{"name":"x","size":7}', 7)],
)
def test_a_resource_can_be_named_in_short(text, size):
    """`NAME=SIZE` takes the seed of the command line, and is the same with the end of its line."""
    assert script.read(text, seed="own").content == Resource("x", size, "own")


@pytest.mark.parametrize(
    "text", ["x", "x=", "x=5Q", "{", "[]", '{"name":"x","sise":1}', '{"name":"x","behaviour":{"rate":0}}']
)
def test_a_script_that_cannot_be_meant_is_refused_with_a_hint(text):
    """A misspelt field is an error, not silence."""
    with pytest.raises(UsageError) as refused:
        assert script.read(text, seed="s").content
    assert refused.value.hint


def test_a_process_serves_changes_at_run_time_and_ends_with_its_context(tmp_path, connect):
    """Put, set and url work as they do in a thread; an error comes back; the port file holds the port."""
    port_file = tmp_path / "port"
    with OriginProcess([FILE], port_file=port_file) as origin:
        assert origin.root == f"http://127.0.0.1:{int(port_file.read_text())}/"
        assert [path.name for path in tmp_path.iterdir()] == ["port"]
        client = connect(origin.root)
        assert client.get().body == TRUTH
        origin.set(FILE.name, Behaviour(refusals=(Refusal(503),)))
        assert client.get().status == 503
        origin.put(Page("page", b"text"))
        assert client.get("page").body == b"text"
        with pytest.raises(UsageError, match="nothing named"):
            origin.set("nothing", Behaviour())
    assert origin._process.returncode == 0


COMMAND = [sys.executable, "-m", "lading.tools.origin"]


def test_the_command_line_names_resources_and_sigterm_ends_it():
    """It says when it is ready and exits with 0 when told to end."""
    guarded = json.dumps({"name": "b", "size": 9, "behaviour": {"refusals": [{"status": 403, "times": None}]}})
    with subprocess.Popen(
        [*COMMAND, "--seed", "seed", "--resource", f"{FILE.name}={SIZE}", "--resource", guarded],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        ready = json.loads(process.stdout.readline())
        connection = http.client.HTTPConnection("127.0.0.1", ready["port"], timeout=10)
        connection.request("GET", "/a%20file.bin")
        assert connection.getresponse().read() == TRUTH
        connection.request("GET", "/b")
        assert connection.getresponse().status == 403
        connection.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_a_resource_that_cannot_be_meant_ends_the_command_with_2():
    """The reason and what to do about it are on stderr."""
    done = subprocess.run([*COMMAND, "--resource", "x=5Q"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert done.returncode == 2
    assert b"not a size" in done.stderr
    assert b"hint: " in done.stderr


def test_the_process_dies_with_a_parent_that_was_killed():
    """SIGKILL gives a parent no chance to clean up; the end of stdin tells its origin all the same."""
    parent_code = (
        "import sys, signal\n"
        "from lading.tools.origin import OriginProcess\n"
        "with OriginProcess() as origin:\n"
        "    print(origin.pid, flush=True)\n"
        "    signal.pause()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent_code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as parent:
        pid = int(parent.stdout.readline())
        parent.kill()
        parent.wait(10)
        assert parent.stderr.read() == b"", "its origin held this pipe too, and has let go of it without complaint"
        assert not os.path.exists(f"/proc/{pid}/fd/0")
