"""Forgetting: what follows when somebody wants the secrets of a download gone for good, wherever it stands.

What runs by them stops, and what waits to run by them says that they are missing; what has ended, rests, or has only to
wait for its bundle stays where it is. A download without secrets is not disturbed.
"""

from __future__ import annotations

from lading.domain import events as e
from lading.domain import faults
from lading.domain.download import Download
from lading.domain.errors import IllegalCommand
from lading.domain.states import RUNNING, State


def forget(download: Download) -> tuple[e.Event, ...]:
    """Return what is said when its secrets are given up, which needs to be said once."""
    if download.forgotten:
        return ()
    if download.order.secret and download.state in RUNNING:
        return (e.Forgotten(), e.Paused())
    if download.order.secret and download.state in {State.QUEUED, State.WAITING} and not download.staged:
        return (e.Forgotten(), e.Blocked(reason=faults.SECRET, message=faults.FORGOTTEN))
    return (e.Forgotten(),)


def shred(download: Download) -> tuple[e.Event, ...]:
    """Return what is said when the vault has nothing of them any more."""
    return (e.KeyShredded(),) if download.shredding else ()


def check_settled(download: Download) -> None:
    """Refuse that a new secret comes while those before it are being shredded: it would go with them.

    Raises:
        IllegalCommand: they are.
    """
    if download.shredding:
        raise IllegalCommand(
            "the secrets that this download had are still being shredded", hint="try again in a moment"
        )
