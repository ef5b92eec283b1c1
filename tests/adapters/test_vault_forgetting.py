"""What the vault forgets is in none of its files, and nobody else's secret is lost over it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from uuid import UUID

import pytest

from lading.adapters.lmdb import LMDBStore
from lading.adapters.vault import SealedVault, Strongroom
from lading.domain.errors import DiskFull, LadingError, StoreUnavailable
from lading.domain.ports import Secrets

pytestmark = [
    pytest.mark.law(7),
    pytest.mark.filterwarnings("ignore::lading.adapters.lmdb.ground.GroundWarning"),
]

ONE, TWO, THREE = UUID(int=1), UUID(int=2), UUID(int=3)
OLD = Secrets(urls=("https://host.example/?t=old",))
NEW = Secrets(urls=("https://host.example/?t=new",), headers={"X": "y"})


@pytest.fixture
def vault(tmp_path):
    """Open a vault as an engine does."""
    vault = SealedVault(tmp_path / "vault", LMDBStore)
    yield vault
    vault.close()


def record(folder: Path, download: UUID) -> bytes:
    """What the store has of a download, as it is."""
    room = Strongroom(folder, LMDBStore)
    with room.inside() as store, store.read() as reader:
        found = reader.get(download.bytes)
    room.close()
    assert found is not None
    return found


def lies_in(folder: Path, sealed: bytes) -> list[str]:
    """The files in which any part of a record is, but for its head, which all of a home have in common."""
    parts = [sealed[at : at + 24] for at in range(9, len(sealed) - 24, 8)]
    return [path.name for path in folder.rglob("*") if path.is_file() and any(p in path.read_bytes() for p in parts)]


def stores(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if "store" in path.name)


def test_nothing_of_what_is_forgotten_is_left_in_any_file(tmp_path, vault):
    """Neither the wrapped key nor what it sealed; a record that was only deleted would be found."""
    folder = tmp_path / "vault"
    many = [(UUID(int=n), OLD) for n in range(10, 60)]
    vault.keep([(ONE, OLD), (TWO, NEW), *many])
    sealed = record(folder, ONE)
    with Strongroom(folder, LMDBStore).inside() as store, store.write() as transaction:
        transaction.delete(ONE.bytes)
    assert lies_in(folder, sealed) == ["data.mdb"], "a freed page keeps it, and the search finds it"
    vault.forget([ONE])
    assert lies_in(folder, sealed) == []
    assert stores(folder) == ["store-2"]
    assert sorted(path.name for path in folder.iterdir()) == ["key", "store-2"]
    assert vault.recall(ONE) is None
    assert [vault.recall(id) for id, _ in [(TWO, NEW), *many]] == [NEW, *(OLD for _ in many)]


def test_what_was_replaced_before_goes_as_well(tmp_path, vault):
    """The token that `refresh-url` replaced lies in a freed page until the vault is written anew."""
    vault.keep([(ONE, OLD), (TWO, NEW)])
    before = record(tmp_path / "vault", ONE)
    vault.keep([(ONE, NEW)])
    after = record(tmp_path / "vault", ONE)
    vault.forget([ONE])
    assert lies_in(tmp_path / "vault", before) == lies_in(tmp_path / "vault", after) == []


def test_the_old_file_is_overwritten_before_it_goes(tmp_path, vault):
    """A process that has it open still, or another link of it, reads zeros."""
    vault.keep([(ONE, OLD)])
    sealed = record(tmp_path / "vault", ONE)
    os.link(tmp_path / "vault" / "data.mdb", tmp_path / "link")
    assert lies_in(tmp_path, sealed) != []
    vault.forget([ONE])
    assert set((tmp_path / "link").read_bytes()) == {0}


def test_a_home_without_a_vault_has_nothing_to_forget(tmp_path, vault):
    """And is not given one by that."""
    vault.forget([ONE])
    assert vault.recall(ONE) is None
    assert not (tmp_path / "vault").exists()


def test_whoever_has_the_old_store_open_goes_on_in_the_new_one(tmp_path, vault):
    """A client keeps a secret behind a forget: it is not written into what was taken away."""
    other = SealedVault(tmp_path / "vault", LMDBStore)
    vault.keep([(ONE, OLD), (TWO, NEW)])
    assert other.recall(ONE) == OLD
    vault.forget([ONE])
    assert other.recall(ONE) is None
    other.keep([(THREE, NEW)])
    vault.forget([TWO])
    other.close()
    assert [vault.recall(id) for id in (ONE, TWO, THREE)] == [None, None, NEW]


def test_what_somebody_put_beside_the_key_stays(tmp_path, vault):
    """An old key that was moved aside, say."""
    vault.keep([(ONE, OLD)])
    (tmp_path / "vault" / "key.old").write_text("mine")
    vault.forget([ONE])
    assert (tmp_path / "vault" / "key.old").read_text() == "mine"


def test_what_a_kill_has_left_is_taken_away(tmp_path, vault):
    """A store that was never finished and one that counts no more, with records that have been forgotten since."""
    vault.keep([(ONE, OLD), (TWO, NEW)])
    sealed = record(tmp_path / "vault", ONE)
    vault.forget([THREE])
    for name in ("store-1", ".store-3", ".store-9"):
        left = LMDBStore(tmp_path / "vault" / name)
        with left.write() as transaction:
            transaction.put(ONE.bytes, sealed)
        left.close()
    assert vault.recall(TWO) == NEW
    vault.forget([ONE])
    assert lies_in(tmp_path / "vault", sealed) == []
    assert stores(tmp_path / "vault") == ["store-3"]
    assert (vault.recall(ONE), vault.recall(TWO)) == (None, NEW)


def test_an_exchange_puts_nothing_in_the_place_of_what_was_forgotten(vault):
    """Who looked before and writes after it is told that there is something else now."""
    vault.keep([(ONE, OLD)])
    assert vault.exchange(ONE, OLD, NEW)
    assert not vault.exchange(ONE, OLD, OLD)
    vault.forget([ONE])
    assert not vault.exchange(ONE, NEW, OLD)
    assert vault.recall(ONE) is None
    assert vault.exchange(ONE, None, NEW)
    assert vault.exchange(ONE, NEW, None)
    assert vault.recall(ONE) is None


def test_a_vault_that_cannot_be_copied_stays_as_it_is(tmp_path):
    """A full disk: what is forgotten is deleted, and that it may be left is said; no half of a store stays."""

    def full(folder: Path) -> LMDBStore:
        if folder.name.startswith(".store"):
            LMDBStore(folder).close()
            raise DiskFull("no room")
        return LMDBStore(folder)

    vault = SealedVault(tmp_path / "vault", full)
    vault.keep([(ONE, OLD), (TWO, NEW)])
    with pytest.raises(DiskFull):
        vault.forget([ONE])
    assert stores(tmp_path / "vault") == []
    assert (vault.recall(ONE), vault.recall(TWO)) == (None, NEW)
    vault.close()


def test_who_finds_the_vault_taken_waits_and_then_says_so(tmp_path, vault, monkeypatch):
    """For a bounded time."""
    from lading.adapters.vault import strongroom

    vault.keep([(ONE, OLD)])
    monkeypatch.setattr(strongroom, "WAIT_S", 0.05)
    with Strongroom(tmp_path / "vault", LMDBStore).inside(), pytest.raises(StoreUnavailable, match="others have been"):
        vault.forget([ONE])
    vault.forget([ONE])
    assert vault.recall(ONE) is None


KEEP = """
import sys
from pathlib import Path
from uuid import UUID
from lading.adapters.lmdb import LMDBStore
from lading.adapters.vault import SealedVault
from lading.domain.ports import Secrets

vault = SealedVault(Path(sys.argv[1]), LMDBStore)
base = int(sys.argv[2])
for n in range(base, base + int(sys.argv[3])):
    vault.keep([(UUID(int=n), Secrets(urls=(str(n),)))])
    assert vault.recall(UUID(int=n)) is not None
vault.close()
"""


def test_no_secret_is_lost_that_others_keep_meanwhile(tmp_path, vault):
    """Two processes and a thread keep while another forgets again and again: what is not forgotten is there."""
    vault.keep([(UUID(int=n), OLD) for n in range(1, 21)])
    command = [sys.executable, "-W", "ignore", "-c", KEEP, str(tmp_path / "vault")]
    keepers = [subprocess.Popen([*command, str(base), "60"]) for base in (1000, 2000)]
    wrong: list[LadingError] = []

    def keep() -> None:
        try:
            for n in range(3000, 3060):
                vault.keep([(UUID(int=n), Secrets(urls=(str(n),)))])
        except LadingError as error:
            wrong.append(error)

    thread = threading.Thread(target=keep)
    thread.start()
    forgotten = 0
    while any(keeper.poll() is None for keeper in keepers) or forgotten < 20:
        forgotten = min(20, forgotten + 1)
        vault.forget([UUID(int=forgotten)])
    thread.join(30)
    assert [keeper.wait(30) for keeper in keepers] == [0, 0]
    assert wrong == []
    kept = [n for base in (1000, 2000, 3000) for n in range(base, base + 60)]
    assert [n for n in kept if vault.recall(UUID(int=n)) != Secrets(urls=(str(n),))] == []
    assert [n for n in range(1, 21) if vault.recall(UUID(int=n)) is not None] == []
