"""Another URL for a download: its secrets into the vault first, then the event, and back if the event is refused."""

from __future__ import annotations

from lading.domain import secrets
from lading.domain.decide import decide
from lading.domain.download import Download
from lading.domain.errors import IntegrityError, LadingError
from lading.domain.facts import Context
from lading.domain.ports import Secrets
from lading.services import Services


async def refresh(services: Services, download: Download, url: str, context: Context) -> Download:
    """Give the first source of a download another URL, and return the download as it is then.

    Raises:
        InvalidURL: it cannot be meant.
        IllegalCommand: the download cannot have another URL now, and why; nothing was changed.
    """
    kept = await services.threads.run(lambda: _recall(services, download))
    command, secret = secrets.refresh(download.order, 0, url, kept, services.vault.handle)
    decide(download, command)
    if secret is not None:
        await services.threads.run(lambda: services.vault.keep([(download.id, secret)]))
    try:
        return await services.journal.execute(download.id, command, state=download, context=context)
    except LadingError:
        if secret is not None and kept is not None:
            await services.threads.run(lambda: services.vault.keep([(download.id, kept)]))
        raise


def _recall(services: Services, download: Download) -> Secrets | None:
    """Return what the vault has of a download; what is damaged there is as good as lost."""
    if not download.order.secret:
        return None
    try:
        return services.vault.recall(download.id)
    except IntegrityError:
        return None
