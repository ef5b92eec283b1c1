"""Who fetches which bytes: every missing byte has one taker at most, and in the end each was fetched once."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain import spans
from lading.domain.allotment import LEAST_BYTES, Allotment, Share

MIB = 1024 * 1024
GRID = 4 * MIB
pytestmark = pytest.mark.row("S2.4")


@st.composite
def missing(draw) -> spans.Spans:
    """Draw the missing ranges of a file."""
    gaps: spans.Spans = ()
    at = 0
    for _ in range(draw(st.integers(1, 4))):
        at += draw(st.integers(0, 3 * MIB))
        size = draw(st.integers(1, 40 * MIB))
        gaps = spans.union(gaps, at, at + size)
        at += size + 1
    return gaps


def are_apart(shares: list[Share]) -> bool:
    """Tell whether no byte is in two shares."""
    ranges = sorted((share.at, share.end) for share in shares if share.left)
    return all(end <= start for (_, end), (start, _) in itertools.pairwise(ranges))


@settings(max_examples=150)
@given(gaps=missing(), data=st.data())
def test_every_missing_byte_is_fetched_once(gaps, data):
    """Whatever connections come, go on, stop and take over, nothing is fetched twice and nothing forgotten."""
    allotment = Allotment(gaps, GRID)
    shares, fetched = [allotment.take_all(gaps[0][0])], spans.Spans()
    for _ in range(60):
        block = data.draw(st.integers(1, 16 * MIB))
        match data.draw(st.sampled_from(["take", "extend", "fetch", "fetch", "give back"])):
            case "take":
                share = allotment.take(block)
                shares += [share] if share else []
            case "extend" if shares:
                share = data.draw(st.sampled_from(shares))
                before = share.end
                assert allotment.extend(share, block) is (share.end > before)
            case "fetch" if shares:
                share = data.draw(st.sampled_from(shares))
                share.at += min(share.left, data.draw(st.integers(0, 20 * MIB)))
                fetched = spans.union(fetched, share.start, share.at)
            case "give back" if shares:
                share = data.draw(st.sampled_from(shares))
                allotment.give_back(share)
                shares.remove(share)
            case _:
                pass
        assert are_apart(shares)
        assert allotment.left == spans.size(gaps) - spans.size(fetched)
    for share in shares:
        share.at = share.end
        fetched = spans.union(fetched, share.start, share.at)
        allotment.give_back(share)
    while share := allotment.take(8 * MIB):
        share.at = share.end
        fetched = spans.union(fetched, share.start, share.at)
        allotment.give_back(share)
    assert allotment.is_done
    assert fetched == gaps


def test_a_lone_connection_has_all_and_gives_up_only_what_another_takes():
    """The rest behind its next block is for whoever comes, from the front, cut where pieces end."""
    allotment = Allotment(((0, 100 * MIB),), GRID)
    lead = allotment.take_all(0)
    lead.at = 3 * MIB
    second = allotment.take(8 * MIB)
    assert (lead.end, second.start, second.end) == (12 * MIB, 12 * MIB, 20 * MIB)
    third = allotment.take(8 * MIB)
    assert (third.start, third.end) == (20 * MIB, 28 * MIB)
    allotment.give_back(second)
    assert allotment.extend(lead, 4 * MIB)
    assert lead.end == 16 * MIB


def test_at_the_end_an_idle_one_takes_over_half_of_the_longest():
    """As long as both halves are worth a request."""
    allotment = Allotment(((0, 10 * MIB),), GRID)
    slow = allotment.take_all(0)
    assert allotment.take(64 * MIB).start == slow.end == 5 * MIB
    slow.at = slow.end - 2 * LEAST_BYTES + 1
    assert Allotment(((0, 2 * LEAST_BYTES - 1),), GRID).take(MIB) is not None
    one = Allotment(((0, 2 * LEAST_BYTES - 1),), GRID)
    one.take_all(0)
    assert one.take(MIB) is None
