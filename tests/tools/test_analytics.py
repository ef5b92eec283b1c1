"""The page of worked queries: each is asked of a real history, and the plots are drawn from the answers."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from lading.tools.analytics import page, past, plots

pytestmark = [pytest.mark.row("C.7"), pytest.mark.timeout(60)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A home with a past."""
    return past.make(tmp_path_factory.mktemp("analytics"))


@pytest.fixture(scope="module")
def answers(made):
    """What each query of the page is answered."""
    return {query.title: page.answer(made.home, query) for query in page.queries()}


def rows(answers, title):
    names, found = answers[title]
    return [dict(zip(names, row, strict=True)) for row in found]


@pytest.mark.long
def test_every_query_of_the_page_has_an_answer(answers):
    """None of them comes out empty on a history that has something of everything."""
    assert page.README.read_text().count("```sql") == len(answers) == 9
    assert [title for title, (_, found) in answers.items() if not found] == []


def test_the_answers_are_those_of_the_history(answers, made):
    """Every third file of the broken origin is refused, and the others need more than one attempt."""
    names = made.names
    fatal = {(names[row["host"]], row["cause"]): row["final"] for row in rows(answers, "Failure causes")}
    assert fatal["broken", "refused"] == past.EACH // 3
    assert fatal["quick", "refused"] == 1
    (cost,) = rows(answers, "Retry cost")
    assert (names[cost["host"]], cost["downloads"], cost["completed"]) == (
        "broken",
        past.EACH * 2 // 3,
        past.EACH * 2 // 3,
    )
    rates = {names[row["host"]]: row["bytes_a_second"] for row in rows(answers, "Throughput by host and hour")}
    assert rates["slow"] < rates["quick"]
    tags = {row["tag"]: row["downloads"] for row in rows(answers, "Who uses the bandwidth")}
    assert tags["even"] == tags["odd"] == past.EACH * 3 // 2
    assert sum(row["ended"] for row in rows(answers, "Hours of the day")) == past.EACH * 3 + 1


def test_the_plots_are_drawn_from_the_answers_and_are_on_the_page(answers, made):
    """Well-formed, with a bar for each figure; and the repository has one of each."""
    drawn = plots.draw(answers, made.names)
    for name, text in drawn.items():
        assert ET.fromstring(text).tag.endswith("svg")
        assert f"]({name})" in page.README.read_text()
        assert page.README.with_name(name).read_text().startswith("<svg ")
    assert drawn["tail-latency.svg"].count("<rect") == 1 + 3 * len(rows(answers, "Tail latency by host"))
    assert "busy, broken" in drawn["failure-causes.svg"]
