"""Which downloads belong together: each bundle, its members, how they stand together, and what its owner has to do.

    bb ‖ id                                     → JSON    the bundle's own state
    bn ‖ id                                     → JSON    the muster of its members
    bm ‖ id ‖ age (u64)                         → id      its members, in the order of asking
    bo ‖ opened (position), newest first        → id      every bundle
    bt ‖ text(name) ‖ opened, newest first      → id      … by its name
    bw ‖ id                                     → (empty) those with which the owner of the home has something to do

The state is folded from the bundle's own events, the muster is the sum over its members; whichever of them changes, the
last index is made of both as they are after the batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

import attrs
import orjson

from lading.domain import bundle as bundles
from lading.domain import estimate
from lading.domain.bundle import OF_BUNDLES, Bundle, BundlePolicy, Muster, Phase, Step
from lading.domain.download import Download
from lading.domain.errors import LogDamaged, ViewsDamaged
from lading.domain.facts import Fact
from lading.domain.ports import Reader
from lading.projections.batch import Batch, Change
from lading.projections.instants import iso
from lading.projections.keys import newest_first, number, text

STATE, MUSTER, MEMBER, OPENED, NAME, WANTED = b"bb", b"bn", b"bm", b"bo", b"bt", b"bw"


def apply(batch: Batch, changes: Sequence[Change]) -> None:
    """Enter new members, add up what changed of the others, and note which bundles need their owner."""
    come: dict[UUID, list[Download]] = {}
    gone: dict[UUID, list[Download]] = {}
    for id, age, before, after, _ in changes:
        bundle = after.order.bundle
        if bundle is None:
            continue
        come.setdefault(bundle, []).append(after)
        if before is None:
            batch.put(MEMBER + bundle.bytes + number(age), id.bytes)
        else:
            gone.setdefault(bundle, []).append(before)
    for bundle, members in come.items():
        held = bundles.muster(members, _muster(batch.get(MUSTER + bundle.bytes)))
        _file(batch, bundle, bundles.muster(gone.get(bundle, ()), held, -1))


def _file(batch: Batch, id: UUID, members: Muster) -> None:
    batch.put(MUSTER + id.bytes, orjson.dumps(attrs.asdict(members)))
    _mark(batch, id, _bundle(id, batch.get(STATE + id.bytes)), members)


def observe(batch: Batch, facts: Sequence[Fact]) -> None:
    """Fold what happened to bundles as wholes, and note which of them need their owner."""
    states: dict[UUID, Bundle | None] = {}
    for fact in facts:
        if type(fact.event) not in OF_BUNDLES:
            continue
        id = fact.stream
        before = states[id] if id in states else _bundle(id, batch.get(STATE + id.bytes))
        if fact.version != (1 if before is None else before.version + 1):
            raise ViewsDamaged(f"version {fact.version} does not follow in the stream of the bundle {id}", stream=id)
        try:
            after = states[id] = bundles.evolve(before, fact.event, stream=id, at_ns=fact.at_ns)
        except LogDamaged as error:
            raise ViewsDamaged(error.message, stream=id) from error
        if before is None:
            opened = newest_first(fact.position)
            batch.put(OPENED + opened, id.bytes)
            batch.put(NAME + text(after.name) + opened, id.bytes)
    for id, state in states.items():
        if state is not None:
            batch.put(STATE + id.bytes, orjson.dumps(attrs.asdict(state)))
            _mark(batch, id, state, _muster(batch.ahead(MUSTER + id.bytes)))


def _mark(batch: Batch, id: UUID, bundle: Bundle | None, members: Muster) -> None:
    if bundle is not None and bundles.following(bundle, members) is not Step.NOTHING:
        batch.put(WANTED + id.bytes, b"")
    else:
        batch.delete(WANTED + id.bytes)


# -- questions ---------------------------------------------------------------------------------------------------------


def get(reader: Reader, id: UUID) -> tuple[Bundle, Muster] | None:
    """Return a bundle and the muster of its members, None when there is none of that id.

    Raises:
        ViewsDamaged: its row cannot be read.
    """
    found = _bundle(id, reader.get(STATE + id.bytes))
    return None if found is None else (found, _muster(reader.get(MUSTER + id.bytes)))


def is_being_published(reader: Reader, download: Download) -> bool:
    """Tell whether a download is a member of a bundle that is being made visible at this moment."""
    id = download.order.bundle if download.order.together else None
    bundle = None if id is None else _bundle(id, reader.get(STATE + id.bytes))
    return bundle is not None and bundle.phase is Phase.PUBLISHING


def members(reader: Reader, id: UUID) -> Iterator[UUID]:
    """Walk the members of a bundle, in the order in which they were asked for."""
    for _, value in reader.scan(MEMBER + id.bytes):
        yield UUID(bytes=value)


def ids(reader: Reader, limit: int | None = None) -> Iterator[UUID]:
    """Walk all bundles, the newest first."""
    for _, value in islice(reader.scan(OPENED), limit):
        yield UUID(bytes=value)


def named(reader: Reader, name: str) -> Iterator[UUID]:
    """Walk the bundles of that name, the newest first."""
    for _, value in reader.scan(NAME + text(name)):
        yield UUID(bytes=value)


def like(reader: Reader, digits: str, limit: int) -> list[UUID]:
    """Return at most so many bundles whose ids begin with these hex digits, at least two."""
    prefix = bytes.fromhex(digits[: len(digits) // 2 * 2])
    found = (UUID(bytes=bytes(key[len(STATE) :])) for key, _ in reader.scan(STATE + prefix))
    return list(islice((id for id in found if id.hex.startswith(digits)), limit))


def wanted(reader: Reader, limit: int | None = None) -> Iterator[UUID]:
    """Walk the bundles with which the owner of the home has something to do."""
    for key, _ in islice(reader.scan(WANTED), limit):
        yield UUID(bytes=bytes(key[len(WANTED) :]))


def listing(bundle: Bundle, members: Muster) -> dict[str, Any]:
    """Return a bundle as `bundle list --json` shows it; unknown is None."""
    states, path = members.states, bundle.folder
    total = None if members.unsized else members.total
    return {
        "id": str(bundle.id),
        "name": bundle.name,
        "policy": bundle.policy.value,
        "state": bundles.shown(bundle, members),
        "members": members.members,
        **{state: states.get(state, 0) for state in ("completed", "failed", "cancelled", "removed")},
        "staged": members.staged,
        "received": members.received,
        "total": total,
        "percent": None if members.given_up == members.members else estimate.percent(members.received, total),
        "path": f"/{path.lstrip('/')}" if path is not None and bundle.root == "/" else path,
        "why": bundles.why(bundle, members),
        "hint": bundles.hint(bundle, members),
        "added_at": iso(bundle.opened_at_ns),
    }


def _bundle(id: UUID, row: bytes | None) -> Bundle | None:
    if row is None:
        return None
    words = _words(row, id)
    try:
        known = {"id": id, "phase": Phase(words["phase"]), "policy": BundlePolicy(words["policy"])}
        return Bundle(**{**words, **known})
    except (ValueError, LookupError, TypeError) as error:
        raise _unreadable(id) from error


def _muster(row: bytes | None) -> Muster:
    if row is None:
        return Muster()
    try:
        return Muster(**_words(row, None))
    except TypeError as error:
        raise _unreadable(None) from error


def _words(row: bytes, id: UUID | None) -> Mapping[str, Any]:
    try:
        words: Mapping[str, Any] = orjson.loads(row)
        return {**words}
    except (ValueError, TypeError) as error:
        raise _unreadable(id) from error


def _unreadable(id: UUID | None) -> ViewsDamaged:
    return ViewsDamaged("the row of a bundle cannot be read", stream=id)
