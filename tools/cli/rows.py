"""Downloads as rows for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lading.tools.cli import units
from lading.tools.cli.tables import Column

COLUMNS = (
    Column("ID", least=13),
    Column("STATE"),
    Column("DONE", right=True),
    Column("SIZE", right=True),
    Column("RATE", right=True),
    Column("LEFT", right=True),
    Column("WHAT", least=14),
    Column("WHY", least=14),
)


def cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of a row of `list`."""
    return (
        row["id"],
        row["state"],
        units.percent(row["percent"]) if row["total"] is not None else units.size(row["received"]),
        units.size(row["total"]),
        units.rate(row["rate"]),
        units.duration(row["eta"]),
        row["path"] or row["url"],
        row["why"] if _is_kept(row) else "",
    )


def _is_kept(row: Mapping[str, Any]) -> bool:
    """Tell whether something keeps a download from being complete, other than its turn, its work or a wish."""
    from lading.projections.progress import READY

    return row["state"] in {"waiting", "failed"} or (row["state"] == "queued" and row["why"] != READY)
