"""Small files that must be there, whole: what they are for their owner, and who was first."""

from __future__ import annotations

import os
import stat

import pytest

from lading.adapters import durable

pytestmark = pytest.mark.law(1)


def mode(path) -> int:
    """Return the permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("replace", [True, False])
def test_the_last_or_the_first_is_there_whole_and_nothing_beside_it(tmp_path, replace):
    """As was asked; for its owner alone, unless something else was said."""
    path = tmp_path / "folder" / "key"
    for text in ("first", "second"):
        durable.put(path, text, replace=replace, mode=0o644)
    assert path.read_text() == ("second" if replace else "first")
    assert mode(path) == 0o644
    durable.write_durably(tmp_path / "plain", b"1")
    durable.write_durably(tmp_path / "plain", b"2", replace=replace)
    assert (tmp_path / "plain").read_bytes() == (b"2" if replace else b"1")
    assert mode(tmp_path / "plain") == 0o600
    assert sorted(os.listdir(tmp_path)) == ["folder", "plain"]
    assert os.listdir(path.parent) == ["key"]


def test_a_file_system_without_modes_holds_what_needs_none(tmp_path, monkeypatch):
    """The marker of a home, pointers and cursors are written there as they always were."""

    def refused(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchmod", refused)
    durable.write_durably(tmp_path / "pointer", b"7")
    assert (tmp_path / "pointer").read_bytes() == b"7"


def test_who_loses_his_draft_to_another_is_second(tmp_path, monkeypatch):
    """Whoever cleans up may take it; then the other's file is there, and that is no error."""
    path, link = tmp_path / "key", os.link

    def late(draft, target):
        os.unlink(draft)
        path.write_text("the other's")
        return link(draft, target)

    monkeypatch.setattr(os, "link", late)
    durable.put(path, "mine")
    assert path.read_text() == "the other's"
    assert os.listdir(tmp_path) == ["key"]
