"""OpenMetrics: what a strict reader of the specification accepts, with the numbers that the statistics have."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from lading.projections import figures, openmetrics, queue, roster

pytestmark = pytest.mark.row("S3.9")


def parsed(text):
    """Return each sample of a text by its name and labels; a strict parser has read it."""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_whatever_happened_it_is_read_back_as_it_was_counted(data, worlds, make):
    """Every counter, gauge and histogram, in a text that ends as it must and has each sample once."""
    with make.fold(data.draw(worlds).facts()).read() as reader:
        counted, states = figures.read(reader), roster.counts(reader)
        text = openmetrics.text(openmetrics.of_statistics(counted, states, queue.reasons(reader)))
    found = parsed(text)
    assert text.endswith("\n# EOF\n")
    assert found["lading_attempts_total",] == counted.attempts
    assert found["lading_received_bytes_total",] == counted.received_bytes
    assert found["lading_partial_bytes",] == counted.partial_bytes
    for cause, count in counted.failed_by_cause.items():
        assert found["lading_failed_total", ("cause", cause)] == count
    for state, count in states.items():
        assert found["lading_downloads", ("state", state)] == count
    assert found["lading_attempt_duration_seconds_count",] == counted.attempts_took.count
    assert found["lading_attempt_duration_seconds_bucket", ("le", "+Inf")] == counted.attempts_took.count
    assert found["lading_attempt_duration_seconds_sum",] == counted.attempts_took.sum_s


@given(label=st.text())
def test_any_text_may_be_a_label(label):
    """Quotes, backslashes and line ends are escaped, and read back as they were."""
    label = "".join(character for character in label if character.isprintable() or character in '\n"\\')
    family = openmetrics.Family("lading_x", "gauge", 'a "help" with \\ and\nline ends', (({"a": label}, 1),))
    assert parsed(openmetrics.text([family])) == {("lading_x", ("a", label)): 1}
