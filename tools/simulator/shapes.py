"""Shapes: whether the values of a frozen class are of the types that its fields say, and within bounds.

The converter of the log trusts what it reads, since the log's checksums vouch for it. Of a file from anybody that is
not so, and a number where a text should be would fail far from here, or not at all.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin, get_type_hints

import attrs

LONGEST_TEXT = 2048
MOST_ITEMS = 20_000
MOST = 2**62
DEEPEST = 8


Fits = Callable[[Any], bool]
_KNOWN: dict[type[Any], tuple[tuple[str, Fits], ...]] = {}


def check(value: Any) -> None:
    """Refuse an object of a frozen class whose fields are not what they should be.

    Raises:
        ValueError: the message names the field.
    """
    for name, fits in _fields(type(value)):
        if not fits(getattr(value, name)):
            raise ValueError(name)


def _fields(model: type[Any]) -> tuple[tuple[str, Fits], ...]:
    """Return the fields of a class, each with what tells whether a value is one of its kind."""
    if model not in _KNOWN:
        hints = get_type_hints(model)
        _KNOWN[model] = tuple((field.name, _fits(hints[field.name])) for field in attrs.fields(model))
    return _KNOWN[model]


def _fits(kind: Any) -> Fits:
    if isinstance(kind, types.UnionType):
        some = [_fits(one) for one in get_args(kind)]
        return lambda value: any(fits(value) for fits in some)
    if get_origin(kind) is tuple:
        inner = _fits(get_args(kind)[0])
        return lambda value: isinstance(value, tuple) and len(value) <= MOST_ITEMS and all(map(inner, value))
    if get_origin(kind) is Mapping:
        return lambda value: isinstance(value, Mapping) and _is_plain(value, 0)
    if kind is int:
        return lambda value: type(value) is int and -MOST <= value <= MOST
    if kind is str:
        return lambda value: isinstance(value, str) and len(value) <= LONGEST_TEXT and value.isprintable()
    if attrs.has(kind):
        return lambda value: type(value) is kind and all(fits(getattr(value, name)) for name, fits in _fields(kind))
    return lambda value: type(value) is kind


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
