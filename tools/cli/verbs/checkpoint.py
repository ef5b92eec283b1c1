"""`lading checkpoint`: what the log is like, signed, for others to keep."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lading.tools.cli.frame import Frame, verb

if TYPE_CHECKING:
    from lading.domain.notes import Note


@verb()
@click.option("--key", is_flag=True, help="Instead, the verifier key that checks the signatures of this home.")
@click.option(
    "--follows",
    "earlier",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Hold the log against an earlier checkpoint of it that was kept elsewhere; exit 4 if it has another history.",
)
def command(frame: Frame, earlier: Path | None, *, key: bool) -> None:
    """Sign what the log is like now, and print that: a checkpoint, as c2sp.org/tlog-checkpoint has it.

    Whoever keeps it can tell later whether anything before it was changed, or taken away.
    """
    from lading.domain.errors import UsageError
    from lading.tools.cli.answers import answer
    from lading.tools.cli.homes import notary

    if key and earlier is not None:
        raise UsageError("--key tells a key, --follows a history", hint="ask for one of them")
    with notary(frame) as who:
        if who is None:
            raise UsageError("a log in memory is signed by nobody", hint="use a log that lasts")
        if earlier is not None:
            who.follows(_read(earlier), str(earlier))
        who.examine()
        note, _ = who.sign()
        if key:
            answer(frame, {"key": str(who.signer.key)}, str(who.signer.key))
            return
    _say(frame, note)


def _read(path: Path) -> Note:
    from lading.domain.errors import NoteDamaged
    from lading.domain.notes import LONGEST_BYTES, Note

    with path.open("rb") as file:
        data = file.read(LONGEST_BYTES + 1)
    try:
        return Note.parse(data.decode())
    except (NoteDamaged, UnicodeDecodeError):
        raise NoteDamaged(f"{path} is no checkpoint", hint="it holds what `lading checkpoint` printed once") from None


def _say(frame: Frame, note: Note) -> None:
    from lading.domain.notes import Checkpoint
    from lading.tools.cli.answers import write_json

    found = Checkpoint.parse(note.text)
    if frame.json:
        write_json({"origin": found.origin, "size": found.size, "root": found.root.hex(), "note": str(note)})
    else:
        click.echo(str(note), nl=False)
