"""Amounts in words, for sentences that people read; a kilo is 1024, as in curl and aria2."""

from __future__ import annotations

_NAMES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def size(count: int) -> str:
    """Return a number of bytes for people."""
    power, value = 0, float(count)
    while round(value, 1) >= 1024 and power < len(_NAMES) - 1:
        power, value = power + 1, value / 1024
    return f"{count} B" if power == 0 else f"{value:.1f} {_NAMES[power]}"


def of(count: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it is not one."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
