"""Shapes: whether the values of a frozen class are of the types that its fields say, and within bounds.

The converter of the log trusts what it reads, since the log's checksums vouch for it. Of a file from anybody that is
not so, and a number where a text should be would fail far from here, or not at all.
"""

from __future__ import annotations

import enum
import functools
import types
from collections.abc import Mapping
from typing import Any, get_args, get_origin, get_type_hints
from uuid import UUID

import attrs

LONGEST_TEXT = 2048
MOST_ITEMS = 20_000
MOST = 2**62
DEEPEST = 8


def check(value: Any) -> None:
    """Refuse an object of a frozen class whose fields are not what they should be.

    Raises:
        ValueError: the message names the field.
    """
    for name, kind in _kinds(type(value)):
        if not _fits(getattr(value, name), kind):
            raise ValueError(name)


@functools.cache
def _kinds(model: type[Any]) -> tuple[tuple[str, Any], ...]:
    """Return the fields of a class with their types."""
    hints = get_type_hints(model)
    return tuple((field.name, hints[field.name]) for field in attrs.fields(model))


def _fits(value: Any, kind: Any) -> bool:
    if isinstance(kind, types.UnionType):
        return any(_fits(value, one) for one in get_args(kind))
    origin = get_origin(kind)
    if origin is tuple:
        return isinstance(value, tuple) and len(value) <= MOST_ITEMS and all(_fits(v, get_args(kind)[0]) for v in value)
    if origin is Mapping:
        return isinstance(value, Mapping) and _is_plain(value, 0)
    if kind is type(None):
        return value is None
    if kind is int:
        return type(value) is int and -MOST <= value <= MOST
    if kind is str:
        return isinstance(value, str) and len(value) <= LONGEST_TEXT and value.isprintable()
    if isinstance(kind, type) and attrs.has(kind):
        if not isinstance(value, kind):
            return False
        check(value)
        return True
    return type(value) is kind if kind in {bool, float, UUID} or issubclass(kind, enum.Enum) else False


def _is_plain(value: Any, depth: int) -> bool:
    """Tell whether a value is of what JSON and settings have, not too deep and not too much."""
    if depth > DEEPEST:
        return False
    if isinstance(value, Mapping):
        return len(value) <= MOST_ITEMS and all(
            isinstance(name, str) and len(name) <= LONGEST_TEXT and _is_plain(inner, depth + 1)
            for name, inner in value.items()
        )
    if isinstance(value, list):
        return len(value) <= MOST_ITEMS and all(_is_plain(inner, depth + 1) for inner in value)
    return value is None or isinstance(value, bool | float | str) or (type(value) is int and -MOST <= value <= MOST)
