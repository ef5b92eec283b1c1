"""A notebook loses no note that it took, and makes none up."""

from __future__ import annotations

import os
import threading

import pytest

from lading.adapters.notebook import Notebook
from lading.domain.errors import DiskFull, NoteDamaged, StoreUnavailable
from lading.domain.notes import Note, Signature


def note(number):
    """Return one of many notes."""
    return Note(f"lading/log\n{number}\n", (Signature("me", bytes(4), bytes((number % 256,)) * 64),))


@pytest.fixture
def book(tmp_path):
    return Notebook(tmp_path / "deep" / "book")


def test_notes_come_back_in_their_order(book):
    """What was appended is read, all of it and the last of it."""
    assert book.last() is None
    assert list(book.notes()) == []
    for number in range(300):
        book.append(note(number))
        assert book.last() == note(number)
    assert list(book.notes()) == [note(number) for number in range(300)]


def test_a_line_that_was_cut_short_was_never_written(book):
    """At every byte at which a crash may cut, the notes before are whole, and the next one takes the place."""
    book.append(note(1))
    whole = book.path.read_bytes()
    book.append(note(2))
    both = book.path.read_bytes()
    for end in range(len(whole), len(both)):
        book.path.write_bytes(both[:end])
        assert book.last() == note(1)
        assert list(book.notes()) == [note(1)]
        book.append(note(3))
        assert list(book.notes()) == [note(1), note(3)]
    book.path.write_bytes(whole[:-1])
    assert book.last() is None
    book.append(note(4))
    assert list(book.notes()) == [note(4)]


@pytest.mark.parametrize("line", [b"x\n", b"{}\n", b'"no note"\n', b"\n", b"1" * 100_000, b"x", b"\0" * 9])
def test_what_is_no_note_is_told(book, line):
    """A line that holds anything else is damage, and where it is is said."""
    book.append(note(1))
    with open(book.path, "ab") as file:
        file.write(line)
    with pytest.raises(NoteDamaged, match="line"):
        list(book.notes())
    if line.endswith(b"\n"):
        with pytest.raises(NoteDamaged):
            book.last()


@pytest.mark.parametrize(
    "theirs",
    [b"x" * 3_000_000, b"mine", b'{"my": 1}', bytes(range(9)), b'"lading/log' + b"x" * 200_000, b"a line\nand more"],
)
def test_a_file_that_is_somebody_elses_is_left_as_it_is(tmp_path, theirs):
    """An anchor may be named by mistake: what does not end as a note of ours ends, or was cut short, is not cut off."""
    (tmp_path / "precious").write_bytes(theirs)
    book = Notebook(tmp_path / "precious", outside=True)
    for ask in (book.last, lambda: book.append(note(1)), lambda: list(book.notes())):
        with pytest.raises(NoteDamaged):
            ask()
    assert (tmp_path / "precious").read_bytes() == theirs


def test_writers_take_turns(book):
    """Whoever looks and then appends does so with nobody in between."""

    def count():
        for _ in range(20):
            with book.turn() as turn:
                last = turn.last()
                turn.append(note(0 if last is None else int(last.text.split()[1]) + 1))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [int(each.text.split()[1]) for each in book.notes()] == list(range(80))


def test_a_full_disk_takes_nothing_away(book, monkeypatch):
    """A note for which there is no room leaves the book as it was."""
    book.append(note(1))
    before = book.path.read_bytes()
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda descriptor, data, at: write(descriptor, data[:10], at))
    with pytest.raises(DiskFull):
        book.append(note(2))
    assert book.path.read_bytes() == before


def test_a_place_that_cannot_be_is_told(tmp_path):
    """Where a file is in the way, nothing is kept and that is said."""
    (tmp_path / "file").write_text("")
    book = Notebook(tmp_path / "file" / "book")
    with pytest.raises(StoreUnavailable):
        book.append(note(1))
    with pytest.raises(StoreUnavailable):
        book.last()


def test_nobody_waits_for_ever_for_another_writer(book, monkeypatch):
    """Who holds the file and does nothing keeps others for a while, and is told of."""
    monkeypatch.setattr("lading.adapters.notebook.WAIT_S", 0.05)
    book.append(note(1))
    with book.turn(), pytest.raises(StoreUnavailable, match="another program"):
        book.append(note(2))
    assert book.last() == note(1)
