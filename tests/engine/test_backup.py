"""Backup and restore: a prefix of the log, event for event, from any log into any; whole or not at all."""

from __future__ import annotations

import itertools
import os
import random
import resource
import stat
import subprocess
import sys
from uuid import UUID

import attrs
import orjson
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

import lading
from lading import packing
from lading.accepting import doubts
from lading.adapters import codec
from lading.adapters.lmdb.log import LMDBLog
from lading.adapters.lmdb.store import LMDBStore
from lading.adapters.lmdb.verify import examine as verify_log
from lading.adapters.parcel import Packer, Parcel
from lading.adapters.signing import FileSigner
from lading.adapters.vault import SealedVault
from lading.backup import EVENTS, SECRETS, back_up, entries, examine
from lading.cursors import FileCursors
from lading.domain import events as e
from lading.domain.errors import BackupDamaged, DestinationTaken, LogDamaged, StoreNewer, StoreUnavailable
from lading.domain.hooks import Cursor
from lading.domain.notes import Checkpoint
from lading.domain.ports import Entry, Secrets
from lading.drafts import put_file, staged_folder
from lading.home import open_home
from lading.logs import open_log
from lading.opening import open_own_log, open_reading
from lading.projections import ledger
from lading.restoring import restore
from lading.vouching import origin

pytestmark = [
    pytest.mark.row("S2.14"),
    pytest.mark.filterwarnings("ignore::lading.adapters.lmdb.ground.GroundWarning"),
]

TOKEN = "t0ken-never-shown"


def entry(number, version=1, *, event=None):
    """Return an event of some stream."""
    told = event or e.EngineOpened(worker=UUID(int=number), version="x" * 50)
    return Entry(UUID(int=number), version, told.TOPIC, codec.seal(told, id=UUID(int=number), at_ns=number))


def make_home(path, count=0, log=None):
    """Make a home whose log holds so many events."""
    home = open_home(path, new_id=UUID(int=1))
    own = open_own_log(home, log)
    if count:
        own.append([[entry(n) for n in range(1, count + 1)]])
    own.close()
    return open_home(path, new_id=None)


def events_of(path, log=None):
    """Return everything that the log of a home holds, without positions."""
    own = open_own_log(open_home(path, new_id=None), log)
    try:
        return [tuple(recorded)[1:] for recorded in own.read(0, 10**6)]
    finally:
        own.close()


def take(home, path, log=None, **more):
    """Take a backup."""
    return back_up(home, log, path, **{"with_vault": False, "replace": False, "now_ns": 10**18, **more})[0]


def names(folder):
    """Return what lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


# -- what is in it -----------------------------------------------------------------------------------------------------


async def test_a_backup_that_is_taken_while_64_tasks_append_is_a_prefix_of_the_log(tmp_path):
    """Event for event; the log that is made of it is sound, and of the same id."""
    home, manifests = tmp_path / "home", []
    async with lading.open_engine(home, start=False) as engine:
        done = trio.Event()

        async def add(number):
            for turn in itertools.count():
                if done.is_set():
                    return
                await engine.submit(lading.Request(f"http://a.test/{number}/{turn}"))

        async with trio.open_nursery() as nursery:
            for number in range(64):
                nursery.start_soon(add, number)
            for turn in range(3):
                await trio.sleep(0.05)
                place, file = open_home(home, new_id=None), tmp_path / f"{turn}.backup"
                manifests.append(await trio.to_thread.run_sync(take, place, file))
            done.set()
    whole = events_of(home)
    counts = [manifest.events for manifest in manifests]
    assert counts == sorted(counts)
    assert 0 < counts[0] < counts[-1] < len(whole)
    for turn, manifest in enumerate(manifests):
        made = tmp_path / f"restored-{turn}"
        restore(tmp_path / f"{turn}.backup", made, None)
        assert events_of(made) == whole[: manifest.events]
        assert list(verify_log(made / "log", strict=True)) == []
        assert open_home(made, new_id=None).log == open_home(home, new_id=None).log


LOGS = ("lmdb:", "sqlite:log.db", "postgres")
ROUND = {("lmdb:", "sqlite:log.db"), ("sqlite:log.db", "postgres"), ("postgres", "lmdb:")}
"""Each kind of log once as what is taken and once as what is made; the other pairs are long."""


@pytest.mark.parametrize(
    ("source", "target"),
    [
        pytest.param(source, target, marks=() if (source, target) in ROUND else pytest.mark.long)
        for source in LOGS
        for target in LOGS
        if not source == target == "postgres"  # one schema at a time
    ],
)
@pytest.mark.row("C.4")
def test_any_log_is_restored_into_any_other(tmp_path, request, source, target):
    """The same events in the same order, and hooks are where they were, whatever the positions are."""
    urls = {url: request.getfixturevalue("postgres_url") if url == "postgres" else url for url in (source, target)}
    home = make_home(tmp_path / "home", 5, urls[source])
    own = open_own_log(home, urls[source])
    if source == "postgres":  # a position is lost to an insert that fails
        recorder = own._recorder
        with pytest.raises(Exception, match="duplicate"):
            recorder.insert_events([_stored(entry(1))])
    own.append([[entry(n) for n in range(6, 9)]])
    positions = [recorded.position for recorded in own.read(0, 100)]
    assert (positions[-1] > 8) == (source == "postgres")
    own.close()
    FileCursors(home.path).save("told", Cursor(position=positions[5], failures=2, error="it broke"))
    FileCursors(home.path).save("new", Cursor(position=0))
    manifest = take(home, tmp_path / "b", urls[source])
    assert (manifest.events, manifest.position) == (8, positions[-1])
    restore(tmp_path / "b", tmp_path / "made", urls[target])
    assert events_of(tmp_path / "made", urls[target]) == events_of(home.path, urls[source])
    cursors = FileCursors(tmp_path / "made")
    own = open_own_log(open_home(tmp_path / "made", new_id=None), urls[target])
    told = cursors.load("told")
    assert [recorded.stream.int for recorded in own.read(told.position, 10)] == [7, 8]
    assert (told.failures, told.error, cursors.load("new").position) == (2, "it broke", 0)
    own.close()


def _stored(one):
    from eventsourcing.persistence import StoredEvent

    return StoredEvent(*one)


def test_the_views_of_a_restored_home_are_those_of_the_first(tmp_path):
    """By replay; nothing of them, and nothing of the cache, is in the backup."""
    lading_home = tmp_path / "home"

    async def story():
        async with lading.open_engine(lading_home, start=False) as engine:
            asked = [lading.Request(f"http://a.test/{n}", tags=("t",), key=f"k{n}") for n in range(20)]
            ids = [download.id for download in await engine.submit_many(asked)]
            await engine.cancel(*ids[:5])
            await engine.pause(*ids[5:8])

    trio.run(story)
    take(open_home(lading_home, new_id=None), tmp_path / "b")
    with Parcel(tmp_path / "b") as parcel:
        kept = {name for name in parcel.members if not name.startswith(("checkpoints/", "keys/"))}
        assert kept == {EVENTS}
    restore(tmp_path / "b", tmp_path / "made", None)
    held = []
    for home in (lading_home, tmp_path / "made"):
        reading = open_reading(open_home(home, new_id=None))
        reading.catch_up()
        with reading.views.read() as reader:
            held.append(dict(reader.scan(b"")))
        reading.close()
    assert held[0] == held[1]


def _keep_secrets(home):
    vault = SealedVault(home.vault_path, LMDBStore)
    vault.keep([(UUID(int=n), Secrets(urls=(f"http://a.test/?{TOKEN}{n}",))) for n in range(1, 4)])
    vault.forget([UUID(int=2)])
    vault.close()


@pytest.mark.law(7)
def test_secrets_are_in_it_only_when_they_were_asked_for(tmp_path):
    """With their key, settings that may hold one, and what signs; restored for their owner alone. Else it says so."""
    home = make_home(tmp_path / "home", 3)
    _keep_secrets(home)
    home.settings_path.write_text('[hooks.h]\nurl = "https://a.test/canary-hook"\n')
    for name in ("keys/signing.pub", "keys/signing.key", "checkpoints/log"):
        (home.path / name).parent.mkdir(exist_ok=True)
        (home.path / name).write_text(f"canary {name}")
    plain, full = take(home, tmp_path / "plain"), take(home, tmp_path / "full", with_vault=True)
    assert set(plain.left_out) == {"settings.toml", "keys/signing.key", "vault"}
    assert (plain.vault, full.vault, full.left_out) == (False, True, ())
    key = (home.vault_path / "key").read_text().split()[2]
    whole = (tmp_path / "plain").read_bytes()
    assert not any(word.encode() in whole for word in (TOKEN, "canary-hook", "canary keys/signing.key", key))
    assert stat.S_IMODE((tmp_path / "full").stat().st_mode) == 0o600
    restore(tmp_path / "plain", tmp_path / "a", None)
    restore(tmp_path / "full", tmp_path / "b", None)
    assert names(tmp_path / "a") == ["checkpoints", "home.json", "keys", "log"]
    assert names(tmp_path / "a" / "keys") == ["signing.pub"]
    for path in (tmp_path / "b").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert (tmp_path / "b" / "settings.toml").read_text() == home.settings_path.read_text()
    vault = SealedVault(tmp_path / "b" / "vault", LMDBStore)
    assert [vault.recall(UUID(int=n)) is not None for n in (1, 2, 3)] == [True, False, True]
    assert TOKEN in vault.recall(UUID(int=1)).urls[0]
    vault.close()


def test_settings_without_secrets_are_in_it(tmp_path):
    """As they were written."""
    home = make_home(tmp_path / "home")
    home.settings_path.write_text('# mine\nconcurrency = 5\n[host."a.test"]\nconnections = 2\n')
    assert take(home, tmp_path / "b").left_out == ()
    restore(tmp_path / "b", tmp_path / "made", None)
    assert (tmp_path / "made" / "settings.toml").read_bytes() == home.settings_path.read_bytes()


def test_no_lock_is_needed_and_an_empty_log_is_a_log(tmp_path):
    """Beside an engine that owns the home."""
    home = tmp_path / "home"

    async def story():
        async with lading.open_engine(home, role="owner", start=False):
            assert take(open_home(home, new_id=None), tmp_path / "b").events == 1

    trio.run(story)
    assert take(make_home(tmp_path / "other"), tmp_path / "c").events == 0
    restore(tmp_path / "c", tmp_path / "made", None)
    assert events_of(tmp_path / "made") == []


# -- where it goes -----------------------------------------------------------------------------------------------------


def test_nothing_is_written_over_unless_it_was_said(tmp_path):
    """A file that is there stays, and nothing is left beside it."""
    home = make_home(tmp_path / "home", 3)
    (tmp_path / "b").write_text("mine")
    with pytest.raises(DestinationTaken):
        take(home, tmp_path / "b")
    assert (tmp_path / "b").read_text() == "mine"
    take(home, tmp_path / "b", replace=True)
    assert names(tmp_path) == ["b", "home"]
    with Parcel(tmp_path / "b") as parcel:
        assert examine(parcel, openly=True).events == 3


def test_a_home_is_never_written_over(tmp_path):
    """Nor any folder that holds something; an empty one is taken."""
    home = make_home(tmp_path / "home", 3)
    take(home, tmp_path / "b")
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "thing").touch()
    (tmp_path / "file").touch()
    for place in (home.path, tmp_path / "some", tmp_path / "file"):
        with pytest.raises(StoreUnavailable) as caught:
            restore(tmp_path / "b", place, None)
        assert caught.value.hint
    (tmp_path / "empty").mkdir()
    restore(tmp_path / "b", tmp_path / "empty", None)
    assert events_of(tmp_path / "empty") == events_of(home.path)
    restore(tmp_path / "b", tmp_path / "deep" / "er" / "home", None)
    assert names(tmp_path) == ["b", "deep", "empty", "file", "home", "some"]


def test_a_rehearsal_leaves_nothing(tmp_path):
    """And may be held where a home is, beside its log."""
    home = make_home(tmp_path / "home", 3)
    take(home, tmp_path / "b")
    before = names(home.path)
    assert restore(tmp_path / "b", home.path, "sqlite:other.db", dry_run=True).events == 3
    assert (names(tmp_path), names(home.path)) == (["b", "home"], before)


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    """The limit of a process stands for it: the system refuses to write any further."""
    home = make_home(tmp_path / "home", 20_000)
    program = f"""
import resource, signal, sys
from lading.tools.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, {resource.RLIM_INFINITY}))
sys.exit(main(["--home", {str(home.path)!r}, "backup", {str(tmp_path / "b")!r}]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert "no room" in done.stderr
    assert "choose another disk" in done.stderr
    assert names(tmp_path) == ["home"]


def test_a_log_outside_the_home_is_gone_on_with_where_somebody_was_killed(tmp_path):
    """One that holds the beginning of this very backup; not one that holds something else, or more."""
    home = make_home(tmp_path / "home", 5000)
    take(home, tmp_path / "b")
    with Parcel(tmp_path / "b") as parcel:
        told = list(entries(parcel))
    for name, held in {"begun": told[:3000], "full": told, "other": [entry(7)], "more": [*told, entry(9999)]}.items():
        url = f"sqlite:{tmp_path / name}"
        log = open_log(url, tmp_path)
        log.append([held])
        log.close()
        if name in {"other", "more"}:
            with pytest.raises(StoreUnavailable):
                restore(tmp_path / "b", tmp_path / f"home-{name}", url)
            assert not (tmp_path / f"home-{name}").exists()
        else:
            restore(tmp_path / "b", tmp_path / f"home-{name}", url)
            assert events_of(tmp_path / f"home-{name}", url) == [tuple(one) for one in told]
    with pytest.raises(StoreUnavailable):
        restore(tmp_path / "b", tmp_path / "nowhere", "memory:")


def test_what_was_restored_is_gone_on_with(tmp_path):
    """A client appends to it, and a second backup holds both."""
    home = make_home(tmp_path / "home", 3)
    take(home, tmp_path / "b")
    restore(tmp_path / "b", tmp_path / "made", None)
    made = open_home(tmp_path / "made", new_id=None)
    log = open_own_log(made)
    log.append([[entry(1, version=2)]])
    log.close()
    assert take(made, tmp_path / "c").events == 4
    assert made.id == home.id


# -- what is not believed ----------------------------------------------------------------------------------------------


def test_200_flipped_bits_are_refused_and_make_no_home(tmp_path):
    """Wherever they are: each restore ends with exit code 4, and nothing is there afterwards."""
    home = make_home(tmp_path / "home", 300)
    _keep_secrets(home)
    take(home, tmp_path / "b", with_vault=True)
    whole, dice = (tmp_path / "b").read_bytes(), random.Random(31)
    for at in (dice.randrange(8 * len(whole)) for _ in range(200)):
        flipped = bytearray(whole)
        flipped[at // 8] ^= 1 << at % 8
        (tmp_path / "c").write_bytes(flipped)
        with pytest.raises(BackupDamaged):
            restore(tmp_path / "c", tmp_path / "made", None)
    assert names(tmp_path) == ["b", "c", "home"]
    assert BackupDamaged.exit_code == 4


def forged(path, whole, *, items=None, words=None, members=None, frames=None):
    """Write a backup as a forger would, whose digests fit; from the words of a real one."""
    with Parcel(whole) as parcel:
        told = [packing.pack_event((0, *one)) for one in entries(parcel)] if items is None else items
        with path.open("w+b") as file:
            packer = Packer(file)
            packer.add(EVENTS, packing.pack(told) if frames is None else frames)
            for name, data in (members or {}).items():
                packer.add(name, [data])
            packer.close({**parcel.words, **(words or {})})
    return path


def test_what_a_forger_makes_is_refused_before_anything_is_there(tmp_path):
    """Digests that fit do not help: bombs, gaps in a stream, counts that lie, members that none of ours has."""
    home = make_home(tmp_path / "home", 3)
    take(home, tmp_path / "b")
    twice, gap = [packing.pack_event((0, *entry(1)))] * 2, [packing.pack_event((0, *entry(1, version=2)))]
    bomb = packing._frame([b"\0\0\0\0"] * 2, 8)
    huge = packing._FRAME.pack(2**32 - 1, 2**32 - 1, 1)
    longer = packing._FRAME.pack(len(bomb) - 12, 4, 1) + bomb[12:]
    cases = {
        "a version twice": {"items": twice, "words": {"events": 2}},
        "a version too far": {"items": gap, "words": {"events": 1}},
        "more than it says": {"words": {"events": 2}},
        "less than it says": {"words": {"events": 4}},
        "no home": {"words": {"home": "nobody"}},
        "no log": {"words": {"log": "nothing"}},
        "another root": {"words": {"root": "00" * 32}},
        "a root that is none": {"words": {"root": "00"}},
        "a log that leads elsewhere": {"words": {"signed": "../../x"}},
        "no count": {"words": {"events": "3"}},
        "an event cut off": {"items": [b"short"], "words": {"events": 1}},
        "a topic that is too long": {"items": [bytes(24) + b"\xff\xff"], "words": {"events": 1}},
        "a frame that claims too much": {"frames": [huge]},
        "a frame that grows beyond its word": {"frames": [longer]},
        "a frame that is none": {"frames": [packing._FRAME.pack(4, 4, 1) + b"none"]},
        "a frame cut off": {"frames": [bomb[:-3]]},
        "a member of no backup": {"members": {"engine.lock": b""}},
        "a marker": {"members": {"home.json": b"{}"}},
        "a cursor that is none": {"members": {"hooks/h": b"[]"}},
        "secrets that are none": {"members": {"vault/key": b"", SECRETS: b"no"}},
    }
    for name, lie in cases.items():
        forged(tmp_path / "c", tmp_path / "b", **lie)
        with pytest.raises(BackupDamaged):
            restore(tmp_path / "c", tmp_path / "made", None)
        assert names(tmp_path) == ["b", "c", "home"], name
    with pytest.raises(StoreNewer):
        restore(forged(tmp_path / "c", tmp_path / "b", words={"format": 2}), tmp_path / "made", None)
    restore(forged(tmp_path / "c", tmp_path / "b"), tmp_path / "made", None)


def test_a_log_that_is_damaged_is_not_copied(tmp_path):
    """A record that fails its checksum, or a position that is missing: exit code 4, and no file."""
    for number, harm in enumerate(("record", "gap")):
        home = make_home(tmp_path / f"home-{number}", 50)
        log = LMDBLog(home.log_path)
        table = log.environment.tables[b"log"]
        at = (7).to_bytes(8, "big")
        if harm == "record":
            log.environment.write(lambda txn: txn.put(at, b"\0" + txn.get(at, db=table)[1:], db=table))  # noqa: B023
        else:
            log.environment.write(lambda txn: txn.delete(at, db=table))  # noqa: B023
        log.close()
        with pytest.raises(LogDamaged, match="position 7"):
            take(home, tmp_path / "b")
    assert names(tmp_path) == ["home-0", "home-1"]


def test_a_log_that_is_not_sound_when_it_is_filled_is_not_believed(tmp_path):
    """Whatever became of it on the way: it is verified as it lies on the disk, and there is no home."""
    take(make_home(tmp_path / "home", 50), tmp_path / "b")

    def harm(back):
        table = back.log.environment.tables[b"log"]
        back.log.environment.write(lambda txn: txn.put((7).to_bytes(8, "big"), b"damaged", db=table))

    with pytest.raises(BackupDamaged, match="position 7"):
        restore(tmp_path / "b", tmp_path / "made", None, accept=harm)
    assert names(tmp_path) == ["b", "home"]


def test_what_appears_while_a_file_is_made_is_not_written_over(tmp_path):
    """A link never replaces; a folder that was filled meanwhile is not replaced either."""
    with pytest.raises(DestinationTaken):
        put_file(tmp_path / "a", lambda file: file.write(b"ours"), check=lambda _: (tmp_path / "a").write_text("mine"))
    assert (tmp_path / "a").read_text() == "mine"

    def make():
        with staged_folder(tmp_path / "b") as stage:
            (stage / "ours").touch()
            (tmp_path / "b").mkdir()
            (tmp_path / "b" / "mine").touch()

    with pytest.raises(StoreUnavailable):
        make()
    assert (names(tmp_path), names(tmp_path / "b")) == (["a", "b"], ["mine"])


def test_drafts_of_the_living_are_left_alone(tmp_path):
    """Two may make one place at once: the first to finish has it, and the other's draft was there until its own end."""

    def check(draft):
        put_file(tmp_path / "a", lambda file: file.write(b"second"))
        assert draft.exists()

    with pytest.raises(DestinationTaken):
        put_file(tmp_path / "a", lambda file: file.write(b"first"), check=check)
    assert (names(tmp_path), (tmp_path / "a").read_bytes()) == (["a"], b"second")


def test_a_cursor_that_cannot_be_read_is_left_out_and_said(tmp_path):
    """The hook then begins as a new one does."""
    home = make_home(tmp_path / "home", 1)
    (home.path / "hooks").mkdir()
    (home.path / "hooks" / "h").write_text("{")
    assert take(home, tmp_path / "b").left_out == ("hooks/h",)


@settings(max_examples=25, deadline=None)
@given(items=st.lists(st.binary(max_size=400), max_size=60), cuts=st.lists(st.integers(1, 97), min_size=1))
def test_items_come_out_of_their_frames_however_these_are_cut(items, cuts):
    """Frames know nothing of the chunks in which they are read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "FRAME_BYTES", 300)
        packed = b"".join(packing.pack(items))

    def chunks():
        at, sizes = 0, itertools.cycle(cuts)
        while at < len(packed):
            size = next(sizes)
            yield packed[at : at + size]
            at += size

    assert list(packing.unpack(chunks())) == items


def test_a_manifest_says_what_is_in_it(tmp_path):
    """As JSON that anybody can read, with tar alone."""
    home = make_home(tmp_path / "home", 3)
    manifest = take(home, tmp_path / "b")
    told = subprocess.run(["tar", "-xOf", tmp_path / "b", "manifest.json"], capture_output=True, check=True).stdout
    words = orjson.loads(told)
    assert [member["name"] for member in words.pop("members")] == [EVENTS]
    assert words == attrs.asdict(manifest) | {"left_out": []}
    assert words["home"] == home.id.hex
    assert os.path.getsize(tmp_path / "b") < 10_000


# -- the ledger --------------------------------------------------------------------------------------------------------


def signed(home, count=None, **changed):
    """Return the members that hold a checkpoint of a home as it is, or with a lie in it; and what checks it."""
    reading = open_reading(home)
    reading.catch_up()
    with reading.views.read() as reader:
        size = ledger.size(reader) if count is None else count
        found = Checkpoint(origin(home.log), size, ledger.root(reader, size))
    reading.close()
    signer = FileSigner(home.path / "keys", found.origin)
    note = signer.sign(attrs.evolve(found, **changed).text)
    key = (home.path / "keys" / "signing.pub").read_bytes()
    return {f"checkpoints/{home.log}": orjson.dumps(str(note)) + b"\n", "keys/signing.pub": key}


@pytest.mark.row("C.5")
@pytest.mark.parametrize("count", [0, 3, 2500])
def test_the_root_in_a_backup_is_that_of_the_ledger(tmp_path, count):
    """That which the views of the home have, and any other that is made of the same events."""
    home = make_home(tmp_path / "home", count)
    manifest = take(home, tmp_path / "b")
    reading = open_reading(home)
    reading.catch_up()
    with reading.views.read() as reader:
        assert manifest.root == ledger.root(reader).hex()
    reading.close()
    lie = forged(tmp_path / "c", tmp_path / "b", words={"root": "ab" * 32})
    with Parcel(lie) as parcel, pytest.raises(BackupDamaged, match="of whose ledger it speaks"):
        examine(parcel)
    with Parcel(forged(tmp_path / "c", tmp_path / "b", words={"root": None, "signed": None})) as parcel:
        assert examine(parcel).root is None  # as versions made it that told none


@pytest.mark.row("C.5")
def test_a_log_that_is_not_what_the_checkpoints_in_its_backup_say_makes_no_home(tmp_path):
    """One whose end is missing and one of another root; an earlier one is well, and a stranger's name is told."""
    home = make_home(tmp_path / "home", 300)
    take(home, tmp_path / "b")
    stranger = make_home(tmp_path / "stranger", 1)
    lies = {
        "300 events, and checkpoint 1 of this home vouches for 301": signed(home, size=301),
        "the first 299 events are not those": signed(home, 299, root=bytes(32)),
    }
    for told, members in lies.items():
        forged(tmp_path / "c", tmp_path / "b", members=members)
        with pytest.raises(BackupDamaged, match=told):
            restore(tmp_path / "c", tmp_path / "made", None)
        assert not (tmp_path / "made").exists()
    said = []
    for name, key in (("good", signed(home)), ("bad", signed(stranger))):
        lie = signed(home, 299) | {"keys/signing.pub": key["keys/signing.pub"]}
        file = forged(tmp_path / "c", tmp_path / "b", members=lie)
        restore(file, tmp_path / name, None, accept=lambda back: said.append(list(doubts(back, {}))))
    assert said == [[], ["checkpoint 1 of this home: it was not signed with a key of this home"]]
