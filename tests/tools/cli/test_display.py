"""What is shown of work under way: seldom enough to be read, never more than is known."""

from __future__ import annotations

import io
from uuid import uuid4

import attrs
import pytest
from rich.console import Console

from lading.domain import events as e
from lading.domain.facts import Context, Fact
from lading.outcome import Overall
from lading.tools.cli import display, sentences
from lading.tools.cli.display import EVERY_S, Bars, Lines

NOTHING = Overall(active=1, queued=0, waiting=0, received=0, total=None, rate=None, eta=None, percent=None)


def row(**more):
    known = {"received": 50, "total": 100, "percent": 50.0, "rate": 10.0, "eta": 5.0, "error": None}
    return {"id": "1", "state": "active", "path": "/a/b.bin", "url": "http://a.test/b.bin", **known, **more}


def test_lines_say_of_each_download_at_most_one_thing_in_five_seconds(capsys, monkeypatch):
    """However often the figures change."""
    now_s = [0.0]
    monkeypatch.setattr(display.time, "monotonic", lambda: now_s[0])
    lines = Lines()
    for tick in range(101):
        now_s[0] = tick * EVERY_S / 50
        lines.figures([row(received=tick)], NOTHING)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [f"b.bin: 50.0 %, {n} B of 100 B, 10 B/s, 5.0 s left" for n in (50, 100)]


def test_lines_claim_nothing_that_is_not_known(capsys, monkeypatch):
    """No estimate without a size and a rate."""
    lines = Lines()
    lines.figures([row()], NOTHING)
    monkeypatch.setattr(display, "EVERY_S", 0)
    lines.figures([row(total=None, percent=None, rate=None, eta=None)], NOTHING)
    assert capsys.readouterr().err == "b.bin: 50 B, size unknown\n"


def test_bars_leave_nothing_behind_and_stay_on_their_stream(capsys):
    """What they drew is erased; stdout is never theirs."""
    bars = Bars()
    screen = io.StringIO()
    bars._live.console = bars._console = Console(file=screen, force_terminal=True, width=120, height=10)
    with bars:
        bars.figures([row(), row(id="2", state="waiting", error="network: gone", eta=None)], NOTHING)
        with bars.aside():
            print("data")
    drawn = screen.getvalue()
    assert "b.bin" in drawn
    assert "5.0 s left" in drawn
    assert "network: gone" in drawn
    assert drawn.rindex("\x1b[2K") > drawn.rindex("b.bin")
    assert capsys.readouterr().out == "data\n"


def test_bars_say_in_words_that_a_size_is_not_known():
    """And leave out what follows from it, in columns that are as wide as ever."""
    bars = Bars()
    screen = io.StringIO()
    bars._live.console = bars._console = Console(file=screen, force_terminal=True, width=120, height=10)
    with bars:
        bars.figures([row(total=None, percent=None, rate=None, eta=None)], NOTHING)
    drawn = screen.getvalue()
    assert "50 B, size unknown" in drawn
    assert " - " not in drawn


def test_bars_are_no_more_than_the_terminal_has_room_for():
    """The rest is in the line for all."""
    bars = Bars()
    screen = io.StringIO()
    bars._live.console = bars._console = Console(file=screen, force_terminal=True, width=120, height=10)
    with bars:
        bars.figures([row(id=str(number)) for number in range(50)], attrs.evolve(NOTHING, active=50))
        drawn = screen.getvalue()
    assert drawn.count("b.bin") == 7
    assert "50 active" in drawn


@pytest.mark.parametrize("kind", sorted(e.EVENTS.values(), key=str), ids=lambda kind: kind.__name__)
def test_every_event_has_a_sentence_of_its_own(kind):
    """One made of its name is for those that are not known yet."""
    assert sentences._say.dispatch(kind) is not sentences._say.dispatch(e.Event)


def test_an_event_of_tomorrow_is_told_by_its_name():
    """`log` must not stop at what it has no words for."""

    class FellAsleep(e.Event):
        pass

    fact = Fact(1, uuid4(), 1, uuid4().bytes, 0, FellAsleep(), Context())
    assert sentences.sentence(fact) == "fell asleep"


def test_many_lines_are_one_write_and_keep_their_order(monkeypatch):
    """What is said is seen when the display is flushed, at the latest before somebody else says something."""
    said, written = [], []

    class Stream(io.StringIO):
        def __init__(self, name):
            super().__init__()
            self.name = name

        def write(self, text):
            said.append((self.name, text))
            return len(text)

        def flush(self):
            written.append(self.name)

    monkeypatch.setattr(display.sys, "stderr", Stream("err"))
    monkeypatch.setattr(display.sys, "stdout", Stream("out"))
    lines = Lines()
    for number in range(3):
        lines._say(f"line {number}")
        lines.answer(f"/path/{number}")
    assert [text for name, text in said if name == "err"] == []
    with lines.aside():
        display.sys.stderr.write("an error\n")
    assert [text for name, text in said if name == "err"] == ["line 0\nline 1\nline 2\n", "an error\n"]
    assert "".join(text for name, text in said if name == "out") == "/path/0\n/path/1\n/path/2\n"
    assert written == ["err", "out"]
