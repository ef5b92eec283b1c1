"""Feature flags: on, off, or for a share of the downloads that only their ids decide."""

from __future__ import annotations

import random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.domain import features
from lading.domain.features import Features, Percent

pytestmark = pytest.mark.row("S3.11")

IDS = [UUID(int=random.Random(number).getrandbits(128)) for number in range(2000)]


@pytest.mark.parametrize(
    ("value", "share", "shown"),
    [
        ("on", 100, "on"),
        ("OFF", 0, "off"),
        (True, 100, "on"),
        (False, 0, "off"),
        ("30%", 30, "30%"),
        (" 30 % ", 30, "30%"),
        (Percent(30), 30, "30%"),
        ("100%", 100, "on"),
        ("0%", 0, "off"),
    ],
)
def test_a_share_is_read_and_shown_as_people_write_it(value, share, shown):
    """And what is shown can be read again."""
    read = Percent.parse(value)
    assert (read, str(read)) == (share, shown)
    assert Percent.parse(str(read)) == read


@pytest.mark.parametrize(
    "value", ["", "most", "101%", "-1%", "30.5%", "nan%", "inf%", None, [], "30%%", "%", 3, 30.0, "3", "1", 0]
)
def test_what_is_no_share_is_refused(value):
    """Rather than taken for one: `retry = 3` is meant as a number of attempts."""
    with pytest.raises((ValueError, TypeError)):
        Percent.parse(value)


@given(st.uuids(), st.sampled_from(["retry", "direct_io"]), st.integers(0, 99), st.integers(1, 100))
def test_a_larger_share_has_all_of_the_smaller(id, feature, less, more):
    """Rolling out further takes nobody out; 0 is nobody, 100 everybody."""
    small, large = (Features(**{feature: Percent(share)}) for share in sorted((less, more)))
    assert large.is_on(feature, id) or not small.is_on(feature, id)
    assert Features().is_on(feature, id)
    assert not Features(**{feature: Percent(0)}).is_on(feature, id)


def test_a_share_is_about_as_many_and_others_for_each_feature():
    """Features are rolled out to different downloads, so that one that fails can be told from another."""
    chosen = {name: {id for id in IDS if features.bucket(name, id) < 30} for name in ("retry", "direct_io")}
    for ids in chosen.values():
        assert 0.25 < len(ids) / len(IDS) < 0.35
    both = chosen["retry"] & chosen["direct_io"]
    assert 0.06 < len(both) / len(IDS) < 0.12


def test_where_a_download_stands_never_changes():
    """Another version of the program must send it the same way."""
    assert [features.bucket(name, UUID(int=1)) for name in ("retry", "recovery", "direct_io")] == BUCKETS


BUCKETS = [80, 76, 73]


def test_what_is_not_plainly_on_is_told():
    """In words that tell the way that was taken."""
    ids = {Features(direct_io=Percent(30)).is_on("direct_io", id): id for id in IDS[:50]}
    switched = Features(retry=Percent(0), direct_io=Percent(30))
    assert switched.flags(ids[True]) == ("retry:off", "direct_io:on:30%")
    assert switched.flags(ids[False]) == ("retry:off", "direct_io:off:30%")
    assert Features().flags(ids[True]) == ()
