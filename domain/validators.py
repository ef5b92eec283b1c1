"""Validators: what a server says by which two answers can be told to be of the same bytes (RFC 9110 §8.8)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

import attrs

STRONG_AFTER_S = 60
_STRONG_ETAG = re.compile(r'"[!#-~\x80-\uffff]+"')


@attrs.frozen(kw_only=True, slots=False)
class Validator:
    """ETag, Last-Modified and length of one answer, as sent; `date` is the answer's own Date.

    `digest` is what the server says that the whole file digests to, `ALGORITHM:HEX`.
    """

    etag: str | None = None
    last_modified: str | None = None
    date: str | None = None
    length: int | None = None
    digest: str | None = None

    @property
    def strong_etag(self) -> str | None:
        """The ETag, if it proves equality byte for byte: quoted, not weak and not empty (RFC 9110 §8.8.3)."""
        return self.etag if self.etag and _STRONG_ETAG.fullmatch(self.etag) else None

    @property
    def if_range(self) -> str | None:
        """The validator that may guard a resume, for If-Range: a strong one, or None.

        A Last-Modified is strong when the answer's Date is well after it (RFC 9110 §8.8.2.2); we ask for 60 seconds, so
        that clocks of a cluster that differ a little do not make it a lie.
        """
        if self.strong_etag:
            return self.strong_etag
        if self.last_modified and self.date:
            modified, sent = seconds(self.last_modified), seconds(self.date)
            if modified is not None and sent is not None and sent - modified >= STRONG_AFTER_S:
                return self.last_modified
        return None

    def differs(self, other: Validator) -> bool:
        """Tell whether two answers are surely of different bytes: something that both state is not equal."""
        pairs = (
            (self.etag, other.etag),
            (self.last_modified, other.last_modified),
            (self.length, other.length),
            (self.digest, other.digest) if _algorithm(self) == _algorithm(other) else (None, None),
        )
        return any(mine is not None and theirs is not None and mine != theirs for mine, theirs in pairs)


def _algorithm(validator: Validator) -> str | None:
    return None if validator.digest is None else validator.digest.partition(":")[0]


def from_headers(headers: Mapping[str, str], length: int | None, digest: str | None = None) -> Validator:
    """Read the validators of an answer whose header names are in lower case and whose whole length is `length`."""
    return Validator(
        etag=headers.get("etag") or None,
        last_modified=headers.get("last-modified") or None,
        date=headers.get("date") or None,
        length=length,
        digest=digest,
    )


def seconds(date: str) -> float | None:
    """Read an HTTP date (RFC 9110 §5.6.7) as seconds since 1970, or None when it is not one.

    A date without a zone, as the obsolete asctime form has it, is UTC.
    """
    try:
        read = parsedate_to_datetime(date)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
