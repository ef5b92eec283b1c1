"""Notarising: an engine has its ledger signed from time to time, and the checkpoints told to the anchors.

A checkpoint is due after so many events or so many seconds, and when the engine closes; while nothing happens, none is
signed. An anchor that cannot be reached holds up nothing: it is told, and the next checkpoint, which proves all before
it, is brought there instead.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable

import trio

from lading.domain.anchors import Anchor
from lading.domain.errors import DiskFull, LadingError, StoreUnavailable
from lading.domain.hooks import HookFailed
from lading.domain.notes import Note
from lading.notary import Notary
from lading.nurseries import open_plain_nursery
from lading.services import Services

LOOK_S = 1.0
"""How often it is looked whether a checkpoint is due."""
GRACE_S = 10.0
"""So long a closing engine waits for all anchors together."""


Hand = Callable[[Anchor, bytes], Awaitable[None]]
"""Brings a note to a program or a server; raises HookFailed where that did not arrive."""


class Notarising:
    """Has the ledger of one engine signed; `run` is its task."""

    def __init__(self, services: Services, notary: Notary, hand: Hand) -> None:
        self._s = services
        self._notary = notary
        self._hand = hand
        self._signed_at = 0
        self._signed_s = services.clock.monotonic()

    async def run(self) -> None:
        """Sign whenever that is due, until cancelled.

        Raises:
            HistoryChanged: the log is not what was signed before.
        """
        while True:
            await self._s.clock.sleep(min(LOOK_S, self._s.settings.checkpoint_s or LOOK_S))
            if self._is_due(await self._s.threads.run(self._s.log.head)):
                await self._sign()

    async def close(self) -> None:
        """Sign what the ledger is like at the end."""
        with trio.move_on_after(GRACE_S):
            await self._sign()

    def _is_due(self, head: int) -> bool:
        new, settings = head - self._signed_at, self._s.settings
        late = settings.checkpoint_s and self._s.clock.monotonic() - self._signed_s >= settings.checkpoint_s
        return bool(new > 0 and (late or 0 < settings.checkpoint_events <= new))

    async def _sign(self) -> None:
        head = await self._s.threads.run(self._s.log.head)
        try:
            note, _ = await self._s.threads.run(self._notary.sign)
        except (DiskFull, StoreUnavailable):  # the next one proves as much
            return
        self._signed_at, self._signed_s = head, self._s.clock.monotonic()
        await self._tell(note)

    async def _tell(self, note: Note) -> None:
        """Bring a checkpoint to all anchors, side by side."""
        async with open_plain_nursery() as nursery:
            for name, anchor in self._s.settings.anchors.items():
                nursery.start_soon(self._bring, name, anchor, note)

    async def _bring(self, name: str, anchor: Anchor, note: Note) -> None:
        try:
            if anchor.file:
                await self._s.threads.run(functools.partial(self._notary.anchor, name, note))
            else:
                await self._hand(anchor, str(note).encode())
        except (LadingError, HookFailed) as error:
            self._miss(name, error.message)
        except Exception as error:  # noqa: BLE001 # whatever an anchor does, downloads go on
            self._miss(name, f"an unforeseen {type(error).__name__}")
        else:
            self._notary.untold.pop(name, None)

    def _miss(self, name: str, why: str) -> None:
        """Tell, once for each reason, why an anchor was not told."""
        if self._notary.untold.get(name) != why:
            self._s.mishaps.say(f"the anchor {name!r} was not told of a checkpoint: {why}")
        self._notary.untold[name] = why
