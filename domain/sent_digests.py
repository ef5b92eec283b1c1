"""Digests that servers send of what they serve: proof against damage on the way, and of sameness for a resume (law 4).

    Repr-Digest: sha-256=:BASE64:       of the whole file, whatever part of it is sent       (RFC 9530 §3)
    Content-Digest: sha-256=:BASE64:    of the body of this answer                           (RFC 9530 §2)
    Digest: SHA-256=BASE64              of the whole file                                    (RFC 3230 §4.3.2)
    Content-MD5: BASE64                 of the body of this answer                           (RFC 1864)

What cannot be read is as good as not sent: none of it is asked for, and some servers send nonsense.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator, Mapping

from lading.domain.digests import Digest
from lading.domain.errors import InvalidDigest

_BASE64 = r"[0-9A-Za-z+/]+={0,2}"
_MEMBER = re.compile(rf"\s*([a-z0-9-]+)\s*=\s*:({_BASE64}):\s*(?:;[^,]*)?(?:,|$)")
_OLD_MEMBER = re.compile(rf"\s*([A-Za-z0-9-]+)\s*=\s*({_BASE64})\s*(?:,|$)")
_NAMES = {"sha-256": "sha256", "sha-512": "sha512", "sha": "sha1", "md5": "md5"}
_PREFERRED = ("sha256", "sha512", "sha1", "md5")


def of_file(headers: Mapping[str, str], *, whole: bool) -> str | None:
    """Return the digest of the whole file that an answer states, `ALGORITHM:HEX`, or None.

    Of several the one that we compute anyway, else the strongest; the older headers count where a newer one does not
    say it. `headers` have names in lower case; `whole` tells that the body is the whole file.
    """
    stated: dict[str, str] = {}
    if whole and "content-md5" in headers:
        stated.update(_readable([("md5", headers["content-md5"].strip())]))
    stated.update(_readable(_OLD_MEMBER.findall(headers.get("digest", ""))))
    if whole:
        stated.update(_readable(_MEMBER.findall(headers.get("content-digest", ""))))
    stated.update(_readable(_MEMBER.findall(headers.get("repr-digest", ""))))
    return next((f"{name}:{stated[name]}" for name in _PREFERRED if name in stated), None)


def _readable(members: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield our name of the algorithm and the digest in hex of each member that is what it says."""
    for name, encoded in members:
        try:
            digest = Digest.parse(f"{_NAMES.get(name.lower(), '')}:{b64decode(encoded, validate=True).hex()}")
        except (InvalidDigest, ValueError):
            continue
        yield digest.algorithm, digest.hex
