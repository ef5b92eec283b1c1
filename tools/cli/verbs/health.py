"""`lading health`: is anything wrong."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from lading.tools.cli.frame import Frame, verb

if TYPE_CHECKING:
    from lading.domain.health import Finding, Health

_MARKS = {"ok": ("ok", "green"), "warn": ("warn", "yellow"), "fail": ("FAIL", "red")}


@verb()
@click.option("--openmetrics", is_flag=True, help="As OpenMetrics text, for Prometheus and its kin.")
def command(frame: Frame, *, openmetrics: bool) -> int:
    """Tell whether anything is wrong with this home; exit code 1 if something fails, 0 for mere warnings."""
    from lading.domain.errors import UsageError
    from lading.tools.cli import trouble
    from lading.tools.cli.answers import answer

    if openmetrics and frame.json:
        raise UsageError("--openmetrics is a form of its own", hint="leave out --json")
    found = _look(frame)
    if openmetrics:
        from lading.projections import openmetrics as form

        click.echo(form.text(form.of_health(found)), nl=False)
    else:
        for finding in found.findings:
            answer(frame, _row(finding), _line(finding))
    return trouble.FAILED if found.status == "fail" else trouble.DONE


def _look(frame: Frame) -> Health:
    import os

    from lading.adapters.disk import LocalDisk
    from lading.adapters.processes import SystemProcesses
    from lading.checkup import Checkup
    from lading.cursors import FileCursors
    from lading.home import EngineLock
    from lading.opening import open_notary
    from lading.settings import load
    from lading.tools.cli.homes import existing, looking

    home = existing(frame)
    settings = load(home.settings_path, os.environ)
    with looking(frame, caught_up=False) as reading:
        checkup = Checkup(
            reading,
            SystemProcesses(),
            disk=LocalDisk(),
            is_vacant=EngineLock(home).is_vacant,
            home=home.path,
            roots={"/": "/"},
            settings=lambda: settings,
            cursors=FileCursors(home.path),
            notary=open_notary(home, reading.log, reading.views, settings, frame.log),
        )
        return checkup.look(time.time_ns(), owner=False)


def _row(finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.check,
        "status": finding.status.value,
        "value": finding.value,
        "hint": finding.hint,
        "figures": dict(finding.figures),
    }


def _line(finding: Finding) -> str:
    from lading.tools.cli.answers import plain, tinted

    mark, colour = _MARKS[finding.status.value]
    hint = f"  ({finding.hint})" if finding.hint else ""
    return tinted(f"{mark:<5}", colour) + plain(f" {finding.check:<22} {finding.value}{hint}")
