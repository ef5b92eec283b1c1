"""Rows for people: a table on a terminal, aligned text in a pipe, and in both cases however many rows there are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

from lading.tools.cli.answers import plain

BETWEEN = 3
NOTHING = {"", "-"}
PAGE = 500
"""So many rows decide how wide the columns are; a list that is longer is printed as it comes."""


class Column(NamedTuple):
    """A column: its title, whether it is flushed right, and how narrow it may be folded; 0 for not at all."""

    title: str
    right: bool = False
    least: int = 0


def show(
    columns: Sequence[Column], rows: Iterable[Sequence[object]], shorten: Callable[[str], str] | None = None
) -> bool:
    """Print the rows on stdout, and tell whether there were any.

    On a terminal on which they have no room in one line each, the first cell is made shorter by `shorten`, if that is
    given, and columns in which nothing stands are left out.
    """
    cells = ([plain(cell) for cell in row] for row in rows)
    page = list(islice(cells, PAGE))
    if not page:
        return False
    following = next(cells, None)
    if sys.stdout.isatty() and following is None:
        if shorten is not None and not _has_room(columns, page):
            page = [[plain(shorten(row[0])), *row[1:]] for row in page]
            full = [number for number in range(len(columns)) if any(row[number] not in NOTHING for row in page)]
            columns = [columns[number]._replace(least=columns[number].least if number else 0) for number in full]
            page = [[row[number] for number in full] for row in page]
        _table(columns, page)
    else:
        _text(columns, page, chain([following] if following else [], cells))
    return True


def _has_room(columns: Sequence[Column], page: Sequence[Sequence[str]]) -> bool:
    from rich.console import Console

    widths = [max(map(len, cells)) for cells in zip((column.title for column in columns), *page, strict=True)]
    return sum(widths) + BETWEEN * (len(widths) - 1) <= Console().width


def _table(columns: Sequence[Column], page: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(
            Text(column.title),
            justify="right" if column.right else "left",
            no_wrap=not column.least,
            overflow="fold",
            min_width=column.least or max(len(column.title), *(len(row[number]) for row in page)),
        )
    for row in page:
        table.add_row(*map(Text, row))
    Console(highlight=False).print(table)


def _text(columns: Sequence[Column], page: list[list[str]], more: Iterator[list[str]]) -> None:
    titles = [column.title for column in columns]
    widths = [max(map(len, cells)) for cells in zip(titles, *page, strict=True)]
    for row in chain([titles], page, more):
        cells = (
            cell.rjust(width) if column.right else cell.ljust(width)
            for cell, width, column in zip(row, widths, columns, strict=True)
        )
        print("  ".join(cells).rstrip())
