"""The cargo: what is asked for, how its origin misbehaves, what is asked of it on the way, and what must become of it.

A consignment is one of everything: a batch of items, each of which meets another kind of trouble. All of it follows
from the seed of a life and the number of the batch, so that the parent, which serves and judges, and the victim, which
asks, agree without a word.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs

from lading.tools.origin import (
    NO_ETAG,
    Behaviour,
    Change,
    Drop,
    Framing,
    IfRange,
    Modified,
    Ranges,
    Refusal,
    Resource,
)

KIB, MIB = 1 << 10, 1 << 20
TOKEN = "Bearer 2f1c-not-for-the-log"  # noqa: S105 # a secret that nobody keeps, to look for where none may be
OLD = b"what lay here before\n"


@attrs.frozen(kw_only=True)
class Item:
    """One download of a consignment.

    Attributes:
        kind: Which of `KINDS` it is.
        resource: What the origin serves for it.
        behaviour: How.
        options: Of the request, beside its URL.
        verb: What is asked of it while it runs: pause, rest (a pause for good), cancel, remove or shed (remove the
            file once it is complete); empty for nothing.
        after_s: When, in seconds from its submission.
        ends: The state that it must end in, when it is never cancelled or removed.
        versions: Versions of the resource that the file may be.
        old: A file with these bytes lies at its destination from the start.
        mirror: Another resource of the same content, treated alike, that the request names as a mirror.
    """

    kind: str
    resource: Resource
    behaviour: Behaviour = attrs.field(factory=Behaviour)
    options: Mapping[str, Any] = attrs.field(factory=dict)
    verb: str = ""
    after_s: float = 0.0
    ends: str = "completed"
    versions: tuple[int, ...] = (0,)
    old: bytes | None = None
    mirror: Resource | None = None

    @property
    def digests(self) -> frozenset[str]:
        """What the file may have, by SHA-256."""
        return frozenset(self.resource.digest("sha256", version) for version in self.versions)


Make = Callable[[random.Random, str], Item]
KINDS: dict[str, Make] = {}


def _kind(make: Make) -> Make:
    KINDS[make.__name__.removeprefix("_")] = make
    return make


def consignment(seed: str, batch: int, share: float = 1.0) -> tuple[Item, ...]:
    """Return the items of a batch: one of each kind, or of about a `share` of the kinds."""
    chance = random.Random(f"{seed}/cargo/{batch}")
    return tuple(
        make(random.Random(f"{seed}/cargo/{batch}/{kind}"), f"{batch}-{kind}.bin")
        for kind, make in KINDS.items()
        if chance.random() < share
    )


def digests(items: Iterator[Item]) -> frozenset[str]:
    """Return the digests of everything that may lie under a final name."""
    return frozenset(digest for item in items for digest in item.digests)


def _resource(chance: random.Random, name: str, least: int, most: int) -> Resource:
    return Resource(name, chance.randint(least, most), seed=str(chance.random()))


@_kind
def _plain(chance: random.Random, name: str) -> Item:
    return Item(
        kind="plain",
        resource=_resource(chance, name, 2 * MIB, 4 * MIB),
        behaviour=Behaviour(rate=4 * MIB),
        verb=chance.choice(("", "pause")),
        after_s=chance.uniform(0, 0.8),
    )


@_kind
def _small(chance: random.Random, name: str) -> Item:
    return Item(
        kind="small",
        resource=_resource(chance, name, 1, 900 * KIB),
        verb=chance.choice(("", "shed")),
    )


@_kind
def _empty(chance: random.Random, name: str) -> Item:
    return Item(kind="empty", resource=_resource(chance, name, 0, 0))


@_kind
def _drops(chance: random.Random, name: str) -> Item:
    drop = Drop(after=chance.randint(300 * KIB, 900 * KIB), times=3, reset=chance.random() < 0.5)
    return Item(
        kind="drops",
        resource=_resource(chance, name, 2 * MIB, 3 * MIB),
        behaviour=Behaviour(rate=8 * MIB, drop=drop),
        verb=chance.choice(("", "pause")),
        after_s=chance.uniform(0, 0.5),
    )


@_kind
def _rangeless(chance: random.Random, name: str) -> Item:
    return Item(
        kind="rangeless",
        resource=_resource(chance, name, 1 * MIB, 2 * MIB),
        behaviour=Behaviour(rate=8 * MIB, ranges=Ranges.IGNORED, drop=Drop(after=700 * KIB, times=1)),
    )


@_kind
def _earlier(chance: random.Random, name: str) -> Item:
    return Item(
        kind="earlier",
        resource=_resource(chance, name, 1 * MIB, 2 * MIB),
        behaviour=Behaviour(rate=8 * MIB, ranges=Ranges.EARLIER, drop=Drop(after=500 * KIB, times=2)),
    )


@_kind
def _chunked(chance: random.Random, name: str) -> Item:
    return Item(
        kind="chunked",
        resource=_resource(chance, name, 10 * KIB, 2 * MIB),
        behaviour=Behaviour(rate=4 * MIB, framing=Framing.CHUNKED),
    )


@_kind
def _named(chance: random.Random, name: str) -> Item:
    return Item(
        kind="named",
        resource=_resource(chance, name, 10 * KIB, 2 * MIB),
        behaviour=Behaviour(rate=8 * MIB, disposition=f'attachment; filename="as-served-{name}"'),
    )


@_kind
def _nested(chance: random.Random, name: str) -> Item:
    return Item(
        kind="nested",
        resource=_resource(chance, name, 10 * KIB, 1 * MIB),
        behaviour=Behaviour(rate=8 * MIB),
        options={"path": f"folder of {name}/inner/{name}"},
    )


@_kind
def _changing(chance: random.Random, name: str) -> Item:
    return Item(
        kind="changing",
        resource=_resource(chance, name, 1 * MIB, 2 * MIB),
        behaviour=Behaviour(rate=8 * MIB, change=Change(after=2), drop=Drop(after=600 * KIB, times=3)),
        versions=(0, 1),
    )


@_kind
def _splicing(chance: random.Random, name: str) -> Item:
    """The rest that is sent belongs to another version than what is held, whatever the If-Range was."""
    return Item(
        kind="splicing",
        resource=_resource(chance, name, 1 * MIB, 2 * MIB),
        behaviour=Behaviour(
            rate=8 * MIB, change=Change(after=1), if_range=IfRange.IGNORED, drop=Drop(after=600 * KIB, times=2)
        ),
        versions=(0, 1),
    )


@_kind
def _corrected(chance: random.Random, name: str) -> Item:
    """What is served first has another digest than the user gave; what is served later has that one."""
    resource = _resource(chance, name, 200 * KIB, 2 * MIB)
    return Item(
        kind="corrected",
        resource=resource,
        behaviour=Behaviour(rate=8 * MIB, change=Change(after=1)),
        options={"digest": resource.digest("sha256", 1)},
        versions=(1,),
    )


@_kind
def _busy(chance: random.Random, name: str) -> Item:
    return Item(
        kind="busy",
        resource=_resource(chance, name, 10 * KIB, 1 * MIB),
        behaviour=Behaviour(refusals=(Refusal(503, times=2, retry_after_s=0),)),
    )


@_kind
def _blank(chance: random.Random, name: str) -> Item:
    """Nothing tells one version from another, so that nothing may be resumed."""
    return Item(
        kind="blank",
        resource=_resource(chance, name, 1 * MIB, 2 * MIB),
        behaviour=Behaviour(rate=8 * MIB, etag=NO_ETAG, modified=Modified.NONE, drop=Drop(after=700 * KIB, times=1)),
    )


@_kind
def _digested(chance: random.Random, name: str) -> Item:
    resource = _resource(chance, name, 1 * MIB, 2 * MIB)
    return Item(
        kind="digested",
        resource=resource,
        behaviour=Behaviour(rate=8 * MIB, etag=NO_ETAG, drop=Drop(after=400 * KIB, times=2)),
        options={"digest": resource.digest("sha256")},
    )


@_kind
def _gone(chance: random.Random, name: str) -> Item:
    return Item(
        kind="gone",
        resource=_resource(chance, name, 10, 100),
        behaviour=Behaviour(refusals=(Refusal(404, times=None),)),
        ends="failed",
    )


@_kind
def _secret(chance: random.Random, name: str) -> Item:
    return Item(
        kind="secret",
        resource=_resource(chance, name, 10 * KIB, 2 * MIB),
        behaviour=Behaviour(rate=8 * MIB, authorization=TOKEN),
        options={"headers": {"Authorization": TOKEN}},
    )


@_kind
def _overwrite(chance: random.Random, name: str) -> Item:
    return Item(
        kind="overwrite",
        resource=_resource(chance, name, 500 * KIB, 2 * MIB),
        behaviour=Behaviour(rate=8 * MIB),
        options={"if_exists": "overwrite", "path": name},
        verb=chance.choice(("", "cancel")),
        after_s=chance.uniform(0, 0.5),
        old=OLD,
    )


@_kind
def _rename(chance: random.Random, name: str) -> Item:
    return Item(
        kind="rename",
        resource=_resource(chance, name, 10 * KIB, 2 * MIB),
        behaviour=Behaviour(rate=8 * MIB),
        options={"if_exists": "rename", "path": name},
        old=OLD,
    )


@_kind
def _skip(chance: random.Random, name: str) -> Item:
    return Item(
        kind="skip",
        resource=_resource(chance, name, 10 * KIB, 2 * MIB),
        options={"if_exists": "skip", "path": name},
        ends="cancelled",
        old=OLD,
    )


@_kind
def _keyed(chance: random.Random, name: str) -> Item:
    return Item(
        kind="keyed",
        resource=_resource(chance, name, 10 * KIB, 1 * MIB),
        behaviour=Behaviour(rate=8 * MIB),
        options={"key": f"key of {name}"},
    )


@_kind
def _resting(chance: random.Random, name: str) -> Item:
    return Item(
        kind="resting",
        resource=_resource(chance, name, 2 * MIB, 3 * MIB),
        behaviour=Behaviour(rate=1 * MIB),
        verb="rest",
        after_s=chance.uniform(0, 1.0),
    )


@_kind
def _unwanted(chance: random.Random, name: str) -> Item:
    return Item(
        kind="unwanted",
        resource=_resource(chance, name, 100 * KIB, 2 * MIB),
        behaviour=Behaviour(rate=2 * MIB, drop=Drop(after=150 * KIB, times=5)),
        verb=chance.choice(("cancel", "remove")),
        after_s=chance.uniform(0, 0.8),
    )


@_kind
def _split(chance: random.Random, name: str) -> Item:
    """Each connection is slow, so that there are soon several; some of them break."""
    drop = Drop(after=chance.randint(300 * KIB, 900 * KIB), times=4, reset=chance.random() < 0.5)
    return Item(
        kind="split",
        resource=_resource(chance, name, 3 * MIB, 5 * MIB),
        behaviour=Behaviour(rate=MIB, drop=chance.choice((None, drop))),
        options={"connections": 4},
        verb=chance.choice(("", "pause")),
        after_s=chance.uniform(0, 1.5),
    )


@_kind
def _mirrored(chance: random.Random, name: str) -> Item:
    """Two sources have it, and are asked side by side."""
    resource = _resource(chance, name, 2 * MIB, 4 * MIB)
    return Item(
        kind="mirrored",
        resource=resource,
        mirror=attrs.evolve(resource, name=f"mirror-of-{name}"),
        behaviour=Behaviour(rate=MIB, drop=chance.choice((None, Drop(after=700 * KIB, times=2)))),
        options={"connections": 4, "digest": resource.digest("sha256")},
    )
