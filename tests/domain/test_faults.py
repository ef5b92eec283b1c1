"""Causes, budgets and waits."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.domain import faults
from lading.domain.faults import HINTS, LONGEST_BACKOFF_S, LONGEST_RETRY_AFTER_S, POLICIES, Cause

pytestmark = pytest.mark.row("S1.4")

RETRIED = [cause for cause, policy in POLICIES.items() if policy.most is None]


def test_every_cause_has_its_policy_and_each_that_a_person_can_cure_its_hint():
    """The table is whole: no cause falls through, and what fails at once says what to do."""
    assert set(POLICIES) == set(Cause)
    assert all(HINTS.values())
    at_once = {cause for cause, policy in POLICIES.items() if policy.most == 0}
    assert at_once - set(HINTS) <= {Cause.REDIRECTS}


@pytest.mark.parametrize(
    ("most", "causes"),
    [
        (None, {Cause.NETWORK, Cause.TIMEOUT, Cause.STALLED, Cause.BROKEN, Cause.BUSY, Cause.SERVER}),
        (2, {Cause.CHANGED}),
        (1, {Cause.DIGEST, Cause.PROTOCOL, Cause.UNKNOWN, Cause.DISK}),
        (0, {Cause.TLS, Cause.REFUSED, Cause.UNAUTHORISED, Cause.UNSIZED, Cause.REDIRECTS}),
        (0, {Cause.DESTINATION, Cause.SECRET}),
    ],
)
def test_what_may_pass_is_retried_and_what_will_not_is_not(most, causes):
    """By the budget, so many times at most, or not at all."""
    assert {POLICIES[cause].most for cause in causes} == {most}
    assert all(
        (faults.retry(cause, spent=most or 0, budget=99, jitter=0) is None) == (most is not None) for cause in causes
    )


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        *((status, Cause.BUSY) for status in (408, 425, 429, 503)),
        *((status, Cause.UNAUTHORISED) for status in (401, 407)),
        *((status, Cause.REFUSED) for status in (400, 403, 404, 410, 416, 451, 499)),
        *((status, Cause.SERVER) for status in (500, 501, 502, 504, 599)),
        *((status, Cause.PROTOCOL) for status in (100, 201, 204, 302, 304)),
    ],
)
def test_a_status_is_sorted_by_what_it_takes_to_go_right(status, cause):
    """RFC 9110 §15."""
    assert faults.of_status(status) is cause


@pytest.mark.row("S3.4")
@given(cause=st.sampled_from(Cause), spent=st.integers(0, 2000), budget=st.integers(0, 2000), jitter=st.floats(0, 1))
def test_a_wait_is_fully_jittered_and_bounded(cause, spent, budget, jitter):
    """From nothing up to the doubled delay, never more than five minutes, and none beyond the budget."""
    policy = POLICIES[cause]
    wait_s = faults.retry(cause, spent=spent, budget=budget, jitter=jitter)
    if spent >= (budget if policy.most is None else min(policy.most, budget)):
        assert wait_s is None
    else:
        assert wait_s is not None
        ceiling_s = min(LONGEST_BACKOFF_S, policy.first_delay_s * 2 ** min(spent, 60))
        assert wait_s == pytest.approx(jitter * ceiling_s)


@pytest.mark.parametrize("cause", RETRIED)
def test_the_ceiling_doubles_up_to_five_minutes(cause):
    """Each retry may wait twice as long as the one before."""
    ceilings_s = [faults.retry(cause, spent=spent, budget=99, jitter=1.0) for spent in range(15)]
    assert ceilings_s[0] == POLICIES[cause].first_delay_s > 0
    assert all(after == min(LONGEST_BACKOFF_S, 2 * before) for before, after in pairwise(ceilings_s))
    assert ceilings_s[-1] == LONGEST_BACKOFF_S


@pytest.mark.law(9)
@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("retry_after_s", [None, 0.0, 5.0])
def test_a_budget_of_nothing_retries_nothing(cause, retry_after_s):
    """`--retries 0` means one attempt, whatever the server offers."""
    assert faults.retry(cause, spent=0, budget=0, jitter=0.5, retry_after_s=retry_after_s) is None


@pytest.mark.parametrize(
    ("asked_s", "expected_s"),
    [(0.0, 0.0), (7.5, 7.5), (-5.0, 0.0), (1e9, LONGEST_RETRY_AFTER_S), (float("inf"), 86_400)],
)
def test_what_a_server_asks_for_is_obeyed_up_to_a_day(asked_s, expected_s):
    """Instead of our backoff, and within bounds."""
    assert faults.retry(Cause.BUSY, spent=0, budget=1, jitter=0.9, retry_after_s=asked_s) == expected_s


@pytest.mark.row("S3.4")
def test_unknown_is_tried_once_more_and_a_refusal_not_at_all():
    """As the document has it: unknown once, authorisation fails at once."""
    assert faults.retry(Cause.UNKNOWN, spent=0, budget=3, jitter=0.5) is not None
    assert faults.retry(Cause.UNKNOWN, spent=1, budget=3, jitter=0.5) is None
    assert faults.retry(Cause.UNAUTHORISED, spent=0, budget=3, jitter=0.5) is None
