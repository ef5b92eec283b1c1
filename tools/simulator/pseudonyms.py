"""Pseudonyms: names that stand for hosts, ids, tags and paths within one incident, and tell nothing of them.

A pseudonym is a keyed digest under a random key that nobody keeps: what was equal stays equal within a file, two files
have nothing in common, and trying names out leads nowhere. Nothing has to be remembered for it, however much there is.
What decisions depend on stays as it was: whether a host is this very machine, and whether a port is that of the scheme.
"""

from __future__ import annotations

import hashlib
import hmac
from uuid import UUID

from lading.domain import urls

KEEP = ("hosts", "tags", "ids")
"""What may be left as it is, where somebody may show it."""
_DIGITS = 12
_PORTS = {"http": 80, "https": 443}


class Pseudonyms:
    """Makes pseudonyms under a key, but for what is to be kept."""

    def __init__(self, key: bytes, keep: frozenset[str] = frozenset()) -> None:
        self._key = key
        self._keep = keep

    def word(self, kind: str, text: str) -> str:
        """Return what stands for a text of some kind."""
        return f"{kind}-{self._digest(kind, text).hex()[:_DIGITS]}"

    def id(self, id: UUID) -> UUID:
        """Return what stands for an id."""
        return id if "ids" in self._keep else UUID(bytes=self._digest("id", id.hex)[:16])

    def tag(self, tag: str) -> str:
        """Return what stands for a tag."""
        return tag if "tags" in self._keep and tag.isprintable() else self.word("tag", tag)

    def host(self, name: str) -> str:
        """Return what stands for the name of a host."""
        if "hosts" in self._keep or not name:
            return name
        bare = name.strip("[]").lower()
        return f"{self.word('host', bare)}.{'localhost' if urls.is_local(f'{bare}:1') else 'invalid'}"

    def port(self, port: int) -> int:
        """Return what stands for a port; those that schemes have stay as they are."""
        if "hosts" in self._keep or port in _PORTS.values():
            return port
        return 1024 + int.from_bytes(self._digest("port", str(port))[:4]) % 64_000

    def place(self, place: str) -> str:
        """Return what stands for a host, with its port where there is one, as settings name it."""
        name, _, port = place.rpartition(":")
        if name and port.isascii() and port.isdigit() and (":" not in name or name.startswith("[")):
            return f"{self.host(name)}:{self.port(int(port))}"
        return self.host(place)

    def url(self, url: str) -> str:
        """Return what stands for a public URL: of its scheme, on a host that stands for its own."""
        scheme = "https" if url.lower().startswith("https:") else "http"
        name, _, port = urls.host(url).rpartition(":")
        shown = "" if int(port) == _PORTS[scheme] else f":{self.port(int(port))}"
        return f"{scheme}://{self.host(name)}{shown}/{self.word('file', url)}"

    def _digest(self, kind: str, text: str) -> bytes:
        return hmac.digest(self._key, f"{kind}\0{text}".encode("utf-8", "surrogatepass"), hashlib.sha256)
