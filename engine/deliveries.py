"""How hooks are told, and anchors handed checkpoints: by a program of the user's, or by a POST."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import orjson

from lading.adapters import programs
from lading.domain import hooks
from lading.domain.anchors import Anchor
from lading.domain.errors import TransferError
from lading.domain.hooks import Hook, HookFailed, Payload

if TYPE_CHECKING:
    from lading.adapters.http.posting import Poster

_TAKEN = range(200, 300)
_PLAIN = {"Content-Type": "text/plain; charset=utf-8"}


class Deliveries:
    """Delivers in earnest; `quiet` drops what programs print, `trust_env` believes the environment about proxies."""

    def __init__(self, *, trust_env: bool, quiet: bool = True) -> None:
        self._trust_env = trust_env
        self._quiet = quiet
        self._poster: Poster | None = None

    async def deliver(self, hook: Hook, told: Payload) -> None:
        """Tell a hook of one event.

        Raises:
            HookFailed: the program did not end well, or the answer was not 2xx, or did not come in time.
        """
        body = orjson.dumps(dict(told)) + b"\n"
        if hook.command:
            await self._run(hook, body, hooks.environment(told))
        else:
            await self._post(hook, body, hooks.headers(told))

    async def hand(self, anchor: Anchor, note: bytes) -> None:
        """Hand a checkpoint to a program or a server.

        Raises:
            HookFailed: as `deliver` does.
        """
        await (self._run(anchor, note, {}) if anchor.command else self._post(anchor, note, _PLAIN))

    async def _run(self, receiver: Hook | Anchor, body: bytes, environ: Mapping[str, str]) -> None:
        try:
            await programs.run(
                receiver.arguments(), stdin=body, environ=environ, timeout_s=receiver.timeout_s, quiet=self._quiet
            )
        except programs.ProgramFailed as error:
            raise HookFailed(f"the program failed: {error}") from None

    async def _post(self, receiver: Hook | Anchor, body: bytes, headers: Mapping[str, str]) -> None:
        from lading.adapters.http.posting import Poster

        poster = self._poster = self._poster or Poster(trust_env=self._trust_env)
        try:
            status = await poster.post(receiver.url, body=body, headers=headers, timeout_s=receiver.timeout_s)
        except TransferError as error:
            raise HookFailed(error.message) from None
        if status not in _TAKEN:
            raise HookFailed(f"the server answered {status}")
