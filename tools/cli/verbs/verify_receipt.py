"""`lading verify-receipt`: does a receipt prove what it says?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lading.tools.cli.frame import Frame, verb

if TYPE_CHECKING:
    from lading.receipts import Check, Receipt

LONGEST_KEYS_BYTES = 1024 * 1024
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@verb()
@click.argument("receipt", metavar="FILE", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--key", "keys", multiple=True, metavar="VKEY", help="The key of who is to have issued it.")
@click.option("--key-file", type=_FILE, metavar="FILE", help="Such keys, one a line; it may be any of them.")
@click.option("--file", type=_FILE, metavar="PATH", help="A file that is to have the bytes that it vouches for.")
def command(frame: Frame, receipt: Path, keys: tuple[str, ...], key_file: Path | None, file: Path | None) -> int:
    """Check a receipt, offline and without a home.

    Each thing that holds is a line: the signature; the checkpoint; that each event is in the log; that they are the
    first events of one download; that they come to what the receipt says; and that a --file is the one it is of.

    Exit codes: 0 all of it holds; 4 something does not; 2 this is no receipt; 3 a newer Lading logged the events; 1 it
    agrees with itself, and no key was given: so nothing shows who made it. A key is what `lading checkpoint --key`
    prints where it was issued. It has to come by another way than the receipt.
    """
    from lading.domain.errors import ReceiptRefused
    from lading.receipts import verify_receipt
    from lading.tools.cli import trouble
    from lading.tools.cli.answers import answer

    given = _checked([*keys, *(_keys(key_file) if key_file is not None else ())])
    try:
        found = verify_receipt(
            _stdin() if str(receipt) == "-" else receipt, given, file=file, tell=lambda check: _tell(frame, check)
        )
    except ReceiptRefused as error:
        row = {"check": error.check, "ok": False, "message": error.message}
        answer(frame, row, _line("FAIL", error.check, error.message))
        raise
    _say(frame, found)
    if found.is_known:
        return trouble.DONE
    told = "it agrees with itself, but no key was given: anybody can have made it"
    hint = (
        "give the key of who is to have issued it, with --key or --key-file; `lading checkpoint --key` prints it there"
    )
    trouble.tell(trouble.Trouble(told, hint, "SignerUnknown", trouble.FAILED), as_json=frame.json)
    return trouble.FAILED


def _keys(path: Path) -> list[str]:
    from lading.adapters.plain_files import open_plain
    from lading.domain.errors import UsageError

    try:
        with open_plain(path) as file:
            data = file.read(LONGEST_KEYS_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint="name a file of keys") from error
    lines = [line.strip() for line in data.decode(errors="replace").splitlines()]
    found = [line for line in lines if line and not line.startswith("#")]
    if not found or len(data) > LONGEST_KEYS_BYTES:
        raise UsageError(f"{path} is no list of keys", hint="it has one a line, as `lading checkpoint --key` prints it")
    return found


def _checked(keys: list[str]) -> list[str]:
    """Return keys that are some.

    Raises:
        UsageError: one of them is none.
    """
    from lading.domain.errors import NoteDamaged, UsageError
    from lading.domain.notes import VerifierKey

    for key in keys:
        try:
            VerifierKey.parse(key)
        except NoteDamaged as error:
            raise UsageError(error.message, hint="give it whole, as `lading checkpoint --key` prints it") from error
    return keys


def _stdin() -> bytes:
    from lading.domain.errors import NotAReceipt
    from lading.receipts import LONGEST_BYTES

    data = sys.stdin.buffer.read(LONGEST_BYTES + 1)
    if len(data) > LONGEST_BYTES:
        raise NotAReceipt("this is longer than any receipt")
    return data


def _tell(frame: Frame, check: Check) -> None:
    from lading.tools.cli.answers import answer

    row = {"check": check.name, "ok": True, "message": check.message}
    answer(frame, row, _line("ok", check.name, check.message))


def _line(mark: str, name: str, message: str) -> str:
    from lading.tools.cli.answers import plain

    return plain(f"{mark:<5} {name:<11} {message}")


def _say(frame: Frame, found: Receipt) -> None:
    from lading.tools.cli.answers import answer, plain

    row = {
        "ok": found.is_known,
        "id": str(found.download),
        "state": found.state,
        "path": found.path,
        "url": found.url,
        "digest": found.digest,
        "bytes": found.size,
        "events": found.events,
        "origin": found.origin,
        "size": found.ledger_size,
        "key": str(found.key),
        "key_known": found.is_known,
    }
    whose = "by the key that was given" if found.is_known else "by nobody that is known here"
    answer(frame, row, plain(f"{'sound' if found.is_known else 'consistent'}: {found.download}, signed {whose}"))
