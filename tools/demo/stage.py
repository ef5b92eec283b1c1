"""What the demo plays with: an origin with bad habits, a home, and what the files should be in the end."""

from __future__ import annotations

import hashlib
from pathlib import Path

import attrs

from lading.tools.origin import Behaviour, Drop, Framing, OriginProcess, Resource

MIB = 1024 * 1024
LARGE = "large.bin"


@attrs.frozen(kw_only=True)
class Scene:
    """A file of the demo: what it is, how its origin misbehaves, and what people are told of that."""

    resource: Resource
    behaviour: Behaviour
    told: str


SCENES = (
    Scene(
        resource=Resource(LARGE, 40 * MIB, seed="demo"),
        behaviour=Behaviour(rate=4 * MIB),
        told="40 MiB, slow: the engine is killed in the middle of it",
    ),
    Scene(
        resource=Resource("drops.bin", 9 * MIB, seed="demo"),
        behaviour=Behaviour(rate=6 * MIB, drop=Drop(after=4 * MIB)),
        told="its connection breaks after every 4 MiB",
    ),
    Scene(resource=Resource("small.txt", 20_000, seed="demo"), behaviour=Behaviour(), told="small: three events"),
    Scene(
        resource=Resource("chunked.bin", 9 * MIB, seed="demo"),
        behaviour=Behaviour(rate=MIB, framing=Framing.CHUNKED),
        told="slower still, and its length is not told",
    ),
)


def put_up(origin: OriginProcess) -> None:
    """Let the origin misbehave as the scenes say."""
    for scene in SCENES:
        origin.set(scene.resource.name, scene.behaviour)


def check(folder: Path) -> dict[str, bool]:
    """Tell for each file of the demo whether the disk holds just what the origin holds."""
    verdicts: dict[str, bool] = {}
    for scene in SCENES:
        path = folder / scene.resource.name
        found = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" if path.is_file() else None
        verdicts[scene.resource.name] = found == scene.resource.digest("sha256")
    return verdicts
