"""Tables of settings: each is typed, each fault in one is told with where it stands, and none hides the others."""

from __future__ import annotations

import pytest

from lading.domain.errors import InvalidSetting
from lading.settings import HostLimits, load


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
