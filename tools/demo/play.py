"""The play of the demo, in acts; each shows what it does, and what the log says of it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import trio
from rich.console import Console
from rich.table import Table

import lading
from lading.domain import events as e
from lading.domain.facts import Fact
from lading.home import open_home
from lading.opening import open_reading
from lading.reading import Reading
from lading.tools.demo import stage
from lading.tools.demo.tell import progress_line, sentence
from lading.tools.origin import OriginProcess

KILL_AT = 0.3
LONGEST_S = 55.0
LOOK_S = 0.25


class Failure(Exception):
    """Something that the demo claims was not true."""


def main(*, keep: bool = False, console: Console | None = None) -> int:
    """Play the demo, and return the exit code: 0 only if everything that it says was true."""
    out = console or Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    folder = Path(tempfile.mkdtemp(prefix="lading-demo-"))
    began_s = time.monotonic()
    try:
        _play(out, folder)
    except Failure as failure:
        out.print(f"[bold red]The demo failed:[/] {failure}")
        return 1
    finally:
        if keep:
            out.print(f"Home and files are kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    out.print(f"\n[bold green]All of it was true.[/] {time.monotonic() - began_s:.0f} s.")
    return 0


def _play(out: Console, folder: Path) -> None:
    home, files = folder / "home", folder / "files"
    out.rule("[bold]1 · Four downloads from an origin with bad habits")
    with OriginProcess([scene.resource for scene in stage.SCENES]) as origin:
        stage.put_up(origin)
        for scene in stage.SCENES:
            out.print(f"  [cyan]{scene.resource.name:12}[/] {scene.told}")
        trio.run(_submit, home, files, origin)
        with _reading(home) as reading:
            with _engine(home, files) as engine:
                out.print("\nThe engine runs in its own process; these lines are read from its log by another:")
                _watch(out, reading, engine, until=lambda: _share_of_large(reading) >= KILL_AT)
                out.rule(f"[bold]2 · kill -9 {engine.pid}")
                engine.send_signal(signal.SIGKILL)
                engine.wait()
            vouched = _large(reading).received
            head = reading.log.head()
            out.print(f"  No goodbye. The log vouches for {vouched:,} bytes of {stage.LARGE}, and for nothing more.")
            out.rule("[bold]3 · Another engine opens the same home, and replays")
            with _engine(home, files) as engine:
                _watch(out, reading, engine, until=lambda: not reading.unfinished())
                if engine.wait(timeout=10) != 0:
                    raise Failure("the second engine did not end well")
            facts = _since(reading, head)
            _tell(out, facts, reading)
            _claims(out, facts, reading, vouched)
    out.rule("[bold]4 · Every file against what the origin holds")
    verdicts = stage.check(files)
    for name, good in verdicts.items():
        out.print(f"  {'[green]equal[/]    ' if good else '[red]DIFFERENT[/]'} {name}")
    strays = sorted(path.name for path in files.iterdir() if path.name not in verdicts)
    if strays or not all(verdicts.values()):
        raise Failure(f"files are wrong or left over: {strays or verdicts}")


async def _submit(home: Path, files: Path, origin: OriginProcess) -> None:
    async with lading.open_engine(home, downloads=files, role="client") as engine:
        await engine.submit_many([lading.Request(origin.url(scene.resource.name)) for scene in stage.SCENES])


@contextmanager
def _engine(home: Path, files: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-m", "lading.tools.demo.victim", str(home), str(files)])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def _reading(home: Path) -> Iterator[Reading]:
    reading = open_reading(open_home(home, new_id=None))
    try:
        yield reading
    finally:
        reading.close()


def _watch(out: Console, reading: Reading, engine: subprocess.Popen[bytes], *, until: Callable[[], bool]) -> None:
    """Show progress until something holds; on a terminal in place, elsewhere a line now and then."""
    began_s = shown_s = time.monotonic()
    with out.status("starting") as status:
        while True:
            reading.catch_up()
            if until():
                return
            now_s = time.monotonic()
            if now_s - began_s > LONGEST_S:
                raise Failure("it took too long")
            if engine.poll() is not None:
                reading.catch_up()
                if until():
                    return
                raise Failure(f"the engine ended with exit code {engine.returncode}")
            line = "  ".join(progress_line(download) for download in reading.downloads())
            if out.is_terminal:
                status.update(line)
            elif now_s - shown_s > 2.0:
                shown_s = now_s
                out.print(f"  {line}")
            time.sleep(LOOK_S)


def _large(reading: Reading) -> lading.Download:
    return next(d for d in reading.downloads() if d.order.url.endswith(stage.LARGE))


def _share_of_large(reading: Reading) -> float:
    large = _large(reading)
    return large.received / large.total if large.total else 0.0


def _since(reading: Reading, position: int) -> list[Fact]:
    facts: list[Fact] = []
    while page := reading.facts(after=facts[-1].position if facts else position):
        facts += page
    return facts


def _tell(out: Console, facts: list[Fact], reading: Reading) -> None:
    out.print("\nWhat the log says happened since:")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 2))
    for column in ("#", "event", "of", "says"):
        table.add_column(column, style="dim" if column == "#" else None, overflow="fold")
    for fact in facts:
        download = reading.get(fact.stream)
        name = download.order.url.rpartition("/")[2] if download else "engine"
        table.add_row(str(fact.position), f"[cyan]{type(fact.event).__name__}[/]", name, sentence(fact.event))
    out.print(table)


def _claims(out: Console, facts: list[Fact], reading: Reading, vouched: int) -> None:
    """Hold what the demo is there to show against the log."""
    recovered = [fact.event for fact in facts if isinstance(fact.event, e.Recovered)]
    if not recovered:
        raise Failure("no Recovered in the log")
    large = _large(reading)
    resumed = [
        fact.event.resumed_from for fact in facts if fact.stream == large.id and isinstance(fact.event, e.Started)
    ]
    if not vouched or resumed[:1] != [vouched]:
        raise Failure(f"{stage.LARGE} was resumed from {resumed}, not from {vouched}")
    if differing := reading.views.verify():
        raise Failure(f"the views differ from a fresh fold of the log at {len(differing)} keys")
    out.print(
        f"\n  {stage.LARGE} went on with the [bold]{vouched:,}[/] bytes that were durable when the engine was killed."
        f"\n  The views equal a fresh fold of the log, key by key."
    )
