"""What an origin shall serve, as JSON: the language between `python -m lading.tools.origin` and who started it.

One object a resource: `{"name": "a.bin", "size": "64M", "seed": "x", "behaviour": {"rate": 1048576}}`, or with
`"body"`, a text, instead of size and seed. Every field of `Behaviour` is written as it is named there, the choices by
their values. Without size and body the object says how a resource that is there already is treated from now on.
"""

from __future__ import annotations

import json
import re
from typing import Any

import attrs
import cattrs

from lading.domain.errors import UsageError
from lading.tools.origin.behaviour import Behaviour
from lading.tools.origin.content import Content, Page, Resource

_CONVERTER = cattrs.Converter(forbid_extra_keys=True, omit_if_default=True)
_SIZE = re.compile(r"(\d+)([KMG]?)")
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@attrs.frozen(kw_only=True)
class Line:
    """One object of the script.

    Attributes:
        name: Which resource.
        size: Its length, in bytes or as `64M`.
        seed: What its bytes follow from.
        body: Its bytes, as text; goes before size and seed.
        media_type: Its Content-Type, unless it is the usual one.
        behaviour: How it is treated; None for as before.
    """

    name: str
    size: str | None = None
    seed: str = "lading"
    body: str | None = None
    media_type: str | None = None
    behaviour: Behaviour | None = None

    @property
    def content(self) -> Content | None:
        """What to serve from now on, or None for what is there.

        Raises:
            UsageError: the size is not one.
        """
        content: Page | Resource
        if self.body is not None:
            content = Page(self.name, self.body.encode())
        elif self.size is not None:
            content = Resource(self.name, size_of(self.size), self.seed)
        else:
            return None
        return attrs.evolve(content, media_type=self.media_type) if self.media_type else content


def read(text: str, *, seed: str) -> Line:
    """Return what an object of the script, or the short form `NAME=SIZE`, says; `seed` is for one that names none.

    Raises:
        UsageError: it is neither, or has a field that we do not know or with a value that it cannot have.
    """
    text = text.strip()
    name, equals, size = text.partition("=")
    try:
        given = json.loads(text) if text.lstrip().startswith("{") else {"name": name, "size": size}
        if not (equals or "{" in text):
            raise ValueError("neither an object nor NAME=SIZE")
        return _CONVERTER.structure({"seed": seed, **given}, Line)
    except (ValueError, cattrs.BaseValidationError) as error:
        reasons = cattrs.transform_error(error) if isinstance(error, cattrs.BaseValidationError) else [str(error)]
        raise UsageError(
            f"cannot serve {text!r}: {'; '.join(reasons)}",
            hint='write NAME=SIZE, such as a.bin=64M, or an object: {"name": "a.bin", "size": "64M"}',
        ) from None


def write(content: Content | None = None, *, name: str = "", behaviour: Behaviour | None = None) -> str:
    """Return the object that makes another process serve `content`, or treat `name` so; a page must be UTF-8."""
    given: dict[str, Any] = {"name": content.name if content else name}
    match content:
        case Resource():
            given |= {"size": content.size, "seed": content.seed, "media_type": content.media_type}
        case Page():
            given |= {"body": content.body.decode(), "media_type": content.media_type}
        case _:
            pass
    if behaviour is not None:
        given["behaviour"] = _CONVERTER.unstructure(behaviour)
    return json.dumps(given)


def size_of(text: str) -> int:
    """Return a number of bytes from `4096`, `64K`, `2M` or `1G` (powers of 1024).

    Raises:
        UsageError: it is none of these.
    """
    match = _SIZE.fullmatch(text)
    if not match:
        raise UsageError(f"not a size: {text!r}", hint="write bytes, or a number with K, M or G, such as 64M")
    return int(match[1]) * _UNITS[match[2]]
