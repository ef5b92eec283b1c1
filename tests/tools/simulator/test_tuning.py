"""What an incident has of the settings, and what can be tried instead."""

from __future__ import annotations

import pytest

from lading.domain.errors import InvalidSetting, UsageError
from lading.settings import Settings, load
from lading.tools.simulator.pseudonyms import Pseudonyms
from lading.tools.simulator.tuning import changed, in_force, rebuilt, smaller

pytestmark = pytest.mark.row("C.6")
HOSTS = {"a.example": {"connections": 2, "limit_rate": "1M"}, "a.example:8443": {"requests": 3}, "localhost": {}}


def test_settings_come_back_as_they_were_and_hosts_as_they_are_called_now():
    """Nothing of them that may be a secret is there, and nothing else is missing."""
    names = Pseudonyms(b"key")
    before = load(None, {}, concurrency=7, retries=1, metered="200K", host=HOSTS, features={"retry": "30%"},
                  cookies="/secret/cookies.txt", client_key="/secret/key")  # fmt: skip
    found = in_force(before, names)
    after = rebuilt(found)
    assert "secret" not in repr(found)
    assert "example" not in repr(found)
    assert (after.concurrency, after.retries, after.metered) == (7, 1, "204800")
    assert after.features.retry == 30
    hidden = names.host("a.example")
    assert after.of_host(f"{hidden}:443").connections == 2
    assert after.of_host(f"{hidden}:{names.port(8443)}").requests == 3
    assert names.host("localhost").endswith(".localhost")


def test_a_wish_is_read_as_settings_are():
    """Sizes, tables and shares as `lading config set` takes them; what was set is told."""
    found = in_force(Settings(), Pseudonyms(b"key"))
    after, told = changed(
        found, ["concurrency=8", "limit_rate = 2M", "features.retry=off", 'host."h.invalid".requests=2']
    )
    settings = rebuilt(after)
    assert (settings.concurrency, settings.limit_rate, settings.features.retry) == (8, 2 << 20, 0)
    assert settings.of_host("h.invalid:80").requests == 2
    assert told == {"concurrency": 8, "limit_rate": 2 << 20, "features.retry": "off", "host.h.invalid.requests": 2.0}
    assert rebuilt(found).concurrency == Settings().concurrency


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ("concurrency", "sets nothing"),
        ("=3", "sets nothing"),
        ("concurency=3", "no setting"),
        ("concurrency=many", "--set: concurrency cannot be 'many'"),
        ("concurrency=0", "cannot be 0"),
        ("cookies=/x", "decides nothing that is simulated"),
        ("features.direct_io=off", "decides nothing that is simulated"),
        ("hooks.h.command=x", "decides nothing that is simulated"),
    ],
)
def test_a_wish_that_cannot_be_is_refused(wish, said):
    """With exit code 2, and a hint that tells what can be."""
    with pytest.raises((UsageError, InvalidSetting), match=said) as caught:
        changed(in_force(Settings(), Pseudonyms(b"key")), [wish])
    assert caught.value.exit_code == 2
    assert caught.value.hint


def test_a_smaller_world_has_smaller_rates_everywhere():
    """By the clock, for hosts and on a metered network too; what counts no bytes stays."""
    before = load(None, {}, limit_rate="1M", metered="10K", schedule="22:00-06:00 unlimited, 09:00-17:00 5K/s",
                  host={"h.example": {"limit_rate": 5000, "connections": 2}}, concurrency=4)  # fmt: skip
    after = smaller(before, 10)
    assert (after.limit_rate, after.metered, after.host_limit_rate, after.concurrency) == (104_857, "1024", 0, 4)
    assert after.schedule == "22:00-06:00 unlimited, 09:00-17:00 512"
    assert after.of_host("h.example:80").limit_rate == 500
    assert after.of_host("h.example:80").connections == 2
    assert smaller(before, 1) is before
