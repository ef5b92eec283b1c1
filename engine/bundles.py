"""Asking for bundles, and looking at them: what any engine, owner or client, can do with what belongs together."""

from __future__ import annotations

import functools
import posixpath
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import UUID

import attrs
import trio

from lading.domain import bundle as rules
from lading.domain import events as e
from lading.domain.bundle import Bundle, BundlePolicy, Muster, Phase
from lading.domain.bundle_requests import BundleRequest
from lading.domain.download import Download
from lading.domain.errors import DestinationTaken, IllegalCommand, InvalidDestination, StoreUnavailable, UnknownDownload
from lading.domain.names import clean
from lading.domain.ports import Conflict
from lading.domain.requests import Order
from lading.placing import Places, locate
from lading.projections import bundles as view
from lading.projections import progress
from lading.reading import SHORTEST_PREFIX, Reading
from lading.services import Services
from lading.submitting import Parted, Submitting
from lading.views import ROWS

MOST_REBASES = 64


@attrs.frozen(kw_only=True)
class BundleStatus:
    """How a bundle stands.

    Attributes:
        state: `completed`, `partial`, `failed`, `cancelled` or `removed` when nothing more happens by itself; before
            that `publishing`, or what its members do.
        path: the folder that an all-or-nothing bundle becomes, absolute.
        members, completed, failed: how many downloads it has, how many are there, how many failed.
        received, total: bytes of all that nobody gave up; the total is None as long as one is unknown.
        why: in one sentence; `hint` says what to do about a failure.
    """

    id: UUID
    name: str
    policy: BundlePolicy
    state: str
    path: str | None
    members: int
    completed: int
    failed: int
    received: int
    total: int | None
    why: str
    hint: str | None = None

    @property
    def ok(self) -> bool:
        """Whether all that was not given up is there."""
        return self.state == "completed"


class Bundles:
    """Submits bundles, tries them again, and tells how they stand."""

    def __init__(self, services: Services, reading: Reading, places: Places, submitting: Submitting) -> None:
        self._s = services
        self._reading = reading
        self._places = places
        self._submitting = submitting

    async def submit(self, request: BundleRequest) -> UUID:
        """Queue all members and the bundle in one durable request, and return the id of the bundle.

        One whose members' keys name the members of one bundle already is that one.

        Raises:
            DestinationTaken: what it is to become exists.
            InvalidDestination: a member leaves the bundle's folder.
            IllegalCommand: a member's key names a download already that is not of this bundle.
        """
        now_ns, act = self._s.clock.now_ns(), self._submitting.act()
        id = self._s.chance.uuid(now_ns)
        opened, parted = await self._s.threads.run(functools.partial(self._parted, request, id))
        ids = [self._s.chance.uuid(now_ns) for _ in parted]
        secret = [(member, kept) for member, (_, kept) in zip(ids, parted, strict=True) if kept]
        opened = attrs.evolve(opened, members=tuple(ids))
        kept_secrets = not secret
        for _ in range(MOST_REBASES):
            claims, known = await self._claims([order for order, _ in parted], ids)
            if known is not None:
                return known
            if not kept_secrets:
                await self._s.threads.run(functools.partial(self._s.vault.keep, secret))
                kept_secrets = True
            entries = [self._submitting.entry(id, 1, opened, now_ns, act)]
            for member, (order, _) in zip(ids, parted, strict=True):
                entries += self._submitting.entries(member, order, claims.get(member, 0), now_ns, act)
            if not isinstance((await self._s.journal.append([entries]))[0], Conflict):
                return id
        raise StoreUnavailable("the keys of this bundle are claimed by others all the time", hint="try again")

    def _parted(self, request: BundleRequest, id: UUID) -> tuple[e.BundleOpened, list[Parted]]:
        """Return the bundle's first event, without its members, and the members' orders and secrets; blocks."""
        policy, staging, own = request.policy, None, self._submitting.folder
        root, folder, into = "downloads", None, request.folder
        if policy is BundlePolicy.ALL_OR_NOTHING:
            base = own or self._submitting.cwd if request.folder is None else request.folder
            root, folder, _ = locate(None, posixpath.join(base, clean(request.name)), own, self._submitting.cwd)
            if self._s.disk.inode(self._places.absolute(root, folder)) is not None:
                raise DestinationTaken(
                    f"{self._places.absolute(root, folder)} exists already",
                    hint="give the bundle another name, or choose another folder with -d",
                )
            above, name = posixpath.split(folder)
            staging = posixpath.join(above, rules.staging_name(name, id))
            into = self._places.absolute(root, staging)
        parted: list[Parted] = []
        for wanted in request.requests:
            placed = wanted if wanted.folder is not None or into is None else attrs.evolve(wanted, folder=into)
            order, kept = self._submitting.part(placed)
            if staging is not None and not f"{order.folder}/".startswith(f"{staging}/"):
                raise InvalidDestination(f"{wanted.path!r} leaves the folder of the bundle", hint=_INSIDE)
            parted.append((attrs.evolve(order, bundle=id, together=policy.together), kept))
        opened = e.BundleOpened(
            name=request.name, policy=policy.value, members=(), root=root, folder=folder, staging=staging
        )
        return opened, parted

    async def _claims(self, orders: Sequence[Order], ids: Sequence[UUID]) -> tuple[dict[UUID, int], UUID | None]:
        """Return how often the key of each member that has one was claimed before; or the bundle that they name."""
        claims: dict[UUID, int] = {}
        known: list[Download | None] = []
        keys: set[str] = set()
        for id, order in zip(ids, orders, strict=True):
            if order.key is not None:
                if order.key in keys:
                    raise IllegalCommand(f"two members have the key {order.key}", hint="give each a key of its own")
                keys.add(order.key)
                held, claims[id] = await self._submitting.named(order.key)
                known.append(held)
        found = [held for held in known if held is not None]
        if not found:
            return claims, None
        owners = {held.order.bundle for held in found}
        owner = found[0].order.bundle
        if len(found) == len(orders) and len(owners) == 1 and owner is not None:
            return claims, owner
        raise IllegalCommand(
            f"the key {found[0].order.key} names a download already that is not of this bundle",
            hint="give the members other keys, or `lading remove` that download first",
        )

    async def retry(self, id: UUID) -> tuple[UUID, ...]:
        """Try a bundle again that failed, and return its members that failed and are to be tried again.

        Raises:
            UnknownDownload: there is no bundle of that id.
        """
        for _ in range(MOST_REBASES):
            bundle, _ = await self.get(id)
            if bundle.phase is not Phase.FAILED:
                break
            (retried,) = rules.decide(bundle, rules.TryAgain())
            entry = self._submitting.entry(
                id, bundle.version + 1, retried, self._s.clock.now_ns(), self._submitting.act()
            )
            if not isinstance((await self._s.journal.append([[entry]]))[0], Conflict):
                break
        found = await self._s.threads.run(lambda: list(members(self._reading, id)))
        return tuple(member.id for member in found if member.state.shown == "failed")

    # -- looking ---------------------------------------------------------------------------------------------------

    async def get(self, id: UUID) -> tuple[Bundle, Muster]:
        """Return a bundle and the muster of its members as the log has them now.

        Raises:
            UnknownDownload: there is no bundle of that id.
        """
        await self._s.threads.run(self._reading.catch_up)
        return await self._s.threads.run(functools.partial(look, self._reading, id))

    async def status(self, id: UUID) -> BundleStatus:
        """Return how a bundle stands as the log has it now.

        Raises:
            UnknownDownload: there is no bundle of that id.
        """
        bundle, held = await self.get(id)
        row = view.listing(bundle, held)
        path = None if bundle.folder is None else self._places.absolute(bundle.root, bundle.folder)
        known = {
            name: row[name] for name in ("state", "members", "completed", "failed", "received", "total", "why", "hint")
        }
        return BundleStatus(id=id, name=bundle.name, policy=bundle.policy, path=path, **known)

    async def wait(self, id: UUID, news: Callable[[], trio.Event]) -> BundleStatus:
        """Wait until a bundle is settled; `news` gives what will be set when the log has grown from now on."""
        while True:
            grown = news()
            status = await self.status(id)
            if rules.is_settled(status.state):
                return status
            await grown.wait()


_INSIDE = "-o takes a path inside it; use roll_forward for members in different folders"


def look(reading: Reading, id: UUID) -> tuple[Bundle, Muster]:
    """Return a bundle and the muster of its members as the views have them; blocks.

    Raises:
        UnknownDownload: there is none of that id.
    """
    with reading.views.read() as reader:
        found = view.get(reader, id)
    if found is None:
        raise UnknownDownload(f"there is no bundle {id}", hint=_KNOWN)
    return found


_KNOWN = "`lading bundle list` shows the bundles of this home"


def members(reading: Reading, id: UUID) -> Iterator[Download]:
    """Walk the members of a bundle as the views have them, in the order in which they were asked for; blocks."""
    with reading.views.read() as reader:
        for member in view.members(reader, id):
            download = progress.get(reader, member, ROWS)
            if download is not None:
                yield download


def find(reading: Reading, text: str) -> UUID:
    """Return the id of the bundle that a person means by an id, the beginning of one, or a name; blocks.

    Of several of one name that is the newest which was not removed.

    Raises:
        UnknownDownload: none is called that, or more than one.
    """
    digits = text.replace("-", "").lower()
    with reading.views.read() as reader:
        if SHORTEST_PREFIX <= len(digits) <= 32 and not set(digits) - set("0123456789abcdef"):
            found = view.like(reader, digits, 2)
            if len(found) == 1:
                return found[0]
            if found:
                raise UnknownDownload(f"more than one bundle is called {text!r}", hint="give more of its id")
        for id in view.named(reader, text):
            known = view.get(reader, id)
            if known is not None and rules.shown(*known) != "removed":
                return id
    raise UnknownDownload(f"there is no bundle {text!r}", hint=_KNOWN)


def listing(reading: Reading, *, limit: int | None = None) -> Iterator[dict[str, Any]]:
    """Walk the bundles that were not removed as `lading bundle list --json` shows them, the newest first; blocks."""
    count = 0
    with reading.views.read() as reader:
        for id in view.ids(reader):
            known = view.get(reader, id)
            if count == limit:
                return
            if known is not None and rules.shown(*known) != "removed":
                count += 1
                yield view.listing(*known)
