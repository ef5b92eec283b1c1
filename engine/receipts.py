"""Receipts, checked: without a home, a network or an engine, by the receipt and a public key alone.

What is signed is looked at before anything is read into it; then each event is shown to be in the ledger that was
signed; then the statement is made again out of those events (`lading.projections.receipts`), and is the same or the
receipt is refused. So what a receipt says is what whoever holds the key has logged, in the order in which they did.

It does not show that nothing happened afterwards, nor that there is no other log of the same key that tells something
else: for that, compare checkpoints, and anchor them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs

from lading.adapters import codec
from lading.adapters.plain_files import open_plain
from lading.adapters.signing import verifies
from lading.domain import digests, dsse, ledger, proofs
from lading.domain.dsse import Envelope
from lading.domain.errors import LadingError, NotAReceipt, NoteDamaged, ReceiptRefused, StoreNewer
from lading.domain.notes import Checkpoint, Note, VerifierKey
from lading.domain.packing import unpack
from lading.domain.ports import Recorded
from lading.projections.receipts import MOST_EVENTS, PAYLOAD, PREDICATE, STATEMENT, Proven, heading, row

LONGEST_BYTES = 128 * 1024 * 1024
"""No receipt is longer; what is longer is not read. `MOST_EVENTS` need 95 MB in most cases."""

MOST_TOKENS = 4096 + 128 * MOST_EVENTS
"""Of a statement: strings, brackets and commas; of an event there are fifty in most cases."""

_OTHER_NAME = (
    "a log that was repaired has another name and the same key: "
    "where it was issued, keys/signing.pub in the home has the keys of all its names"
)
_OTHER_FILE = "give the file of which the receipt is, as it was then; what the receipt says of itself holds"
_CHUNK_BYTES = 1024 * 1024
_NO_EVENTS = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What comes of folding things that no Lading has logged."""


@attrs.frozen(kw_only=True)
class Check:
    """One thing about a receipt that holds: `name` is envelope, checkpoint, inclusion, stream, statement or file."""

    name: str
    message: str


Tell = Callable[[Check], None]


@attrs.frozen(kw_only=True)
class Receipt:
    """What a receipt says, all of it shown to be so.

    Attributes:
        download: which download it is of.
        state: where that stood.
        path, size, digest: of the file, as the log has them; None where it is of a download that is not complete.
        url: what answered in the end.
        events: how many it proves.
        origin, ledger_size: of the checkpoint under which they are proven.
        key: who signed.
        is_known: whether that is one of the keys that were given; else the receipt only agrees with itself.
        statement: the in-toto Statement whole.
    """

    download: UUID
    state: str
    path: str | None
    size: int | None
    digest: str | None
    url: str | None
    events: int
    origin: str
    ledger_size: int
    key: VerifierKey
    is_known: bool
    statement: Mapping[str, Any] = attrs.field(repr=False)


def verify_receipt(
    receipt: bytes | str | os.PathLike[str],
    key: str | Iterable[str] | None = None,
    *,
    file: str | os.PathLike[str] | None = None,
    tell: Tell = lambda _: None,
) -> Receipt:
    """Check a receipt, and return what it says.

    Args:
        receipt: its bytes, or where it lies.
        key: the verifier key of whoever is to have issued it, or several of which it may be any; it must have come by
            another way than the receipt. Without one, the receipt is held against the key that it names itself: that
            shows that it agrees with itself, and nothing about who made it (`Receipt.is_known` is false).
        file: a file that is to have the bytes that it vouches for.
        tell: is told of each check that holds, in order.

    Raises:
        NotAReceipt: it is none.
        ReceiptRefused: it does not prove what it says, or not by this key, or the file is another one.
        StoreNewer: a newer Lading has logged the events; nothing is said about them.
        NoteDamaged: a key is no verifier key.
    """
    data = receipt if isinstance(receipt, bytes) else _read(Path(receipt))
    given = [key] if isinstance(key, str) else list(key or ())
    keys = [VerifierKey.parse(text) for text in given]
    envelope = Envelope.parse(data)
    known = [each for each in keys if _signed(envelope, each)]
    if keys and not known:
        raise ReceiptRefused("the receipt was not signed with any key that was given", check="envelope")
    told = _Told.parse(envelope)
    if known and told.key not in known and _signed(envelope, told.key):
        raise ReceiptRefused(
            f"it was signed with the bytes of a key that was given, for another log: {told.key.name}",
            check="envelope",
            hint=_OTHER_NAME,
        )
    if (known and told.key not in known) or not _signed(envelope, told.key):
        raise ReceiptRefused("the receipt was not signed with the key that it names", check="envelope")
    whose = "a key that was given" if known else "the key that it names itself"
    tell(Check(name="envelope", message=f"signed with {whose}: {told.key}"))
    found = _verify(told, tell, is_known=bool(known))
    if file is not None:
        _verify_file(found, Path(file))
        tell(Check(name="file", message=f"{file} has the {found.size} bytes with the digest {found.digest}"))
    return found


def _verify(told: _Told, tell: Tell, *, is_known: bool) -> Receipt:
    checkpoint = _verify_checkpoint(told)
    tell(
        Check(name="checkpoint", message=f"{checkpoint.origin} had {checkpoint.size} events, signed with the same key")
    )
    _verify_inclusion(told, checkpoint)
    tell(Check(name="inclusion", message=f"each of the {len(told.events)} events is in that ledger"))
    _verify_stream(told)
    tell(
        Check(name="stream", message=f"they are versions 1 to {len(told.events)} of {told.events[0].stream}, in order")
    )
    made = _verify_statement(told)["predicate"]
    subject = f"{made['size']} bytes with the digest {made['digest']}" if made["digest"] else "no file"
    tell(Check(name="statement", message=f"they come to what the receipt says: {made['state']}, {subject}"))
    return Receipt(
        download=told.events[0].stream,
        state=made["state"],
        path=made["path"],
        size=made["size"],
        digest=made["digest"],
        url=made["url"],
        events=len(told.events),
        origin=checkpoint.origin,
        ledger_size=checkpoint.size,
        key=told.key,
        is_known=is_known,
        statement=told.words,
    )


# -- what a receipt brings ---------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class _Event:
    stream: UUID
    version: int
    topic: str
    ordinal: int
    state: bytes
    path: tuple[bytes, ...]

    @classmethod
    def parse(cls, words: object) -> _Event:
        if not isinstance(words, dict):
            raise NotAReceipt("an event of this receipt cannot be read")
        version, topic, ordinal = words.get("version"), words.get("topic"), words.get("ordinal")
        stream, state, found = (
            _id(words.get("stream")),
            unpack(words.get("state")),
            proofs.read_head(words.get("proof")),
        )
        if stream is None or state is None or found is None or not isinstance(topic, str) or not topic.isprintable():
            raise NotAReceipt("an event of this receipt cannot be read")
        if type(version) is not int or not 0 < version < 2**63 or type(ordinal) is not int or ordinal != found[0]:
            raise NotAReceipt("an event of this receipt cannot be read")
        return cls(stream=stream, version=version, topic=topic, ordinal=ordinal, state=state, path=found[1])


@attrs.frozen(kw_only=True)
class _Told:
    """A statement, as far as it has to be read before it can be made again."""

    words: dict[str, Any]
    key: VerifierKey
    origin: str
    note: Note
    events: tuple[_Event, ...]

    @classmethod
    def parse(cls, envelope: Envelope) -> _Told:
        words = dsse.read_json(envelope.payload, MOST_TOKENS) if envelope.payload_type == PAYLOAD else None
        if not isinstance(words, dict) or words.get("_type") != STATEMENT:
            raise NotAReceipt("this is no in-toto Statement")
        predicate = words.get("predicate")
        if words.get("predicateType") != PREDICATE or not isinstance(predicate, dict):
            raise NotAReceipt(f"this Statement is of another kind than {PREDICATE}")
        log, note, events = predicate.get("log"), predicate.get("checkpoint"), predicate.get("events")
        if not isinstance(log, dict) or not isinstance(note, str) or not isinstance(events, list):
            raise NotAReceipt("this receipt lacks its log, its checkpoint or its events")
        if not 0 < len(events) <= MOST_EVENTS:
            raise NotAReceipt("this receipt has no events, or more than any has")
        try:
            named, signed = VerifierKey.parse(str(log.get("key"))), Note.parse(note)
        except (NoteDamaged, UnicodeError) as error:
            raise NotAReceipt("the key or the checkpoint of this receipt cannot be read") from error
        return cls(
            words=words,
            key=named,
            origin=str(log.get("origin")),
            note=signed,
            events=tuple(map(_Event.parse, events)),
        )


def _id(text: object) -> UUID | None:
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _read(path: Path) -> bytes:
    try:
        with open_plain(path) as file:
            data = file.read(LONGEST_BYTES + 1)
    except OSError as error:
        raise NotAReceipt(f"{path} cannot be read: {error.strerror}", hint="give the file that holds it") from error
    if len(data) > LONGEST_BYTES:
        raise NotAReceipt(f"{path} is longer than any receipt")
    return data


# -- what has to hold --------------------------------------------------------------------------------------------------


def _signed(envelope: Envelope, key: VerifierKey) -> bool:
    data, key_id = dsse.pae(envelope.payload_type, envelope.payload), dsse.key_id(key.key)
    return any(each.key_id == key_id and verifies(key, each.signature, data) for each in envelope.signatures)


def _verify_checkpoint(told: _Told) -> Checkpoint:
    signature = told.note.signed_by(told.key)
    if signature is None or not verifies(told.key, signature, told.note.text.encode()):
        raise ReceiptRefused("its checkpoint was not signed with the key of the receipt", check="checkpoint")
    try:
        checkpoint = Checkpoint.parse(told.note.text)
    except NoteDamaged as error:
        raise ReceiptRefused("what stands for its checkpoint is none", check="checkpoint") from error
    if not checkpoint.origin == told.key.name == told.origin:
        raise ReceiptRefused("its checkpoint is of another log", check="checkpoint")
    return checkpoint


def _verify_inclusion(told: _Told, checkpoint: Checkpoint) -> None:
    for each in told.events:
        leaf = ledger.leaf(each.stream, each.version, each.topic, each.state)
        if not ledger.verify_inclusion(leaf, each.ordinal, checkpoint.size, each.path, checkpoint.root):
            raise ReceiptRefused(
                f"event {each.version} is not shown to be number {each.ordinal} of the ledger", check="inclusion"
            )


def _verify_stream(told: _Told) -> None:
    before: _Event | None = None
    for version, each in enumerate(told.events, 1):
        if each.version != version or (before is not None and each.stream != before.stream):
            raise ReceiptRefused(f"where event {version} of the download should be is another", check="stream")
        if before is not None and each.ordinal <= before.ordinal:
            raise ReceiptRefused(f"event {version} was logged before the one that it follows", check="stream")
        before = each


def _verify_statement(told: _Told) -> dict[str, Any]:
    """Make the statement again out of the events, and see that it is the same."""
    given = dict(told.words["predicate"])
    rows = given.pop("events")
    try:
        made = heading(_same(told.events, rows), told.note, told.key)
    except (ReceiptRefused, StoreNewer):
        raise
    except (*_NO_EVENTS, LadingError) as error:
        raise ReceiptRefused("its events are not those of a download", check="statement") from error
    _compare(made, {**told.words, "predicate": given}, "")
    return made


def _same(events: Iterable[_Event], rows: Iterable[Any]) -> Iterator[Proven]:
    """Yield events of which the receipt says what they say."""
    for each, words in zip(events, rows, strict=True):
        proven = _proven(each)
        _compare(row(proven), words, f"/events/{each.version}")
        yield proven


def _compare(made: Any, told: Any, where: str) -> None:
    if dsse.canonical(made) != dsse.canonical(told):
        place = next(_differences(made, told, where), where)
        raise ReceiptRefused(f"its events do not come to what it says of {place}", check="statement")


def _proven(each: _Event) -> Proven:
    record = Recorded(each.ordinal + 1, each.stream, each.version, each.topic, each.state)
    context, payload = codec.read_words(each.state)
    fact = codec.open_envelope(record)
    return Proven(record=record, fact=fact, context=context, payload=payload, ordinal=each.ordinal, path=each.path)


def _differences(made: Any, told: Any, where: str) -> Iterator[str]:
    """Walk the places at which two values of JSON are not the same."""
    if isinstance(made, dict) and isinstance(told, dict):
        for name in {**made, **told}:
            if name not in made or name not in told:
                yield f"{where}/{name}"
            else:
                yield from _differences(made[name], told[name], f"{where}/{name}")
    elif isinstance(made, list) and isinstance(told, list) and len(made) == len(told):
        for at, (one, other) in enumerate(zip(made, told, strict=True)):
            yield from _differences(one, other, f"{where}/{at}")
    elif type(made) is not type(told) or made != told:
        yield where


def _verify_file(receipt: Receipt, path: Path) -> None:
    if receipt.digest is None or receipt.size is None:
        raise ReceiptRefused("this receipt vouches for no file", check="file", hint="leave out the file")
    algorithm = receipt.digest.partition(":")[0]
    hasher, size = digests.hasher(algorithm), 0
    try:
        with open_plain(path) as file:
            while size <= receipt.size and (chunk := file.read(_CHUNK_BYTES)):
                hasher.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise ReceiptRefused(f"{path} cannot be read: {error.strerror}", check="file", hint="name the file") from error
    if size != receipt.size:
        more = "more" if size > receipt.size else f"{size}"
        raise ReceiptRefused(
            f"{path} has {more} bytes, and the receipt is of {receipt.size}", check="file", hint=_OTHER_FILE
        )
    if f"{algorithm}:{hasher.hexdigest()}" != receipt.digest:
        raise ReceiptRefused(f"{path} is another file than the receipt is of", check="file", hint=_OTHER_FILE)
