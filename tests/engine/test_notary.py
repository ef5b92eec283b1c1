"""What was signed holds: a log that is behind a checkpoint, or has another history, is not written to."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import struct
import sys
import threading
import types
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import lmdb
import pytest
import trio
import trio.testing

import lading
from lading.adapters.notebook import Notebook
from lading.adapters.signing import FileSigner, is_signed
from lading.deliveries import Deliveries
from lading.domain import ledger as tree
from lading.domain.anchors import Anchor
from lading.domain.errors import HistoryChanged, InvalidSetting, NoteDamaged, StoreUnavailable
from lading.domain.events import NetworkChanged
from lading.domain.notes import Checkpoint, Note
from lading.mishaps import Mishaps
from lading.notarising import Notarising
from lading.notary import Notary
from lading.settings import Settings
from lading.testing import MemoryLog, MemoryStore
from lading.testing.clock import VirtualClock
from lading.testing.threads import InlineThreads
from lading.views import Views
from lading.vouching import Ancestor, origin

pytestmark = pytest.mark.row("C.5")


async def live(home, *keys, downloads, **settings):
    """Open a home, ask for downloads that nobody will fetch, and close it again; return its log's size and root."""
    async with lading.open_engine(home, downloads=downloads, start=False, **settings) as engine:
        for key in keys:
            await engine.submit(lading.Request(f"https://example.org/{key}", key=key))


@pytest.fixture
def place(tmp_path):
    """Return what lives in a home of its own, with an anchor outside of it when asked."""
    (tmp_path / "files").mkdir()
    anchor = tmp_path / "elsewhere" / "anchor"
    anchor.parent.mkdir()
    home = tmp_path / "home"

    def settings(anchored):
        tables = {"anchors": {"safe": Anchor(file=str(anchor))}} if anchored else {}
        return Settings(tables=tables)

    async def run(*keys, anchored=False):
        await live(home, *keys, downloads=tmp_path / "files", settings=settings(anchored))

    run.home, run.anchor = home, anchor
    return run


def book(home):
    """Return the checkpoints of a home's log."""
    (path,) = (home / "checkpoints").iterdir()
    return Notebook(path)


def change(home, position):
    """Change the event at a position as somebody would who knows the format: with a checksum that fits."""
    environment = lmdb.open(str(home / "log"), max_dbs=16, map_size=2**30)
    with environment, environment.begin(write=True) as txn:
        table = environment.open_db(b"log", txn=txn)
        record = bytearray(txn.get(struct.pack(">Q", position), db=table))
        at = record.index(b"example.org")
        record[at : at + 11] = b"example.com"
        record[-4:] = struct.pack("<I", zlib.crc32(record[:-4]))
        txn.put(struct.pack(">Q", position), bytes(record), db=table)


def forget_views(home):
    """Remove all views: they are made anew from the log."""
    (home / "views").unlink()
    for folder in home.glob("views-*"):
        shutil.rmtree(folder)


async def test_an_engine_signs_what_it_leaves(place):
    """Each run ends with a checkpoint of all that is in the log, signed by the home, and following on the last."""
    await place("a")
    await place("b")
    notes = list(book(place.home).notes())
    found = [Checkpoint.parse(note.text) for note in notes]
    with contextlib.closing(lading.opening.open_reading(lading.home.open_home(place.home, new_id=None))) as reading:
        records = reading.log.read(0, 1000)
        notary = Notary(place.home, str(reading.log.log_id), reading.views)
        assert notary.sign() == (notes[-1], False), "nothing has happened since"
        assert all(is_signed(note, notary.keys()) for note in notes)
    leaves = [tree.leaf(*record[1:]) for record in records]
    assert [each.size for each in found][-1] == len(leaves)
    assert [each.root for each in found] == [tree.root_of(leaves[: each.size]) for each in found]
    assert len({each.origin for each in found}) == 1


@pytest.mark.law(3)
async def test_a_log_that_was_put_back_is_not_written_to(place, tmp_path):
    """An older copy of the log under newer checkpoints is refused, with the way out, and left as it is."""
    await place("a")
    shutil.copytree(place.home / "log", tmp_path / "older")
    await place("b")
    shutil.rmtree(place.home / "log")
    shutil.copytree(tmp_path / "older", place.home / "log")
    before = (place.home / "log" / "data.mdb").read_bytes()
    for _ in range(2):
        with pytest.raises(HistoryChanged, match="an older copy was put back") as caught:
            await place("c")
    assert caught.value.exit_code == 4
    assert "repair --log" in caught.value.hint
    assert (place.home / "log" / "data.mdb").read_bytes() == before


async def test_an_older_copy_of_the_whole_home_is_known_by_its_anchor(place, tmp_path):
    """With its checkpoints put back as well, only what lies outside of the home can tell; and it does."""
    await place("a", anchored=True)
    shutil.copytree(place.home, tmp_path / "older")
    await place("b", anchored=True)
    shutil.rmtree(place.home)
    shutil.copytree(tmp_path / "older", place.home)
    with pytest.raises(HistoryChanged, match="anchor 'safe'"):
        await place("c", anchored=True)
    await place("c", anchored=False)  # nothing inside of the home knows


async def test_a_changed_event_is_known_when_the_views_are_made_anew(place):
    """A record with a checksum that fits gets no new root: the checkpoint has the old one."""
    await place("a", "b")
    change(place.home, 3)
    forget_views(place.home)
    with pytest.raises(HistoryChanged, match="its history was changed"):
        await place("c")


async def test_a_history_that_was_signed_anew_is_known_by_its_anchor(place):
    """Whoever has the home has its key; but not what was signed before, which lies elsewhere."""
    await place("a", "b", anchored=True)
    change(place.home, 3)
    forget_views(place.home)
    shutil.rmtree(place.home / "checkpoints")
    await place("c", anchored=False)
    with pytest.raises(HistoryChanged, match=r"anchor 'safe'.*history was changed"):
        await place("d", anchored=True)


async def test_a_checkpoint_that_nobody_signed_is_not_believed(place, tmp_path):
    """A note with another key's signature, or a damaged one, ends it there."""
    await place("a")
    kept = book(place.home)
    last = kept.last()
    stranger = FileSigner(tmp_path / "stranger", last.signatures[0].name)
    kept.append(stranger.sign(last.text))
    with pytest.raises(HistoryChanged, match="not signed with a key of this home"):
        await place("b")
    kept.path.write_bytes(b'"no note"\n')
    with pytest.raises(NoteDamaged):
        await place("b")


async def test_an_anchor_of_another_log_is_refused(place, tmp_path):
    """A home under the anchor of another is not what that vouches for."""
    await place("a", anchored=True)
    shutil.rmtree(place.home)
    with pytest.raises(HistoryChanged, match="is of another log"):
        await place("b", anchored=True)


def test_a_repaired_log_has_the_anchor_of_what_it_was(tmp_path):
    """Under a new id a log goes on with its old anchor, where it says itself which log it was."""
    log = MemoryLog()
    with contextlib.closing(Views(log, lambda _: MemoryStore())) as views:
        files = {"safe": tmp_path / "anchor"}
        old = Notary(tmp_path / "home", "old", views, anchored=files)
        old.anchor("safe", old.sign()[0])
        with pytest.raises(HistoryChanged):
            Notary(tmp_path / "home", "new", views, anchored=files).examine()
        Notary(tmp_path / "home", "new", views, anchored=files, lineage=lambda: [Ancestor("old", 0)]).examine()


def test_nothing_is_signed_that_does_not_follow_on_the_last_checkpoint(tmp_path, monkeypatch):
    """A ledger with another root at an earlier size is not signed over."""
    log = grown(MemoryLog(), 5)
    with contextlib.closing(Views(log, lambda _: MemoryStore())) as views:
        notary = Notary(tmp_path, "log", views)
        notary.book.append(notary.signer.sign(Checkpoint(origin("log"), 3, bytes(32)).text))
        with pytest.raises(HistoryChanged):
            notary.sign()
        assert len(list(notary.book.notes())) == 1


def grown(log, count):
    """Let so many events happen on a stream of their own."""
    worker = lading.testing.SeededChance(1).uuid(0)
    for _ in range(count):
        event = NetworkChanged(worker=worker, online=True)
        version = len(log.stream(worker)) + 1
        state = lading.adapters.codec.seal(event, id=lading.testing.SeededChance(version).uuid(0), at_ns=version)
        log.append([[lading.domain.ports.Entry(worker, version, event.TOPIC, state)]])
    return log


# -- when it is due, and who is told -----------------------------------------------------------------------------------


class Office:
    """An engine that does nothing but have its ledger signed, in virtual time."""

    def __init__(self, home, hand=None, **settings):
        self.log = MemoryLog()
        self.views = Views(self.log, lambda _: MemoryStore())
        self.said = []
        mishaps = Mishaps()
        mishaps.say = self.said.append
        services = types.SimpleNamespace(
            log=self.log,
            threads=InlineThreads(),
            clock=VirtualClock(),
            settings=Settings(**settings),
            mishaps=mishaps,
        )
        files = {name: Path(anchor.file) for name, anchor in services.settings.anchors.items() if anchor.file}
        self.notary = Notary(home, "log", self.views, anchored=files)
        self.work = Notarising(services, self.notary, hand or Deliveries(trust_env=False).hand)

    def sizes(self):
        """Return the sizes that were signed."""
        return [Checkpoint.parse(note.text).size for note in self.notary.book.notes()]


async def test_a_checkpoint_is_due_by_events_or_by_time(tmp_path, autojump_clock):
    """So many events are signed soon, fewer after a while, and none at all when nothing happens."""
    office = Office(tmp_path, checkpoint_events=10, checkpoint_s=60.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(office.work.run)
        await trio.sleep(300)
        assert office.sizes() == []
        grown(office.log, 10)
        await trio.sleep(3)
        assert office.sizes() == [10]
        grown(office.log, 1)
        await trio.sleep(30)
        assert office.sizes() == [10]
        await trio.sleep(40)
        assert office.sizes() == [10, 11]
        await trio.sleep(1000)
        assert office.sizes() == [10, 11]
        grown(office.log, 1)
        nursery.cancel_scope.cancel()
    await office.work.close()
    assert office.sizes() == [10, 11, 12]


async def test_by_time_or_by_events_alone(tmp_path, autojump_clock):
    """A setting of 0 means not for that."""
    seldom = Office(tmp_path / "a", checkpoint_events=0, checkpoint_s=0.0)
    often = Office(tmp_path / "b", checkpoint_events=1, checkpoint_s=0.0)
    async with trio.open_nursery() as nursery:
        for office in (seldom, often):
            nursery.start_soon(office.work.run)
            grown(office.log, 3)
        await trio.sleep(10_000)
        nursery.cancel_scope.cancel()
    assert seldom.sizes() == []
    assert often.sizes() == [3]


@contextlib.contextmanager
def listener(status):
    """Serve somebody who takes notes, and answers with a status."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.server.taken.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.taken = []
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


async def test_every_anchor_is_told_and_one_that_fails_holds_up_none(tmp_path):
    """A file, a program and a server get the same note; who cannot be reached is told of once."""
    program = tmp_path / "keep.py"
    program.write_text(f"import sys, pathlib; pathlib.Path({str(tmp_path / 'kept')!r}).write_text(sys.stdin.read())\n")
    with listener(200) as good, listener(500) as bad:
        anchors = {
            "file": Anchor(file=str(tmp_path / "anchor")),
            "program": Anchor(command=f"{sys.executable} {program}"),
            "server": Anchor(url=f"http://127.0.0.1:{good.server_address[1]}/"),
            "broken": Anchor(url=f"http://127.0.0.1:{bad.server_address[1]}/?token=s3cret"),
            "gone": Anchor(file=str(program / "file")),
        }
        office = Office(tmp_path / "home", tables={"anchors": anchors})
        for _ in range(2):
            grown(office.log, 1)
            await office.work.close()
        note = office.notary.book.last()
    assert Notebook(tmp_path / "anchor").last() == note
    assert Note.parse((tmp_path / "kept").read_text()) == note
    assert Note.parse(good.taken[-1]) == note
    assert len(good.taken) == 2
    assert len(office.said) == 2
    assert "s3cret" not in json.dumps(office.said)
    standing = office.notary.standing()
    assert (standing.signed, standing.trouble) == (standing.events, None)
    assert {name for name, trouble in standing.anchors.items() if trouble} == {"broken", "gone"}
    assert "s3cret" not in repr(standing)


async def test_whatever_an_anchor_does_the_engine_goes_on(tmp_path):
    """What nobody foresaw is told like any other failure, without what it says, and holds up no other anchor."""

    async def hand(anchor, body):
        if anchor.url.endswith("odd"):
            raise ZeroDivisionError("s3cret")
        brought.append(body)

    brought = []
    anchors = {"odd": Anchor(url="https://example.org/odd"), "sound": Anchor(url="https://example.org/")}
    office = Office(tmp_path, hand, tables={"anchors": anchors})
    grown(office.log, 1)
    await office.work.close()
    assert brought == [str(office.notary.book.last()).encode()]
    assert office.said == ["the anchor 'odd' was not told of a checkpoint: an unforeseen ZeroDivisionError"]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"file": "relative"},
        {"file": "/a", "command": "b"},
        {"command": "'open"},
        {"command": " "},
        {"url": "no url"},
        {"file": "/a", "timeout_s": math.inf},
    ],
)
def test_an_anchor_that_cannot_be_is_refused(wrong):
    """A table that says no place, or two, or one that is none, is a usage error with a hint."""
    with pytest.raises(InvalidSetting) as caught:
        Anchor(**wrong)
    assert caught.value.hint


# -- what a repair gives up, who writes where, and who waits for whom --------------------------------------------------


def test_what_a_repaired_log_has_of_its_ancestor_is_held_to_what_was_signed_of_that(tmp_path):
    """By its word it was another log: as much as it says that it kept must be what that log had."""
    log = grown(MemoryLog(), 6)
    files = {"safe": tmp_path / "anchor"}
    with contextlib.closing(Views(log, lambda _: MemoryStore())) as views:
        old = Notary(tmp_path / "home", "old", views, anchored=files)
        for count in (0, 2):
            grown(log, count)
            old.anchor("safe", old.sign()[0])
        root = Checkpoint.parse(old.book.last().text).root
        for kept, given_up in ((8, 0), (6, 2), (0, 8)):
            honest = Notary(
                tmp_path / "home", "new", views, anchored=files, lineage=lambda kept=kept: [Ancestor("old", kept)]
            )
            honest.examine()
            assert honest.given_up() == given_up
            assert all(isinstance(found, Checkpoint) for _, found in honest.vouched())
    forged = MemoryLog()
    for count in range(1, 9):
        version = len(forged.stream(lading.testing.SeededChance(2).uuid(0))) + 1
        event = NetworkChanged(worker=lading.testing.SeededChance(2).uuid(0), online=False)
        state = lading.adapters.codec.seal(event, id=lading.testing.SeededChance(version).uuid(0), at_ns=count)
        forged.append([[lading.domain.ports.Entry(event.worker, version, event.TOPIC, state)]])
    with contextlib.closing(Views(forged, lambda _: MemoryStore())) as views:
        liar = Notary(tmp_path / "home", "new", views, anchored=files, lineage=lambda: [Ancestor("old", 8, root)])
        with pytest.raises(HistoryChanged):
            liar.examine()
        with pytest.raises(HistoryChanged):
            liar.review()


def test_a_copy_of_a_home_does_not_write_to_its_anchor(tmp_path):
    """With a key of its own it would make the first one look like an older copy; unless somebody says it counts."""
    log = grown(MemoryLog(), 3)
    files = {"safe": tmp_path / "anchor"}
    with contextlib.closing(Views(log, lambda _: MemoryStore())) as views:
        home = Notary(tmp_path / "home", "log", views, anchored=files)
        home.anchor("safe", home.sign()[0])
        shutil.copytree(tmp_path / "home", tmp_path / "copy")
        (tmp_path / "copy" / "keys" / "signing").unlink()
        copy = Notary(tmp_path / "copy", "log", views, anchored=files)
        grown(log, 1)
        note, _ = copy.sign()
        copy.examine()
        with pytest.raises(HistoryChanged, match="another key"):
            copy.anchor("safe", note)
        home.examine()
        copy.anchor("safe", note, take_over=True)
        assert Notebook(tmp_path / "anchor").last() == note


def test_a_log_that_was_given_up_and_put_back_still_has_its_anchor(tmp_path):
    """The last word of the anchor is of its successor; what it has of this log counts."""
    log = grown(MemoryLog(), 3)
    files = {"safe": tmp_path / "anchor"}
    with contextlib.closing(Views(log, lambda _: MemoryStore())) as views:
        old = Notary(tmp_path / "home", "old", views, anchored=files)
        old.anchor("safe", old.sign()[0])
        new = Notary(tmp_path / "home", "new", views, anchored=files, lineage=lambda: [Ancestor("old", 3)])
        new.anchor("safe", new.sign()[0])
        old.examine()
        grown(log, 1)
        old.anchor("safe", old.sign()[0])
        old.examine()


def test_an_anchor_only_grows_whoever_comes_there_first(tmp_path):
    """Of two who have signed, the one with less may be the later one there: what is proven is not said again."""
    log = grown(MemoryLog(), 1)
    with contextlib.closing(Views(log, lambda _: MemoryStore())) as views:
        notary = Notary(tmp_path / "home", "log", views, anchored={"safe": tmp_path / "anchor"})
        early, _ = notary.sign()
        grown(log, 1)
        late, _ = notary.sign()
        for note in (late, early, late, early):
            notary.anchor("safe", note)
        assert list(notary.anchored["safe"].notes()) == [late]


def test_an_anchor_that_has_another_history_of_as_many_events_is_not_written_to(tmp_path):
    """With the same key: of two copies of a home, each has gone its own way."""
    anchored = {"safe": tmp_path / "anchor"}
    notes = []
    for count, home in ((2, "home"), (3, "copy")):
        log = MemoryLog()
        grown(log, 1)
        worker = lading.testing.SeededChance(count).uuid(0)
        state = lading.adapters.codec.seal(NetworkChanged(worker=worker, online=True), id=worker, at_ns=count)
        log.append([[lading.domain.ports.Entry(worker, 1, NetworkChanged.TOPIC, state)]])
        with contextlib.closing(Views(log, lambda _: MemoryStore())) as views:
            notary = Notary(tmp_path / home, "log", views, anchored=anchored)
            notes.append(notary.sign()[0])
            if home == "copy":
                with pytest.raises(HistoryChanged, match="another history of the first 2 events"):
                    notary.anchor("safe", notes[1])
            else:
                notary.anchor("safe", notes[0])
                shutil.copytree(tmp_path / "home" / "keys", tmp_path / "copy" / "keys")
    assert list(notary.anchored["safe"].notes()) == notes[:1]


def test_an_anchor_that_cannot_be_reached_holds_up_nothing(tmp_path):
    """A folder that is not mounted is not made, a pipe and a folder are not waited for; each is told."""
    log = grown(MemoryLog(), 1)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    files = {"gone": tmp_path / "mnt" / "anchor", "pipe": tmp_path / "pipe", "folder": tmp_path / "folder"}
    with contextlib.closing(Views(log, lambda _: MemoryStore())) as views:
        notary = Notary(tmp_path / "home", "log", views, anchored=files)
        notary.examine()
        note, _ = notary.sign()
        for name in files:
            with pytest.raises(StoreUnavailable, match=str(tmp_path)):
                notary.anchor(name, note)
        assert set(notary.untold) >= {"pipe", "folder"}
    assert not (tmp_path / "mnt").exists()


def test_whoever_signs_beside_others_who_make_the_views_anew_is_not_accused(tmp_path):
    """A look that is older than the last checkpoint proves nothing against the log."""
    log = grown(MemoryLog(), 5)
    stores = {}

    def open_store(folder):
        return stores.setdefault(folder, MemoryStore())

    with contextlib.closing(Views(log, open_store)) as views:
        notary = Notary(tmp_path, "log", views)
        notary.sign()
        read = views.read

        @contextlib.contextmanager
        def older():
            views.read = read
            with contextlib.closing(Views(MemoryLog(), lambda _: MemoryStore())) as begun, begun.read() as reader:
                yield reader

        views.read = older
        grown(log, 2)
        assert Checkpoint.parse(notary.sign()[0].text).size in (5, 7)
        views.read = older
        notary.review()
        assert Checkpoint.parse(notary.sign()[0].text).size == 7
