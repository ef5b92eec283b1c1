"""`lading receipt`: what happened to a download, in one file that others can check."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lading.tools.cli.frame import Frame, verb


@verb()
@click.argument("id")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The file to make, - for stdout. [default: -]",
)
@click.option(
    "--any", "unfinished", is_flag=True, help="Also of a download that is not complete: it vouches for no file."
)
def command(frame: Frame, id: str, output: Path | None, *, unfinished: bool) -> None:
    """Give a receipt of a download, which others can check.

    It has the download's events, each proven to be in the log under a signed checkpoint, and the digest of the file, in
    an in-toto Statement in a DSSE envelope. `lading verify-receipt` checks it anywhere, without this home, and
    so do the 80 lines or so of Python in domain/RECEIPTS.md; `lading checkpoint --key` prints the key that they need.
    """
    from lading.receipting import issue
    from lading.tools.cli.answers import answer, note
    from lading.tools.cli.homes import signing
    from lading.tools.cli.naming import find

    with signing(frame) as (reading, notary):
        reading.catch_up()
        made, found = issue(reading, notary, find(reading, id).id, unfinished=unfinished)
    if output is None or str(output) == "-":
        sys.stdout.buffer.write(made)
        return
    _keep(output, made)
    row = {
        "id": str(found.download),
        "path": str(output),
        "events": found.events,
        "digest": found.digest,
        "origin": found.origin,
        "size": found.ledger_size,
        "key": str(found.key),
    }
    answer(frame, row, str(output))
    note(frame, "whoever checks it needs your key, and by another way than with the receipt: lading checkpoint --key")


def _keep(path: Path, data: bytes) -> None:
    """Put a receipt into a new file, whole or not at all.

    Raises:
        DestinationTaken: something lies there.
        UsageError: it cannot be written there.
    """
    from lading.domain.errors import UsageError
    from lading.drafts import Draft

    try:
        with Draft(path, mode=0o666, taken="choose another name with -o, or move it away") as draft:
            draft.file.write(data)
            draft.publish()
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", hint="-o names a new file") from error
