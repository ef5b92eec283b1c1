"""A receipt is checked with itself and a key alone, and with anything about it changed it is refused."""

from __future__ import annotations

import base64
import copy
import json
import random
import re
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path
from uuid import UUID, uuid4

import attrs
import in_toto_attestation.v1.statement_pb2 as statement_pb2
import proofbundle
import pytest
import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from google.protobuf import json_format
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope as TheirEnvelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

import lading
from lading.adapters import codec
from lading.adapters.signing import FileSigner
from lading.domain import dsse, ledger, packing, proofs
from lading.domain import events as e
from lading.domain.dsse import Envelope, EnvelopeSignature
from lading.domain.errors import HistoryChanged, IllegalCommand, NotAReceipt, ReceiptRefused, StoreNewer, ViewsDamaged
from lading.domain.notes import Checkpoint, VerifierKey
from lading.domain.pieces import Piece
from lading.domain.ports import Entry, Recorded
from lading.domain.requests import Order, Source
from lading.home import open_home
from lading.opening import open_notary, open_own_log, open_reading, open_views
from lading.projections import ledger as tiles
from lading.projections.receipts import PAYLOAD
from lading.proving import ordinals
from lading.reading import Reading
from lading.receipting import issue
from lading.settings import Settings
from lading.testing import MemoryStore
from lading.tools.origin import Behaviour, Drop, Origin, Resource

pytestmark = [
    pytest.mark.row("C.5"),
    pytest.mark.filterwarnings("ignore::lading.adapters.lmdb.ground.GroundWarning"),
]
GUIDE = Path(__file__).parents[2] / "domain" / "RECEIPTS.md"
KEPT = Path(__file__).with_name("receipts-v1")
OLD_HOME = Path(__file__).parents[1] / "homes" / "format-1"
GOOD, OTHER = Resource("good.bin", 300_000), Resource("other.bin", 1000)
CANARY = "canary-5f1e"
REFUSED = (NotAReceipt, ReceiptRefused, StoreNewer)


@attrs.frozen
class Issued:
    """What a home gave out, and what of it stayed there."""

    folder: Path
    home: Path
    ids: dict[str, UUID]
    receipts: dict[str, bytes]
    key: str

    def sign(self, statement) -> bytes:
        """Sign a statement as the home would, whatever it says."""
        return sign(FileSigner(self.home / "keys", VerifierKey.parse(self.key).name), statement)


def sign(signer, statement) -> bytes:
    """Put a statement into an envelope that a signer has signed."""
    payload = json.dumps(statement).encode()
    signature = EnvelopeSignature(dsse.key_id(signer.key.key), signer.sign_bytes(dsse.pae(PAYLOAD, payload)))
    return json.dumps(Envelope(PAYLOAD, payload, (signature,)).words()).encode()


def wrapped(issued: Issued, inner: bytes) -> bytes:
    """Put bytes into an envelope that the home has signed."""
    signer = FileSigner(issued.home / "keys", VerifierKey.parse(issued.key).name)
    signature = EnvelopeSignature(dsse.key_id(signer.key.key), signer.sign_bytes(dsse.pae(PAYLOAD, inner)))
    return json.dumps(Envelope(PAYLOAD, inner, (signature,)).words()).encode()


def told(receipt: bytes):
    """Return the statement of a receipt."""
    return json.loads(base64.b64decode(json.loads(receipt)["payload"]))


async def story(origin: Origin, folder: Path) -> Issued:
    """Complete one with retries and another one; fail, cancel and remove some; and leave one in the queue."""
    home = folder / "home"
    async with lading.open_engine(home, downloads=folder, retries=3, actor="me") as engine:
        names = ("good.bin", "other.bin", "missing", "gone")
        secret = {"headers": {"X-Token": CANARY}}
        asked = [lading.Request(f"{origin.url(name)}?token={CANARY}", key=name, **secret) for name in names]
        ids = {d.order.key: d.id for d in await engine.submit_many(asked)}
        for id in ids.values():
            await engine.wait(id)
        await engine.remove(ids["gone"], files=True)
    async with lading.open_engine(home, downloads=folder, role="client") as engine:
        for name in ("queued", "cancelled"):
            ids[name] = (await engine.submit(lading.Request(origin.url(name)))).id
        await engine.cancel(ids["cancelled"])
        receipts = {name: await engine.receipt(id, unfinished=True) for name, id in ids.items()}
        key = str(engine.notary.keys()[-1])
    return Issued(folder, home, ids, receipts, key)


@pytest.fixture(scope="module")
def issued(tmp_path_factory) -> Issued:
    """Receipts of real downloads."""
    folder = tmp_path_factory.mktemp("receipts")
    with Origin([GOOD, OTHER, Resource("gone", 2000)]) as origin:
        origin.set("good.bin", Behaviour(drop=Drop(after=100_000, times=1)))
        return trio.run(story, origin, folder)


# -- what it is good for -----------------------------------------------------------------------------------------------


def test_a_receipt_tells_what_happened_and_which_bytes_came_of_it(issued):
    """In short, by attempts, and event by event."""
    checks = []
    found = lading.verify_receipt(
        issued.receipts["good.bin"], issued.key, file=issued.folder / "good.bin", tell=checks.append
    )
    assert [check.name for check in checks] == ["envelope", "checkpoint", "inclusion", "stream", "statement", "file"]
    assert (found.download, found.state, found.path) == (issued.ids["good.bin"], "completed", "good.bin")
    assert (found.size, found.digest, found.is_known) == (GOOD.size, GOOD.digest(), True)
    statement = found.statement
    assert statement["subject"] == [{"name": "good.bin", "digest": {"sha256": GOOD.digest().partition(":")[2]}}]
    first, second = statement["predicate"]["attempts"]
    assert (first["outcome"], second["outcome"], first["attempt"], second["attempt"]) == ("faltered", "completed", 1, 2)
    assert first["started_at"] < first["ended_at"] < second["started_at"] < second["ended_at"]
    assert second["validator"]["length"] == GOOD.size
    assert [event["topic"] for event in statement["predicate"]["events"]][:2] == [
        "lading.queued.v2",
        "lading.started.v1",
    ]
    assert found.events == len(statement["predicate"]["events"])


def test_a_third_party_needs_the_receipt_and_the_key_and_nothing_else(issued, tmp_path):
    """In an empty folder, without a home, and without loading an engine, a network or a store."""
    (tmp_path / "r.json").write_bytes(issued.receipts["good.bin"])
    program = (
        "import sys; from lading.tools.cli import main; code = main(sys.argv[1:])\n"
        "print(code, sorted({'trio', 'httpx', 'lmdb', 'eventsourcing', 'lading.engine'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", program, "verify-receipt", "r.json", "--key", issued.key],
        cwd=tmp_path, env={"HOME": str(tmp_path)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "0 []"
    assert list(tmp_path.iterdir()) == [tmp_path / "r.json"]


def test_the_tools_for_supply_chains_check_the_signature(issued):
    """securesystemslib takes the envelope and the bare public key; in-toto takes the statement."""
    public = Ed25519PublicKey.from_public_bytes(VerifierKey.parse(issued.key).key)
    key = SSlibKey.from_crypto(public)
    for receipt in issued.receipts.values():
        envelope = TheirEnvelope.from_dict(json.loads(receipt))
        assert envelope.verify([key], 1) == {key.keyid: key}
        statement = json_format.Parse(envelope.payload, statement_pb2.Statement())
        Statement.copy_from_pb(statement).validate()
        envelope.payload += b" "
        with pytest.raises(VerificationError):
            envelope.verify([key], 1)


def test_each_proof_is_one_that_others_check(issued):
    """Its head and the checkpoint are a tlog-proof, whole, to an implementation that is not ours."""
    for receipt in issued.receipts.values():
        predicate = told(receipt)["predicate"]
        for event in predicate["events"]:
            entry = ledger.entry(
                UUID(event["stream"]), event["version"], event["topic"], base64.b64decode(event["state"])
            )
            proof = event["proof"] + predicate["checkpoint"]
            origin = predicate["log"]["origin"]
            found = proofbundle.verify_tlog_proof(proof, entry, issued.key, expected_origin=origin)
            assert (found["ok"], found["index"]) == (True, event["ordinal"])
            assert not proofbundle.verify_tlog_proof(proof, entry + b"\0", issued.key)["ok"]


@pytest.mark.parametrize("name", ["missing", "queued", "cancelled"])
def test_what_is_not_complete_has_a_receipt_that_vouches_for_no_file(issued, name):
    """Only where that was asked for; its subject is what happened."""
    found = lading.verify_receipt(issued.receipts[name], issued.key)
    assert (found.digest, found.size) == (None, None)
    (subject,) = found.statement["subject"]
    assert subject["name"] == f"urn:uuid:{issued.ids[name]}"
    assert found.state == {"missing": "failed", "queued": "queued", "cancelled": "cancelled"}[name]
    with pytest.raises(ReceiptRefused, match="no file"):
        lading.verify_receipt(issued.receipts[name], issued.key, file=issued.folder / "good.bin")
    with opened(issued.home) as (reading, notary), pytest.raises(IllegalCommand, match="no file"):
        issue(reading, notary, issued.ids[name])


def test_a_removed_download_is_vouched_for_as_it_was(issued):
    """Its file is gone, and which it was is still provable."""
    found = lading.verify_receipt(issued.receipts["gone"], issued.key)
    assert (found.state, found.digest) == ("removed", Resource("gone", 2000).digest())
    assert found.statement["predicate"]["events"][-1]["topic"] == "lading.quarantined.v1"


def test_a_receipt_needs_no_secret(issued, tmp_path):
    """Whatever the vault has forgotten: nothing of it was in the log."""
    home = shutil.copytree(issued.home, tmp_path / "home")
    shutil.rmtree(home / "vault", ignore_errors=True)
    with opened(home) as (reading, notary):
        made, found = issue(reading, notary, issued.ids["good.bin"])
    whole = json.dumps(found.statement)
    states = [base64.b64decode(event["state"]) for event in found.statement["predicate"]["events"]]
    assert not any(CANARY.encode() in text for text in (whole.encode(), *states))
    assert b"good.bin" in states[0]
    assert lading.verify_receipt(made, issued.key).events == found.events


def test_the_python_of_the_guide_checks_receipts(issued, tmp_path):
    """Its eighty lines, without Lading: real ones hold, changed ones are refused and break nothing."""
    (program,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert 75 <= len(program.splitlines()) <= 85
    assert "lading." not in program.replace("lading.completed.", "")
    (tmp_path / "check.py").write_text(program)

    def check(receipt, *file):
        (tmp_path / "r.json").write_bytes(receipt)
        command = [sys.executable, "-I", "-W", "error", "check.py", "r.json", issued.key, *map(str, file)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    for name, receipt in issued.receipts.items():
        done = check(receipt, *([issued.folder / name] if name.endswith(".bin") else ()))
        assert done.returncode == 0, (name, done.stderr)
        assert done.stdout.startswith("holds: ")
    good = issued.receipts["good.bin"]
    assert "REFUSED: the file" in check(good, issued.folder / "other.bin").stderr
    flipped = json.loads(good)
    flipped["payload"] = flipped["payload"].replace("A", "B", 1)
    for bad in (json.dumps(flipped).encode(), b"{}", b"", good[:-9], b"\xff"):
        done = check(bad)
        assert (done.returncode, done.stderr.startswith("REFUSED: ")) == (1, True), done.stderr
    for change in (
        lambda s: s["predicate"]["events"].reverse(),
        lambda s: s["predicate"]["events"].pop(0),
        lambda s: s["predicate"]["events"][1].update(state=s["predicate"]["events"][0]["state"]),
        lambda s: s["predicate"]["events"][1].update(proof=s["predicate"]["events"][0]["proof"]),
        lambda s: s["predicate"]["events"][0].update(event={}),
        lambda s: s["predicate"].update(checkpoint=told(issued.receipts["gone"])["predicate"]["checkpoint"] + " "),
        lambda s: s["predicate"].update(size=1),
        lambda s: s["subject"][0].update(name="x"),
        lambda s: s["subject"][0].update(digest={"sha256": "0" * 64}),
    ):
        statement = told(good)
        change(statement)
        assert check(issued.sign(statement)).returncode != 0


@pytest.mark.parametrize("path", sorted(KEPT.glob("*.json")), ids=lambda path: path.stem)
def test_a_receipt_that_was_issued_once_holds_for_ever(path):
    """Those that the first version issued, committed with their key; the key that signed them is gone."""
    found = lading.verify_receipt(path, (KEPT / "key").read_text())
    assert (found.state, found.is_known) == (path.stem, True)
    assert {event["topic"].rpartition(".")[2] for event in found.statement["predicate"]["events"]} == {"v1"}


def test_downloads_of_a_home_of_an_older_format_have_receipts(tmp_path):
    """Whatever shapes their events had then: what is proven is what was stored."""
    home = shutil.copytree(OLD_HOME, tmp_path / "kept") / "home"
    with opened(home) as (reading, notary):
        reading.catch_up()
        ids = [download.id for state in (None, "removed") for download in reading.downloads(state=state)]
        found = [issue(reading, notary, id, unfinished=True)[1] for id in ids]
    assert {receipt.state for receipt in found} >= {"completed", "failed", "cancelled", "paused", "removed"}


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_without_a_key_a_receipt_agrees_with_itself_and_no_more_is_said(issued, tmp_path):
    """Anybody can make one that does; with the key of the home it is refused."""
    assert not lading.verify_receipt(issued.receipts["good.bin"]).is_known
    forged, key = forge(tmp_path, 3)
    assert not lading.verify_receipt(forged).is_known
    assert lading.verify_receipt(forged, [issued.key, key]).is_known
    with pytest.raises(ReceiptRefused, match="not signed with any key"):
        lading.verify_receipt(forged, issued.key)


def test_a_checkpoint_cannot_be_taken_over_by_another_key(issued, tmp_path):
    """Neither by naming the key of the home, nor by naming one's own."""
    mallory = FileSigner(tmp_path, VerifierKey.parse(issued.key).name)
    statement = told(issued.receipts["good.bin"])
    with pytest.raises(ReceiptRefused, match="the key that it names"):
        lading.verify_receipt(sign(mallory, statement))
    statement["predicate"]["log"]["key"] = str(mallory.key)
    for key in (None, str(mallory.key)):
        with pytest.raises(ReceiptRefused, match="its checkpoint") as caught:
            lading.verify_receipt(sign(mallory, statement), key)
        assert caught.value.check == "checkpoint"
    with pytest.raises(ReceiptRefused, match="not signed with any key"):
        lading.verify_receipt(sign(mallory, statement), issued.key)


def places(value, at=()):
    """Walk every place within a value of JSON."""
    if at:
        yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in inner:
        yield from places(item, (*at, name))


def at(value, path):
    """Return what stands at a place."""
    for name in path:
        value = value[name]
    return value


def changed(value):
    """Return values that are not this one, of its own kind and of others."""
    other = {str: f"{value}x", int: 1, bool: 0, type(None): "", dict: [], list: {}}[type(value)]
    values = [other, None, True, 2**63, -1, "", [], {}, 1.5]
    if isinstance(value, int) and not isinstance(value, bool):
        values += [value + 1, float(value), str(value)]
    return [each for each in values if type(each) is not type(value) or each != value]


def test_every_single_field_matters_even_to_who_has_the_key(issued):
    """Each field of the statement changed, dropped or added to, and signed again with the key of the home."""
    whole, chance = told(issued.receipts["good.bin"]), random.Random(5)
    tried = 0
    for path in places(whole):
        kept = at(whole, path)
        variants = [*chance.sample(changed(kept), 2), "dropped"]
        for variant in variants:
            statement = copy.deepcopy(whole)
            holder = at(statement, path[:-1])
            if variant == "dropped":
                del holder[path[-1]]
            else:
                holder[path[-1]] = variant
            with pytest.raises(REFUSED):
                lading.verify_receipt(issued.sign(statement), issued.key)
            tried += 1
        if isinstance(kept, dict):
            statement = copy.deepcopy(whole)
            at(statement, path)["more"] = None
            with pytest.raises(REFUSED):
                lading.verify_receipt(issued.sign(statement), issued.key)
    assert tried > 300
    assert lading.verify_receipt(issued.sign(whole), issued.key).is_known


def test_every_field_of_the_envelope_matters(issued):
    """Changed, dropped or added to: it is refused, with the key and without."""
    whole = json.loads(issued.receipts["good.bin"])
    for path in places(whole):
        for variant in [*changed(at(whole, path)), "dropped", "added"]:
            envelope = copy.deepcopy(whole)
            holder = at(envelope, path[:-1])
            if variant == "dropped":
                del holder[path[-1]]
            elif variant == "added":
                if not isinstance(holder, dict):
                    continue
                holder["more"] = 1
            else:
                holder[path[-1]] = variant
            for key in (issued.key, None):
                with pytest.raises(REFUSED):
                    lading.verify_receipt(json.dumps(envelope).encode(), key)


def test_a_signature_of_somebody_else_beside_it_does_not_matter(issued, tmp_path):
    """An envelope may be signed by several; one that is known is enough, and none that is not."""
    envelope = json.loads(issued.receipts["good.bin"])
    mallory = FileSigner(tmp_path, "mallory")
    theirs = mallory.sign_bytes(dsse.pae(PAYLOAD, base64.b64decode(envelope["payload"])))
    envelope["signatures"].insert(0, {"keyid": dsse.key_id(mallory.key.key), "sig": base64.b64encode(theirs).decode()})
    both = json.dumps(envelope).encode()
    assert lading.verify_receipt(both, issued.key).is_known
    with pytest.raises(ReceiptRefused):
        lading.verify_receipt(both, str(mallory.key))


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda events, _: events.reverse(), "stream"),
        (lambda events, _: events.insert(2, events[1]), "stream"),
        (lambda events, _: events.pop(0), "stream"),
        (lambda events, _: events.pop(2), "stream"),
        (lambda events, _: events.pop(), "statement"),
        (lambda events, theirs: events.__setitem__(1, theirs[1]), "stream"),
        (lambda events, theirs: events.append(theirs[-1]), "stream"),
        (lambda events, theirs: events[1].update(proof=theirs[1]["proof"], ordinal=theirs[1]["ordinal"]), "inclusion"),
        (lambda events, theirs: events[1].update(state=theirs[1]["state"]), "inclusion"),
        (lambda events, _: events[1].update(version=1), "inclusion"),
        (lambda events, _: events[1].update(topic="lading.queued.v2"), "inclusion"),
        (lambda events, theirs: events.__setitem__(slice(None), theirs), "statement"),
    ],
)
def test_events_stand_in_their_order_with_their_own_proofs(issued, change, check):
    """Swapped, doubled, left out, or taken from another download: the first thing that does not hold is told."""
    statement = told(issued.receipts["good.bin"])
    change(statement["predicate"]["events"], told(issued.receipts["other.bin"])["predicate"]["events"])
    with pytest.raises(ReceiptRefused) as caught:
        lading.verify_receipt(issued.sign(statement), issued.key)
    assert caught.value.check == check


def test_hundreds_of_flipped_bits_are_refused_or_mean_the_same(issued):
    """A bit that is not noticed is one that changes nothing of what is signed."""
    whole, chance = issued.receipts["good.bin"], random.Random(7)
    payload = json.loads(whole)["payload"]
    accepted = 0
    for _ in range(300):
        data = bytearray(whole)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        try:
            lading.verify_receipt(bytes(data), issued.key)
        except REFUSED:
            continue
        assert json.loads(data)["payload"] == payload
        accepted += 1
    assert accepted < 5


@pytest.mark.parametrize("key", [True, False])
def test_flipped_bits_within_a_statement_that_is_signed_again_are_refused(issued, key):
    """Whoever has the key and changes a bit of what was logged is refused all the same."""
    payload, chance = base64.b64decode(json.loads(issued.receipts["good.bin"])["payload"]), random.Random(8)
    same = json.loads(payload)
    for _ in range(200):
        data = bytearray(payload)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        try:
            statement = json.loads(data)
        except ValueError:
            continue
        if statement == same:
            continue
        with pytest.raises(REFUSED):
            lading.verify_receipt(issued.sign(statement), issued.key if key else None)


def test_what_is_no_receipt_is_said_to_be_none(issued, tmp_path):
    """Cut short, of another kind, or JSON that two readers would read as two things."""
    whole = issued.receipts["good.bin"]
    cuts = [*range(0, 200, 7), *range(200, len(whole) - 2, 1009), len(whole) - 2]
    envelope = json.loads(whole)
    payload = base64.b64decode(envelope["payload"])

    twice = whole.rstrip()[:-1] + b',"payload":"' + envelope["payload"].encode() + b'"}'
    for data in (
        *(whole[:cut] for cut in cuts),
        b"", b"{}", b"[]", b"null", b"1", b"\xff", b"\xef\xbb\xbf" + whole, b"[" * 100_000, b"9" * 100_000,
        b'{"payload":NaN,"payloadType":"","signatures":[]}', whole + b"x", twice,
        wrapped(issued, b"{}"), wrapped(issued, b"[]"), wrapped(issued, b"[" * 100_000), wrapped(issued, payload[:-1]),
        wrapped(issued, payload.replace(b'"state"', b'"state":"x","state"', 1)),
        wrapped(issued, payload.replace(b'"ordinal":', b'"ordinal":' + b"9" * 5000, 1)),
        wrapped(issued, payload.replace(b'"ordinal":', b'"ordinal":1e999,"x":', 1)),
        wrapped(issued, payload.replace(b'"version":', b'"version":-', 1)),
        wrapped(issued, payload.replace(b"receipt/v1", b"receipt/v2", 1)),
        wrapped(issued, payload.replace(b"Statement/v1", b"Statement/v0.1", 1)),
    ):  # fmt: skip
        with pytest.raises(NotAReceipt):
            lading.verify_receipt(data, issued.key)
    with pytest.raises(NotAReceipt, match="cannot be read"):
        lading.verify_receipt(tmp_path / "nothing")
    with pytest.raises(NotAReceipt, match="cannot be read"):
        lading.verify_receipt(tmp_path)


def test_a_receipt_of_more_values_than_any_has_is_refused_before_they_are_made(issued, monkeypatch):
    """Two bytes could become a hundred in memory: in the envelope, in the statement, and whatever stands in strings."""
    payload, brackets = base64.b64decode(json.loads(issued.receipts["good.bin"])["payload"]), b"[],[]," * 100_000
    monkeypatch.setattr("lading.receipts.MOST_TOKENS", 20_000)
    filled = payload.replace(b'"_type"', b'"x":[' + brackets + b'[]],"_type"', 1)
    bombs = [b"[" + brackets + b"[]]", wrapped(issued, filled), b'["\\\\",' + brackets, b'["\\"",' + brackets]
    for data in bombs:
        tracemalloc.start()
        try:
            with pytest.raises(NotAReceipt, match="more values than any receipt"):
                lading.verify_receipt(data)
            assert tracemalloc.get_traced_memory()[1] < 8 * len(data)
        finally:
            tracemalloc.stop()
    harmless = payload.replace(b'"_type"', b'"x":"' + b"[,{" * 100_000 + b'","_type"', 1)
    with pytest.raises(ReceiptRefused):  # it is read, as the brackets of a string are none
        lading.verify_receipt(wrapped(issued, harmless))


@pytest.mark.parametrize("depth", [60, 500, 980, 990, 5000])
@pytest.mark.parametrize("place", [b'"_type"', b'"version"'])
def test_what_is_nested_deep_is_refused_and_breaks_nothing(issued, depth, place):
    """In the statement or in a row of an event, both ways, at depths at which one step or another would give up."""
    payload = base64.b64decode(json.loads(issued.receipts["good.bin"])["payload"])
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        deep = opening * depth + b"1" + closing * depth
        data = wrapped(issued, payload.replace(place, b'"zz":' + deep + b"," + place, 1))
        for key in (None, issued.key):
            with pytest.raises((NotAReceipt, ReceiptRefused)):
                lading.verify_receipt(data, key)


@pytest.mark.parametrize("kind", ["\ud800", "ä", "\n"])
def test_a_type_that_cannot_be_one_is_refused(issued, kind):
    """What is signed is made of its bytes, and a lone surrogate has none."""
    words = {**json.loads(issued.receipts["good.bin"]), "payloadType": kind}
    for key in (None, issued.key):
        with pytest.raises(NotAReceipt, match="type"):
            lading.verify_receipt(json.dumps(words).encode(), key)


def test_the_same_key_under_another_name_is_told_apart_from_a_wrong_signature(issued):
    """A log that was repaired has another name, and its home the key that it had."""
    key = VerifierKey.parse(issued.key)
    with pytest.raises(ReceiptRefused, match="for another log") as caught:
        lading.verify_receipt(issued.receipts["good.bin"], str(VerifierKey("example.org/other", key.key)))
    assert caught.value.check == "envelope"
    assert "repaired" in caught.value.hint


def test_another_file_is_not_vouched_for(issued, tmp_path):
    """Of another size, of the same size, or not there."""
    receipt, good = issued.receipts["good.bin"], (issued.folder / "good.bin").read_bytes()
    path = tmp_path / "file"
    same_size = good[:-1] + bytes([good[-1] ^ 1])
    for data, why in (
        (good[:-1], "has 299999"),
        (good + b"x", "has more"),
        (b"", "has 0"),
        (same_size, "another file"),
    ):
        path.write_bytes(data)
        with pytest.raises(ReceiptRefused, match=why) as caught:
            lading.verify_receipt(receipt, issued.key, file=path)
        assert caught.value.check == "file"
        assert "give the file" in caught.value.hint
    with pytest.raises(ReceiptRefused, match="cannot be read"):
        lading.verify_receipt(receipt, issued.key, file=tmp_path / "nothing")


def fabricate(signer, events, *, origin=None, note=None, order=None):
    """Return a receipt of a log of some (topic, state) alone, with all proofs in order, and nothing told of them."""
    stream, origin = UUID(int=5), origin or signer.key.name
    order = order or range(len(events))
    leaves = {at: ledger.leaf(stream, at + 1, *events[at]) for at in order}
    row = list(leaves.values())
    whole = str(note or signer.sign(Checkpoint(origin, len(row), ledger.root_of(row)).text))
    rows = [
        {"stream": str(stream), "version": at + 1, "topic": topic, "ordinal": row.index(leaves[at])}
        | {"state": packing.pack(state)}
        | {"proof": proofs.head(row.index(leaves[at]), [leaf for leaf in row if leaf != leaves[at]])}
        for at, (topic, state) in enumerate(events)
    ]
    predicate = {"log": {"origin": origin, "key": str(signer.key)}, "checkpoint": whole, "events": rows}
    kinds = {"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://lading.example/receipt/v1"}
    return sign(signer, {**kinds, "predicate": predicate})


QUEUED = e.Queued(order=Order(sources=(Source(url="https://example.org/a"),), root="/", folder="tmp"))


def failing(receipt, key):
    """Return the checks that hold of a receipt that is refused, and the error."""
    checks = []
    with pytest.raises(REFUSED) as caught:
        lading.verify_receipt(receipt, key, tell=lambda check: checks.append(check.name))
    return checks, caught.value


def test_events_that_no_lading_logged_prove_nothing(tmp_path):
    """A log that somebody else wrote is no download, with all proofs in order; a later version is told to be one."""
    signer, good = FileSigner(tmp_path, "lading/x"), seal(QUEUED)
    for events, kind in (
        ([(e.Started.TOPIC, good)], ReceiptRefused),
        ([(e.Queued.TOPIC, good), (e.Queued.TOPIC, good)], ReceiptRefused),
        ([(e.Queued.TOPIC, b"")], ReceiptRefused),
        ([(e.Queued.TOPIC, good[:30])], ReceiptRefused),
        ([(e.Queued.TOPIC, good.replace(b'"sources":[', b'"sources":[1,'))], ReceiptRefused),
        ([(e.Queued.TOPIC, good.replace(b'"root":"/"', b'"root":{}'))], ReceiptRefused),
        ([(e.Queued.TOPIC, good), (e.Started.TOPIC, seal(e.Stopped(attempt=1, reason="")))], ReceiptRefused),
        ([("lading.queued.v99", good)], StoreNewer),
    ):
        checks, error = failing(fabricate(signer, events), str(signer.key))
        assert checks == ["envelope", "checkpoint", "inclusion", "stream"]
        assert type(error) is kind


def test_a_checkpoint_has_to_be_signed_and_of_the_log_that_is_named(tmp_path):
    """A signature over another text is none; and a key signs for the log that it is named after."""
    signer = FileSigner(tmp_path, "lading/x")
    events = [(e.Queued.TOPIC, seal(QUEUED))]
    true = signer.sign(Checkpoint("lading/x", 9, bytes(32)).text)
    leaf = ledger.leaf(UUID(int=5), 1, *events[0])
    forged = attrs.evolve(true, text=Checkpoint("lading/x", 1, leaf).text)
    for how in ({"note": forged}, {"note": signer.sign("lading/x\n1\n")}, {"origin": "lading/y"}):
        checks, error = failing(fabricate(signer, events, **how), str(signer.key))
        assert (checks, error.check) == (["envelope"], "checkpoint")


def test_events_were_logged_in_the_order_of_their_versions(tmp_path):
    """Proofs that hold of a log in which the second came first show no history."""
    signer = FileSigner(tmp_path, "lading/x")
    events = [(e.Queued.TOPIC, seal(QUEUED)), (e.Paused.TOPIC, seal(e.Paused()))]
    checks, error = failing(fabricate(signer, events, order=[1, 0]), str(signer.key))
    assert (checks, error.check) == (["envelope", "checkpoint", "inclusion"], "stream")
    checks, error = failing(fabricate(signer, events), str(signer.key))
    assert (checks[-1], error.check) == ("stream", "statement")


# -- how it is issued --------------------------------------------------------------------------------------------------


class opened:  # noqa: N801
    """The read side of a home and who signs for its log."""

    def __init__(self, home: Path, url: str | None = None) -> None:
        self._home, self._url = open_home(home, new_id=None), url

    def __enter__(self):
        self._reading = open_reading(self._home, self._url)
        log, views = self._reading.log, self._reading.views
        return self._reading, open_notary(self._home, log, views, Settings(), self._url)

    def __exit__(self, *_: object) -> None:
        self._reading.close()


def seal(event: e.Event, at_ns: int = 10**18) -> bytes:
    """Return the state of an event."""
    return codec.seal(event, id=uuid4(), at_ns=at_ns)


def forge(folder: Path, pieces: int, *, url: str | None = None, between: int = 0) -> tuple[bytes, str]:
    """Make a home of events that were never lived through, and a receipt of it; return that and its key."""
    home = open_home(folder / "home", new_id=uuid4())
    log = open_own_log(home, url)
    stream, order = uuid4(), Order(sources=(Source(url="https://example.org/huge"),), root="/", folder="tmp")
    step = 2**26
    events = [
        e.Queued(order=order),
        e.Started(attempt=1, worker=uuid4(), storage="s", path="tmp/huge", part="tmp/.huge.part"),
        *(
            e.Progressed(attempt=1, pieces=(Piece(at * step, (at + 1) * step, "blake3:" + "ab" * 32),))
            for at in range(pieces)
        ),
        e.Completed(
            attempt=1, path="tmp/huge", size=pieces * step, digest="sha256:" + "cd" * 32, assurance="length", url="u"
        ),
    ]
    for start in range(0, len(events), 500):
        batch = []
        for ahead, event in enumerate(events[start : start + 500]):
            batch.append([Entry(stream, start + ahead + 1, type(event).TOPIC, seal(event))])
            batch += [[Entry(uuid4(), 1, e.Queued.TOPIC, seal(events[0]))] for _ in range(between)]
        log.append(batch)
    views = open_views(home, log)
    reading = Reading(log, views)
    notary = open_notary(home, log, views, Settings(), url)
    try:
        return issue(reading, notary, stream)[0], str(notary.signer.key)
    finally:
        reading.close()


def test_thousands_of_events_cost_what_they_weigh(tmp_path):
    """A receipt grows with the events and the logarithm of the log, and its events are found between others."""
    sizes = []
    for number, pieces in enumerate((700, 1400)):
        receipt, key = forge(tmp_path / str(number), pieces, between=2)
        found = lading.verify_receipt(receipt, key)
        assert (found.events, found.ledger_size) == (pieces + 3, 3 * (pieces + 3))
        sizes.append(len(receipt) / found.events)
    assert sizes[1] < sizes[0] + 100


def test_more_events_than_fit_are_refused_with_a_hint(tmp_path, monkeypatch):
    """Before anything is made of them; and a receipt that claims so many is none."""
    receipt, key = forge(tmp_path / "one", 10)
    monkeypatch.setattr("lading.receipting.MOST_EVENTS", 12)
    with pytest.raises(IllegalCommand, match="13 events"):
        forge(tmp_path / "two", 10)
    monkeypatch.setattr("lading.receipts.MOST_EVENTS", 12)
    with pytest.raises(NotAReceipt, match="more than any"):
        lading.verify_receipt(receipt, key)


@pytest.mark.parametrize("name", ["sqlite:log.db", "postgresql"])
def test_receipts_are_the_same_on_every_log(tmp_path, name, request):
    """What counts is how many events came before, whatever positions a log gives them."""
    url = request.getfixturevalue("postgres_url") if name == "postgresql" else name
    receipt, key = forge(tmp_path, 300, url=url, between=1)
    assert lading.verify_receipt(receipt, key).events == 303


def test_events_are_found_where_positions_have_gaps():
    """The ordinal of an event is told by its tile and the events of that which come before it."""
    records = [Recorded(7 * n + 5, UUID(int=n % 3), n // 3 + 1, "t", b"") for n in range(900)]

    class Gapped:
        def read(self, after, limit):
            return [record for record in records if record.position > after][:limit]

    store = MemoryStore()
    with store.write() as txn:
        tiles.append(txn, records)
    with store.read() as reader:
        for some in (records, records[1::3], records[::-1][::50], records[:1], records[-1:]):
            assert list(ordinals(reader, Gapped(), some)) == [(record.position - 5) // 7 for record in some]
        with pytest.raises(ViewsDamaged):
            list(ordinals(reader, Gapped(), [Recorded(6, UUID(int=0), 1, "t", b"")]))


def test_a_checkpoint_is_signed_only_where_none_covers_the_download(issued, tmp_path):
    """The last one is used again for a receipt of something older."""
    home = shutil.copytree(issued.home, tmp_path / "home")
    with opened(home) as (reading, notary):
        before = len(list(notary.book.notes()))
        one, _ = issue(reading, notary, issued.ids["good.bin"])
        other, _ = issue(reading, notary, issued.ids["other.bin"])
        assert len(list(notary.book.notes())) == before
    assert told(one)["predicate"]["checkpoint"] == told(other)["predicate"]["checkpoint"]


def test_a_home_that_lost_its_key_signs_with_the_new_one(issued, tmp_path):
    """The checkpoint too, although the log has not grown; what was issued before holds by the old key."""
    home = shutil.copytree(issued.home, tmp_path / "home")
    (home / "keys" / "signing").unlink()
    with opened(home) as (reading, notary):
        made, found = issue(reading, notary, issued.ids["good.bin"])
        assert str(found.key) != issued.key
        assert list(map(str, notary.keys())) == [issued.key, str(found.key)]
    with pytest.raises(ReceiptRefused):
        lading.verify_receipt(made, issued.key)
    assert lading.verify_receipt(made, str(found.key)).is_known
    assert lading.verify_receipt(issued.receipts["good.bin"], [str(found.key), issued.key]).is_known


def test_no_receipt_is_issued_of_a_history_that_was_changed(issued, tmp_path):
    """A checkpoint of another history lies there: nothing is signed on top of that."""
    home = shutil.copytree(issued.home, tmp_path / "home")
    with opened(home) as (reading, notary):
        size = Checkpoint.parse(notary.book.last().text).size
        for wrong in (3, size, size + 1):
            notary.book.append(notary.signer.sign(Checkpoint(notary.origin, wrong, bytes(32)).text))
            with pytest.raises(HistoryChanged):
                issue(reading, notary, issued.ids["good.bin"])


async def test_a_log_in_memory_gives_no_receipts(tmp_path):
    """Nobody could compare it with anything afterwards."""
    for _ in range(2):
        async with lading.open_engine(tmp_path, downloads=tmp_path, log="memory:", start=False) as engine:
            id = (await engine.submit(lading.Request("http://localhost/x"))).id
            with pytest.raises(IllegalCommand, match="in memory"):
                await engine.receipt(id, unfinished=True)
