"""Tables of settings: each is typed, each fault in one is told with where it stands, and none hides the others."""

from __future__ import annotations

import pytest

from lading.domain.errors import InvalidSetting
from lading.settings import HostLimits, changed, load


def written(tmp_path, text):
    """Return the settings of a file."""
    file = tmp_path / "settings.toml"
    file.write_text(text)
    return load(file, {})


def test_a_table_is_read_beside_the_plain_settings(tmp_path):
    """Sizes in it are as people write them, and what it does not say is at its default."""
    found = written(tmp_path, 'per_host = 2\n[host."a.example"]\nlimit_rate = "2M"\nrequests = 3\n[host.b]\n')
    assert found.per_host == 2
    assert found.hosts == {"a.example": HostLimits(limit_rate=2 << 20, requests=3.0), "b": HostLimits()}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('host = "a"', "host cannot be 'a'"),
        ("[host]\na = 1", '[host."a"] cannot be 1'),
        ("[host.a]\nspeed = 1", "[host.\"a\"] has no setting 'speed'"),
        ('[host.a]\nrequests = "many"', '[host."a"]: requests cannot be'),
        ("[host.a]\nlimit_rate = -1", '[host."a"]: limit_rate cannot be -1'),
        ("[hosts.a]\nlimit_rate = 1", "there is no setting 'hosts'"),
        ('[host.""]\nlimit_rate = 1', "host has a table without a name"),
        ("[features]\nretry = 3", "retry cannot be 3"),
    ],
)
def test_a_fault_in_a_table_is_told_with_where_it_stands(tmp_path, text, said):
    """The file, the table, the setting; and a hint what to do."""
    with pytest.raises(InvalidSetting) as caught:
        written(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path))
    assert said in str(caught.value)
    assert caught.value.hint


def test_a_call_may_give_a_table_ready_made_or_in_words():
    """As an embedder does."""
    for given in ({"limit_rate": 5}, HostLimits(limit_rate=5)):
        assert load(None, {}, host={"a": given}).hosts == {"a": HostLimits(limit_rate=5)}


@pytest.mark.row("S2.9")
def test_what_is_set_for_a_transport_wins_over_what_is_set_for_all(tmp_path):
    """Wherever either was set; and each layer says only what it says."""
    file = tmp_path / "settings.toml"
    file.write_text("stall_timeout_s = 7\n[transport.http]\nstall_timeout_s = 20\nhttp2 = true\n")
    found = load(file, {"LADING_TRANSPORT_HTTP_TOTAL_TIMEOUT_S": "9"}, connect_timeout_s=3)
    own = found.of_transport("http")
    assert (own.stall_timeout_s, own.http2, own.total_timeout_s, own.connect_timeout_s) == (20.0, True, 9.0, 3.0)
    assert (found.stall_timeout_s, found.http2, found.of_transport("other")) == (7.0, False, found)
    assert found.origins["transport.http.stall_timeout_s"] == str(file)
    assert found.origins["transport.http.total_timeout_s"] == "environment"


@pytest.mark.row("S2.9")
def test_a_call_says_of_a_table_what_it_says(tmp_path):
    """The rest of it stays as the file has it."""
    file = tmp_path / "settings.toml"
    file.write_text('[features]\nretry = "off"\ndirect_io = "30%"\n[host.a]\nrequests = 1\n[host.b]\nrequests = 1\n')
    found = load(file, {}, features={"direct_io": "off"}, host={"a": {"connections": 2}})
    assert (found.features.retry, found.features.direct_io, found.features.network) == (0, 0, 100)
    assert found.hosts == {"a": HostLimits(requests=1.0, connections=2), "b": HostLimits(requests=1.0)}
    assert [found.origins[f"features.{name}"] for name in ("retry", "direct_io")] == [str(file), "call"]


@pytest.mark.row("S3.11")
def test_features_can_be_switched_while_an_engine_works():
    """One of them, and the others stay; a transport is made when the engine is, so its sections cannot."""
    found = changed(load(None, {}, features={"retry": "off"}), features={"direct_io": "30%"})
    assert (found.features.retry, found.features.direct_io) == (0, 30)
    with pytest.raises(InvalidSetting):
        changed(found, transport={"http": {"http2": True}})


@pytest.mark.row("S2.9")
def test_a_transport_that_there_is_not_is_told_with_those_that_there_are(tmp_path):
    """A typing error must not be a setting that nobody reads."""
    with pytest.raises(InvalidSetting) as caught:
        written(tmp_path, "[transport.htpp]\nhttp2 = true")
    assert "[transport.htpp]" in str(caught.value)
    assert "[transport.http]" in caught.value.hint


@pytest.mark.law(7)
@pytest.mark.parametrize(
    "text",
    ['hooks = "https://h.example/s3cret"', '[hooks]\nh = "https://h.example/s3cret"',
     '[hooks.h]\nurl = ["https://h.example/s3cret"]'],
)  # fmt: skip
def test_what_may_be_a_secret_is_not_told_where_it_stands_wrongly(tmp_path, text):
    """The URL of a hook is often a secret by itself, and a table is easily forgotten."""
    with pytest.raises(InvalidSetting) as caught:
        written(tmp_path, text)
    assert "hooks" in str(caught.value)
    assert "s3cret" not in str(caught.value) + caught.value.hint
