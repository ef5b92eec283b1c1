"""What hooks are told of, and how; and that a hook that cannot be meant is refused in words that quote nothing."""

from __future__ import annotations

import pytest

from lading.domain import events as e
from lading.domain import hooks
from lading.domain.errors import InvalidSetting
from lading.domain.hooks import Cursor, Hook

pytestmark = pytest.mark.row("S1.6")


def test_a_hook_is_told_of_what_it_wants_and_of_nothing_that_is_no_downloads():
    """By default of ends, good and bad; `all` is all that can be said of a download."""
    ends = Hook(command="true")
    assert ends.matches(e.Failed(attempt=1, cause="dns", message="x"))
    assert not ends.matches(e.Paused())
    assert Hook(command="true", on=("retry-scheduled",)).matches(
        e.RetryScheduled(attempt=1, cause="dns", message="x", not_before_ns=0)
    )
    everything = Hook(command="true", on=("all",))
    assert everything.matches(e.Paused())
    assert not everything.matches(e.QueuePaused())
    assert {"completed", "failed", "invalidated", "retry-scheduled", "queued"} <= hooks.WORDS.keys()


@pytest.mark.law(7)
@pytest.mark.parametrize(
    "wrong",
    [
        {}, {"command": "s3cret", "url": "https://a.example/s3cret"}, {"command": "say 's3cret"}, {"command": "#"},
        {"url": "ftp://a.example/s3cret"}, {"url": "s3cret"}, {"command": "s3cret", "on": ()},
        {"command": "s3cret", "on": ("complete",)}, {"command": "s3cret", "since": "then"},
        {"command": "s3cret", "timeout_s": 0}, {"command": "s3cret", "give_up_after": -1},
    ],
)  # fmt: skip
def test_a_hook_that_cannot_be_meant_is_refused_with_a_hint_and_without_a_secret(wrong):
    """What stands in a command or a URL is nobody's business."""
    if wrong.get("command") == "#":
        Hook(**wrong)  # no shell, no comment: a program of that name
        return
    with pytest.raises(InvalidSetting) as caught:
        Hook(**wrong)
    assert caught.value.hint
    assert "s3cret" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.law(7)
def test_a_hook_does_not_show_what_may_be_secret():
    """Not even to who prints it."""
    shown = repr(Hook(command="s3cret")) + repr(Hook(url="https://a.example/s3cret"))
    assert "s3cret" not in shown


def test_a_command_is_split_as_a_shell_would_and_nothing_else_of_a_shell_happens():
    """Quotes, but no variables and no pipes."""
    assert Hook(command="say 'a b' $HOME | tee").arguments() == ["say", "a b", "$HOME", "|", "tee"]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", ".hidden", "a b", "x" * 65, "ü"])
def test_a_name_that_no_file_could_have_is_refused(name):
    """It names the file of its cursor."""
    with pytest.raises(InvalidSetting):
        hooks.check_name(name)


@pytest.mark.law(9)
def test_pauses_grow_and_are_bounded():
    """A second, two, four, and never more than ten minutes; three failures in a row are trouble."""
    assert [hooks.pause_s(n) for n in (1, 2, 3, 100, 10**6)] == [1, 2, 4, 600, 600]
    assert [Cursor(position=0, failures=n).is_troubled for n in (0, 2, 3)] == [False, False, True]
