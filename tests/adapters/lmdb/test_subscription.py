"""Following events as they come: nothing missed, nothing looked through twice, woken from any thread and process."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import IntegrityError, StoredEvent, Tracking, WaitInterruptedError

from lading.adapters.lmdb import LMDBApplicationRecorder, LMDBDatastore, LMDBTrackingRecorder
from lading.adapters.lmdb.recorder_errors import RecorderDamaged, RecorderUnavailable
from lading.domain.errors import LogDamaged


@pytest.fixture
def datastore(tmp_path: Path) -> Iterator[LMDBDatastore]:
    made = LMDBDatastore(tmp_path / "events")
    yield made
    made.close()


@pytest.fixture
def recorder(datastore: LMDBDatastore) -> LMDBApplicationRecorder:
    made = LMDBApplicationRecorder(datastore)
    made.create_table()
    return made


def event(topic: str = "t", version: int = 1, stream: UUID | None = None) -> StoredEvent:
    return StoredEvent(stream or uuid4(), version, topic, b"")


def in_thread(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Run `work` in a thread and collect what it returns."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(work()), daemon=True)
    thread.start()
    return thread, found


def test_an_event_between_the_look_and_the_wait_is_not_missed(
    recorder: LMDBApplicationRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gap that the library's own listener leaves: inserted after a look that found nothing, yet delivered."""
    scan = type(recorder).scan
    inserted: list[int] = []

    def look(*arguments: Any, **more: Any) -> Any:
        found = scan(*arguments, **more)
        if not inserted:
            inserted.append(1)
            recorder.insert_events([event()])
        return found

    monkeypatch.setattr(type(recorder), "scan", look)
    with recorder.subscribe() as subscription:
        thread, found = in_thread(lambda: next(subscription).id)
        thread.join(10)
        assert found == [1]


def test_events_of_other_topics_are_looked_through_once(
    recorder: LMDBApplicationRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How far it has looked moves on also when nothing matched."""
    recorder.insert_events([event("other") for _ in range(700)])
    looks: list[int] = []
    looked = threading.Event()
    scan = type(recorder).scan

    def look(self: LMDBApplicationRecorder, after: int, *more: Any, **named: Any) -> Any:
        looks.append(after)
        looked.set()
        return scan(self, after, *more, **named)

    monkeypatch.setattr(type(recorder), "scan", look)
    with recorder.subscribe(topics=["wanted"]) as subscription:
        thread, found = in_thread(lambda: next(subscription).id)
        assert looked.wait(10)
        for _ in range(3):
            recorder.insert_events([event("other")])
        recorder.insert_events([event("wanted")])
        thread.join(10)
        assert found == [704]
    assert looks[0] == 0
    assert all(after >= 700 for after in looks[1:])


def test_pages_of_matches_are_delivered_whole(recorder: LMDBApplicationRecorder) -> None:
    """More matches than one fetch takes, with others between them."""
    recorder.insert_events([event("wanted" if n % 3 else "other") for n in range(2000)])
    with recorder.subscribe(gt=10, topics=["wanted", "never"]) as subscription:
        found = [next(subscription).id for _ in range(1327)]
    assert found == [n + 1 for n in range(10, 2000) if n % 3]


def test_a_topic_that_comes_later_is_delivered(recorder: LMDBApplicationRecorder) -> None:
    """Also when no event of it had ever been recorded when the subscription began."""
    recorder.insert_events([event("other")])
    with recorder.subscribe(topics=["wanted"]) as subscription:
        thread, found = in_thread(lambda: next(subscription).id)
        recorder.insert_events([event("wanted")])
        thread.join(10)
        assert found == [2]


def test_no_commit_is_slept_through(recorder: LMDBApplicationRecorder) -> None:
    """Three hundred times: an event that is committed while the follower goes to sleep is delivered, not the next one.

    A number of the last transaction that is ahead of what readers see would lose a few of them.
    """
    with recorder.subscribe() as subscription:
        for expected in range(1, 301):
            thread, found = in_thread(lambda: next(subscription).id)
            recorder.insert_events([event()])
            thread.join(10)
            assert found == [expected]


def test_stopping_from_another_thread_ends_a_waiting_iteration(recorder: LMDBApplicationRecorder) -> None:
    """At once, although nothing was committed."""
    subscription = recorder.subscribe()
    thread, found = in_thread(lambda: list(subscription))
    thread.join(0.1)
    assert thread.is_alive()
    subscription.stop()
    thread.join(10)
    assert found == [[]]


def test_closing_the_environment_ends_a_subscription_with_an_error(
    recorder: LMDBApplicationRecorder, datastore: LMDBDatastore
) -> None:
    """It does not wait for ever for what cannot come; one that was stopped before just ends."""
    waiting, stopped = recorder.subscribe(), recorder.subscribe()

    def follow() -> str:
        try:
            return str(list(waiting))
        except RecorderUnavailable as error:
            return error.message

    thread, found = in_thread(follow)
    thread.join(0.05)
    stopped.stop()
    datastore.close()
    thread.join(10)
    assert "closed" in found[0]
    assert list(stopped) == []


INSERT = """
    import sys, uuid
    from eventsourcing.persistence import StoredEvent, Tracking
    from lading.adapters.lmdb import LMDBApplicationRecorder, LMDBDatastore, LMDBTrackingRecorder
    datastore = LMDBDatastore(sys.argv[1])
    sys.stdin.readline()
    LMDBApplicationRecorder(datastore).insert_events([StoredEvent(uuid.uuid4(), 1, "t", b"theirs")])
    LMDBTrackingRecorder(datastore).insert_tracking(Tracking("upstream", 5))
"""


def test_an_event_of_another_process_wakes(recorder: LMDBApplicationRecorder, tmp_path: Path, start: Any) -> None:
    """By polling, within a fraction of a second."""
    other = start(INSERT, tmp_path / "events")
    with recorder.subscribe() as subscription:
        thread, found = in_thread(lambda: next(subscription).state)
        other.communicate("go\n", timeout=30)
        thread.join(10)
        assert found == [b"theirs"]


def test_waiting_for_a_position_ends_when_it_is_tracked(datastore: LMDBDatastore, tmp_path: Path, start: Any) -> None:
    """By another thread at once, by another process within a fraction of a second."""
    recorder = LMDBTrackingRecorder(datastore)
    recorder.create_table()
    other = start(INSERT, tmp_path / "events")
    thread, found = in_thread(lambda: recorder.wait("upstream", 4, timeout=20))
    recorder.insert_tracking(Tracking("upstream", 3))
    other.communicate("go\n", timeout=30)
    thread.join(10)
    assert found == [None]
    assert recorder.max_tracking_id("upstream") == 5


def test_waiting_can_be_interrupted(datastore: LMDBDatastore) -> None:
    """An event that is set while it waits ends it within a fraction of a second."""
    recorder = LMDBTrackingRecorder(datastore)
    recorder.create_table()
    interrupt = threading.Event()

    def wait() -> str:
        try:
            recorder.wait("upstream", 1, timeout=20, interrupt=interrupt)
        except WaitInterruptedError:
            return "interrupted"
        return "done"

    thread, found = in_thread(wait)
    thread.join(0.05)
    interrupt.set()
    thread.join(10)
    assert found == ["interrupted"]


def test_a_view_and_its_position_move_together_or_not_at_all(datastore: LMDBDatastore) -> None:
    """A block that raises moves neither; a position that was passed is refused before the block runs."""
    view = LMDBTrackingRecorder(datastore, "Totals")
    view.create_table()
    with view.update(Tracking("upstream", 1)) as txn:
        txn.put(b"total", b"1")
    with contextlib.suppress(InterruptedError), view.update(Tracking("upstream", 2)) as txn:
        txn.put(b"total", b"2")
        raise InterruptedError
    with pytest.raises(IntegrityError), view.update(Tracking("upstream", 1)):
        pytest.fail("the block ran")
    with view.look() as look:
        assert look.get(b"total") == b"1"
    assert view.max_tracking_id("upstream") == 1
    with view.update(Tracking("upstream", 2)):
        pass
    assert view.max_tracking_id("upstream") == 2


def test_a_view_outgrows_a_tiny_map_with_its_position(tmp_path: Path) -> None:
    """The transaction that is repeated after growing stores both."""
    datastore = LMDBDatastore(tmp_path / "tiny", map_size=256 * 1024)
    view = LMDBTrackingRecorder(datastore)
    view.create_table()
    with view.update(Tracking("upstream", 1)) as txn:
        txn.put(b"large", bytes(1024 * 1024))
    assert view.max_tracking_id("upstream") == 1
    with view.look() as look:
        assert look.get(b"large") == bytes(1024 * 1024)
    datastore.close()


def test_two_projections_of_one_application_track_it_apart(datastore: LMDBDatastore) -> None:
    """Each under its own name."""
    one, other = LMDBTrackingRecorder(datastore, "One"), LMDBTrackingRecorder(datastore, "Other")
    for recorder in (one, other):
        recorder.create_table()
    one.insert_tracking(Tracking("upstream", 7))
    assert other.max_tracking_id("upstream") is None


def test_recorders_without_tables_say_so(datastore: LMDBDatastore) -> None:
    """As the library's error and as ours, with a hint; tables that another made are found on first use."""
    recorder = LMDBApplicationRecorder(datastore, "App")
    for use in (recorder.max_notification_id, lambda: recorder.insert_events([event()])):
        with pytest.raises(RecorderUnavailable, match="lacks the table") as caught:
            use()
        assert caught.value.hint
    LMDBApplicationRecorder(datastore, "App").create_table()
    assert recorder.insert_events([event()]) == [1]


def test_damage_is_told_in_both_vocabularies(tmp_path: Path) -> None:
    """Whoever catches the library's errors or ours gets it; it is not taken for a conflict."""
    datastore = LMDBDatastore(tmp_path / "events")
    recorder = LMDBApplicationRecorder(datastore)
    recorder.create_table()
    recorder.insert_events([StoredEvent(uuid4(), 1, "t", b"a" * 40), StoredEvent(uuid4(), 1, "t", b"b" * 40)])
    datastore.close()
    data = tmp_path / "events" / "data.mdb"
    data.write_bytes(data.read_bytes().replace(b"b" * 40, b"b" * 39 + b"c"))
    datastore = LMDBDatastore(tmp_path / "events")
    recorder = LMDBApplicationRecorder(datastore)
    for topics in ((), ("t",), ("other",)):
        with pytest.raises(RecorderDamaged, match="position 2") as caught:
            recorder.select_notifications(1, 10, topics=topics)
        assert isinstance(caught.value, LogDamaged)
        assert not isinstance(caught.value, IntegrityError)
    datastore.close()
