"""URLs and headers that stand on no command line: from stdin, and from files."""

from __future__ import annotations

import io

import pytest

pytestmark = [pytest.mark.law(7)]


@pytest.fixture
def typed(monkeypatch):
    """Put words on stdin."""

    def typed(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    return typed


def test_a_url_and_headers_can_come_from_elsewhere(lading, origin, small, folder, typed):
    """What is asked is what would have been asked with both on the command line."""
    (folder / "headers").write_text("# mine\nAuthorization: Bearer sesame-open\n\nX-More: yes\n")
    typed(f"{origin.url(small.name)}?token=open-sesame\n")
    lading("get", "-", "--header", "@headers", "-o", "x")
    assert (folder / "x").read_bytes() == small.read()
    sent = origin.requests[-1]
    assert sent.path.endswith("?token=open-sesame")
    assert dict(sent.headers)["authorization"] == "Bearer sesame-open"
    typed("X-Key: sesame-open\n")
    id = lading.add(origin.url(small.name), "--header", "@-", "-o", "y")
    typed(f"{origin.url(small.name)}?token=another\n")
    assert lading.row("refresh-url", id, "-")["state"] == "queued"
    lading("run")
    assert dict(origin.requests[-1].headers)["x-key"] == "sesame-open"


def test_what_cannot_be_read_is_said(lading, typed):
    """And nothing of it is repeated."""
    typed("")
    assert "no URL on stdin" in lading("add", "-", code=2).err
    assert "cannot be read" in lading("add", "http://a.test/", "--header", "@missing", code=2).err
    typed("sesame open\n")
    said = lading("add", "http://a.test/", "--header", "@-", code=2)
    assert "a header has a name" in said.err
    assert "sesame" not in said.err
    typed("sesame-open.test/x\n")
    assert "sesame" not in lading("add", "-", code=2).err
    typed("x" * 300_000)
    assert "at most" in lading("add", "http://a.test/", "--header", "@-", code=2).err
