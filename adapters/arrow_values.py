"""What Arrow holds as values of Python, whatever DuckDB has computed.

Python has no date before the year 1 or after 9999, no infinite one, and no time of nanoseconds. Such a value comes as
the text that DuckDB prints for it, also inside lists, structs and maps; everything around it stays what it is.

pyarrow and duckdb come with the extra `[analytics]`; nothing here is imported before it is asked for.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


def values(array: pa.Array) -> list[Any]:
    """Return the values of an array, None for null."""
    try:
        found: list[Any] = array.to_pylist()
    except (OverflowError, ValueError):
        return _with_text(array)
    return found


def _with_text(array: pa.Array) -> list[Any]:
    from pyarrow import types

    kind = array.type
    if types.is_map(kind):
        return [None if pairs is None else [tuple(pair.values()) for pair in pairs] for pairs in _inner(array)]
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _inner(array)
    if types.is_struct(kind):
        names = [field.name for field in kind]
        rows = zip(*map(values, array.flatten()), strict=True)
        return [
            dict(zip(names, row, strict=True)) if one.is_valid else None for one, row in zip(array, rows, strict=True)
        ]
    return [_value(scalar, text) for scalar, text in zip(array, _printed(array), strict=True)]


def _inner(array: pa.Array) -> list[list[Any] | None]:
    """Return what each list of an array of lists holds."""
    import pyarrow as pa

    held = [one.values if one.is_valid else None for one in array]
    found = iter(values(pa.concat_arrays([one for one in held if one is not None])))
    return [None if one is None else list(islice(found, len(one))) for one in held]


def _value(scalar: pa.Scalar, text: str | None) -> Any:
    try:
        return scalar.as_py()
    except (OverflowError, ValueError):
        return text


def _printed(array: pa.Array) -> list[str | None]:
    """Return what DuckDB prints for each value."""
    import duckdb
    import pyarrow as pa

    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        printed = connection.from_arrow(pa.table({"value": array})).project("value::VARCHAR")
        return [text for (text,) in printed.fetchall()]
