"""File names from strangers: what a server, a list or a URL calls a file becomes a name that is safe to create.

A name is one path component: no separators, no control characters, not a device name of another platform, NFC, at most
255 bytes with room left for the part file's prefix and suffix. Whatever cannot be saved becomes `download`.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote, unquote_to_bytes

FALLBACK = "download"
LONGEST_NAME_BYTES = 200
LONGEST_SUFFIX_BYTES = 16
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]) *(\..*)?", re.IGNORECASE)
_SAFE = re.compile(r"[A-Za-z0-9_-](?:[A-Za-z0-9_. -]{0,198}[A-Za-z0-9_-])?")
"""What most files are called, and what stays as it is."""
_CHARSETS = {"": "utf-8", "utf-8": "utf-8", "utf8": "utf-8", "iso-8859-1": "latin-1", "us-ascii": "ascii"}
_PARAMETER = re.compile(r';\s*(?P<key>[\w!#$%&\'*+.^`|~-]+)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"?|(?P<token>[^;]*))')


def clean(name: str) -> str:
    """Return a safe file name made of `name`, the last component of whatever path it pretends to be."""
    if _SAFE.fullmatch(name) and not _RESERVED.fullmatch(name):
        return name
    text = unicodedata.normalize("NFC", name).replace("\\", "/").rstrip("/").rpartition("/")[2]
    text = "".join(_visible(c) for c in text).strip(" ").rstrip(" .")
    if text.startswith("."):
        text = "_" + text.lstrip(".")
    text = shorten(text)
    if _RESERVED.fullmatch(text):
        text = "_" + shorten(text, LONGEST_NAME_BYTES - 1)
    return text or FALLBACK


def _visible(c: str) -> str:
    """Return `c`, or what stands for it in a name if it hides, steers a terminal or means something in a path."""
    category = unicodedata.category(c)
    if category == "Zs":
        return " "
    return "_" if category[0] == "C" or category in {"Zl", "Zp"} or c in '<>:"|?*' else c


def _split(name: str) -> tuple[str, str]:
    """Split a name into its stem and its short suffix, with the dot, such as `.tar.gz`; empty when it has none."""
    stem, dot, suffix = name.rpartition(".")
    if not dot or not stem.strip(".") or len(suffix.encode()) > LONGEST_SUFFIX_BYTES:
        return name, ""
    if stem.lower().endswith(".tar") and len(stem) > len(".tar"):
        return stem[:-4], f"{stem[-4:]}.{suffix}"
    return stem, f".{suffix}"


def shorten(name: str, limit_bytes: int = LONGEST_NAME_BYTES) -> str:
    """Cut `name` to `limit_bytes` of UTF-8, keeping a short suffix such as `.tar.gz` when there is one."""
    if len(name.encode()) <= limit_bytes:
        return name
    stem, suffix = _split(name)
    kept = stem.encode()[: limit_bytes - len(suffix.encode())].decode(errors="ignore")
    return kept.rstrip(" .") + suffix


def from_disposition(header: str) -> str | None:
    """Return the file name of a Content-Disposition header (RFC 6266), not yet cleaned, or None.

    `filename*` (RFC 8187) wins over `filename`; broken quoting, a missing type, a trailing semicolon, percent-encoding
    and bare UTF-8 in the plain form are taken as senders mean them.
    """
    kind, _, parameters = header.partition(";")
    found: dict[str, str] = {}
    for match in _PARAMETER.finditer(f";{header}" if "=" in kind else f";{parameters}"):
        quoted = match["quoted"]
        value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else (match["token"] or "").strip()
        found.setdefault(match["key"].lower(), value)
    charset, quotes, value = found.get("filename*", "").partition("'")
    encoding = _CHARSETS.get(charset.strip().lower())
    if quotes and encoding is not None:
        try:
            return unquote_to_bytes(value.partition("'")[2]).decode(encoding) or None
        except UnicodeDecodeError:
            pass
    plain = found.get("filename")
    return unquote(_recoded(plain)) if plain else None


def _recoded(value: str) -> str:
    """Read as UTF-8 what was sent so but came to us as ISO 8859-1, the charset of HTTP's heads of old."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


def numbered(name: str, number: int) -> str:
    """Return `name` with a number before its suffix, `file (2).iso`: how `--if-exists rename` finds a free name."""
    stem, suffix = _split(name)
    return f"{shorten(stem, LONGEST_NAME_BYTES - LONGEST_SUFFIX_BYTES)} ({number}){suffix}"
