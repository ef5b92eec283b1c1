"""`lading get` brings files, says where they are, and loses nothing when it is stopped."""

from __future__ import annotations

import signal

import pytest

from lading.tools.origin import Behaviour, Refusal, Resource


def test_the_paths_of_the_files_are_all_that_stdout_gets(lading, origin, small, folder):
    """Progress goes to stderr, so that the answer can be piped."""
    said = lading("get", origin.url(small.name))
    assert said.out == f"{folder / small.name}\n"
    assert (folder / small.name).read_bytes() == small.read()
    assert "attempt 1 started" in said.err


def test_one_failure_among_several_is_exit_code_1_and_the_others_are_there(lading, origin, small, folder):
    """What can be had is had, and what failed says why and what to do."""
    said = lading("get", origin.url("missing"), origin.url(small.name), code=1)
    assert said.out == f"{folder / small.name}\n"
    assert "refused" in said.err
    assert "hint: " in said.err


def test_json_is_one_object_a_download_and_one_for_the_trouble(lading, origin, small):
    """A program reads each line by itself."""
    said = lading("--json", "get", origin.url("missing"), origin.url(small.name), code=1)
    by_state = {row["state"]: row for row in said.rows}
    assert by_state["completed"]["digest"] == small.digest()
    assert by_state["completed"]["assurance"] == "length"
    assert by_state["failed"]["error"].startswith("refused")
    assert said.trouble == {
        "error": "1 of 2 downloads failed",
        "hint": "`lading why ID` tells why, `lading retry ID` tries again",
        "kind": "TransferError",
        "exit_code": 1,
    }


def test_json_is_taken_after_the_verb_too(lading, origin, small):
    """Where it stands makes no difference."""
    assert lading("get", origin.url(small.name), "--json").rows[0]["size"] == small.size


@pytest.mark.parametrize(
    ("options", "path"),
    [(("-o", "sub/x.bin"), "sub/x.bin"), (("-d", "other"), "other/small.bin"), (("-d", "o", "-o", "y"), "o/y")],
)
def test_the_file_goes_where_the_options_say(lading, origin, small, folder, options, path):
    """`-o` names the file, `-d` its folder."""
    lading("get", origin.url(small.name), *options)
    assert (folder / path).read_bytes() == small.read()


@pytest.mark.parametrize(
    "option", [("-o", "x"), ("--digest", f"sha256:{'0' * 64}"), ("--key", "k"), ("--mirror", "http://m/")]
)
def test_what_is_said_of_one_file_is_refused_for_several(lading, origin, small, large, option):
    """Else two files would fight for one name, or one key would hide the second."""
    said = lading("get", origin.url(small.name), origin.url(large.name), *option, code=2)
    assert option[0] in said.err
    assert not lading.home.exists()


def test_a_file_with_another_digest_never_gets_its_name(lading, origin, small, folder):
    """Exit code 1, and the folder stays empty."""
    said = lading("get", origin.url(small.name), "--digest", f"sha256:{'0' * 64}", "--retries", 0, code=1)
    assert "digest-mismatch" in said.err
    assert not (folder / small.name).exists()


@pytest.mark.parametrize(
    ("choice", "code", "name", "content"),
    [
        ("fail", 1, None, b"mine"),
        ("skip", 0, "small.bin", b"mine"),
        ("rename", 0, "small (2).bin", b"mine"),
        ("overwrite", 0, "small.bin", None),
    ],
)
def test_a_file_that_is_there_is_treated_as_asked(lading, origin, small, folder, choice, code, name, content):
    """Nothing is overwritten unless the user says so, and to skip is not to fail."""
    (folder / small.name).write_bytes(b"mine")
    said = lading("get", origin.url(small.name), "--if-exists", choice, code=code)
    assert said.out == ("" if name is None else f"{folder / name}\n")
    assert (folder / small.name).read_bytes() == (content or small.read())


def test_a_skipped_file_is_no_error_to_a_program(lading, origin, small, folder):
    """The object says that it was skipped and where the file is."""
    (folder / small.name).write_bytes(b"mine")
    row = lading.row("get", origin.url(small.name), "--if-exists", "skip")
    assert (row["skipped"], row["error"], row["path"]) == (True, None, str(folder / small.name))
    assert lading("get", origin.url(small.name), "--if-exists", "skip").err.count("skipped") == 1


def test_asking_again_under_a_key_gives_the_same_download(lading, origin, small):
    """It is reported again and not fetched again."""
    first = lading.row("get", origin.url(small.name), "--key", "mine")
    again = lading.row("get", origin.url(small.name), "--key", "mine")
    assert again == first
    assert len(lading.rows("list")) == 1


def test_headers_reach_the_server_and_no_secret_comes_back(lading, origin, small):
    """Not in the answer, not in what looks at it later, not in the files of the log."""
    origin.set(small.name, Behaviour(authorization="Bearer canary-1"))
    url = origin.url(small.name) + "?token=canary-2"
    said = lading("--json", "get", url, "--header", "Authorization: Bearer canary-1", "--key", "k")
    looks = [said, *(lading(*verb) for verb in [("list",), ("log", "--json"), ("why", "k"), ("show", "k")])]
    assert not any("canary" in text for look in looks for text in (look.out, look.err))
    assert not any(b"canary" in path.read_bytes() for path in (lading.home / "log").iterdir())


def test_a_header_without_a_colon_is_refused_without_repeating_it(lading):
    """It may be a secret."""
    said = lading("get", "http://localhost/", "--header", "canary", code=2)
    assert "canary" not in said.err


def test_a_failure_that_may_pass_is_tried_again_as_often_as_asked(lading, origin, small):
    """`--retries 0` is one attempt."""
    origin.set(small.name, Behaviour(refusals=[Refusal(503, times=None, retry_after_s=0)]))
    assert lading.row("get", origin.url(small.name), "--retries", 0, code=1)["attempts"] == 1
    assert lading.row("get", origin.url(small.name), "--retries", 2, "-o", "again", code=1)["attempts"] == 3


def test_the_command_that_was_interrupted_goes_on_when_it_is_given_again(
    lading, origin, large, folder, spawn, eventually
):
    """Nothing that was durable is fetched twice, and it says what it does."""
    process = spawn("get", origin.url(large.name))
    eventually(lambda: [part for part in folder.glob(".*.part") if part.stat().st_size])
    said = process.end(signal.SIGINT)
    assert said.code == 130
    assert "the same command goes on" in said.err
    held = lading.row("list")["received"]
    assert held > 0
    origin.set(large.name, Behaviour())
    again = lading("get", origin.url(large.name), "--limit-rate", "1G")
    assert again.err.splitlines()[:2] == [
        f"{origin.url(large.name)} was asked for before, and goes on",
        "hint: it is as it was asked for, without this --limit-rate; see `lading limit`",
    ]
    assert again.out == f"{folder / large.name}\n"
    tries = lading.row("show", lading.row("list")["id"])["tries"]
    assert [tried["bytes"] for tried in tries] == [held, large.size - held]
    assert (folder / large.name).read_bytes() == large.read()


@pytest.mark.parametrize("key", [(), ("--key", "k")])
def test_what_was_only_added_is_what_get_brings(lading, origin, small, key):
    """Also where it was paused: to add it again changes nothing of that, to get it does."""
    id = lading.add(origin.url(small.name), *key)
    lading("pause", id)
    again = lading("add", origin.url(small.name), origin.url(small.name)) if not key else None
    assert again is None or (again.out, again.err.splitlines()[-1]) == (f"{id}\n" * 2, "2 known already, 0 added")
    assert lading.row("list")["state"] == "paused"
    said = lading("get", origin.url(small.name), *key)
    assert "was paused, and goes on" in said.err
    assert [(row["id"], row["state"]) for row in lading.rows("list")] == [(id, "completed")]


def test_a_digest_that_a_keys_download_does_not_have_is_refused(lading, origin, small, folder):
    """Nobody would hold it against the file; the one that the file has is as good as asked for."""
    url, wrong = origin.url(small.name), f"sha256:{'0' * 64}"
    lading("add", url, "--key", "k")
    for verb in ("add", "get"):
        said = lading(verb, url, "--key", "k", "--digest", wrong, code=2)
        assert "without this digest" in said.err
        assert "`lading show k`" in said.err
    lading("get", url, "--key", "k")
    assert lading("get", url, "--key", "k", "--digest", small.digest()).out == f"{folder / small.name}\n"
    assert "without this digest" in lading("get", url, "--key", "k", "--digest", wrong, code=2).err


@pytest.mark.long
def test_who_only_follows_is_told_that_the_other_engine_goes_on(lading, origin, large, spawn, working, eventually):
    """An interruption of the one who looks ends no work."""
    getting = spawn("get", origin.url(large.name))
    eventually(lambda: [row for row in lading.rows("list") if row["state"] == "active"])
    said = getting.end(signal.SIGINT)
    assert said.code == 130
    assert "the engine that works on this home goes on" in said.err
    assert lading("wait", lading.row("list")["id"]).code == 0


@pytest.mark.long
def test_a_signal_stops_in_good_order_and_run_goes_on(lading, origin, large, folder, spawn, eventually):
    """Exit code 130; what was received is durable, and nothing is fetched twice."""
    process = spawn("get", origin.url(large.name))
    eventually(lambda: [part for part in folder.glob(".*.part") if part.stat().st_size])
    said = process.end(signal.SIGTERM)
    assert said.code == 130
    assert "lading run" in said.err
    row = lading.row("list")
    assert row["state"] == "queued"
    assert row["received"] > 0
    assert lading("run").out == f"{folder / large.name}\n"
    assert (folder / large.name).read_bytes() == large.read()
    assert lading.row("show", row["id"])["tries"][1]["bytes"] == large.size - row["received"]


@pytest.mark.long
def test_a_running_engine_is_followed_and_its_death_survived(lading, origin, large, folder, spawn, working, eventually):
    """`get` beside `run` lets it work; when that is killed, it takes over and goes on."""
    getting = spawn("get", origin.url(large.name))
    eventually(lambda: [row for row in lading.rows("list") if row["state"] == "active"])
    working.end(signal.SIGKILL)
    said = getting.end()
    assert said.code == 0, said
    assert said.out == f"{folder / large.name}\n"
    assert "another engine works on this home" in said.err
    assert (folder / large.name).read_bytes() == large.read()
    workers = [row["data"]["worker"] for row in lading.rows("log") if row["event"] == "Started"]
    assert len(set(workers)) == 2


@pytest.mark.row("S2.12")
def test_what_was_fetched_before_comes_out_of_the_cache_unless_that_is_refused(lading, origin, folder):
    """Small files only where that is set; and nothing is kept of what is fetched with --no-cache."""
    large = Resource("twice.bin", 2_000_000)
    origin.put(large)
    told = [
        lading.row("get", origin.url(large.name), "-o", name, *options)["cached"]
        for name, options in (("a", ("--no-cache",)), ("b", ()), ("c", ()), ("d", ("--no-cache",)))
    ]
    assert told == [False, False, True, False]
    assert {(folder / name).read_bytes() for name in "abcd"} == {large.read()}
    lading("config", "set", "cache", "off")
    assert not lading.row("get", origin.url(large.name), "-o", "e")["cached"]
