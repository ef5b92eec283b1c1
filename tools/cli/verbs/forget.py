"""`lading forget`."""

from __future__ import annotations

from lading.tools.cli.control import carry_out, chosen, no_wait
from lading.tools.cli.frame import Frame, verb


@verb()
@chosen
@no_wait
def command(frame: Frame, ids: tuple[str, ...], tag: str | None, *, everything: bool, no_wait: bool) -> None:
    """Shred the secrets of downloads: what was secret of their URLs, and the values of their headers.

    What was removed is meant by --all and --tag as well. What runs by its secrets is paused first. Files stay, and so
    does all that the log says; what needs a secret again is blocked until `lading refresh-url ID URL` gives it a URL.
    This cannot be undone.
    """
    from lading.domain.commands import Forget
    from lading.domain.errors import StoreUnavailable
    from lading.tools.cli.answers import note

    found = carry_out(
        frame,
        Forget(),
        lambda engine, found: engine.forget(*found, wait=not no_wait),
        ids=ids,
        tag=tag,
        everything=everything,
        wait=not no_wait,
        removed=True,
    )
    left = sum(download.shredding for download in found)
    if left and not no_wait:
        raise StoreUnavailable(
            f"the vault still holds the secrets of {left:,} of them: it could not be written anew yet",
            hint="it needs as much room as it has now; an engine tries again, and so does `lading forget`",
        )
    if left:
        note(frame, "they are shredded as soon as an engine works on this home")
    elif found:
        note(frame, "this cannot be undone; `lading refresh-url ID URL` gives a download a whole URL again")
