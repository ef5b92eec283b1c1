"""`lading show` has all there is to know of one download."""

from __future__ import annotations

import pytest


def test_it_has_what_the_list_has_and_more(lading, origin, small):
    """The fields of both are of one download."""
    id = lading.row("get", origin.url(small.name), "--key", "mine")["id"]
    shown, listed = lading.row("show", id), lading.row("list")
    assert shown.items() >= listed.items()
    assert shown["digest"] == small.digest()
    assert [tried["state"] for tried in shown["tries"]] == ["completed"]


@pytest.mark.parametrize("called", ["mine", "{id}", "{start}", "{bare}"])
def test_a_download_is_called_by_id_beginning_of_it_or_key(lading, called):
    """As long as only one is meant."""
    id = lading.add("http://a.test/1", "--key", "mine")
    name = called.format(id=id, start=id[:13], bare=id.replace("-", ""))
    assert lading.row("show", name)["id"] == id


def test_the_beginning_of_two_ids_is_refused(lading):
    """With a hint."""
    id, _ = lading("add", "http://a.test/1", "http://a.test/2").out.split()
    said = lading("--json", "show", id[:8], code=2)
    assert said.trouble["kind"] == "UnknownDownload"
    assert said.trouble["hint"] == "give more of its id"


def test_people_get_lines_that_steer_no_terminal(lading):
    """Whatever a name holds."""
    id = lading.add("http://a.test/1", "-o", "a\x1b[31mb")
    assert "\x1b" not in lading("show", id).out
    assert lading.row("show", id)["path"].endswith("a\x1b[31mb")


def test_a_part_is_absolute_and_told_only_while_something_may_go_on_with_it(lading, origin, small, folder):
    """What is complete or given up has none; what failed keeps what it got."""
    done = lading.row("get", origin.url(small.name))["id"]
    assert lading.row("show", done)["part"] is None
    failed = lading.row("get", origin.url(small.name), "-o", "x", "--digest", f"md5:{'0' * 32}", "--retries", 0, code=1)
    part = lading.row("show", failed["id"])["part"]
    assert part.startswith(f"{folder}/.x.")
    assert f" {part}\n" in lading("show", failed["id"]).out
    lading("cancel", failed["id"])
    assert lading.row("show", failed["id"])["part"] is None
