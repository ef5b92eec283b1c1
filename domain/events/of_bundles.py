"""What can be said to have happened to a bundle, on its own stream; its members tell what happens to them on theirs."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

import attrs

from lading.domain.events.event import Event


@attrs.frozen(kw_only=True, slots=False)
class BundleOpened(Event):
    """Somebody wants these downloads together, under a policy: best_effort, all_or_nothing or roll_forward.

    `folder` is what an all-or-nothing bundle is to become, below `root`, and `staging` the folder beside it in which it
    is put together.
    """

    TOPIC: ClassVar[str] = "lading.bundle-opened.v1"
    name: str
    policy: str
    members: tuple[UUID, ...]
    root: str = "downloads"
    folder: str | None = None
    staging: str | None = None


@attrs.frozen(kw_only=True, slots=False)
class BundleVerified(Event):
    """All members are whole and what they should be; making them visible begins.

    `inode` is that of the staged folder, where there is one.
    """

    TOPIC: ClassVar[str] = "lading.bundle-verified.v1"
    inode: int | None = None


@attrs.frozen(kw_only=True, slots=False)
class BundlePublished(Event):
    """All members have their final names."""

    TOPIC: ClassVar[str] = "lading.bundle-published.v1"


@attrs.frozen(kw_only=True, slots=False)
class BundleFailed(Event):
    """It came to nothing, and none of its members is visible."""

    TOPIC: ClassVar[str] = "lading.bundle-failed.v1"
    cause: str
    message: str


@attrs.frozen(kw_only=True, slots=False)
class BundleRetried(Event):
    """Somebody wants a failed one to be tried again."""

    TOPIC: ClassVar[str] = "lading.bundle-retried.v1"
