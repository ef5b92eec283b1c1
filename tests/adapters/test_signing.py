"""A home signs with one key, which is made once and kept well."""

from __future__ import annotations

import os
import stat

import pytest

from lading.adapters.signing import FileSigner, is_signed, read_keys, verifies
from lading.domain.errors import NoteDamaged, StoreNewer, StoreUnavailable
from lading.domain.notes import Note, Signature, VerifierKey

TEXT = "origin\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"


def drawn(length):
    """Return bytes that are the same each time."""
    return bytes(range(length))


def test_the_key_of_rfc_8032_signs_as_the_rfc_says(tmp_path):
    """The first test vector of RFC 8032 §7.1 comes out."""
    secret = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    signer = FileSigner(tmp_path / "keys", "rfc", draw=lambda _: secret)
    assert signer.key.key.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert signer.sign_bytes(b"").hex().startswith("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155")


def test_a_key_is_made_once_and_is_its_owners_alone(tmp_path):
    """The second signer has the key of the first, under whatever name, and nobody else may read it."""
    one = FileSigner(tmp_path / "keys", "one")
    other = FileSigner(tmp_path / "keys", "other")
    assert one.key.key == other.key.key
    assert read_keys(tmp_path / "keys") == (one.key, other.key)
    assert stat.S_IMODE(os.stat(tmp_path / "keys" / "signing").st_mode) == 0o600
    assert stat.S_IMODE(os.stat(tmp_path / "keys").st_mode) == 0o700
    assert sorted(os.listdir(tmp_path / "keys")) == ["signing", "signing.pub"]


def test_what_a_killed_maker_left_is_removed(tmp_path):
    """A draft of a key is nobody's key."""
    folder = tmp_path / "keys"
    folder.mkdir()
    (folder / ".signing.abc").write_text("half")
    (folder / ".signing.pub.abc").write_text("half")
    FileSigner(folder, "me")
    assert sorted(os.listdir(folder)) == ["signing", "signing.pub"]


def test_a_signature_holds_for_one_text_and_one_key(tmp_path):
    """Neither another text, nor another key, nor another name passes."""
    signer, stranger = FileSigner(tmp_path / "a", "me"), FileSigner(tmp_path / "b", "me")
    note = signer.sign(TEXT)
    assert is_signed(note, [signer.key])
    assert is_signed(Note.parse(str(note)), [stranger.key, signer.key])
    assert not is_signed(note, [stranger.key])
    assert not is_signed(note, [VerifierKey("you", signer.key.key)])
    assert not is_signed(Note(TEXT + "x\n", note.signatures), [signer.key])
    (signature,) = note.signatures
    for at in range(0, 64, 7):
        flipped = bytearray(signature.signature)
        flipped[at] ^= 1
        forged = Note(TEXT, (Signature(signature.name, signature.key_id, bytes(flipped)),))
        assert not is_signed(forged, [signer.key])
    assert not verifies(signer.key, b"short", TEXT.encode())


def test_an_earlier_key_still_checks_what_it_signed(tmp_path):
    """A home that lost its private key signs with a new one, and believes both."""
    folder = tmp_path / "keys"
    old = FileSigner(folder, "me")
    note = old.sign(TEXT)
    (folder / "signing").unlink()
    new = FileSigner(folder, "me")
    assert new.key != old.key
    assert read_keys(folder) == (old.key, new.key)
    assert is_signed(note, read_keys(folder))


def test_a_damaged_key_is_left_as_it_is(tmp_path):
    """What cannot be read is told, and never replaced."""
    folder = tmp_path / "keys"
    FileSigner(folder, "me", draw=drawn)
    for text, error in (
        ("", StoreUnavailable),
        ("lading-signing-key 1 00ff\n", StoreUnavailable),
        ("lading-signing-key 1 zz\n", StoreUnavailable),
        ("lading-signing-key 2 whatever\n", StoreNewer),
    ):
        (folder / "signing").write_text(text)
        with pytest.raises(error):
            FileSigner(folder, "me")
        assert (folder / "signing").read_text() == text
    (folder / "signing.pub").write_text("no key\n")
    with pytest.raises(NoteDamaged):
        read_keys(folder)


def test_a_folder_that_cannot_be_is_told(tmp_path):
    """A home that is a file has no key."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="signing key"):
        FileSigner(tmp_path / "file" / "keys", "me")
