"""`lading checkpoint`: what the log is like, signed, for others to keep."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lading.tools.cli.frame import Frame, verb

if TYPE_CHECKING:
    from lading.domain.notes import Note
    from lading.notary import Notary
    from lading.reading import Reading


@verb()
@click.option("--key", is_flag=True, help="Instead, the verifier key that checks the signatures of this home.")
@click.option(
    "--follows",
    "earlier",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Hold the log against an earlier checkpoint of it that was kept elsewhere; exit 4 if it has another history.",
)
@click.option(
    "--tiles",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Also write the tree to a folder that can be served, as c2sp.org/tlog-tiles has it; what is new there.",
)
@click.option("--anchor", is_flag=True, help="Take over file anchors that were written with another key of this log.")
def command(frame: Frame, earlier: Path | None, tiles: Path | None, *, key: bool, anchor: bool) -> None:
    """Sign what the log is like now, and print that: a checkpoint, as c2sp.org/tlog-checkpoint has it.

    Whoever keeps it can tell later whether anything before it was changed, or taken away. It is brought to the file
    anchors of this home.
    """
    from lading.domain.errors import UsageError
    from lading.tools.cli.answers import answer
    from lading.tools.cli.homes import signing

    if key and (earlier is not None or tiles is not None):
        raise UsageError("--key tells a key and nothing else", hint="ask for one thing at a time")
    with signing(frame) as (reading, notary):
        if notary is None:
            raise UsageError("a log in memory is signed by nobody", hint="use a log that lasts")
        if earlier is not None:
            notary.follows(_read(earlier), str(earlier))
        notary.examine()
        note = notary.sign()[0] if tiles is None else _publish(notary, reading, tiles)
        _bring(frame, notary, note, take_over=anchor)
        if key:
            answer(frame, {"key": str(notary.signer.key)}, str(notary.signer.key))
            return
    _say(frame, note)


def _bring(frame: Frame, notary: Notary, note: Note, *, take_over: bool) -> None:
    """Append a checkpoint to all file anchors; one that cannot be reached, or is another's, is told."""
    from lading.domain.errors import LadingError
    from lading.tools.cli import answers

    for name in notary.anchored:
        try:
            notary.anchor(name, note, take_over=take_over)
        except LadingError as error:
            answers.note(frame, f"{error.message}; {error.hint}")


def _publish(notary: Notary, reading: Reading, folder: Path) -> Note:
    """Sign, and publish what was signed, in one turn at the folder."""
    from lading.domain.errors import UsageError
    from lading.tiles import publish, turn

    try:
        with turn(folder):
            note, _ = notary.sign()
            with reading.views.read() as reader:
                publish(note, reading.log, reader, folder)
            return note
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}", hint="name a folder that can be") from error


def _read(path: Path) -> Note:
    from lading.adapters.plain_files import open_plain
    from lading.domain.errors import NoteDamaged
    from lading.domain.notes import LONGEST_BYTES, Note

    try:
        with open_plain(path) as file:
            return Note.parse(file.read(LONGEST_BYTES + 1).decode())
    except (NoteDamaged, OSError, UnicodeDecodeError):
        raise NoteDamaged(f"{path} is no checkpoint", hint="it holds what `lading checkpoint` printed once") from None


def _say(frame: Frame, note: Note) -> None:
    from lading.domain.notes import Checkpoint
    from lading.tools.cli.answers import write_json

    found = Checkpoint.parse(note.text)
    if frame.json:
        write_json({"origin": found.origin, "size": found.size, "root": found.root.hex(), "note": str(note)})
    else:
        click.echo(str(note), nl=False)
