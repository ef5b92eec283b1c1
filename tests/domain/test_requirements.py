"""What is unmet, by a look at the machine: a table, and nothing else decides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.domain import requirements
from lading.domain.errors import InvalidSetting
from lading.domain.requirements import DISK, MEMORY, METERED, NETWORK, SCHEDULE, Conditions, Policy, holds, unmet

pytestmark = [pytest.mark.row("S2.10"), pytest.mark.row("S3.7")]

POLICY = Policy(memory_percent=80)
TABLE = [
    (Conditions(), POLICY, set()),
    (Conditions(online=True, metered=True, memory_percent=79.9), POLICY, set()),
    (Conditions(online=False), POLICY, {NETWORK}),
    (Conditions(online=False), Policy(memory_percent=80, network=False), set()),
    (Conditions(online=False, metered=True), Policy(memory_percent=80, metered="pause"), {NETWORK}),
    (Conditions(online=True, metered=True), Policy(memory_percent=80, metered="pause"), {METERED}),
    (Conditions(online=True, metered=True), Policy(memory_percent=80, metered="200"), set()),
    (Conditions(metered=None), Policy(memory_percent=80, metered="pause"), set()),
    (Conditions(memory_percent=80.0), POLICY, {MEMORY}),
    (Conditions(memory_percent=100.0), Policy(memory_percent=100), set()),
    (Conditions(online=False, memory_percent=99.0), POLICY, {NETWORK, MEMORY}),
]


@pytest.mark.parametrize(("conditions", "policy", "expected"), TABLE)
def test_what_is_unmet_follows_from_a_look_and_the_settings(conditions, policy, expected):
    """What the system does not tell stands in nobody's way; each reason comes with words for people."""
    found = unmet(conditions, policy)
    assert set(found) == expected
    assert all(found.values())


def test_the_schedule_has_everything_rest():
    """Asleep is a reason like the others."""
    assert set(unmet(Conditions(), POLICY, asleep=True)) == {SCHEDULE}


@given(used=st.floats(0, 100), most=st.integers(10, 99))
def test_memory_has_to_come_down_clearly_before_it_is_out_of_the_way(used, most):
    """Once in the way, it is for five points below the limit, and never the other way round."""
    policy, look = Policy(memory_percent=most), Conditions(memory_percent=used)
    fresh, again = MEMORY in unmet(look, policy), MEMORY in unmet(look, policy, before={MEMORY})
    assert fresh == (used >= most)
    assert again == (used >= most - 5)


@pytest.mark.parametrize("host", ["localhost:80", "127.0.0.1:8080", "127.9.9.9:1", "[::1]:443", "a.localhost:80"])
def test_the_network_holds_nothing_that_lies_on_this_machine(host):
    """Its loopback addresses and its name, and what is below that name (RFC 6761 §6.3)."""
    assert holds({NETWORK: "", METERED: ""}, host) is None
    assert holds({NETWORK: "", DISK: ""}, host) == DISK


@pytest.mark.parametrize("host", ["a.example:80", "127.0.0.1.a.example:80", "localhost.a.example:80", "[fe80::1]:80"])
def test_the_network_holds_all_that_lies_elsewhere(host):
    """A name that only looks like this machine's is none."""
    assert holds({NETWORK: ""}, host) == NETWORK


def test_a_part_of_the_disk_is_left_alone_and_at_least_so_much():
    """Whichever is more."""
    assert requirements.reserve(64, 10, 1000) == 100
    assert requirements.reserve(64, 5, 1000) == 64
    assert requirements.reserve(0, 0, 1000) == 0


@pytest.mark.parametrize(
    ("value", "meant"), [("run", "run"), ("pause", "pause"), ("7", "7"), ("2K", "2048"), ("1m", "1048576")]
)
def test_what_a_metered_network_does_is_one_of_three(value, meant):
    """To run, to pause, or a rate as everywhere else."""
    assert requirements.metered(value) == meant


@pytest.mark.parametrize("value", ["", "stop", "0", "-1", "2X", "1.5M", "²"])
def test_what_a_metered_network_cannot_do_is_refused(value):
    """And the hint says what can be."""
    with pytest.raises(InvalidSetting) as refused:
        requirements.metered(value)
    assert "run, pause" in refused.value.hint


def test_what_is_in_the_way_of_memory_is_said_with_the_setting_that_it_is_of():
    """So that who wants it otherwise knows where."""
    (said,) = unmet(Conditions(memory_percent=91.0), POLICY).values()
    assert said == "91 % of the memory is in use, 80 % is the most (memory_percent)"
