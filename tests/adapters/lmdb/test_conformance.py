"""Every test case that `eventsourcing` ships for persistence modules, run on ours.

Left out, with the reason: `DCBRecorderTestCase` and `TaggedDecisionCountersProjectionTestCase` are about dynamic
consistency boundaries, where decisions belong to tags and not to aggregates; a module for applications with aggregates
has no recorder for them, and the library asks for one through another kind of factory. `TranscoderTestCase` is about
transcoders, and this module brings none: it uses the library's.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from unittest import TestCase
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import Tracking
from eventsourcing.tests import application, persistence, projection
from eventsourcing.utils import Environment, get_topic

from lading.adapters.lmdb import (
    LMDBAggregateRecorder,
    LMDBApplicationRecorder,
    LMDBDatastore,
    LMDBFactory,
    LMDBProcessRecorder,
    LMDBTrackingRecorder,
)

pytestmark = pytest.mark.row("C.4")


class InFolder(TestCase):
    """A test case with a datastore in a folder of its own."""

    @pytest.fixture(autouse=True)
    def _in_folder(self, tmp_path: Path) -> Iterator[None]:
        self.folder = tmp_path
        self.datastore = LMDBDatastore(tmp_path / "events")
        yield
        self.datastore.close()

    def prepared(self, recorder: Any) -> Any:
        recorder.create_table()
        return recorder


class TextIds(TestCase):
    """The same with text for ids."""

    def new_originator_id(self) -> UUID | str:
        return f"order/{uuid4()}"


class TestAggregateRecorder(InFolder, persistence.AggregateRecorderTestCase):
    """Events by stream."""

    def create_recorder(self) -> LMDBAggregateRecorder:
        return self.prepared(LMDBAggregateRecorder(self.datastore))


class TestSnapshotRecorder(InFolder, persistence.AggregateRecorderTestCase):
    """Snapshots, which have no position."""

    def create_recorder(self) -> LMDBAggregateRecorder:
        return self.prepared(LMDBAggregateRecorder(self.datastore, purpose="snapshots"))


class TestAggregateRecorderWithTextIds(TextIds, TestAggregateRecorder):
    """Events by stream, streams by name."""


class TestSnapshotRecorderWithTextIds(TextIds, TestSnapshotRecorder):
    """Snapshots, streams by name."""


class TestApplicationRecorder(InFolder, persistence.ApplicationRecorderTestCase[LMDBApplicationRecorder]):
    """Events in the order of the log."""

    def create_recorder(self) -> LMDBApplicationRecorder:
        return self.prepared(LMDBApplicationRecorder(self.datastore))

    def test_insert_subscribe(self) -> None:
        """Subscriptions deliver what was and what comes, once, until they are stopped."""
        self.optional_test_insert_subscribe()


class TestApplicationRecorderWithTextIds(TextIds, TestApplicationRecorder):
    """Events in the order of the log, streams by name."""


class TestApplicationRecorderOfOneOfSeveral(TestApplicationRecorder):
    """An application that shares its environment has positions of its own."""

    def create_recorder(self) -> LMDBApplicationRecorder:
        other = self.prepared(LMDBApplicationRecorder(self.datastore, "Other"))
        other.insert_events([persistence.StoredEvent(uuid4(), 1, "theirs", b"")])
        return self.prepared(LMDBApplicationRecorder(self.datastore, "Ours"))


class TestNonInterleaving(InFolder, persistence.NonInterleavingNotificationIDsBaseCase):
    """Positions of two insertions never interleave."""

    def create_recorder(self) -> LMDBApplicationRecorder:
        return self.prepared(LMDBApplicationRecorder(self.datastore))


class TestTrackingRecorder(InFolder, persistence.TrackingRecorderTestCase):
    """How far others were followed."""

    def create_recorder(self) -> LMDBTrackingRecorder:
        return self.prepared(LMDBTrackingRecorder(self.datastore))


class TestProcessRecorder(InFolder, persistence.ProcessRecorderTestCase):
    """Events together with a tracking position."""

    def create_recorder(self) -> LMDBProcessRecorder:
        return self.prepared(LMDBProcessRecorder(self.datastore))


class TestProcessRecorderAsTrackingRecorder(InFolder, persistence.TrackingRecorderTestCase):
    """A process recorder is a tracking recorder."""

    def create_recorder(self) -> LMDBProcessRecorder:
        return self.prepared(LMDBProcessRecorder(self.datastore))


class TestProcessRecorderAsApplicationRecorder(TestApplicationRecorder):
    """A process recorder is an application recorder."""

    def create_recorder(self) -> LMDBProcessRecorder:
        return self.prepared(LMDBProcessRecorder(self.datastore))


class SubclassOfTrackingRecorder(LMDBTrackingRecorder):
    """Somebody's own."""


class TestFactory(persistence.InfrastructureFactoryTestCase[LMDBFactory]):
    """What `PERSISTENCE_MODULE=lading.adapters.lmdb` constructs."""

    @pytest.fixture(autouse=True)
    def _in_folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def setUp(self) -> None:
        self.env = Environment(
            "TestCase", env={"PERSISTENCE_MODULE": "lading.adapters.lmdb", "LMDB_PATH": str(self.folder / "events")}
        )
        super().setUp()

    def expected_factory_class(self) -> type[LMDBFactory]:
        return LMDBFactory

    def expected_aggregate_recorder_class(self) -> type[LMDBAggregateRecorder]:
        return LMDBAggregateRecorder

    def expected_application_recorder_class(self) -> type[LMDBApplicationRecorder]:
        return LMDBApplicationRecorder

    def expected_tracking_recorder_class(self) -> type[LMDBTrackingRecorder]:
        return LMDBTrackingRecorder

    def tracking_recorder_subclass(self) -> type[LMDBTrackingRecorder]:
        return SubclassOfTrackingRecorder

    def expected_process_recorder_class(self) -> type[LMDBProcessRecorder]:
        return LMDBProcessRecorder


class EventCounters(LMDBTrackingRecorder, projection.EventCountersView):
    """The view of the library's own projection, on our store."""

    def get_created_event_counter(self) -> int:
        return self._get(b"created")

    def get_subsequent_event_counter(self) -> int:
        return self._get(b"subsequent")

    def incr_created_event_counter(self, tracking: Tracking) -> None:
        self._increment(b"created", tracking)

    def incr_subsequent_event_counter(self, tracking: Tracking) -> None:
        self._increment(b"subsequent", tracking)

    def _get(self, key: bytes) -> int:
        with self.look() as view:
            return int(view.get(key) or b"0")

    def _increment(self, key: bytes, tracking: Tracking) -> None:
        with self.update(tracking) as view:
            view.put(key, str(int(view.get(key) or b"0") + 1).encode())


class TestEventCountersView(InFolder, projection.EventCountersViewTestCase):
    """A view and its tracking position move together."""

    def construct_event_counters_view(self) -> EventCounters:
        return self.prepared(EventCounters(self.datastore))


class InEnvironment(TestCase):
    """A test case whose applications find our module in the environment."""

    env: ClassVar[dict[str, str]] = {}

    @pytest.fixture(autouse=True)
    def _in_environment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setenv("PERSISTENCE_MODULE", "lading.adapters.lmdb")
        monkeypatch.setenv("LMDB_PATH", str(tmp_path / "events"))
        yield
        gc.collect()  # the library's cases leave their applications open


class TestAggregateEventCounters(InEnvironment, projection.AggregateEventCountersProjectionTestCase):
    """A projection runner with an application and a view in one environment."""

    view_class = EventCounters


class TestEventSourcedProjection(InEnvironment, projection.EventSourcedProjectionTestCase):
    """A projection that is itself event-sourced, in the same environment as what it follows."""


class TestExampleApplication(InEnvironment, application.ExampleApplicationTestCase):
    """The library's bank accounts, with snapshots."""

    expected_factory_topic = get_topic(LMDBFactory)


class TestApplication(InEnvironment, application.ApplicationTestCase):
    """The library's own cases of an application, with caching and contention."""

    # The case watches for this warning by recording it, which a filter that makes errors of warnings would forestall.
    @pytest.mark.filterwarnings("always:'log' is deprecated:DeprecationWarning")
    def test_application_log(self) -> None:
        """The attribute that the library deprecates still says so."""
        super().test_application_log()
