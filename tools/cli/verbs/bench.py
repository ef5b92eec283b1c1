"""`lading bench`: measurements, each beside its peer in the same run."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lading.tools.cli.frame import Frame, verb

FOLDER = click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path, resolve_path=True),
    default=".",
    help="A folder on the disk to measure; memory is refused. [default: the current one]",
)


@click.group()
def command() -> None:
    """Measure what Lading does on this machine, beside its peers."""


@verb(name="log")
@FOLDER
@click.option("--pairs", type=click.IntRange(1), default=15, help="Runs of each side, in turn. [default: 15]")
def measure_log(frame: Frame, folder: Path, pairs: int) -> int:
    """Compare the LMDB log with the event library's SQLite recorder."""
    from lading.tools.bench import log, report

    return report.show(log.run(folder, pairs=pairs), json=frame.json)


@verb(name="ledger")
@FOLDER
@click.option("--pairs", type=click.IntRange(1), default=9, help="Runs of each side, in turn. [default: 9]")
def measure_ledger(frame: Frame, folder: Path, pairs: int) -> int:
    """Compare appending with and without the Merkle tree over the log, and time its proofs."""
    from lading.tools.bench import ledger, report

    return report.show(ledger.run(folder, pairs=pairs), json=frame.json)


@verb(name="receipt")
@FOLDER
@click.option("--events", type=click.IntRange(3, 50_000), default=10_000, help="Of the download. [default: 10000]")
def measure_receipt(frame: Frame, folder: Path, events: int) -> int:
    """Weigh the receipt of a download that came in many steps, and time its issue and its check."""
    from lading.tools.bench import receipt, report

    return report.show(receipt.run(folder, events=events), json=frame.json)


@verb(name="scale")
@FOLDER
@click.option("--count", type=click.IntRange(20_000), default=1_000_000, help="Downloads. [default: 1000000]")
def measure_scale(frame: Frame, folder: Path, count: int) -> int:
    """Put a million downloads into a queue, and measure what that costs."""
    from lading.tools.bench import report, scale

    say = None if frame.json else lambda text: print(text, file=sys.stderr)
    return report.show(scale.run(folder, count=count, say=say or (lambda _: None)), json=frame.json)


@verb(name="transfer")
@FOLDER
@click.option("--turns", type=click.IntRange(1), default=5, help="Runs of each program, in turn. [default: 5]")
@click.option("--only", multiple=True, type=click.Choice(["http", "https", "small"]), help="This race. [default: all]")
def measure_transfer(frame: Frame, folder: Path, turns: int, only: tuple[str, ...]) -> int:
    """Race curl, aria2c, wget and bare loops: one large file, over https too, and many small ones."""
    from lading.tools.bench import report, transfer

    say = None if frame.json else lambda text: print(text, file=sys.stderr)
    raced = transfer.run(folder, turns=turns, only=only or transfer.RACES, say=say or (lambda _: None))
    return report.show(raced, json=frame.json)


@verb(name="link")
@FOLDER
@click.option("--turns", type=click.IntRange(1), default=5, help="Runs of each program, in turn. [default: 5]")
def measure_link(frame: Frame, folder: Path, turns: int) -> int:
    """Fetch a file over a long line, by several connections and by one."""
    from lading.tools.bench import link, report

    say = None if frame.json else lambda text: print(text, file=sys.stderr)
    return report.show(link.run(folder, turns=turns, say=say or (lambda _: None)), json=frame.json)


@verb(name="crowd")
@FOLDER
@click.option("--count", type=click.IntRange(1, 10_000), default=1_000, help="Downloads. [default: 1000]")
@click.option("--seconds", type=click.FloatRange(1.0), default=60.0, help="For how long. [default: 60]")
def measure_crowd(frame: Frame, folder: Path, count: int, seconds: float) -> int:
    """Run a thousand slow downloads at once, and measure what they cost and do to each other."""
    from lading.tools.bench import crowd, report

    say = None if frame.json else lambda text: print(text, file=sys.stderr)
    return report.show(crowd.run(folder, count=count, seconds=seconds, say=say or (lambda _: None)), json=frame.json)


@verb(name="limits")
@FOLDER
@click.option("--seconds", type=click.FloatRange(1.0), default=10.0, help="For how long each. [default: 10]")
def measure_limits(frame: Frame, folder: Path, seconds: float) -> int:
    """Hold rates from crawling to fast, by one download and by twenty, and measure how close and how evenly."""
    from lading.tools.bench import limits

    say = None if frame.json else lambda text: print(text, file=sys.stderr)
    return limits.show(limits.run(folder, seconds=seconds, say=say or (lambda _: None)), json=frame.json)


@verb(name="export")
@FOLDER
@click.option("--count", type=click.IntRange(1_000), default=1_000_000, help="Events. [default: 1000000]")
@click.option("--turns", type=click.IntRange(1), default=3, help="Runs. [default: 3]")
def measure_export(frame: Frame, folder: Path, count: int, turns: int) -> int:
    """Export a million events to Parquet, and check them against the log."""
    from lading.tools.bench import export, report

    say = None if frame.json else lambda text: print(text, file=sys.stderr)
    return report.show(export.run(folder, count=count, turns=turns, say=say or (lambda _: None)), json=frame.json)


@verb(name="verify")
@FOLDER
@click.option("--count", type=click.IntRange(1_000), default=1_000_000, help="Events. [default: 1000000]")
def measure_verify(frame: Frame, folder: Path, count: int) -> int:
    """Verify a home with a million events, and measure time and memory."""
    from lading.tools.bench import report, verify

    say = None if frame.json else lambda text: print(text, file=sys.stderr)
    return report.show(verify.run(folder, count=count, say=say or (lambda _: None)), json=frame.json)


command.add_command(measure_crowd)
command.add_command(measure_export)
command.add_command(measure_ledger)
command.add_command(measure_limits)
command.add_command(measure_link)
command.add_command(measure_log)
command.add_command(measure_receipt)
command.add_command(measure_scale)
command.add_command(measure_transfer)
command.add_command(measure_verify)
