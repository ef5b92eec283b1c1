"""How many connections: more as long as they help, fewer when they do not, and no trying where it is not worth it."""

from __future__ import annotations

import pytest

from lading.domain.growth import LOOK_S, PATIENCE_S, Growth, is_slow

pytestmark = pytest.mark.row("S2.4")
MUCH = 10**12


def grown(rates, *, most: int = 6, looks: int = 20, left: int = MUCH) -> list[int]:
    """Return how many connections there were at each look, `rates` giving the rate of so many."""
    growth, counts, count = Growth(most), [], 1
    for number in range(looks):
        counts.append(count)
        count = growth.look(number * LOOK_S, rates(count), running=count, left=left)
    return counts


def test_where_each_connection_is_limited_their_number_doubles_up_to_the_most():
    """Every two looks: one to get going, one to be measured."""
    assert grown(lambda count: 1e6 * count) == [1, 1, 2, 2, 4, 4, *[6] * 14]


def test_where_the_line_is_full_a_second_one_is_tried_and_given_up():
    """And not tried again before its time."""
    assert grown(lambda _: 5e6) == [1, 1, 2, 2, *[1] * 16]
    tries = sum(count == 2 for count in grown(lambda _: 5e6, looks=200))
    assert tries == 2 * 3, "each wait is twice as long"
    assert PATIENCE_S >= 10


def test_it_stops_where_more_no_longer_help():
    """Four fill this line; six are not kept."""
    assert grown(lambda count: min(4e6, 1e6 * count))[-1] == 4


def test_what_is_soon_over_is_left_alone():
    """A file that needs two seconds more gets no second connection."""
    assert set(grown(lambda count: 1e9 * count, left=2 * 10**9)) == {1}


def test_no_more_than_are_allowed():
    """Whatever it might bring; and a bound that is lowered holds at once."""
    assert max(grown(lambda count: 1e6 * count, most=3)) == 3
    assert set(grown(lambda count: 1e6 * count, most=1)) == {1}
    growth = Growth(8)
    for number, count in enumerate((1, 1, 2, 2, 4)):
        growth.look(number, 1e6 * count, running=count, left=MUCH)
    growth.most = 2
    assert growth.look(9, 4e6, running=4, left=MUCH) == 2


def test_nothing_is_judged_while_connections_come_and_go():
    """A rate that was measured with another number says nothing of this one."""
    growth = Growth(4)
    for number in range(2):
        growth.look(number, 1e6, running=1, left=MUCH)
    assert growth.wanted == 2
    for number in range(2, 5):
        assert growth.look(number, 1e6, running=1, left=MUCH) == 2, "the second has not come yet"
    growth.look(6, 1e6, running=2, left=MUCH)
    assert growth.look(7, 2e6, running=2, left=MUCH) == 4


@pytest.mark.parametrize(
    ("rate", "since_s", "slow"), [(0.0, 4.0, True), (29.0, 9.0, True), (31.0, 9.0, False), (0.0, 3.0, False)]
)
def test_a_line_is_slow_below_a_third_of_the_mean_for_some_seconds(rate, since_s, slow):
    """A moment's silence is nothing."""
    assert is_slow(rate, 100.0, since_s) is slow
