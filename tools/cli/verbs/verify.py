"""`lading verify`: is what is stored what was stored?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from lading.tools.cli.frame import Frame, verb

if TYPE_CHECKING:
    from lading.export_files import Provenance


@verb()
@click.option("--files", is_flag=True, help="Also the files of completed downloads, against their digests.")
@click.option("--views", is_flag=True, help="Also the views, against a fresh fold of the log.")
@click.option(
    "--downloads",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="With --files: the download folder of the program that this home belongs to.",
)
@click.option(
    "--backup",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Instead of a home: a backup, all of it.",
)
@click.option(
    "--export",
    "exported",
    type=click.Path(path_type=Path),
    metavar="FILE|DIR",
    help="Instead of all this an export, file or folder, against the log that it was made of.",
)
def command(
    frame: Frame,
    downloads: Path | None,
    backup: Path | None,
    exported: Path | None,
    *,
    files: bool,
    views: bool,
) -> int:
    """Check every record of the log, and views and files on demand; exit code 4 if something is damaged.

    The log's pages, checksums, indexes and events are looked at, its Merkle tree against every checkpoint of it here
    and at its anchors, settings, secrets and the cursors of hooks; with --files also parts, piece by piece. All of it
    runs in a process of its own, which damage may end and not this.

    Each finding is a line. Nothing is mended: `lading rebuild` makes views anew, `lading repair` files and logs. The
    log is told of a file that is gone or has changed.
    """
    from lading.domain.errors import UsageError

    others = [name for name, given in (("--backup", backup), ("--export", exported)) if given is not None]
    if others and (len(others) > 1 or files or views or downloads is not None):
        raise UsageError(f"{others[0]} is checked by itself", hint="check one thing at a time")
    if exported is not None:
        return _check_export(frame, exported)
    from lading.tools.cli import progress_bar, telling, trouble
    from lading.tools.cli.answers import answer, plain
    from lading.tools.cli.checking import Check

    if backup is not None:
        return _verify_backup(frame, backup)
    with progress_bar.shown(frame) as progress:
        check = Check(frame, views=views, files=files, downloads=downloads, progress=progress)
        for finding in check.findings():
            answer(frame, attrs.asdict(finding), plain(f"{finding.kind}: {finding.message}"))
    telling.tell(frame, check.words)
    row = check.row()
    answer(frame, row, _summary(row))
    if not check.damage:
        return trouble.DONE
    told = f"{check.damage} {'thing is' if check.damage == 1 else 'things are'} not as stored"
    hint = (
        "keep a copy of the home before anything else; `lading rebuild` makes views anew, `lading repair` files or log"
    )
    trouble.tell(trouble.Trouble(told, hint, "IntegrityError", trouble.INTEGRITY), as_json=frame.json)
    return trouble.INTEGRITY


def _verify_backup(frame: Frame, path: Path) -> int:
    from lading.adapters.parcel import Parcel
    from lading.backup import examine
    from lading.domain.errors import UsageError
    from lading.restoring import describe
    from lading.tools.cli import trouble
    from lading.tools.cli.answers import answer, plain

    try:
        opened = Parcel(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint="name a file of `lading backup`") from error
    with opened as parcel:
        manifest = examine(parcel, openly=True)
    row = {"kind": "backup", "ok": True, "path": str(path.absolute()), **describe(manifest)}
    answer(frame, row, plain(f"sound: {manifest.events} events of {manifest.created_at} in {path}"))
    return trouble.DONE


def _check_export(frame: Frame, path: Path) -> int:
    from lading import exporting
    from lading.export_faults import Fault, verdict
    from lading.export_files import Provenance
    from lading.rechecking import recheck
    from lading.tools.cli import trouble
    from lading.tools.cli.answers import answer, plain
    from lading.tools.cli.homes import existing, signing

    home = str(existing(frame).id)
    faults: list[Fault] = []
    exports: list[Provenance] = []
    with signing(frame) as (reading, notary):
        log = exporting.log_id(reading, home)
        for found in recheck(reading, path, log, notary):
            if isinstance(found, Provenance):
                exports.append(found)
                continue
            faults.append(found.fault)
            row = {"kind": "export", "message": found.message, "path": str(found.path), "position": found.position}
            answer(frame, {**row, "fault": str(found.fault)}, plain(f"export: {found.path}: {found.message}"))
    summary = _exported(exports) | {"ok": not faults, "findings": len(faults)}
    what = _covered(summary)
    if not faults and any(says.log != log for says in exports):
        what += "; made before the log was repaired, which has all of it"
    word = "sound" if not faults else "damaged" if set(faults) == {Fault.FILE} else "not sound"
    answer(frame, summary, f"{word}: {what}")
    if not faults:
        return trouble.DONE
    told = verdict(path, faults)
    trouble.tell(trouble.Trouble(*told, "IntegrityError", trouble.INTEGRITY), as_json=frame.json)
    return trouble.INTEGRITY


def _exported(exports: Sequence[Provenance]) -> dict[str, Any]:
    """Return what exports come to."""
    return {
        "kind": "summary",
        "exports": len(exports),
        "rows": sum(says.count for says in exports),
        "vouched": sum(says.checkpoint is not None for says in exports),
        "first": min((says.first for says in exports), default=None),
        "last": max((says.last for says in exports), default=None),
    }


def _covered(summary: Mapping[str, Any]) -> str:
    exports, first, unsigned = summary["exports"], summary["first"], summary["exports"] - summary["vouched"]
    covered = "" if first is None else f", positions {first} to {summary['last']}"
    if first is not None and first > 1:
        covered += f" (it does not begin at 1: nothing is said of what comes before {first})"
    files = f"{exports} {'file' if exports == 1 else 'files'}"
    return f"{files}, {summary['rows']} rows{covered}" + (f"; {unsigned} without a checkpoint" if unsigned else "")


def _summary(row: dict[str, Any]) -> str:
    looked = ["the log" if row["events"] is None else f"{row['events']} events"]
    if row["checkpoints"]:
        looked.append(f"{row['checkpoints']} {'checkpoint' if row['checkpoints'] == 1 else 'checkpoints'}")
    if row["views"] is not None:
        looked.append("the views")
    if row["files"] is not None:
        looked.append(f"{row['files']} files")
    if row["parts"]:
        looked.append(f"{row['parts']} parts")
    if row["given_up"]:
        looked.append(
            f"without {row['given_up']:,} events or more that were signed, and given up by a repair of the log"
        )
    unchecked = f"; {row['unchecked']} files lie in a folder that --downloads would name" if row["unchecked"] else ""
    return f"{'sound' if row['ok'] else 'damaged'}: {', '.join(looked)}{unchecked}"
