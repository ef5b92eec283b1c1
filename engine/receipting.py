"""Receipting: a home gives a receipt of one of its downloads, proven against a signed checkpoint.

The log is looked at and not written to; a checkpoint is signed only where none covers all of the download's events. It
works the same beside a running engine. A receipt is checked before it is handed out, as a third party would.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import orjson

from lading.adapters import codec
from lading.domain import dsse
from lading.domain import ledger as tree
from lading.domain.dsse import Envelope, EnvelopeSignature
from lading.domain.errors import IllegalCommand, UnknownDownload, ViewsDamaged
from lading.domain.notes import Checkpoint, Note
from lading.domain.ports import Log, Reader, Recorded
from lading.notary import Notary
from lading.projections import ledger
from lading.projections.receipts import MOST_EVENTS, PAYLOAD, Proven, statement
from lading.reading import Reading
from lading.receipts import LONGEST_BYTES, Receipt, verify_receipt

if TYPE_CHECKING:
    from lading.services import Services

TOGETHER = 256
"""So many proofs are made of the hashes that were looked up for one of them."""


def issue(reading: Reading, notary: Notary | None, id: UUID, *, unfinished: bool = False) -> tuple[bytes, Receipt]:
    """Return a receipt of a download, and what it says; blocks.

    Args:
        reading: the read side of the home.
        notary: who signs for its log, None for one that ends with the process.
        id: the download.
        unfinished: whether a download that is not complete may have one, which vouches for no file.

    Raises:
        UnknownDownload: there is none of that id.
        IllegalCommand: it is not complete; or has more events than a receipt can hold; or nobody signs for its log.
        HistoryChanged: the log is not what was signed before.
    """
    if notary is None:
        raise IllegalCommand("a log in memory is signed by nobody", hint="use a log that lasts")
    notary.examine()
    records = reading.log.stream(id)
    if not records:
        raise UnknownDownload(f"there is no download {id}")
    if len(records) > MOST_EVENTS:
        raise _too_long(len(records))
    reading.catch_up()
    with reading.views.read() as reader:
        places = list(_ordinals(reader, reading.log, records))
    note = notary.covering(places[-1])
    reading.catch_up()  # whoever signed may have seen more
    made = _make(_prove(reading, records, places, note), note, notary, unfinished=unfinished)
    if len(made) > LONGEST_BYTES:
        raise _too_long(len(records))
    return made, verify_receipt(made, str(notary.signer.key))


def _make(proven: Iterable[Proven], note: Note, notary: Notary, *, unfinished: bool) -> bytes:
    signer = notary.signer
    words = statement(proven, note, signer.key)
    state, digest = words["predicate"]["state"], words["predicate"]["digest"]
    if digest is None and not unfinished:
        raise IllegalCommand(
            f"this download is {state}: there is no file that a receipt could vouch for",
            hint="wait for it; or --any gives a receipt of what has happened so far, which vouches for no file",
        )
    payload = orjson.dumps(words)
    signature = EnvelopeSignature(dsse.key_id(signer.key.key), signer.sign_bytes(dsse.pae(PAYLOAD, payload)))
    return orjson.dumps(Envelope(PAYLOAD, payload, (signature,)).words(), option=orjson.OPT_APPEND_NEWLINE)


def _too_long(count: int) -> IllegalCommand:
    return IllegalCommand(
        f"this download has {count:,} events, which are more than a receipt holds",
        hint="`lading checkpoint` signs the log as a whole, and `lading log --id ID` prints them",
    )


def _prove(reading: Reading, records: Sequence[Recorded], places: Sequence[int], note: Note) -> Iterator[Proven]:
    size = Checkpoint.parse(note.text).size
    for start in range(0, len(records), TOGETHER):
        some = slice(start, start + TOGETHER)
        with reading.views.read() as reader:
            look = functools.cache(ledger.subtree(reader))
            paths = [tuple(tree.inclusion(place, size, look)) for place in places[some]]
        for record, place, path in zip(records[some], places[some], paths, strict=True):
            context, payload = codec.read_words(record.state)
            fact = codec.open_envelope(record)
            yield Proven(record=record, fact=fact, context=context, payload=payload, ordinal=place, path=path)


def _ordinals(reader: Reader, log: Log, records: Sequence[Recorded]) -> Iterator[int]:
    """Yield the ordinals of events of the log, in order; each tile that has some of them is looked up once."""
    near: dict[int, int] = {}
    for record in records:
        if record.position not in near:
            position, ordinal = ledger.place(reader, record.position)
            page = log.read(position - 1, ledger.WIDTH) if position else ()
            near = {each.position: ordinal + ahead for ahead, each in enumerate(page)}
        if record.position not in near:
            raise ViewsDamaged(f"the ledger does not know where the event {record.position} stands")
        yield near[record.position]


class Receipting:
    """The method of `lading.engine.Engine` that gives receipts: a part of its face."""

    _s: Services
    notary: Notary | None = None

    if TYPE_CHECKING:

        @property
        def reading(self) -> Reading: ...  # noqa: D102 # the engine says it

    async def receipt(self, id: UUID, *, unfinished: bool = False) -> bytes:
        """Return a receipt of a download: a file that `lading.verify_receipt`, or any tool for DSSE, checks offline.

        With `unfinished` there is one of a download that is not complete too; it vouches for no file.

        Raises:
            UnknownDownload: there is none of that id.
            IllegalCommand: it is not complete; or has more events than a receipt can hold; or nobody signs for its log.
            HistoryChanged: the log is not what was signed before.
        """
        work = functools.partial(issue, self.reading, self.notary, id, unfinished=unfinished)
        return (await self._s.threads.run(work))[0]
