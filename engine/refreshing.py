"""Another URL for a download: its secrets into the vault first, then the event, and back if the event is refused."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import trio

from lading.domain import secrets
from lading.domain.decide import decide
from lading.domain.download import Download
from lading.domain.errors import IllegalCommand, IntegrityError, LadingError
from lading.domain.facts import Context
from lading.domain.ports import Secrets
from lading.services import Services


async def refresh(
    services: Services, download: Download, url: str, context: Context, *, headers: Mapping[str, str] | None = None
) -> Download:
    """Give the first source of a download another URL, and its `headers` again, and return it as it is then.

    Raises:
        InvalidURL: it cannot be meant.
        IllegalCommand: the download cannot have another URL now, and why; nothing was changed.
    """
    kept = await services.threads.run(lambda: _recall(services, download))
    command, secret = secrets.refresh(download.order, 0, url, kept, services.vault.handle, headers=headers)
    decide(download, command)
    if secret is not None and not await _exchange(services, download.id, kept, secret):
        raise IllegalCommand("the secrets of this download have just been changed by others", hint="try again")
    try:
        return await services.journal.execute(download.id, command, state=download, context=context)
    except LadingError:
        if secret is not None:
            await _exchange(services, download.id, secret, kept)
        raise


async def _exchange(services: Services, id: UUID, before: Secrets | None, after: Secrets | None) -> bool:
    """Have the vault keep `after` in the place of `before`, unless there is something else by now."""
    is_done = False
    with trio.CancelScope(shield=True):
        is_done = await services.threads.run(lambda: services.vault.exchange(id, before, after))
    return is_done  # noqa: RET504 # the block may be left by what it shields from, says mypy


def _recall(services: Services, download: Download) -> Secrets | None:
    """Return what the vault has of a download; what is damaged there is as good as lost."""
    if not download.order.secret:
        return None
    try:
        return services.vault.recall(download.id)
    except IntegrityError:
        return None
