"""`lading add` makes durable what it acknowledges, and takes lists as they come."""

from __future__ import annotations

import io
import subprocess

import pytest

from lading.tools.cli.lists import CHUNK_BYTES, LONGEST_LINE_BYTES, read_list


def test_each_id_that_is_printed_is_in_the_queue(lading):
    """In the order of asking."""
    ids = lading("add", "http://a.test/1", "http://a.test/2").out.split()
    assert [row["id"] for row in lading.rows("list")] == ids


def test_json_names_each_download(lading):
    """One object a line."""
    row = lading.row("add", "http://a.test/1", "--key", "mine")
    assert (row["key"], row["url"], row["state"]) == ("mine", "http://a.test/1", "queued")


def test_options_are_kept(lading):
    """They are the request's, whoever runs it later."""
    options = ["--priority", "-3", "--tag", "a", "--tag", "b", "--limit-rate", "2M", "--connections", "4", "-d", "x"]
    shown = lading.row("show", lading.add("http://a.test/1", *options))
    assert (shown["priority"], shown["tags"], shown["limit_rate"], shown["connections"]) == (-3, ["a", "b"], 2 << 20, 4)


def test_a_list_has_one_url_a_line(lading, tmp_path):
    """Blank lines, comments, a byte order mark and the line ends of other systems do no harm."""
    (tmp_path / "list").write_bytes(b"\xef\xbb\xbfhttp://a.test/1\r\n\n# two\n  http://a.test/2  \nhttp://a.test/3")
    lading("add", "-i", tmp_path / "list")
    assert [row["url"][-1] for row in lading.rows("list")] == ["1", "2", "3"]


def test_bad_lines_are_named_and_the_good_ones_added(lading, tmp_path):
    """Exit code 2 at the end, and nothing but the bad lines is lost."""
    (tmp_path / "list").write_bytes(b"http://a.test/1\n\nnope\nhttp://a.test/2\n\xff\n")
    said = lading("--json", "add", "-i", tmp_path / "list", code=2)
    assert len(said.rows) == 2
    assert '"line": 3' in said.err
    assert '"line": 5' in said.err
    assert said.trouble["error"] == "2 lines could not be added, 2 were"


def test_an_empty_list_is_no_error(lading, tmp_path):
    """It says that nothing was added."""
    (tmp_path / "list").write_text("# nothing\n")
    said = lading("add", "-i", tmp_path / "list")
    assert (said.out, said.err) == ("", "the list is empty: 0 added\n")


@pytest.mark.parametrize("arguments", [(), ("-i", "missing"), ("-i", "/"), ("http://a.test/", "--priority", "9" * 12)])
def test_what_cannot_be_meant_makes_no_home(lading, arguments):
    """It is refused before anything is touched."""
    lading("add", *arguments, code=2)
    assert not lading.home.exists()


def test_a_list_on_stdin_is_queued_as_it_comes(lading, spawn):
    """The id of the first line is there before the second is written."""
    process = spawn("add", "-i", "-", stdin=subprocess.PIPE).popen
    for number in "12":
        process.stdin.write(f"http://a.test/{number}\n")
        process.stdin.flush()
        assert len(process.stdout.readline().strip()) == 36
    process.stdin.close()
    assert process.wait() == 0


def test_reading_a_list_holds_no_more_than_a_chunk_and_a_line():
    """However long a line or a list is."""

    class Endless(io.RawIOBase):
        left = 100

        def read(self, size=-1):
            self.left -= 1
            return b"x" * size if self.left > 0 else b"\nhttp://a.test/\n" if self.left == 0 else b""

    lines = [line for chunk in read_list(Endless()) for line in chunk]
    assert [(line.number, line.url) for line in lines] == [(1, None), (2, "http://a.test/")]
    assert CHUNK_BYTES + LONGEST_LINE_BYTES < 1 << 20


def test_many_lines_are_added_in_batches(lading, tmp_path):
    """Ten thousand cost a few commits; the order is kept."""
    (tmp_path / "list").write_text("".join(f"http://a.test/{number}\n" for number in range(10_000)))
    ids = lading("add", "-i", tmp_path / "list").out.split()
    assert ids == sorted(ids)
    assert len(set(ids)) == 10_000
    assert lading.row("list", "--total")["queued"] == 10_000


def test_a_key_that_is_known_says_so_and_what_it_stands_at(lading, origin):
    """Nothing is added, the id is that of the first, and the hint is what there is to do for that one."""
    url = origin.url("missing")
    said = lading("--json", "add", url, "--key", "k")
    assert said.rows[0]["known"] is False
    again = lading("add", url, "--key", "k", "--header", "Cookie: sesame-open")
    assert again.out.strip() == said.rows[0]["id"]
    assert again.err.splitlines() == [
        "the key k names a download already, which is queued",
        "hint: `lading why k` tells what it waits for",
        "1 known already, 0 added",
    ]
    lading("get", url, "--key", "k", "--retries", "0", code=1)
    lading("pause", "--queue")
    assert "`lading retry k`" in lading("add", url, "--key", "k").err
    assert "`lading retry k`" in lading("get", url, "--key", "k", code=1).err
    assert lading.row("add", url, "--key", "k")["known"] is True
