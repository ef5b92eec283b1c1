"""One home from its first engine to its last: victims that die one after another, and one that may live to the end."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs

from lading.domain import events as e
from lading.domain.states import State
from lading.tools.origin import OriginProcess
from lading.tools.torture import victim
from lading.tools.torture.audit import Acknowledged, Audit, recovered
from lading.tools.torture.cargo import OLD, TOKEN, Item, consignment
from lading.tools.torture.process import Process
from lading.tools.torture.steps import BESIDE, CLIENT, ENGINE, FINAL, KEPT, PART, Kind, Step
from lading.tools.torture.victim import Plan

SHARE_LATER = 0.4
ACCOMPANIED = 0.3
"""How often the consignment of an engine is a client's business, in another process."""

STAYS = frozenset({"cache", "checkpoints", "home.json", "engine.lock", "keys", "log", "vault", "views"})


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
    """What became of one engine of a life.

    `recovered` and `closed` are the steps that it had taken when it had recovered and when it had finished, `client`
    those of the client beside it when that had done; empty if it never came to that.
    """

    blow: Blow | None
    killed: bool = False
    recovered: Counter[Kind] = attrs.field(factory=Counter)
    closed: Counter[Kind] = attrs.field(factory=Counter)
    client: Counter[Kind] = attrs.field(factory=Counter)
    acknowledged: int = 0
    troubles: list[str] = attrs.field(factory=list)


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
        self._folder = folder
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
            plan = self._plan(batch, self._share_of(batch), accompanied=self._is_accompanied(batch, blow))
            self._engine(plan, blow)
        self._engine(self._plan(len(blows), 0.0, last=True), None)
        self._hold("the end", self._ended())

    def _plan(self, batch: int, share: float, *, accompanied: bool = False, last: bool = False) -> Plan:
        return Plan(
            home=os.fspath(self.home),
            downloads=os.fspath(self.downloads),
            root=self.origin.root,
            seed=self._seed,
            batch=batch,
            share=share,
            accompanied=accompanied,
            last=last,
        )

    def _is_accompanied(self, batch: int, blow: Blow | None) -> bool:
        by_chance = random.Random(f"{self._seed}/client/{batch}").random() < ACCOMPANIED
        return by_chance or (isinstance(blow, Step) and blow.who == CLIENT)

    def _share_of(self, batch: int) -> float:
        return self._share if batch == 0 else self._share * SHARE_LATER

    def _load(self, batch: int) -> None:
        """Have the origin serve a consignment, and lay out what lies in its way."""
        for item in consignment(self._seed, batch, self._share_of(batch)):
            self._items[item.resource.name] = item
            self._known |= item.digests
            for resource in (item.resource, *([item.mirror] if item.mirror else [])):
                self.origin.put(resource)
                self.origin.set(resource.name, item.behaviour)
            if item.old is not None:
                (self.downloads / item.resource.name).write_bytes(item.old)

    # -- an engine -------------------------------------------------------------------------------------------------

    def _engine(self, plan: Plan, blow: Blow | None) -> None:
        """Let one engine live, until it dies or has finished, and audit what it leaves."""
        engine = Engine(blow)
        self.engines.append(engine)
        with contextlib.ExitStack() as stack:
            owner = stack.enter_context(self._process(attrs.evolve(plan, kill=_kill(blow, ENGINE)), "stderr"))
            client: Process | None = None
            if plan.accompanied:
                other = attrs.evolve(plan, kill=_kill(blow, CLIENT), role=CLIENT, accompanied=False)
                client = stack.enter_context(self._process(other, "stderr-client"))
                hearing = threading.Thread(target=self._hear_client, args=(engine, owner, client))
                hearing.start()
                stack.callback(hearing.join)
                stack.callback(client.kill)
            self._hear(engine, owner, client)
            self._judge(engine, ENGINE, owner)
        self._hold("its end", engine.troubles)
        self._hold("its death" if engine.killed else "its end", self.audit.violations(self.acknowledged))

    def _process(self, plan: Plan, errors: str) -> Process:
        return Process(plan, self._folder / errors, self.origin.environ)

    def _hear(self, engine: Engine, owner: Process, client: Process | None) -> None:
        for told in owner.lines():
            match told["is"]:
                case victim.STARTED if isinstance(engine.blow, Delay) and engine.blow.early:
                    owner.kill_after(engine.blow.seconds)
                case victim.RECOVERED:
                    engine.recovered = _counts(told["counts"])
                    self._look_at_recovery()
                    if isinstance(engine.blow, Delay) and not engine.blow.early:
                        owner.kill_after(engine.blow.seconds)
                    owner.go()
                    if client is not None:
                        client.go()
                case victim.CLOSED:
                    engine.closed = _counts(told["counts"])
                case _:
                    self._note(engine, told)

    def _hear_client(self, engine: Engine, owner: Process, client: Process) -> None:
        """Hear what a client tells; when it has done, or is dead, the engine may finish."""
        for told in client.lines():
            if told["is"] == victim.CLOSED:
                engine.client = _counts(told["counts"])
            else:
                self._note(engine, told)
        self._judge(engine, CLIENT, client)
        owner.go()

    def _note(self, engine: Engine, told: dict[str, Any]) -> None:
        match told.pop("is"):
            case victim.ASKED:
                for name in told["names"]:
                    self._asked.setdefault(name, set()).add(told["verb"])
            case victim.ACKNOWLEDGED:
                engine.acknowledged += 1
                self.acknowledged.append(Acknowledged(**told | {"id": UUID(told["id"])}))
            case victim.STUCK:
                engine.troubles += [f"it does not come to an end: {line}" for line in told["listing"]]
            case _:
                pass

    def _judge(self, engine: Engine, who: str, process: Process) -> None:
        """Note how a process has ended: killed as meant, well, or in a way that is a trouble in itself."""
        code = process.wait()
        if code == -signal.SIGKILL:
            struck = CLIENT if isinstance(engine.blow, Step) and engine.blow.who == CLIENT else ENGINE
            engine.killed = engine.killed or who == struck
        elif code != 0:
            engine.troubles.append(f"the {who} ended by itself with {code}: {process.last_words()}")

    def _look_at_recovery(self) -> None:
        before = self.audit.last
        self._hold("recovery", self.audit.violations(self.acknowledged))
        self._hold("recovery", recovered(before, self.audit.last, self.audit))

    # -- the end ---------------------------------------------------------------------------------------------------

    def _ended(self) -> Iterator[str]:
        """Yield what has not come out as it should, now that an engine was left to finish."""
        audit = self.audit
        rests: set[Path] = set()
        aside: set[Path] = set()
        owned = {self.downloads / name for name, item in self._items.items() if item.old is not None}
        for download in audit.last.downloads:
            name = download.order.url.rpartition("/")[2]
            item, asked = self._items[name], self._asked.get(name, set())
            allowed = {item.ends} | {_OUTCOMES[verb] for verb in asked if verb in _OUTCOMES}
            if item.verb == "rest" and "pause" in asked:
                allowed.add(State.PAUSED)
            if download.state not in allowed:
                yield f"{name} ended {download.state}, not {' or '.join(sorted(allowed))}: {download.message}"
            owned |= set(map(audit.place, _kept(audit.last.events(download.id))))
            if download.state is State.COMPLETED and download.digest not in item.digests:
                yield f"{name} is completed with {download.digest}, which the origin never served"
            if download.litter:
                yield f"{name} was given up, and its files were not swept"
            aside |= {
                audit.place(path) for path in (download.part, download.kept, download.replaced) if path is not None
            }
            for path in (download.kept, download.replaced):
                if path is not None and not audit.place(path).is_file():
                    yield f"{path} is said to be kept and is not there"
            if download.state in {State.PAUSED, State.FAILED} and download.part is not None:
                rests.add(audit.place(download.part))
        yield from (f"{path.name} is left behind" for path in audit.files(BESIDE, PART) if path not in rests)
        yield from (f"{path.name} belongs to no download" for path in audit.files(FINAL) if path not in owned)
        yield from (f"{path.name} is kept, and no download says so" for path in audit.files(KEPT) if path not in aside)
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


_OUTCOMES = {"cancel": State.CANCELLED, "remove": State.REMOVED}


def _kept(events: Iterable[e.Event]) -> set[str]:
    """Return the paths that a download has completed, unless it was asked that the file be removed."""
    paths: set[str] = set()
    for event in events:
        match event:
            case e.Completed():
                paths.add(event.path)
            case e.Removed(files=True):
                paths.clear()
            case _:
                pass
    return paths


def _kill(blow: Blow | None, who: str) -> str:
    return str(blow) if isinstance(blow, Step) and blow.who == who else ""


def _counts(told: list[tuple[str, str, int]]) -> Counter[Kind]:
    return Counter({(action, thing): count for action, thing, count in told})
