"""How people name a download to us, and how we name it to them: a hint is a command that can be copied and run."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from lading.domain.download import Download
    from lading.reading import Reading

SHORT, ENDING = 13, 5
_HEX = frozenset("0123456789abcdef-")


def find(reading: Reading, text: str) -> Download:
    """Return the download that is meant by an id, the beginning of one, or a key; blocks.

    Raises:
        UnknownDownload: none is called that, or more than one; or the beginning is too short to mean one.
    """
    from lading.domain.errors import UnknownDownload
    from lading.reading import SHORTEST_PREFIX

    try:
        return reading.find(text)
    except UnknownDownload as error:
        if len(text.replace("-", "")) < SHORTEST_PREFIX and not set(text.lower()) - _HEX:
            error.hint = f"if that is the beginning of an id: at least {SHORTEST_PREFIX} characters of it are needed"
        raise


def short(reading: Reading, id: UUID) -> str:
    """Return what a person may call a download by: its key where that is short, else the beginning of its id; blocks.

    Ids of the same moment begin in the same way and differ at their ends: of these it is both, as `find` takes it.
    """
    from lading.domain.errors import UnknownDownload
    from lading.reading import ELLIPSIS

    found, text = reading.get(id), str(id)
    if found is not None and found.order.key and len(found.order.key) <= SHORT:
        return found.order.key
    for name in (text[:SHORT], f"{text[:SHORT]}{ELLIPSIS}{text[-ENDING:]}"):
        try:
            return name if reading.find(name).id == id else text
        except UnknownDownload:
            continue
    return text


def with_id(hint: str, id: UUID) -> str:
    """Return a hint with the id of the download that it is about in the place of the word ID."""
    for behind in ("`", " URL", " --"):
        hint = hint.replace(f" ID{behind}", f" {id}{behind}")
    return hint
