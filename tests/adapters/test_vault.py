"""The vault: secrets come back as they were, to this home only, and nothing else tells them."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.adapters.lmdb import LMDBStore
from lading.adapters.vault import SealedVault
from lading.domain.errors import IntegrityError, LadingError, StoreNewer, StoreUnavailable
from lading.domain.ports import Secrets, Store
from lading.testing import MemoryStore

pytestmark = [
    pytest.mark.law(7),
    pytest.mark.filterwarnings("ignore::lading.adapters.lmdb.ground.GroundWarning"),
]

ONE, TWO = UUID(int=1), UUID(int=2)
TOKEN = "t0ken-never-shown"
SECRETS = Secrets(urls=(f"https://u:{TOKEN}@host.example/?t={TOKEN}",), headers={"X-Key": TOKEN}, secret_path=True)


class Shelf:
    """Hands out one store, and remembers whether it was asked to."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.opened = 0

    def __call__(self, folder: Path) -> Store:
        assert (folder / "key").exists()
        self.opened += 1
        return self.store

    def records(self) -> dict[bytes, bytes]:
        with self.store.read() as reader:
            return dict(reader.scan(b""))

    def spoil(self, change: Callable[[bytes], bytes]) -> None:
        with self.store.write() as transaction:
            for key, value in list(transaction.scan(b"")):
                transaction.put(key, change(value))


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def vault(tmp_path, shelf) -> SealedVault:
    return SealedVault(tmp_path / "vault", shelf)


def shown(error: LadingError) -> str:
    return "".join(traceback.format_exception(error)) + error.hint + repr(error.args)


text = st.text(st.characters(codec=None, exclude_characters="\0"), max_size=60)


class TestKeeping:
    """What is kept comes back, and only that."""

    @given(st.lists(text, min_size=1, max_size=3), st.dictionaries(text, text, max_size=3), st.booleans())
    def test_what_is_kept_is_recalled(self, tmp_path_factory, urls, headers, secret_path) -> None:
        """URLs in their order, headers with their names, even text that no encoding takes."""
        vault = SealedVault(tmp_path_factory.mktemp("home") / "vault", Shelf())
        kept = Secrets(urls=tuple(urls), headers=headers, secret_path=secret_path)
        vault.keep([(ONE, kept), (TWO, SECRETS)])
        assert vault.recall(ONE) == kept
        assert vault.recall(TWO) == SECRETS
        assert vault.recall(UUID(int=3)) is None

    def test_the_production_store_keeps_it_over_reopening(self, tmp_path) -> None:
        """LMDB in the same folder as the key; a second process finds both."""
        folder = tmp_path / "vault"
        vault = SealedVault(folder, LMDBStore)
        vault.keep([(ONE, SECRETS)])
        handle = vault.handle("https://host.example/?t=1")
        vault.close()
        again = SealedVault(folder, LMDBStore)
        assert again.recall(ONE) == SECRETS
        assert again.handle("https://host.example/?t=1") == handle
        again.close()
        assert not [path for path in folder.iterdir() if TOKEN.encode() in path.read_bytes()]

    def test_the_last_word_holds(self, vault) -> None:
        """Keeping again, as `refresh-url` does, replaces."""
        vault.keep([(ONE, SECRETS)])
        vault.keep([(ONE, Secrets(urls=("https://host.example/new",)))])
        assert vault.recall(ONE) == Secrets(urls=("https://host.example/new",))

    def test_a_batch_is_kept_whole_or_not_at_all(self, vault, shelf) -> None:
        """One transaction: when it fails, nothing of the batch is there."""
        vault.keep([(ONE, SECRETS)])
        with pytest.raises(AttributeError):
            vault.keep([(TWO, SECRETS), (UUID(int=3), None)])
        assert list(shelf.records()) == [ONE.bytes]

    def test_a_closed_vault_says_so(self, vault, shelf) -> None:
        """Closing twice does nothing; whatever is asked afterwards is refused."""
        vault.keep([(ONE, SECRETS)])
        vault.close()
        vault.close()
        for ask in (lambda: vault.recall(ONE), lambda: vault.keep([(ONE, SECRETS)]), lambda: vault.handle("u")):
            with pytest.raises(StoreUnavailable, match="closed"):
                ask()

    @pytest.mark.long
    def test_many_are_kept_quickly(self, tmp_path) -> None:
        """20,000 in batches of 1,000, on disk, at 15,000 a second at least."""
        vault = SealedVault(tmp_path / "vault", LMDBStore)
        batches = [[(UUID(int=n << 16 | k), SECRETS) for k in range(1000)] for n in range(1, 21)]
        start = time.perf_counter()
        for batch in batches:
            vault.keep(batch)
        took = time.perf_counter() - start
        vault.close()
        assert 20_000 / took > 15_000


class TestLaziness:
    """A home without secrets has no vault."""

    def test_nothing_is_made_before_there_is_a_secret(self, tmp_path, vault, shelf) -> None:
        """Recalling, forgetting, keeping nothing and closing leave the home as it was."""
        assert vault.recall(ONE) is None
        vault.forget([ONE])
        vault.keep([])
        vault.close()
        assert list(tmp_path.iterdir()) == []
        assert shelf.opened == 0

    def test_a_vault_that_another_process_makes_is_found(self, tmp_path, vault, shelf) -> None:
        """A client that found none yesterday asks again today."""
        assert vault.recall(ONE) is None
        SealedVault(tmp_path / "vault", shelf).keep([(ONE, SECRETS)])
        assert vault.recall(ONE) == SECRETS
        assert shelf.opened == 2


class TestSealing:
    """What lies in the store tells nothing, and cannot be tampered with unnoticed."""

    def test_the_store_holds_no_secret(self, vault, shelf) -> None:
        """Nor does anything that Python shows of the vault and its secrets."""
        vault.keep([(ONE, SECRETS)])
        assert TOKEN.encode() not in b"".join(shelf.records().values())
        assert TOKEN not in repr(SECRETS) + repr(vault) + str(vars(vault))

    def test_equal_secrets_look_different(self, vault, shelf) -> None:
        """Each download has a key of its own, and each keeping too."""
        vault.keep([(ONE, SECRETS), (TWO, SECRETS)])
        first = shelf.records()
        vault.keep([(ONE, SECRETS)])
        seen = {first[ONE.bytes], first[TWO.bytes], shelf.records()[ONE.bytes]}
        assert len(seen) == 3

    @given(st.integers(0), st.integers(0, 7))
    def test_any_flipped_bit_is_noticed(self, tmp_path_factory, place, bit) -> None:
        """A damaged record raises IntegrityError, and the error shows none of it."""
        shelf = Shelf()
        vault = SealedVault(tmp_path_factory.mktemp("home") / "vault", shelf)
        vault.keep([(ONE, SECRETS)])
        shelf.spoil(lambda record: flip(record, place % len(record), bit))
        with pytest.raises(IntegrityError) as caught:
            vault.recall(ONE)
        assert str(ONE) in caught.value.message
        assert TOKEN not in shown(caught.value)

    @given(st.integers(0, 200))
    def test_a_record_cut_short_is_noticed(self, tmp_path_factory, length) -> None:
        """Down to nothing at all."""
        shelf = Shelf()
        vault = SealedVault(tmp_path_factory.mktemp("home") / "vault", shelf)
        vault.keep([(ONE, SECRETS)])
        shelf.spoil(lambda record: record[: min(length, len(record) - 1)])
        with pytest.raises(IntegrityError):
            vault.recall(ONE)

    def test_a_record_cannot_stand_for_another_download(self, vault, shelf) -> None:
        """The download's id is sealed in with it."""
        vault.keep([(ONE, SECRETS)])
        with shelf.store.write() as transaction:
            record = transaction.get(ONE.bytes)
            assert record is not None
            transaction.put(TWO.bytes, record)
        with pytest.raises(IntegrityError):
            vault.recall(TWO)

    def test_another_key_finds_nothing_and_destroys_nothing(self, tmp_path, vault, shelf) -> None:
        """A home restored without its key has lost the secrets, which is not damage; with its key it has them again."""
        vault.keep([(ONE, SECRETS)])
        key = tmp_path / "vault" / "key"
        old = key.read_bytes()
        key.unlink()
        stranger = SealedVault(tmp_path / "vault", shelf)
        assert stranger.recall(ONE) is None
        stranger.keep([(TWO, SECRETS)])
        assert stranger.recall(ONE) is None
        key.write_bytes(old)
        assert SealedVault(tmp_path / "vault", shelf).recall(ONE) == SECRETS


def flip(record: bytes, place: int, bit: int) -> bytes:
    return record[:place] + bytes([record[place] ^ 1 << bit]) + record[place + 1 :]


class TestHandles:
    """Names for URLs that do not tell them."""

    def test_a_handle_is_stable_and_tells_nothing(self, tmp_path, vault, shelf) -> None:
        """The same URL has the same handle in every process of a home, another in another home."""
        url = f"https://host.example/?t={TOKEN}"
        handle = vault.handle(url)
        assert handle == SealedVault(tmp_path / "vault", shelf).handle(url)
        assert handle != SealedVault(tmp_path / "other", shelf).handle(url)
        assert handle != vault.handle(url + "1")
        assert handle.startswith("v1:")
        assert set(handle[3:]) <= set("0123456789abcdef")
        assert len(handle) == 35

    @pytest.mark.law(8)
    def test_seeded_randomness_gives_the_same_handles(self, tmp_path, shelf) -> None:
        """A simulation that owns the randomness owns the handles, and so the log."""
        first, second = (SealedVault(tmp_path / name, shelf, draw=random.Random(1).randbytes) for name in "ab")
        assert first.handle("https://host.example/?t=1") == second.handle("https://host.example/?t=1")


class TestKey:
    """The home's key: made once, private, never overwritten."""

    def test_it_is_for_its_owner_only(self, tmp_path, vault) -> None:
        """The folder has mode 0700 and the file 0600, whatever the umask; and no draft stays behind."""
        before = os.umask(0)
        try:
            vault.keep([(ONE, SECRETS)])
        finally:
            os.umask(before)
        assert (tmp_path / "vault").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "vault" / "key").stat().st_mode & 0o777 == 0o600
        assert [path.name for path in (tmp_path / "vault").iterdir()] == ["key"]

    @pytest.mark.parametrize(
        "change", [lambda b: b"", lambda b: b[:-9], lambda b: b.upper(), lambda b: b + b"\n", lambda b: b"\xff" * 99]
    )
    def test_a_damaged_key_is_said_and_left_as_it_is(self, tmp_path, vault, shelf, change) -> None:
        """The error names the file and what to do, shows nothing of it, and nothing is written."""
        vault.keep([(ONE, SECRETS)])
        key = tmp_path / "vault" / "key"
        digits = key.read_text().split()[2]
        key.write_bytes(change(key.read_bytes()))
        left = key.read_bytes()
        again = SealedVault(tmp_path / "vault", shelf)
        for ask in (lambda: again.recall(ONE), lambda: again.keep([(TWO, SECRETS)]), lambda: again.handle("u")):
            with pytest.raises(StoreUnavailable) as caught:
                ask()
            assert str(key) in caught.value.message
            assert caught.value.hint
            assert digits[:6] not in shown(caught.value).lower()
        assert key.read_bytes() == left
        assert shelf.opened == 1

    def test_one_flipped_digit_of_the_key_is_noticed(self, tmp_path, vault, shelf) -> None:
        """Else everything would seem lost, and new secrets be sealed by a key that nobody has."""
        vault.keep([(ONE, SECRETS)])
        key = tmp_path / "vault" / "key"
        words = key.read_text()
        place = words.index(words.split()[2])
        key.write_text(words[:place] + ("1" if words[place] == "0" else "0") + words[place + 1 :])
        with pytest.raises(StoreUnavailable, match="damaged"):
            SealedVault(tmp_path / "vault", shelf).recall(ONE)

    def test_a_key_that_cannot_be_read_or_made_is_said(self, tmp_path, shelf) -> None:
        """A folder in the key's place; a file in the folder's place."""
        (tmp_path / "a" / "key").mkdir(parents=True)
        (tmp_path / "b").touch()
        for vault in (SealedVault(tmp_path / "a", shelf), SealedVault(tmp_path / "b", shelf)):
            for ask in (lambda v=vault: v.keep([(ONE, SECRETS)]), lambda v=vault: v.handle("u")):
                with pytest.raises(StoreUnavailable) as caught:
                    ask()
                assert caught.value.hint
                assert TOKEN not in shown(caught.value)

    def test_a_key_or_record_of_a_newer_version_stops_us(self, tmp_path, vault, shelf) -> None:
        """It would be misread, or overwritten."""
        vault.keep([(ONE, SECRETS)])
        key = tmp_path / "vault" / "key"
        words = key.read_text()
        key.write_text(words.replace(" 1 ", " 2 ", 1))
        with pytest.raises(StoreNewer):
            SealedVault(tmp_path / "vault", shelf).recall(ONE)
        key.write_text(words)
        shelf.spoil(newer)
        with pytest.raises(StoreNewer):
            SealedVault(tmp_path / "vault", shelf).recall(ONE)

    def test_processes_that_make_it_at_once_agree(self, tmp_path) -> None:
        """Each keeps one secret in a new home; all are readable under the one key that won."""
        command = [sys.executable, "-W", "ignore", "-c", KEEP_ONE, tmp_path / "vault"]
        makers = [subprocess.Popen([*command, str(n)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for n in range(3)]
        for maker in makers:
            assert maker.stdout is not None
            assert maker.stdout.readline() == b"ready\n"
        for maker in makers:
            maker.communicate(b"go\n", timeout=60)
        assert [maker.returncode for maker in makers] == [0] * 3
        vault = SealedVault(tmp_path / "vault", LMDBStore)
        assert [vault.recall(UUID(int=n)) for n in range(3)] == [Secrets(urls=(str(n),)) for n in range(3)]
        vault.close()


def newer(record: bytes) -> bytes:
    import zlib

    changed = b"\x02" + record[1:-4]
    return changed + zlib.crc32(changed).to_bytes(4, "big")


KEEP_ONE = """
import sys
from pathlib import Path
from uuid import UUID
from lading.adapters.lmdb import LMDBStore
from lading.adapters.vault import SealedVault
from lading.domain.ports import Secrets

vault = SealedVault(Path(sys.argv[1]), LMDBStore)
print("ready", flush=True)
sys.stdin.readline()
vault.keep([(UUID(int=int(sys.argv[2])), Secrets(urls=(sys.argv[2],)))])
vault.close()
"""
