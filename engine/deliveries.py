"""How hooks are told: by a program of the user's, or by a POST."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from lading.adapters import programs
from lading.domain import hooks
from lading.domain.errors import TransferError
from lading.domain.hooks import Hook, HookFailed, Payload

if TYPE_CHECKING:
    from lading.adapters.http.posting import Poster

_TAKEN = range(200, 300)


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
        await (self._run(hook, told, body) if hook.command else self._post(hook, told, body))

    async def _run(self, hook: Hook, told: Payload, body: bytes) -> None:
        try:
            await programs.run(
                hook.arguments(),
                stdin=body,
                environ=hooks.environment(told),
                timeout_s=hook.timeout_s,
                quiet=self._quiet,
            )
        except programs.ProgramFailed as error:
            raise HookFailed(f"the program failed: {error}") from None

    async def _post(self, hook: Hook, told: Payload, body: bytes) -> None:
        from lading.adapters.http.posting import Poster

        poster = self._poster = self._poster or Poster(trust_env=self._trust_env)
        try:
            status = await poster.post(hook.url, body=body, headers=hooks.headers(told), timeout_s=hook.timeout_s)
        except TransferError as error:
            raise HookFailed(error.message) from None
        if status not in _TAKEN:
            raise HookFailed(f"the server answered {status}")
