"""Every log is the same log: random histories get equal answers and read back equal, whatever keeps them."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import attrs
import pytest
from eventsourcing.popo import POPOApplicationRecorder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lading.adapters.recorder_log import RecorderLog
from lading.domain.ports import Conflict, Entry, Log, Recorded
from lading.logs import open_log
from lading.testing import MemoryLog

pytestmark = [
    pytest.mark.row("C.4"),
    pytest.mark.row("S3.2"),
    pytest.mark.filterwarnings("ignore::lading.adapters.lmdb.ground.GroundWarning"),
]

STREAMS = tuple(UUID(int=number << 64 | 0x7000_8000_0000_0000_0000) for number in (1, 2, 2**60))
TOPICS = ("lading.queued.v1", "lading.progressed.v1", "ein Thema mit Ümlaut")


@attrs.frozen
class Intent:
    """An entry to be made: `skew` is how far its version is from the one that would continue the stream."""

    stream: int
    skew: int
    topic: str
    state: bytes


Batch = list[list[Intent]]

intents = st.builds(
    Intent,
    stream=st.sampled_from(range(len(STREAMS))),
    skew=st.sampled_from((0,) * 12 + (-2, -1, 1, 2)),
    topic=st.sampled_from(TOPICS),
    state=st.one_of(st.just(b""), st.binary(max_size=40), st.sampled_from((b"\0" * 5000, b"\xff" * 100))),
)
histories = st.lists(st.lists(st.lists(intents, max_size=5), max_size=5), max_size=6)


@contextlib.contextmanager
def fresh_logs(postgres: Callable[[], Log] | None) -> Iterator[dict[str, Log]]:
    """Open one empty log of every kind."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as closing:
        home = Path(folder)
        logs: dict[str, Log] = {
            "lmdb": open_log("lmdb:", home),
            "sqlite": open_log("sqlite:log.db", home),
            "memory": open_log("memory:", home),
            "any recorder": RecorderLog(POPOApplicationRecorder()),
        }
        for log in logs.values():
            closing.callback(log.close)
        if postgres is not None:
            logs["postgresql"] = postgres()
        yield logs


@pytest.fixture
def postgres(request: pytest.FixtureRequest) -> Iterator[Callable[[], Log] | None]:
    """What empties and returns a PostgreSQL log; None where there is no server."""
    try:
        url = request.getfixturevalue("postgres_url")
    except pytest.skip.Exception:
        yield None
        return
    import psycopg

    address, _, schema = url.rpartition("schema=")
    log = open_log(url, Path("/nowhere"))
    with psycopg.connect(address.rstrip("?&"), autocommit=True) as connection:

        def empty() -> Log:
            connection.execute(f"TRUNCATE {schema}.lading_events")  # positions go on: gaps are allowed
            return log

        yield empty
    log.close()


def entries(batch: Batch, reference: Log) -> list[list[Entry]]:
    """Make a batch's entries, their versions counted from what `reference` holds."""
    last = {stream: len(reference.stream(stream)) for stream in STREAMS}
    requests = []
    for request in batch:
        ahead = dict(last)
        made = []
        for intent in request:
            stream = STREAMS[intent.stream]
            made.append(Entry(stream, ahead[stream] + 1 + intent.skew, intent.topic, intent.state))
            ahead[stream] += 1
        if not any(intent.skew for intent in request):
            last = ahead
        requests.append(made)
    return requests


def read_all(log: Log, page: int, after: int = 0) -> list[Recorded]:
    """Read a log from a position on in pages of `page` events."""
    found: list[Recorded] = []
    while part := log.read(found[-1].position if found else after, page):
        assert len(part) <= page
        assert part[0].position > (found[-1].position if found else after)
        found += part
    return found


def ordered(answers: list[tuple[int, ...] | Conflict], start: int) -> list[list[int] | Conflict]:
    """Replace positions by ordinals, having seen that they only grow."""
    flat = [position for answer in answers if not isinstance(answer, Conflict) for position in answer]
    assert flat == sorted(set(flat))
    ordinals = {position: start + number for number, position in enumerate(flat, start=1)}
    return [
        answer if isinstance(answer, Conflict) else [ordinals[position] for position in answer] for answer in answers
    ]


def agree(history: list[Batch], logs: dict[str, Log], page: int, after: int) -> None:
    """Carry out a history on all logs and a plain one, and hold each against that."""
    reference = MemoryLog()
    written: dict[str, list[int]] = {name: [] for name in logs}
    for batch in history:
        requests = entries(batch, reference)
        start = reference.head()
        expected = ordered(list(reference.append(requests)), start)
        for name, log in logs.items():
            answers = list(log.append(requests))
            assert (name, ordered(answers, start)) == (name, expected)
            written[name] += [p for answer in answers if not isinstance(answer, Conflict) for p in answer]
    for name, log in logs.items():
        hold_against(name, log, reference, written[name], page, after)


def hold_against(name: str, log: Log, reference: Log, positions: list[int], page: int, after: int) -> None:
    """Compare everything that can be read from a log with the plain one."""
    expected = reference.read(0, 10_000)
    events = read_all(log, page)
    assert (name, [event.position for event in events]) == (name, positions)
    assert (name, [event[1:] for event in events]) == (name, [event[1:] for event in expected])
    assert (name, log.head()) == (name, positions[-1] if positions else 0)
    later = min(after, len(positions))
    assert read_all(log, page, after=positions[later - 1] if later else 0) == events[later:]
    assert not log.read(0, 0)
    for stream in STREAMS:
        for version in range(4):
            found = [(positions.index(event.position) + 1, *event[1:]) for event in log.stream(stream, version)]
            assert (name, found) == (name, [tuple(event) for event in reference.stream(stream, version)])


class TestAgreement:
    """The same histories on LMDB, SQLite, PostgreSQL, in memory, and on any recorder of the library."""

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(history=histories, page=st.integers(1, 7), after=st.integers(0, 20))
    def test_every_log_gives_the_same_answers_and_the_same_events(self, postgres, history, page, after) -> None:
        """Conflicts, order, versions, states, pages and streams are equal; positions may have gaps."""
        with fresh_logs(postgres) as logs:
            agree(history, logs, page, after)

    @pytest.mark.long
    @pytest.mark.timeout(900)
    @settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(history=histories, page=st.integers(1, 7), after=st.integers(0, 20))
    def test_every_log_gives_the_same_answers_and_the_same_events_at_length(
        self, postgres, history, page, after
    ) -> None:
        """The same over many more histories."""
        with fresh_logs(postgres) as logs:
            agree(history, logs, page, after)

    def test_a_large_batch_with_a_few_conflicts_is_answered_alike(self, postgres) -> None:
        """A thousand requests, every tenth of which does not continue its stream, are told apart one by one."""
        history = [[[Intent(n % 3, 1 if n % 10 == 9 else 0, TOPICS[0], b"%d" % n)] for n in range(1000)]]
        with fresh_logs(postgres) as logs:
            agree(history, logs, 500, 300)

    def test_postgresql_takes_part(self, postgres_url) -> None:
        """The suite has a PostgreSQL to ask; where it has none, this says why."""
        log = open_log(postgres_url, Path("/nowhere"))
        try:
            assert log.append([[Entry(STREAMS[0], 1, "t", b"")]]) == [(1,)]
        finally:
            log.close()


@pytest.mark.row("C.1")
@pytest.mark.law(1)
@pytest.mark.parametrize("url", ["lmdb:", "sqlite:log.db", "postgresql"])
def test_what_was_acknowledged_is_there_after_reopening(url, tmp_path, request) -> None:
    """A log that is closed and opened again holds the same events at the same positions, and goes on from there."""
    if url == "postgresql":
        url = request.getfixturevalue("postgres_url")
    log = open_log(url, tmp_path)
    log.append(
        [[Entry(STREAMS[0], 1, "t", b"one"), Entry(STREAMS[1], 1, "t", b"")], [Entry(STREAMS[0], 2, "t", b"two")]]
    )
    before = log.read()
    log.close()
    log = open_log(url, tmp_path)
    try:
        assert log.read() == before
        assert log.append([[Entry(STREAMS[0], 2, "t", b"again")]]) == [Conflict(STREAMS[0], 1, 2)]
        [[position]] = log.append([[Entry(STREAMS[0], 3, "t", b"three")]])
        assert position > before[-1].position
    finally:
        log.close()


@pytest.mark.parametrize("url", ["lmdb:", "sqlite:log.db", "memory:", "postgresql"])
def test_a_closed_log_says_so(url, tmp_path, request) -> None:
    """Closing twice does nothing; whatever is asked afterwards is refused with a hint."""
    from lading.domain.errors import StoreUnavailable

    log = open_log(request.getfixturevalue("postgres_url") if url == "postgresql" else url, tmp_path)
    log.close()
    log.close()
    for ask in (
        log.head,
        log.read,
        lambda: log.stream(STREAMS[0]),
        lambda: log.append([[Entry(STREAMS[0], 1, "t", b"")]]),
    ):
        with pytest.raises(StoreUnavailable) as caught:
            ask()
        assert caught.value.hint
