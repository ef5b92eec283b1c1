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


ENDED_COLUMNS = (
    Column("ID", least=13),
    Column("ENDED"),
    Column("HOW"),
    Column("BYTES", right=True),
    Column("TRIES", right=True),
    Column("WHAT", least=14),
    Column("WHY", least=14),
)


def ended_cells(row: Mapping[str, Any]) -> tuple[object, ...]:
    """Return the cells of a row of `history`."""
    return (
        row["id"],
        units.moment(row["ended_at"]),
        row["state"],
        units.size(row["bytes"]),
        row["attempts"],
        row["path"] or row["url"],
        row["error"] or "",
    )


SEEN_COLUMNS = (
    Column("SEEN"),
    Column("POSITION", right=True),
    Column("CHANGED"),
    Column("BYTES", right=True),
    Column("ETAG", least=8),
    Column("LAST MODIFIED", least=14),
    Column("DIGEST", least=14),
    Column("ID", least=13),
)


def seen_cells(row: Mapping[str, Any]) -> tuple[object, ...]:
    """Return the cells of a row of `history --drift`."""
    return (
        units.moment(row["at"]),
        row["position"],
        ", ".join(name.replace("_", " ") for name in row["changed"]),
        units.size(row["length"]),
        row["etag"] or "",
        row["last_modified"] or "",
        row["digest"] or row["stated_digest"] or "",
        row["id"],
    )


CHANGE_COLUMNS = (
    Column("ID", least=13),
    Column("CHANGE"),
    Column("STATE"),
    Column("BYTES", right=True),
    Column("PRIORITY", right=True),
    Column("EVENTS", right=True),
    Column("WHAT", least=14),
    Column("ALSO", least=14),
)
_SHOWN = frozenset({"state", "received", "priority", "path"})


def change_cells(row: Mapping[str, Any]) -> tuple[object, ...]:
    """Return the cells of a row of `diff`."""
    before, after = row["before"] or {}, row["after"] or {}
    path = after.get("path") or before.get("path")
    moved = before.get("path") and after.get("path") and before["path"] != after["path"]
    return (
        row["id"],
        row["change"],
        _step(before.get("state"), after.get("state")),
        _step(*(units.size(side["received"]) if side else None for side in (before, after))),
        _step(before.get("priority"), after.get("priority")),
        row["events"],
        f"{before['path']} → {path}" if moved else path or row["url"],
        ", ".join(name for name in row["changed"] if before and after and name not in _SHOWN),
    )


def _step(before: object, after: object) -> str:
    """Return how something went from one value to another, or the one that it has, or had."""
    if before is None or after is None or before == after:
        return str(before if after is None else after)
    return f"{before} → {after}"
