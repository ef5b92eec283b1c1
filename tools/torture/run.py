"""The torture as a whole: which steps there are, lives in which engines die at them, and the toll of it all.

A first life without a blow records the steps that an engine takes: of which kinds, and how many of each. From then on
each life has a plan of blows, which follows from the seed and the number of the life. The first blow falls at a step of
a kind and a moment at which few have died so far; those after it fall on engines that recover, at steps that such
engines were seen to take, or at a random time. The same seed gives the same plan as long as the machine gives the same
counts; what was found broken tells the blows themselves, by which it is repeated more surely than by the seed.
"""

from __future__ import annotations

import contextlib
import math
import random
import shlex
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import attrs

from lading.domain.errors import UsageError
from lading.tools.origin import OriginProcess
from lading.tools.origin.certificate import certify
from lading.tools.torture.life import Blow, Delay, Life, Violation
from lading.tools.torture.steps import CLIENT, MOMENTS, Kind, Step, moments

BLOWS_A_LIFE = 3
EARLY_S = 0.15
LATE_S = 1.5
TIMED = "at a random time"
TLS_EVERY = 3

Point = tuple[str, Kind]
"""A moment and a kind of step."""


@attrs.frozen(kw_only=True)
class Broken:
    """A law that was broken: in which life of which seed, after which blows, and what did not hold."""

    seed: str
    life: int
    blows: tuple[Blow | None, ...]
    what: str

    @property
    def command(self) -> str:
        """What leads the same life again."""
        blows = "".join(f" --blow {shlex.quote(str(blow))}" for blow in self.blows if blow)
        return f"lading torture --seed {shlex.quote(self.seed)} --life {self.life}{blows}"


@attrs.define
class Toll:
    """What came of a torture.

    Attributes:
        kills: How many engines were killed, by moment and step, or at a random time.
        recovering: How many of them before they had recovered.
        lives: How many homes were led to their end.
        acknowledged: How many acknowledgements were held against the logs.
        broken: What did not hold.
        seconds: How long it took.
    """

    kills: Counter[str] = attrs.field(factory=Counter)
    recovering: int = 0
    lives: int = 0
    acknowledged: int = 0
    broken: list[Broken] = attrs.field(factory=list)
    seconds: float = 0.0

    @property
    def killed(self) -> int:
        """How many engines were killed in all."""
        return self.kills.total()


class Torture:
    """Lives, one after another, until so many engines were killed or the time is up.

    Args:
        seed: What cargo, steps and times follow from.
        folder: Where homes and files go; those of a life that ended well are removed.
        keep: Leave them all.
        share: Of the kinds of cargo, how many the first consignment of a life has.
        say: What is told of each life.
    """

    def __init__(
        self, seed: str, folder: Path, *, keep: bool = False, share: float = 1.0, say: Callable[[str], None] = print
    ) -> None:
        self._seed = seed
        self._folder = folder
        self._keep = keep
        self._share = share
        self._say = say
        self._seen: Counter[Kind] = Counter()
        self._seen_later: Counter[Kind] = Counter()
        self._seen_recovering: Counter[Kind] = Counter()
        self._seen_client: Counter[Kind] = Counter()
        self._struck: Counter[Point] = Counter()
        self.toll = Toll()

    def run(self, *, kills: int, seconds: float | None = None) -> Toll:
        """Kill until `kills` engines are dead, `seconds` are over, or a law is seen broken."""
        began_s = time.monotonic()
        with self._origins() as origins:
            self._live(0, [None], origins)
            number = 1
            while self.toll.killed < kills and not self.toll.broken:
                if seconds is not None and time.monotonic() - began_s > seconds:
                    break
                self._live(number, list(self._blows(number, kills - self.toll.killed)), origins)
                number += 1
        self.toll.seconds = time.monotonic() - began_s
        return self.toll

    def repeat(self, life: int, blows: Sequence[Blow]) -> Toll:
        """Lead one life by these blows: again, as a violation told it, or for the sake of these very blows."""
        began_s = time.monotonic()
        with self._origins() as origins:
            self._live(life, list(blows), origins)
        self.toll.seconds = time.monotonic() - began_s
        return self.toll

    @contextlib.contextmanager
    def _origins(self) -> Iterator[Sequence[OriginProcess]]:
        """Serve; every so many'th life has an origin that speaks https."""
        certificate = self._folder / "certificate.pem"
        certify(certificate)
        with OriginProcess() as plain, OriginProcess(tls_certificate=certificate) as secure:
            yield [plain] * (TLS_EVERY - 1) + [secure]

    def _live(self, number: int, blows: list[Blow | None], origins: Sequence[OriginProcess]) -> None:
        folder = self._folder / f"life-{number}"
        life = Life(folder, f"{self._seed}/{number}", origins[number % len(origins)], share=self._share)
        began_s = time.monotonic()
        try:
            life.run(blows)
            verdict = "all is well"
        except Violation as violation:
            verdict = str(violation)
            self.toll.broken.append(Broken(seed=self._seed, life=number, blows=tuple(blows), what=verdict))
        self._count(life)
        lived = " · ".join(f"{e.blow}{'' if e.killed else ' (not met)'}" for e in life.engines[:-1] if e.blow)
        self._say(f"life {number}: {lived or 'no blow'}: {verdict} ({time.monotonic() - began_s:.1f} s)")
        if not self._keep and verdict == "all is well":
            shutil.rmtree(folder)

    def _count(self, life: Life) -> None:
        self.toll.lives += 1
        self._seen |= life.engines[0].closed
        for engine in life.engines[1:]:
            self._seen_later |= engine.closed
            self._seen_recovering |= engine.recovered
        for engine in life.engines:
            self._seen_client |= engine.client
            self.toll.acknowledged += engine.acknowledged
            if engine.killed:
                self.toll.recovering += not engine.recovered
                match engine.blow:
                    case Step() as step:
                        self.toll.kills[str(step).replace(f" {step.count}", "")] += 1
                    case _:
                        self.toll.kills[TIMED] += 1

    # -- which blows -----------------------------------------------------------------------------------------------

    def _blows(self, number: int, most: int) -> Iterator[Blow]:
        chance = random.Random(f"{self._seed}/blows/{number}")
        yield self._at_step(chance, self._seen, 0.7)
        for _ in range(min(BLOWS_A_LIFE, most) - 1):
            match chance.randrange(5):
                case 0:
                    yield Delay(chance.uniform(0.0, LATE_S))
                case 1:
                    yield Delay(chance.uniform(0.0, EARLY_S), early=True)
                case 2:
                    yield self._at_step(chance, self._seen_recovering, 1.0)
                case 3 if self._seen_client:
                    yield attrs.evolve(self._at_step(chance, self._seen_client, 0.7), who=CLIENT)
                case _:
                    yield self._at_step(chance, self._seen_later, 0.5)

    def _at_step(self, chance: random.Random, seen: Counter[Kind], share: float) -> Step:
        """Return a step among the first `share` of those seen.

        Each kind and moment comes to its turn; one that is met often comes sooner and again, by the square root of how
        often.
        """
        points = [(moment, kind) for kind in sorted(seen) for moment in moments(kind)]
        weights = [math.sqrt(seen[kind]) / (1 + self._struck[moment, kind]) ** 2 for moment, kind in points]
        moment, kind = point = chance.choices(points, weights)[0]
        self._struck[point] += 1
        last = max(1, int(seen[kind] * share))
        return Step(moment, *kind, chance.randint(1, last))


def read_blow(text: str) -> Blow:
    """Read back what `str` gives of a blow.

    Raises:
        UsageError: it is none.
    """
    try:
        return Step.parse(text) if text.split(maxsplit=1)[0] in MOMENTS else Delay.parse(text)
    except (ValueError, IndexError):
        hint = "such as 'after link final 1', 'midway pwrite part 3', '0.250 s into work' or '0.050 s into recovery'"
        raise UsageError(f"no blow: {text!r}", hint=hint) from None
