"""The ledger agrees with an implementation of RFC 6962 and of C2SP's formats that is not ours (proofbundle)."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from proofbundle import checkpoint, merkle, tlogproof

from lading.adapters.signing import FileSigner, verifies
from lading.domain import ledger, proofs
from lading.domain.notes import Checkpoint, Note, VerifierKey

pytestmark = pytest.mark.row("C.5")

ENTRIES = st.lists(st.binary(max_size=60), min_size=1, max_size=80)


def subtree_over(entries):
    """Return the subtrees over entries, by the other implementation."""
    return lambda level, index: merkle.merkle_tree_hash(entries[index << level : (index + 1) << level])


@given(ENTRIES)
def test_both_have_the_same_roots(entries):
    """Of any entries, and of every beginning of them."""
    assert ledger.leaf_of(entries[0]) == merkle.leaf_hash(entries[0])
    for size in range(len(entries) + 1):
        assert ledger.root(size, subtree_over(entries)) == merkle.merkle_tree_hash(entries[:size])
        assert ledger.root_of(map(ledger.leaf_of, entries[:size])) == merkle.merkle_tree_hash(entries[:size])


@given(ENTRIES, st.data())
def test_both_make_and_take_the_same_proofs_of_inclusion(entries, data):
    """Theirs are ours, and each takes the other's and neither takes a changed one."""
    size, root = len(entries), merkle.merkle_tree_hash(entries)
    index = data.draw(st.integers(0, size - 1))
    path = ledger.inclusion(index, size, subtree_over(entries))
    assert path == merkle.inclusion_proof(entries, index)
    assert merkle.verify_inclusion(entries[index], index, size, path, root)
    wrong = data.draw(st.integers(-1, size + 1))
    other = data.draw(st.sampled_from([path, path[1:], [*path, bytes(32)], [bytes(32), *path[1:]]]))
    ours = ledger.verify_inclusion(ledger.leaf_of(entries[index]), wrong, size, other, root)
    assert ours == merkle.verify_inclusion(entries[index], wrong, size, other, root)


@given(ENTRIES, st.data())
def test_both_make_and_take_the_same_proofs_of_consistency(entries, data):
    """Theirs are ours, and each takes the other's and neither takes a changed one."""
    new = len(entries)
    old = data.draw(st.integers(1, new))
    before, after = merkle.merkle_tree_hash(entries[:old]), merkle.merkle_tree_hash(entries)
    path = ledger.consistency(old, new, subtree_over(entries))
    assert path == merkle.consistency_proof(entries, old)
    assert merkle.verify_consistency(old, new, path, before, after)
    wrong = data.draw(st.integers(0, new + 1))
    other = data.draw(st.sampled_from([path, path[1:], [*path, bytes(32)], [bytes(32), *path[1:]]]))
    ours = ledger.verify_consistency(wrong, new, before, after, other)
    assert ours == merkle.verify_consistency(wrong, new, other, before, after)


@given(size=st.integers(0, 2**63 - 1), root=st.binary(min_size=32, max_size=32))
def test_each_reads_the_checkpoints_and_keys_of_the_other(tmp_path_factory, size, root):
    """Our signed notes by their verifier, theirs by ours, and both write the same verifier key."""
    signer = FileSigner(tmp_path_factory.getbasetemp() / "keys", "lading/x")
    theirs = checkpoint.verify_checkpoint(str(signer.sign(Checkpoint("lading/x", size, root).text)), str(signer.key))
    assert (theirs["ok"], theirs["origin"], theirs["tree_size"], theirs["root"]) == (True, "lading/x", size, root)
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    key = VerifierKey.parse(checkpoint.vkey("example.org/log", public))
    assert (key.name, key.key, str(key)) == ("example.org/log", public, checkpoint.vkey("example.org/log", public))
    note = Note.parse(checkpoint.sign_checkpoint("example.org/log", size, root, private, "example.org/log"))
    assert verifies(key, note.signed_by(key), note.text.encode())
    assert Checkpoint.parse(note.text) == Checkpoint("example.org/log", size, root)


@given(index=st.integers(0, 2**62), path=st.lists(st.binary(min_size=32, max_size=32), max_size=70))
def test_each_reads_the_proofs_of_the_other(tmp_path_factory, index, path):
    """Head and checkpoint are a tlog-proof, byte for byte."""
    signer = FileSigner(tmp_path_factory.getbasetemp() / "keys", "lading/x")
    note = str(signer.sign(Checkpoint("lading/x", 1, bytes(32)).text))
    text = proofs.head(index, path) + note
    assert text == tlogproof.format_tlog_proof(index, path, note)
    found = tlogproof.parse_tlog_proof(text)
    assert (found["index"], found["proof"], found["checkpoint"]) == (index, path, note)
    assert proofs.read_head(proofs.head(index, path)) == (index, tuple(path))
