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
_RESERVED = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$", re.IGNORECASE)
_PARAMETER = re.compile(r';\s*(?P<key>[\w!#$%&\'*+.^`|~-]+)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"?|(?P<token>[^;]*))')


def clean(name: str) -> str:
    """Return a safe file name made of `name`, the last component of whatever path it pretends to be."""
    text = unicodedata.normalize("NFC", name).replace("\\", "/").rstrip("/").rpartition("/")[2]
    text = "".join(c if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co", "Cn"} else "_" for c in text)
    text = re.sub(r'[<>:"|?*]', "_", text).strip(" ").rstrip(".")
    if text.startswith("."):
        text = "_" + text.lstrip(".") if text.strip(".") else ""
    if _RESERVED.match(text):
        text = "_" + text
    return shorten(text) or FALLBACK


def shorten(name: str, limit_bytes: int = LONGEST_NAME_BYTES) -> str:
    """Cut `name` to `limit_bytes` of UTF-8, keeping a short suffix such as `.tar.gz` when there is one."""
    if len(name.encode()) <= limit_bytes:
        return name
    stem, dot, suffix = name.rpartition(".")
    ending = f".{suffix}" if dot and stem and len(suffix.encode()) <= 16 else ""
    room = limit_bytes - len(ending.encode())
    kept = (stem if ending else name).encode()[:room].decode(errors="ignore")
    return kept.rstrip(" .") + ending


def from_disposition(header: str) -> str | None:
    """Return the file name of a Content-Disposition header (RFC 6266), not yet cleaned, or None.

    `filename*` (RFC 8187) wins over `filename`; broken quoting, a trailing semicolon and percent-encoding in the plain
    form are taken as senders mean them.
    """
    found: dict[str, str] = {}
    for match in _PARAMETER.finditer(header if header.lstrip().startswith(";") else ";" + header.partition(";")[2]):
        quoted = match["quoted"]
        value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else (match["token"] or "").strip()
        found.setdefault(match["key"].lower(), value)
    extended = found.get("filename*")
    if extended and extended.count("'") >= 2:
        charset, _, value = extended.split("'", 2)
        try:
            return unquote_to_bytes(value).decode(charset or "utf-8")
        except (LookupError, UnicodeDecodeError):
            pass
    plain = found.get("filename")
    return unquote(plain) if plain else None


def numbered(name: str, number: int) -> str:
    """Return `name` with a number before its suffix, `file (2).iso`: how `--if-exists rename` finds a free name."""
    stem, dot, suffix = name.rpartition(".")
    if dot and stem:
        return f"{shorten(stem, LONGEST_NAME_BYTES - 16)} ({number}).{suffix}"
    return f"{shorten(name, LONGEST_NAME_BYTES - 16)} ({number})"
