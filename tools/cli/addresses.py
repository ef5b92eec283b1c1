"""What is wrong with an address that is nearly a URL, and the form that it should have.

Nothing of it is quoted but its scheme: the rest may hold a secret.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lading.domain.errors import InvalidURL

_BACKSLASHES = re.compile(r"(https?):?[/\\]*\\", re.IGNORECASE)
_NO_COLON = re.compile(r"(https?);?//", re.IGNORECASE)
_SLASHES = re.compile(r"(https?):/?(?!/)", re.IGNORECASE)
_NO_HOST = re.compile(r"(https?):///+", re.IGNORECASE)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,15})://", re.IGNORECASE)


def explain(address: str, error: InvalidURL) -> InvalidURL:
    """Return what to say of an address that was refused with `error`: that, or what it nearly is."""
    from lading.domain.errors import InvalidURL
    from lading.domain.urls import SCHEMES

    text = address.strip()
    for pattern, message in (
        (_BACKSLASHES, "a URL has slashes, and this has backslashes"),
        (_NO_COLON, "a colon is missing behind the scheme"),
        (_SLASHES, "a URL has two slashes behind the scheme, and this has fewer"),
        (_NO_HOST, "a URL has two slashes behind the scheme and then a host, and this has more slashes"),
    ):
        if match := pattern.match(text):
            return InvalidURL(message, hint=_form(match[1]))
    scheme = _SCHEME.match(text)
    if scheme is None:
        return InvalidURL(error.message, hint=f"{error.hint}; {_form('https')}") if "://" not in text else error
    close = get_close_matches(scheme[1].lower(), SCHEMES, n=1, cutoff=0.7)
    if close and scheme[1].lower() not in SCHEMES:
        return InvalidURL(error.message, hint=f"did you mean {close[0]}? {_form(close[0])}")
    return error


def _form(scheme: str) -> str:
    return f"the form is {scheme.lower()}://host/…"
