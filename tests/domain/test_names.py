"""File names from strangers: whatever they say, what is made of it is one safe component."""

from __future__ import annotations

import time
import unicodedata
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lading.domain import names

HOSTILE = st.text(
    st.sampled_from('a.b /\\:\0\n\x1b\x7f\x9b\u202e\u2028\u3000\xa0\ud800ée\u0301ＣCONcon1¹|*?"<>'), max_size=30
)
LONG = st.builds(
    lambda stem, count, end: stem * count + end, st.text(max_size=4), st.integers(0, 300), st.text(max_size=20)
)
NAMES = st.one_of(st.text(), HOSTILE, LONG)
DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in "0123456789¹²³")}


def is_safe(name: str) -> bool:
    """Tell whether a name can be created as one file anywhere, and shows itself as what it is."""
    return (
        name not in {"", ".", ".."}
        and not name.startswith((".", " "))
        and not name.endswith((".", " "))
        and not set(name) & set('/\\<>:"|?*')
        and all(c == " " or (unicodedata.category(c)[0] not in "CZ") for c in name)
        and name.partition(".")[0].rstrip(" ").lower() not in DEVICES
        and unicodedata.is_normalized("NFC", name)
        and len(name.encode()) <= 255
    )


@pytest.mark.law(5)
@example("a. .")
@example("con" + " " * 300 + ".txt")
@example("con." + "a" * 198)
@example("x" * 190 + ".tar.gz.")
@example("é" * 150)
@given(NAMES)
def test_a_cleaned_name_is_one_safe_component(name):
    """No way up, no separator, nothing invisible, no device, not too long, never nothing."""
    assert is_safe(names.clean(name))


@example("a. .")
@example("con" + " " * 300 + ".txt")
@example("con." + "a" * 198)
@example("..con")
@given(NAMES)
def test_cleaning_twice_is_cleaning_once(name):
    """A clean name is left alone, so a name settled before is the name after a restart."""
    assert names.clean(names.clean(name)) == names.clean(name)


@given(st.from_regex(r"[A-Za-z0-9_-]{3,30}\.[a-z0-9]{1,5}", fullmatch=True).filter(is_safe))
def test_an_ordinary_name_stays_as_it_is(name):
    """Only what is not safe is changed."""
    assert names.clean(name) == name


@given(NAMES, st.integers(1, 10_000))
def test_a_numbered_name_is_as_safe_and_another(name, number):
    """`--if-exists rename` cannot make a worse name, nor the same."""
    clean = names.clean(name)
    assert is_safe(names.numbered(clean, number))
    assert names.numbered(clean, number) != clean


@pytest.mark.law(5)
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system.ini", "system.ini"),
        ("/etc/", "etc"),
        ("a/..", "download"),
        ("", "download"),
        ("...", "download"),
        (" . ", "download"),
        ("/", "download"),
        (".bashrc", "_bashrc"),
        ("..hidden", "_hidden"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("com¹.txt", "_com¹.txt"),
        ("console.txt", "console.txt"),
        ("a\0b.txt", "a_b.txt"),
        ("a\x1b[31m.txt", "a_[31m.txt"),
        ("photo\u202egpj.exe", "photo_gpj.exe"),
        ("a\u2028b", "a_b"),
        ("a\u00a0b\u3000", "a b"),
        ("e\u0301.txt", "é.txt"),
        ('what? "really": <no>|*.txt', "what_ _really__ _no___.txt"),
        ("file.txt. . .", "file.txt"),
        ("C:\\dir\\file.txt", "file.txt"),
    ],
)
def test_hostile_names_become_these(name, expected):
    """One row for each trick."""
    assert names.clean(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a" * 300 + ".tar.gz", "a" * 193 + ".tar.gz"),
        ("a" * 300 + ".iso", "a" * 196 + ".iso"),
        ("a" * 300, "a" * 200),
        ("a." + "b" * 300, "a." + "b" * 198),
        ("€" * 100 + ".txt", "€" * 65 + ".txt"),
    ],
)
def test_a_long_name_is_cut_before_its_suffix(name, expected):
    """What a file is stays visible, and no character is cut in two."""
    assert names.clean(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("file.iso", "file (2).iso"),
        ("file.tar.gz", "file (2).tar.gz"),
        ("file", "file (2)"),
        (".bashrc", ".bashrc (2)"),
        (".tar.gz", ".tar (2).gz"),
        ("v1.2 of everything there is", "v1.2 of everything there is (2)"),
    ],
)
def test_a_number_goes_before_the_suffix(name, expected):
    """As file managers do it."""
    assert names.numbered(name, 2) == expected


DISPOSITIONS = [
    ("attachment", None),
    ("", None),
    ("attachment;", None),
    ('attachment; filename=""', None),
    ("attachment; filename=file.txt", "file.txt"),
    ("attachment; filename=file.txt;", "file.txt"),
    ("attachment;filename = file.txt ; size=5", "file.txt"),
    ("ATTACHMENT; FILENAME=file.txt", "file.txt"),
    ('inline; filename="file.txt"', "file.txt"),
    ("filename=file.txt", "file.txt"),
    ('filename="a;b.txt"', "a;b.txt"),
    ("attachment; filename=my file.txt", "my file.txt"),
    ('attachment; filename="my file; final.txt"; size=5', "my file; final.txt"),
    (r'attachment; filename="a \"quoted\" name.txt"', 'a "quoted" name.txt'),
    ('attachment; filename="unfinished.txt', "unfinished.txt"),
    ("attachment; filename='single.txt'", "'single.txt'"),
    ('attachment; name="x; filename=evil"; filename=good', "good"),
    ("attachment; filename=first; filename=second", "first"),
    ("attachment; filename=na%C3%AFve.txt", "naïve.txt"),
    ("attachment; filename=na%EFve.txt", "na\ufffdve.txt"),
    ("attachment; filename=naïve.txt", "naïve.txt"),
    ("attachment; filename=na\u00c3\u00afve.txt", "naïve.txt"),
    ("attachment; filename=€.txt", "€.txt"),
    ("attachment; filename*=UTF-8''%e2%82%ac%20rates", "€ rates"),
    ("attachment; filename*=utf-8'en'%e2%82%ac.txt; filename=e.txt", "€.txt"),
    ("attachment; filename=e.txt; filename*=UTF-8''%e2%82%ac.txt", "€.txt"),
    ("attachment; filename*=\"UTF-8''%e2%82%ac.txt\"", "€.txt"),
    ("attachment; filename*=iso-8859-1'en'%A3.txt", "£.txt"),
    ("attachment; filename*=''plain.txt", "plain.txt"),
    ("attachment; filename*=UTF-8''it%27s.txt", "it's.txt"),
    ("attachment; filename*=UTF-8''it's.txt", "it's.txt"),
    ("attachment; filename*=UTF-8''%ff.txt; filename=e.txt", "e.txt"),
    ("attachment; filename*=no-such-charset''x; filename=e.txt", "e.txt"),
    ("attachment; filename*=rot13''nnn; filename=e.txt", "e.txt"),
    ("attachment; filename*=a\0b''nnn; filename=e.txt", "e.txt"),
    ("attachment; filename*=nothing; filename=e.txt", "e.txt"),
    ("attachment; filename*=UTF-8''", None),
    ("attachment; filename*0=part; filename*1=two", None),
]


@pytest.mark.row("S2.4")
@pytest.mark.parametrize(("header", "expected"), DISPOSITIONS)
def test_a_content_disposition_is_read_as_its_sender_means_it(header, expected):
    """RFC 6266 and RFC 8187, and what servers send instead."""
    assert names.from_disposition(header) == expected


@pytest.mark.law(5)
@pytest.mark.row("S2.4")
@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ("attachment; filename=..%2F..%2Fetc%2Fpasswd", "passwd"),
        ("attachment; filename*=UTF-8''..%2f..%2fetc%2fpasswd", "passwd"),
        (r'attachment; filename="..\\..\\boot.ini"', "boot.ini"),
        ("attachment; filename*=UTF-8''..%5C..%5Cboot.ini", "boot.ini"),
        ("attachment; filename=a%00.txt", "a_.txt"),
        ("attachment; filename=/etc/passwd", "passwd"),
        ("attachment; filename=..", "download"),
        ("attachment; filename*=UTF-8''%2e%2e", "download"),
        ("attachment; filename=.profile", "_profile"),
    ],
)
def test_no_header_leads_out_of_the_folder(header, expected):
    """The path that a server makes up is cut to its last component, in whatever spelling."""
    assert names.clean(names.from_disposition(header) or "") == expected


@given(st.text() | HOSTILE.map("attachment; filename*=".__add__) | st.text().map("a; filename=".__add__))
def test_no_header_makes_an_error(header):
    """A header is a stranger's text: there is a name in it or there is none."""
    name = names.from_disposition(header)
    assert name is None or is_safe(names.clean(name))


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_what_rfc_8187_encodes_comes_through(name):
    """Any text can be a name, encoded as the standard has it."""
    assert names.from_disposition(f"attachment; filename*=UTF-8''{quote(name, safe='')}") == name


def test_a_long_header_is_read_in_time():
    """Reading is linear in the header, whatever it repeats."""
    for part in (";", "; a", ';a="', '; filename="', "; filename=\\", "; filename*='", " ", "\\"):
        before_s = time.process_time()
        names.from_disposition("attachment; x=" + part * 20_000)
        names.from_disposition('attachment; x="' + part * 20_000)
        assert time.process_time() - before_s < 2.0
