"""One home from its first engine to its last: victims that die one after another, and one that may live to the end."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import UUID

import attrs

from lading.domain.states import State
from lading.tools.origin import OriginProcess
from lading.tools.torture import victim
from lading.tools.torture.audit import Acknowledged, Audit, recovered
from lading.tools.torture.cargo import OLD, TOKEN, Item, consignment
from lading.tools.torture.steps import BESIDE, PART, Kind, Step
from lading.tools.torture.victim import Plan

SHARE_LATER = 0.4
GRACE_S = 20.0
STAYS = frozenset({"home.json", "engine.lock", "log", "vault", "views"})


@attrs.frozen
class Delay:
    """A moment of no step: so many seconds after the engine began to work, or, when `early`, to open its home."""

    seconds: float
    early: bool = False

    def __str__(self) -> str:
        return f"{self.seconds:.3f} s into {'recovery' if self.early else 'work'}"

    @classmethod
    def parse(cls, text: str) -> Delay:
        """Read back what `str` gives."""
        return cls(float(text.split(maxsplit=1)[0]), early=text.endswith("recovery"))


Blow = Step | Delay


class Violation(Exception):
    """A law was broken; the message tells by what, and after which blows."""


@attrs.define
class Engine:
    """What became of one engine of a life."""

    blow: Blow | None
    killed: bool = False
    recovered: Counter[Kind] = attrs.field(factory=Counter)
    closed: Counter[Kind] = attrs.field(factory=Counter)
    acknowledged: int = 0


class Life:
    """One home and one folder under one origin.

    Args:
        folder: Where home and files go; empty.
        seed: What cargo and choices follow from.
        origin: What serves; it is told to misbehave as the cargo says.
        share: Of the kinds of cargo, how many the first consignment has.
    """

    def __init__(self, folder: Path, seed: str, origin: OriginProcess, *, share: float = 1.0) -> None:
        self.home, self.downloads = folder / "home", folder / "files"
        self.downloads.mkdir(parents=True)
        self._errors = folder / "stderr"
        self._seed = seed
        self.origin = origin
        self._share = share
        self._items: dict[str, Item] = {}
        self._asked: dict[str, set[str]] = {}
        self.acknowledged: list[Acknowledged] = []
        self._known = {f"sha256:{hashlib.sha256(OLD).hexdigest()}"}
        self.audit = Audit(self.home, self.downloads, self._known, TOKEN)
        self.engines: list[Engine] = []

    def run(self, blows: Sequence[Blow | None]) -> None:
        """Kill one engine after another by these blows, let the last one finish, and look whether all came out right.

        An engine whose blow is None, or does not fall, finishes what it can.

        Raises:
            Violation: something was not as the laws say.
        """
        for batch, blow in enumerate(blows):
            self._load(batch)
            self._engine(self._plan(batch, self._share_of(batch), kill=_step(blow)), blow)
        self._engine(self._plan(len(blows), 0.0, last=True), None)
        self._hold("the end", self._ended())

    def _plan(self, batch: int, share: float, *, kill: str = "", last: bool = False) -> Plan:
        return Plan(
            home=os.fspath(self.home),
            downloads=os.fspath(self.downloads),
            root=self.origin.root,
            seed=self._seed,
            batch=batch,
            share=share,
            kill=kill,
            last=last,
        )

    def _share_of(self, batch: int) -> float:
        return self._share if batch == 0 else self._share * SHARE_LATER

    def _load(self, batch: int) -> None:
        """Have the origin serve a consignment, and lay out what lies in its way."""
        for item in consignment(self._seed, batch, self._share_of(batch)):
            self._items[item.resource.name] = item
            self._known |= item.digests
            self.origin.put(item.resource)
            self.origin.set(item.resource.name, item.behaviour)
            if item.old is not None:
                (self.downloads / item.resource.name).write_bytes(item.old)

    # -- an engine -------------------------------------------------------------------------------------------------

    def _engine(self, plan: Plan, blow: Blow | None) -> None:
        """Let one engine live, until it dies or has finished, and audit what it leaves."""
        engine = Engine(blow)
        self.engines.append(engine)
        command = [sys.executable, "-m", victim.__name__, json.dumps(attrs.asdict(plan))]
        with (
            self._errors.open("wb") as errors,
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors) as process,
        ):
            timers = [threading.Timer(victim.LONGEST_S + GRACE_S, process.send_signal, [signal.SIGABRT])]
            try:
                timers[0].start()
                self._hear(engine, process, timers)
                code = process.wait()
            finally:
                for timer in timers:
                    timer.cancel()
                process.kill()
        engine.killed = code == -signal.SIGKILL
        if code != 0 and not (engine.killed and blow is not None):
            self._hold("its end", [f"the engine ended by itself with {code}: {self._stderr()}"])
        self._hold("its death" if engine.killed else "its end", self.audit.violations(self.acknowledged))

    def _hear(self, engine: Engine, process: subprocess.Popen[bytes], timers: list[threading.Timer]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            told = json.loads(line)
            match told.pop("is"):
                case victim.STARTED:
                    timers += _timed(engine.blow, process, early=True)
                case victim.RECOVERED:
                    engine.recovered = _counts(told["counts"])
                    self._look_at_recovery()
                    timers += _timed(engine.blow, process, early=False)
                    _go(process)
                case victim.ASKED:
                    for name in told["names"]:
                        self._asked.setdefault(name, set()).add(told["verb"])
                case victim.ACKNOWLEDGED:
                    engine.acknowledged += 1
                    self.acknowledged.append(Acknowledged(**told | {"id": UUID(told["id"])}))
                case victim.STUCK:
                    self._hold("a long wait", [f"it does not come to an end: {line}" for line in told["listing"]])
                case victim.CLOSED:
                    engine.closed = _counts(told["counts"])
                case _:
                    pass

    def _look_at_recovery(self) -> None:
        before = self.audit.last
        self._hold("recovery", self.audit.violations(self.acknowledged))
        self._hold("recovery", recovered(before, self.audit.last, self.audit))

    # -- the end ---------------------------------------------------------------------------------------------------

    def _ended(self) -> Iterator[str]:
        """Yield what has not come out as it should, now that an engine was left to finish."""
        audit = self.audit
        rests: set[Path] = set()
        for download in audit.last.downloads:
            name = download.order.url.rpartition("/")[2]
            item, asked = self._items[name], self._asked.get(name, set())
            allowed = {item.ends} | {_OUTCOMES[verb] for verb in asked if verb in _OUTCOMES}
            if item.verb == "rest" and "pause" in asked:
                allowed.add(State.PAUSED)
            if download.state not in allowed:
                yield f"{name} ended {download.state}, not {' or '.join(sorted(allowed))}: {download.message}"
            if download.state is State.COMPLETED and download.digest not in item.digests:
                yield f"{name} is completed with {download.digest}, which the origin never served"
            if download.litter:
                yield f"{name} was given up, and its files were not swept"
            if download.state in {State.PAUSED, State.FAILED} and download.part is not None:
                rests.add(audit.place(download.part))
        yield from (f"{path.name} is left behind" for path in audit.files(BESIDE, PART) if path not in rests)
        yield from (f"{name} is left behind in the home" for name in sorted(self._strays()))

    def _strays(self) -> set[str]:
        return (
            {path.name for path in self.home.iterdir()} - STAYS - {f"views-{(self.home / 'views').read_text().strip()}"}
        )

    def _hold(self, when: str, violations: Iterator[str] | list[str]) -> None:
        found = list(violations)
        if found:
            blows = " · ".join(str(engine.blow) for engine in self.engines if engine.blow) or "no blow"
            raise Violation(f"at {when} of engine {len(self.engines)} ({blows}):\n  " + "\n  ".join(found))

    def _stderr(self) -> str:
        return self._errors.read_text(errors="replace")[-3000:].strip()


_OUTCOMES = {"cancel": State.CANCELLED, "remove": State.REMOVED}


def _step(blow: Blow | None) -> str:
    return str(blow) if isinstance(blow, Step) else ""


def _counts(told: list[tuple[str, str, int]]) -> Counter[Kind]:
    return Counter({(action, thing): count for action, thing, count in told})


def _timed(blow: Blow | None, process: subprocess.Popen[bytes], *, early: bool) -> list[threading.Timer]:
    """Return the timer, running, of a blow that is to fall so long after this moment; none for another blow."""
    if not isinstance(blow, Delay) or blow.early is not early:
        return []
    timer = threading.Timer(blow.seconds, process.kill)
    timer.start()
    return [timer]


def _go(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it was killed meanwhile
        os.write(process.stdin.fileno(), b"go\n")
