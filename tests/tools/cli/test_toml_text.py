"""Changing one setting of a TOML file: it says that afterwards, and everything else is as it was, byte for byte."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.tools.cli import toml_text

pytestmark = pytest.mark.row("S2.9")

FILE = """# mine
retries = 3   # so many

[features]   # try
direct_io = "30%"

# the slow one
[host."a.example"]
limit_rate = "2M"
"""


@pytest.mark.parametrize(
    ("name", "value", "before", "after"),
    [
        ("retries", 5, "retries = 3   # so many", "retries = 5"),
        ("poll_s", 1.5, "retries = 3   # so many\n", "retries = 3   # so many\npoll_s = 1.5\n"),
        ("features.direct_io", "off", 'direct_io = "30%"', 'direct_io = "off"'),
        ("features.retry", "off", 'direct_io = "30%"\n', 'direct_io = "30%"\nretry = "off"\n'),
        ('host."a.example".connections', 2, 'limit_rate = "2M"\n', 'limit_rate = "2M"\nconnections = 2\n'),
        ("features.direct_io", None, 'direct_io = "30%"\n', ""),
        ("features.retry", None, "", ""),
        ("transport.http.http2", None, "", ""),
        ("transport.http.http2", True, 'limit_rate = "2M"\n', 'limit_rate = "2M"\n\n[transport.http]\nhttp2 = true\n'),
    ],
)
def test_one_line_changes_and_nothing_else(name, value, before, after):
    """Comments, order and empty lines are people's."""
    assert toml_text.changed(FILE, toml_text.path(name), value) == FILE.replace(before, after, 1)


@pytest.mark.parametrize(
    "text",
    [
        'features = { direct_io = "on" }\n',
        'features.direct_io = "on"\n',
        'x = """\n[features]\n"""\n',
        "features = 3\n",
    ],
)
def test_what_is_written_in_another_way_is_left_alone(text):
    """Either it fits in all the same, or nothing is changed."""
    after = toml_text.changed(text, ("features", "direct_io"), "off")
    assert after is None or tomllib.loads(after)["features"] == {"direct_io": "off"}


@pytest.mark.parametrize("name", ["", "a b", "a.", ".a", "a = 1\nb", "[a]", '"a'])
def test_what_is_no_name_is_none(name):
    """And does not become one."""
    assert toml_text.path(name) is None


KEYS = st.sampled_from(["a", "b", "c.d", "ä", 'q"', "-"])


@given(
    st.lists(
        st.tuples(st.lists(KEYS, min_size=1, max_size=3), st.none() | st.integers(0, 9) | st.text(max_size=5)),
        max_size=12,
    )
)
def test_any_changes_after_each_other_make_what_they_say(changes):
    """Or are refused where one key would be a value and a table at once; never does the text say something else."""
    text, held = "", {}
    for name, value in changes:
        after = toml_text.changed(text, name, value)
        if after is None:
            continue
        at = held
        for key in name[:-1]:
            at = at.setdefault(key, {})
        at.pop(name[-1], None)
        if value is not None:
            at[name[-1]] = value
        text = after
        assert pruned(tomllib.loads(text)) == pruned(held)


def pruned(table):
    """A table without empty ones in it."""
    inner = {key: pruned(value) if isinstance(value, dict) else value for key, value in table.items()}
    return {key: value for key, value in inner.items() if value != {}}
