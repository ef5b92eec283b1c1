"""`lading config` shows each setting with its origin, and changes the file of the home and nothing else in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lading.adapters.http import extras


def settings(lading, *arguments):
    return {row["name"]: row for row in lading.rows("config", *arguments)}


def test_every_setting_has_a_value_and_an_origin(lading, monkeypatch):
    """Defaults, then the file, then the environment."""
    assert settings(lading)["concurrency"] == {"name": "concurrency", "value": 3, "origin": "default", "default": 3}
    found = settings(lading, "set", "concurrency", "5")["concurrency"]
    assert (found["value"], found["origin"]) == (5, str(lading.home / "settings.toml"))
    monkeypatch.setenv("LADING_CONCURRENCY", "7")
    found = settings(lading)["concurrency"]
    assert (found["value"], found["origin"]) == (7, "environment")


def test_the_rest_of_the_file_stays_as_it_was_written(lading):
    """Comments, order and tables."""
    settings(lading, "set", "retries", "1")
    file = lading.home / "settings.toml"
    file.write_text("# mine\nretries = 1  # few\n\nper_host = 2")
    lading("config", "set", "concurrency", "4")
    lading("config", "set", "retries", "9")
    assert file.read_text() == "# mine\nretries = 9\n\nper_host = 2\nconcurrency = 4\n"
    lading("config", "unset", "retries")
    assert file.read_text() == "# mine\n\nper_host = 2\nconcurrency = 4\n"


@pytest.mark.parametrize(
    "words",
    [
        ("concurrency", "0"),
        ("concurrency", "many"),
        ("nope", "1"),
        ("trust_env", "perhaps"),
        ("http2", "2"),
        ("total_timeout_s", "-1"),
        ("cache", "perhaps"),
        ("features.retry", "101%"),
        ("features.nope", "on"),
        ("features", "on"),
        ("transport.ftp.http2", "on"),
        ("transport.http.stall_timeout_s", "0"),
        ("transport.http", "on"),
        ('host."a.example".speed', "1"),
        ('host."".limit_rate', "1"),
        ("features.retry", "3"),
        ("retries.more", "1"),
        ("a b", "1"),
    ],
)
def test_what_a_setting_cannot_be_is_refused(lading, words):
    """And the file stays."""
    said = lading("--json", "config", "set", *words, code=2)
    assert said.trouble["kind"] == "InvalidSetting"
    assert not (lading.home / "settings.toml").exists()


@pytest.mark.parametrize("name", ["http2", "transport.http.http2"])
def test_what_needs_a_package_that_is_not_there_is_refused(lading, monkeypatch, name):
    """No engine could be opened with it; how to get it is said, and how to do without where it was set elsewhere."""
    monkeypatch.setitem(extras.PACKAGES, "http2", "no-such-package-anywhere")
    said = lading("--json", "config", "set", name, "on", code=2)
    assert "pip install 'lading[http2]'" in said.trouble["hint"]
    assert not (lading.home / "settings.toml").exists()
    lading("config", "set", name, "off")
    assert {row["check"]: row["status"] for row in lading.rows("doctor")}["settings"] == "ok"
    monkeypatch.setenv(f"LADING_{name.upper().replace(chr(46), chr(95))}", "on")
    said = lading("--json", "run", code=2)
    assert "config unset http2" in said.trouble["hint"]
    assert "config unset http2" in lading("doctor", code=3).out


@pytest.mark.row("S2.9")
def test_settings_of_tables_have_values_and_origins_too(lading, monkeypatch):
    """The default, the file, the environment; what is not set is shown as well."""
    found = settings(lading, "set", "features.direct_io", "30%")
    file = str(lading.home / "settings.toml")
    assert found["features.direct_io"] == {
        "name": "features.direct_io",
        "value": "30%",
        "origin": file,
        "default": "on",
    }
    assert found["features.retry"]["origin"] == "default"
    settings(lading, "set", "transport.http.stall_timeout_s", "20")
    monkeypatch.setenv("LADING_TRANSPORT_HTTP_CONNECT_TIMEOUT_S", "5")
    monkeypatch.setenv("LADING_FEATURES_DIRECT_IO", "off")
    found = settings(lading)
    shown = {name: (row["value"], row["origin"]) for name, row in found.items() if row["origin"] != "default"}
    assert shown == {
        "features.direct_io": ("off", "environment"),
        "transport.http.connect_timeout_s": (5.0, "environment"),
        "transport.http.stall_timeout_s": (20.0, file),
    }
    assert Path(file).read_text() == '[features]\ndirect_io = "30%"\n\n[transport.http]\nstall_timeout_s = 20.0\n'
    found = settings(lading, "unset", "transport.http.stall_timeout_s")
    assert found["transport.http.stall_timeout_s"]["value"] is None


def test_who_changes_a_setting_is_shown_that_one(lading):
    """And where one of it is left no more, that."""
    assert [line.split()[:2] for line in lading("config", "set", "retries", "9").out.splitlines()] == [
        ["SETTING", "VALUE"],
        ["retries", "9"],
    ]
    assert lading("config", "unset", "retries").out.splitlines()[1].split()[0] == "retries"
    assert "a.example" in lading("config", "set", 'host."a.example".requests', "3").out
    (lading.home / "settings.toml").write_text("")
    said = lading("config", "unset", 'host."a.example".requests')
    assert (said.out, "not set any more" in said.err) == ("", True)


@pytest.mark.row("S1.6")
def test_each_setting_of_a_hook_can_be_set_beside_those_that_it_has(lading):
    """One that is new begins with a command or a url; what is left of one must be a hook still."""
    assert settings(lading, "set", "hooks.new.command", "echo hi")["hooks.new.command"]["value"] == "(not shown)"
    settings(lading, "set", "hooks.new.timeout_s", "5")
    found = settings(lading, "set", "hooks.new.on", "failed, completed")
    assert (found["hooks.new.timeout_s"]["value"], found["hooks.new.on"]["value"]) == (5.0, ["failed", "completed"])
    file = lading.home / "settings.toml"
    written = '[hooks.new]\ncommand = "echo hi"\ntimeout_s = 5.0\non = ["failed", "completed"]\n'
    assert file.read_text() == written
    for words in (
        ("set", "hooks.other.timeout_s", "5"),
        ("set", "hooks.new.url", "http://a.test/"),
        ("set", "hooks.new.on", "nonsense"),
        ("set", "hooks.new.nonsense", "5"),
        ("unset", "hooks.new.command"),
    ):
        assert lading("--json", "config", *words, code=2).trouble["hint"]
        assert file.read_text() == written
    assert settings(lading, "unset", "hooks.new.timeout_s")["hooks.new.timeout_s"]["value"] == 60.0


@pytest.mark.row("S3.11")
def test_a_feature_that_is_off_is_off_in_a_run(lading):
    """The engine reads the same file."""
    lading("config", "set", "features.retry", "off")
    assert lading.row("get", "http://127.0.0.1:9/x", "--retries", "3", code=1)["attempts"] == 1


def test_a_file_that_is_no_toml_is_named(lading):
    """Nothing is written over it."""
    settings(lading, "set", "retries", "1")
    file = lading.home / "settings.toml"
    file.write_text("nope")
    assert str(file) in lading("config", "set", "retries", "2", code=2).err
    assert file.read_text() == "nope"


def test_sizes_and_truths_are_taken_as_people_write_them(lading):
    """2G is two times 1024³."""
    assert settings(lading, "set", "reserve_bytes", "2G")["reserve_bytes"]["value"] == 2 << 30
    assert settings(lading, "set", "trust_env", "off")["trust_env"]["value"] is False


def test_what_is_set_is_what_a_run_does(lading):
    """The engine reads the same file."""
    lading("config", "set", "retries", "0")
    assert lading.row("get", "http://127.0.0.1:9/x", code=1)["attempts"] == 1


@pytest.mark.parametrize(
    ("name", "said"), [("retries", "a whole number"), ("poll_s", "a number"), ("trust_env", "yes or no")]
)
def test_what_a_setting_takes_is_told_in_words(lading, name, said):
    """Not by the name of a class."""
    assert lading("--json", "config", "set", name, "many", code=2).trouble["hint"] == f"it is {said}"


def test_a_path_means_the_same_file_wherever_one_stands(lading, folder, monkeypatch):
    """It is written whole; an empty one is none; one that is not whole is refused where it could mean anything."""
    assert settings(lading)["cookies"] == {"name": "cookies", "value": None, "origin": "default", "default": None}
    assert "no file" in lading("--json", "config", "set", "cookies", "c.txt", code=2).trouble["error"]
    (folder / "c.txt").touch()
    assert settings(lading, "set", "cookies", "c.txt")["cookies"]["value"] == str(folder / "c.txt")
    monkeypatch.setenv("LADING_COOKIES", "~/c.txt")
    assert settings(lading)["cookies"]["value"] == str(Path.home() / "c.txt")
    monkeypatch.setenv("LADING_COOKIES", "")
    assert settings(lading)["cookies"]["value"] is None
    assert "none" in lading("config").out
    monkeypatch.setenv("LADING_COOKIES", "c.txt")
    assert "whole path" in lading("--json", "config", code=2).trouble["hint"]
    monkeypatch.delenv("LADING_COOKIES")
    assert settings(lading, "set", "cookies", "")["cookies"]["value"] is None


@pytest.mark.row("S2.4")
@pytest.mark.parametrize("name", ["cookies", "client_certificate", "netrc"])
def test_a_file_that_a_setting_names_and_that_cannot_be_used_stops_who_would_need_it(
    lading, origin, folder, monkeypatch, name
):
    """Whoever runs downloads is told at once, as a question of usage; whoever only asks is not kept from it."""
    monkeypatch.setenv("NETRC", str(folder / "nonsense"))
    (folder / "nonsense").write_text("nonsense")
    if name != "netrc":
        lading("config", "set", "netrc", "off")
        lading("config", "set", name, "nonsense")
    lading("add", origin.url("small.bin"))
    said = lading("--json", "run", code=2)
    assert said.trouble["kind"] == "InvalidSetting"
    assert said.trouble["hint"]
    lading("list")
    lading("config", "set", "netrc", "off") if name == "netrc" else lading("config", "unset", name)
    assert lading.row("run")["state"] == "completed"


@pytest.mark.row("S2.4")
def test_what_the_files_know_is_sent_by_a_run(lading, origin, folder, monkeypatch):
    """The engine reads the files that the settings name."""
    monkeypatch.setenv("NETRC", str(folder / "logins"))
    (folder / "logins").write_text("machine 127.0.0.1 login me password pass")
    (folder / "c.txt").write_text("# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\ta\tb\n")
    lading("config", "set", "cookies", "c.txt")
    lading("get", origin.url("small.bin"))
    sent = origin.requests[0].headers
    assert (sent["authorization"], sent["cookie"]) == ("Basic bWU6cGFzcw==", "a=b")


@pytest.mark.parametrize("name", ["anchors.safe.file", "anchors.safe"])
def test_a_table_goes_with_its_last_setting_or_by_its_name(lading, name):
    """An anchor without a place is none, so what is left of it would be refused; all else stays as it is written."""
    lading("config", "set", "retries", "1")
    file = lading.home / "settings.toml"
    before = file.read_text()
    lading("config", "set", "anchors.safe.file", lading.home / "settings.toml")
    with file.open("a") as text:
        text.write('\n# mine\n[anchors.other]\nfile = "/x"\n')
    assert lading("config", "unset", name).err == f"{name} is not set any more\n"
    assert file.read_text().split() == [*before.split(), "#", "mine", "[anchors.other]", "file", "=", '"/x"']
    lading("config", "unset", "anchors.other")
    assert "anchors" not in file.read_text()
    lading("config", "unset", "anchors.other")
    lading("config", "unset", "anchors", code=2)


def test_a_table_that_holds_more_keeps_it(lading):
    """Only its last setting takes a table along; by its name it goes whole, and an inline table is one line."""
    lading("config", "set", 'host."a.example".limit_rate', "1M")
    lading("config", "set", 'host."a.example".connections', "2")
    lading("config", "unset", 'host."a.example".connections')
    text = (lading.home / "settings.toml").read_text()
    assert '[host."a.example"]' in text
    assert "connections" not in text
    lading("config", "unset", 'host."a.example"')
    assert "host" not in (lading.home / "settings.toml").read_text()
    (lading.home / "settings.toml").write_text('[anchors]\nsafe = { file = "/x" }\n')
    lading("config", "unset", "anchors.safe.file")
    assert "safe" not in (lading.home / "settings.toml").read_text()
