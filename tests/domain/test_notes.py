"""Notes, checkpoints and verifier keys are read as C2SP has them, and nothing else is taken for one."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.domain.errors import NoteDamaged
from lading.domain.notes import LONGEST_BYTES, Checkpoint, Note, Signature, VerifierKey, check_name

EXAMPLE = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)
"""The example of c2sp.org/tlog-checkpoint."""

NAMES = st.from_regex(r"[a-z0-9./-]{1,40}", fullmatch=True)
ROOT = bytes(range(32))


def test_the_example_of_the_standard_is_read():
    """Origin, size, root and signature are what the standard's own example says."""
    note = Note.parse(EXAMPLE)
    found = Checkpoint.parse(note.text)
    assert (found.origin, found.size) == ("example.com/behind-the-sofa", 20852163)
    assert base64.b64encode(found.root) == b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
    (signature,) = note.signatures
    assert (signature.name, signature.key_id.hex()) == (found.origin, "033de0ae")
    assert len(signature.signature) == 64
    assert str(note) == EXAMPLE


@given(NAMES, st.integers(0, 2**63), st.binary(min_size=32, max_size=32))
def test_a_checkpoint_is_read_as_it_was_written(origin, size, root):
    """What is signed says what it was made of."""
    made = Checkpoint(origin, size, root)
    assert Checkpoint.parse(made.text) == made
    assert Checkpoint.parse(made.text + "an extension\n") == made


@given(st.lists(st.tuples(NAMES, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=80)), min_size=1))
def test_a_note_is_read_as_it_was_written(signed):
    """Text and signatures come back, in their order."""
    note = Note("one\n\ntwo\n", tuple(Signature(*each) for each in signed[:64]))
    assert Note.parse(str(note)) == note


@given(NAMES, st.binary(min_size=32, max_size=32))
def test_a_key_is_named_by_what_it_is(name, key):
    """The id of a key is the standard's digest of name and key, and its text holds all of it."""
    made = VerifierKey(name, key)
    assert made.id == hashlib.sha256(name.encode() + b"\n\x01" + key).digest()[:4]
    assert VerifierKey.parse(str(made)) == made


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "no signature\n",
        "no signature\n\n",
        "text\n\nnot a signature\n",
        EXAMPLE[:-1],
        EXAMPLE.replace("— ", "- "),
        EXAMPLE.replace("Az3g", "Az3*"),
        EXAMPLE.replace("behind-the-sofa Az3", "behind the-sofa Az3"),
        EXAMPLE.replace("AYQ8=", "AYQ9="),
        EXAMPLE.replace("20852163", "20\x0052163"),
        EXAMPLE + "x" * LONGEST_BYTES,
        EXAMPLE.replace("\n\n", "\n\n" + "— a AAAAAAA=\n" * 64),
        "text\n\n— a AAAA\n",
    ],
)
def test_what_is_no_note_is_refused(text):
    """A note that was cut, changed or made up is told so."""
    with pytest.raises(NoteDamaged):
        Note.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "origin\n",
        "origin\n5\n",
        f"\n5\n{base64.b64encode(ROOT).decode()}\n",
        f"origin\n05\n{base64.b64encode(ROOT).decode()}\n",
        f"origin\n-5\n{base64.b64encode(ROOT).decode()}\n",
        f"origin\n٥\n{base64.b64encode(ROOT).decode()}\n",
        f"origin\n9999999999999999999\n{base64.b64encode(ROOT).decode()}\n",
        f"origin\n5\n{base64.b64encode(ROOT[:31]).decode()}\n",
        f"origin\n5\n{ROOT.hex()}\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text):
    """A signed text that tells no size and root is nothing to go by."""
    with pytest.raises(NoteDamaged):
        Checkpoint.parse(text)


def test_what_is_no_key_is_refused():
    """The parts of a key have to belong together."""
    good = str(VerifierKey("a", ROOT))
    for text in ("", "a", good[:-4], good.replace("a+", "b+"), good.replace("+", "-"), "a+00000000+" + good[-44:]):
        with pytest.raises(NoteDamaged):
            VerifierKey.parse(text)
    for name in ("", "a b", "a+b", "a\n", "x" * 256):
        with pytest.raises(NoteDamaged):
            check_name(name)
