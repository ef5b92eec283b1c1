"""The statistics: what another, plainer fold of the same facts counts, in batches of any size, bounded for good."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain import commands as c
from lading.domain import events as e
from lading.domain import stops
from lading.domain.evolving import evolve
from lading.domain.faults import Cause
from lading.domain.requests import Source
from lading.domain.states import ENDED, RUNNING
from lading.projections import figures, queue, shares, statistics
from lading.projections.fold import OF_DOWNLOADS

pytestmark = [pytest.mark.row("S2.7"), pytest.mark.law(3)]

ENDS = (e.Completed, e.Failed, e.RetryScheduled, e.Blocked, e.Stopped)
INTERRUPTED = {stops.CRASHED: "crash", stops.CLOSED: "close", stops.NO_ROOM: "full-log"}


def told(facts):
    """Return the story of each download: its facts, each with the state before and after it."""
    stories, states = {}, {}
    for fact in facts:
        if type(fact.event) in OF_DOWNLOADS:
            before = states.get(fact.stream)
            after = states[fact.stream] = evolve(before, fact.event, stream=fact.stream, at_ns=fact.at_ns)
            stories.setdefault(fact.stream, []).append((fact, before, after))
    return stories


def arrived(step):
    """Return the bytes that a step made durable."""
    fact, before, after = step
    match fact.event:
        case e.Progressed():
            return max(0, after.received - before.received)
        case e.Completed(cached=False, size=size):
            return max(0, size - before.received)
    return 0


def rate(good, bad):
    return good / (good + bad) if good + bad else None


def durations(taken_ns):
    """Return durations as the statistics show them."""
    ends = [str(end_s) for end_s in statistics.BUCKETS_S] + ["inf"]
    buckets = dict.fromkeys(ends, 0)
    for took_ns in taken_ns:
        buckets[next(end for end in ends if took_ns <= float(end) * 1e9)] += 1
    return {"count": len(taken_ns), "sum_s": sum(taken_ns) / 1e9, "buckets": buckets}


def endings(stories):
    """Return how each run of a download, from one end to the next, ended, and what had befallen it before."""
    for story in stories.values():
        befallen = set()
        for fact, before, after in story:
            if isinstance(fact.event, e.Stopped) and before.state in RUNNING and fact.event.reason in INTERRUPTED:
                befallen.add("interrupted")
            if before is not None and before.state not in ENDED and after.state in ENDED:
                yield after.state.value, befallen
                befallen = set()


def by_hand(facts):
    """Return the statistics as a patient person would count them, one question after the other."""
    stories = told(facts)
    steps = [step for story in stories.values() for step in story]
    states = [story[-1][2] for story in stories.values()]
    events = Counter(type(fact.event) for fact in facts)
    attempts, whole = [], []
    for story in stories.values():
        for at, (fact, _, _) in enumerate(story):
            if isinstance(fact.event, e.Started):
                rest = itertools.takewhile(lambda step: not isinstance(step[0].event, e.Started), story[at + 1 :])
                ended = [f.at_ns for f, _, _ in rest if isinstance(f.event, ENDS)]
                attempts += [max(0, when - fact.at_ns) for when in ended[:1]]
        first = next((f.at_ns for f, _, _ in story if isinstance(f.event, e.Started)), None)
        whole += [max(0, f.at_ns - first) for f, _, _ in story if isinstance(f.event, e.Completed)]

    def labels(kind, field):
        return dict(Counter(getattr(f.event, field) for f in facts if isinstance(f.event, kind)))

    def sums(kind, field):
        return sum(getattr(f.event, field) for f in facts if isinstance(f.event, kind))

    tried = [(type(f.event), b.cause) for f, b, _ in steps if b is not None and b.cause is not None]
    after_retry = Counter(cause for kind, cause in tried if kind is e.Completed)
    failed_after_retry = sum(kind is e.Failed for kind, _ in tried)
    cut_short = Counter(how for how, befallen in endings(stories) if befallen)
    recovered = {"times": events[e.Recovered], **{n: sums(e.Recovered, n) for n in statistics.RECOVERED}}
    restarted, given_up, removed = sums(e.Restarted, "discarded"), 0, 0
    rejected = sum(b.received - a.received for f, b, a in steps if isinstance(f.event, e.PieceRejected))
    for fact, before, _ in steps:
        if isinstance(fact.event, e.Discarded):
            given_up += fact.event.size if before.assurance is None else 0
            removed += fact.event.size if before.assurance is not None else 0
    discarded = {"restarted": restarted, "rejected": rejected, "given-up": given_up, "removed": removed}
    put_aside = [d for d in states if d.quarantined_until_ns is not None]
    return {
        "queued": events[e.Queued],
        "attempts": events[e.Started],
        "completed": events[e.Completed],
        "failed": events[e.Failed],
        "cancelled": events[e.Cancelled],
        "removed": events[e.Removed],
        "retries": events[e.RetryScheduled],
        "success_rate": rate(events[e.Completed], events[e.Failed]),
        "retry_rate": rate(sum(after_retry.values()), failed_after_retry),
        "recovery_rate": rate(cut_short["completed"] + recovered["published"], cut_short["failed"]),
        "completed_by_assurance": labels(e.Completed, "assurance"),
        "failed_by_cause": labels(e.Failed, "cause"),
        "retries_by_cause": labels(e.RetryScheduled, "cause"),
        "fell_back_by_cause": labels(e.FellBack, "cause"),
        "completed_after_retry": sum(after_retry.values()),
        "completed_after_retry_by_cause": dict(after_retry),
        "failed_after_retry": failed_after_retry,
        "interrupted": dict(
            Counter(
                INTERRUPTED[f.event.reason]
                for f, b, _ in steps
                if isinstance(f.event, e.Stopped) and b.state in RUNNING and f.event.reason in INTERRUPTED
            )
        ),
        "completed_after_interruption": cut_short["completed"] + recovered["published"],
        "failed_after_interruption": cut_short["failed"],
        "blocked": labels(e.Blocked, "reason"),
        "degraded": labels(e.Degraded, "feature"),
        "received_bytes": sum(map(arrived, steps)),
        "refetched_bytes": sum(
            max(0, min(b.received + arrived((f, b, a)), b.best) - b.received)
            for f, b, a in steps
            if b is not None and arrived((f, b, a))
        ),
        "resumed": sum(isinstance(f.event, e.Started) and f.event.resumed_from > 0 for f in facts),
        "resumed_bytes": sums(e.Started, "resumed_from"),
        "cached_bytes": sum(f.event.size for f in facts if isinstance(f.event, e.Completed) and f.event.cached),
        "discarded_bytes": {name: size for name, size in discarded.items() if size},
        "reclaimed_bytes": sums(e.Maintained, "bytes_reclaimed"),
        "partial_bytes": sum(end - start for d in states for start, end in d.durable),
        "partial_downloads": sum(bool(d.durable) for d in states),
        "quarantined_bytes": sum(
            (d.total or 0) * (d.kept is not None) + sum(end - start for start, end in d.durable) for d in put_aside
        ),
        "quarantined_downloads": len(put_aside),
        "resource_changed": events[e.ResourceChanged],
        "quarantined": events[e.Quarantined],
        "restored": events[e.Restored] + events[e.Returned],
        "invalidated": events[e.Invalidated],
        "took": durations(whole),
        "attempts_took": durations(attempts),
        "engines_opened": events[e.EngineOpened],
        "engines_closed": events[e.EngineClosed],
        "recovered": recovered,
        "maintained": {"times": events[e.Maintained], **{n: sums(e.Maintained, n) for n in statistics.MAINTAINED}},
        "queue_paused": events[e.QueuePaused],
        "queue_blocked": labels(e.QueueBlocked, "reason"),
        "bundles": {"opened": 0, "published": 0, "failed": 0},
        "undone": 0,
        "redone": 0,
    }  # fmt: skip


def shown(store):
    """Return the statistics that a store holds."""
    with store.read() as reader:
        return figures.read(reader).asdict()


def grouped(store, by):
    with store.read() as reader:
        return list(figures.grouped(reader, by))


def hosts_by_hand(facts, most):
    """Return the figures of each host, the first so many to be fetched from apart."""
    known, rows = [], {}
    steps = sorted((step for story in told(facts).values() for step in story), key=lambda step: step[0].position)
    for fact, before, after in steps:
        if isinstance(fact.event, e.Started) and queue.host(after) not in known and len(known) < most:
            known.append(queue.host(after))
        host = queue.host(after if isinstance(fact.event, e.Started) else before) if before is not None else ""
        row = rows.setdefault(host if host in known else shares.OTHER, [0, 0, 0, 0])
        row[0] += isinstance(fact.event, e.Started)
        row[1] += isinstance(fact.event, e.Completed)
        row[2] += isinstance(fact.event, e.Failed)
        row[3] += arrived((fact, before, after))
    return {host: row for host, row in rows.items() if any(row)}


def days_by_hand(facts, most, day_ns):
    """Return the figures of each day, the latest so many."""
    rows = {}
    for fact, before, after in (step for story in told(facts).values() for step in story):
        counts = [isinstance(fact.event, kind) for kind in (e.Completed, e.Failed, e.RetryScheduled)]
        counts.append(arrived((fact, before, after)))
        if any(counts):
            row = rows.setdefault(fact.at_ns // day_ns, [0, 0, 0, 0])
            rows[fact.at_ns // day_ns] = [one + other for one, other in zip(row, counts, strict=True)]
    return dict(sorted(rows.items(), reverse=True)[:most])


@settings(deadline=None)
@given(data=st.data())
def test_the_counters_are_what_a_plain_fold_counts(data, worlds, make):
    """However the log is cut into batches, and also when it is folded anew, which is all that a rebuild does."""
    facts = data.draw(worlds).facts()
    sizes = data.draw(st.lists(st.integers(1, 9), max_size=30))
    expected = by_hand(facts)
    assert shown(make.fold(facts, sizes)) == expected
    assert shown(make.fold(facts)) == expected


@settings(deadline=None)
@given(data=st.data(), most=st.integers(1, 3), day_s=st.sampled_from([1, 7, 40]))
def test_hosts_and_days_are_bounded_and_no_batch_size_shows(data, most, day_s, worlds, make):
    """The first hosts and the latest days have rows of their own, whoever folds them, and in which steps."""
    facts = data.draw(worlds).facts()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shares, "MOST_HOSTS", most)
        patch.setattr(shares, "MOST_DAYS", most)
        patch.setattr(shares, "DAY_NS", day_s * 10**9)
        stores = [
            make.fold(facts),
            make.fold(facts, [1] * len(facts)),
            make.fold(facts, data.draw(st.lists(st.integers(1, 9), max_size=30))),
        ]
    assert make.contents(stores[0]) == make.contents(stores[1]) == make.contents(stores[2])
    hosts = {row.pop("host"): [*row.values()] for row in grouped(stores[0], "host")}
    assert hosts == hosts_by_hand(facts, most)
    assert len(hosts) <= most + 1
    with stores[0].read() as reader:
        days = {day: [*row.values()] for day, row in shares.by_day(reader)}
    assert days == days_by_hand(facts, most, day_s * 10**9)


def test_causes_tell_what_failed_and_what_came_right(make):
    """One cause of trouble in one row: failures, retries, and completions that it only delayed."""
    world = make.World()
    for last in (make.complete, lambda d: make.falter(d, Cause.NETWORK, budget=0)):
        id = world.submit()
        world.do(id, make.start(world.downloads[id]))
        world.do(id, make.falter(world.downloads[id], Cause.NETWORK))
        world.do(id, make.start(world.downloads[id]))
        world.do(id, last(world.downloads[id]))
    assert grouped(make.fold(world.facts()), "cause") == [
        {"cause": "network", "failed": 1, "retries": 2, "fell_back": 0, "completed_after_retry": 1, "blocked": 0}
    ]


def test_what_only_makes_up_for_what_was_lost_is_told_apart(make):
    """Bytes held, given up and fetched again: received twice, refetched once, discarded once."""
    world = make.World()
    id = world.submit()
    world.do(id, make.start(world.downloads[id]))
    world.do(id, make.vouch(world.downloads[id], 0, 60))
    world.do(id, c.StartOver(attempt=1, reason="no proof"))
    world.do(id, make.vouch(world.downloads[id], 0, 80))
    found = shown(make.fold(world.facts()))
    assert (found["received_bytes"], found["refetched_bytes"]) == (140, 60)
    assert found["discarded_bytes"] == {"restarted": 60}
    assert (found["partial_bytes"], found["partial_downloads"]) == (80, 1)


@pytest.mark.row("S0.3")
def test_partial_data_is_what_lies_on_the_disk_of_what_is_not_complete(make):
    """Of what was given up it counts until the files are gone, or lie aside; of what is complete it never does."""
    world = make.World()
    ids = [world.submit() for _ in range(3)]
    for id in ids:
        world.do(id, make.start(world.downloads[id]))
        world.do(id, make.vouch(world.downloads[id], 0, 50))
    world.do(ids[0], make.complete(world.downloads[ids[0]]))
    world.do(ids[1], c.Cancel())
    world.do(ids[1], make.stop(world.downloads[ids[1]]))
    found = shown(make.fold(world.facts()))
    assert (found["partial_bytes"], found["partial_downloads"]) == (100, 2)
    world.do(ids[1], c.Quarantine(size=50, until_ns=1, part="kept"))
    found = shown(make.fold(world.facts()))
    assert (found["quarantined_bytes"], found["quarantined_downloads"]) == (50, 1)
    world.do(ids[1], c.Discard(size=50))
    found = shown(make.fold(world.facts()))
    assert (found["partial_bytes"], found["partial_downloads"], found["quarantined_bytes"]) == (50, 1, 0)
    assert found["discarded_bytes"] == {"given-up": 50}


def test_a_host_whose_name_is_too_long_for_a_key_is_one_of_the_others(make):
    """The store takes keys of some hundred bytes; nothing is lost by that, and nothing breaks."""
    world = make.World()
    id = world.submit(sources=(Source(url="https://" + "h" * 300 + "/x"),))
    world.do(id, make.start(world.downloads[id]))
    assert grouped(make.fold(world.facts()), "host") == [
        {"host": "other", "attempts": 1, "completed": 0, "failed": 0, "received_bytes": 0}
    ]


def test_an_interruption_is_remembered_until_the_download_ends_and_no_longer(make):
    """Wherever the log is cut: what came right after it counts once, and a second run of the download not at all."""
    world = make.World()
    id = world.submit()
    for end in (lambda d: c.Stop(attempt=d.attempt, reason=stops.CRASHED), lambda d: make.falter(d, budget=0)):
        world.do(id, make.start(world.downloads[id]))
        world.do(id, end(world.downloads[id]))
    world.do(id, c.Retry())
    world.do(id, make.start(world.downloads[id]))
    world.do(id, make.complete(world.downloads[id]))
    facts = world.facts()
    whole = make.contents(make.fold(facts))
    for sizes in ([1] * len(facts), *([cut] for cut in range(len(facts)))):
        assert make.contents(make.fold(facts, sizes)) == whole
    found = shown(make.fold(facts))
    assert (found["interrupted"], found["failed_after_interruption"]) == ({"crash": 1}, 1)
    assert (found["completed"], found["completed_after_interruption"], found["recovery_rate"]) == (1, 0, 0.0)


def test_who_came_first_is_told_by_the_log_not_by_the_batch(make, monkeypatch):
    """A download that was asked for first and started last does not take the place of a host that came before."""
    monkeypatch.setattr(shares, "MOST_HOSTS", 1)
    world = make.World()
    early, late = (world.submit(sources=(Source(url=f"https://{host}.example/x"),)) for host in ("early", "late"))
    world.do(early, c.Pause())
    world.do(late, make.start(world.downloads[late]))
    world.do(early, c.Resume())
    world.do(early, make.start(world.downloads[early]))
    for sizes in ([], [1] * 6):
        hosts = [row["host"] for row in grouped(make.fold(world.facts(), sizes), "host")]
        assert hosts == ["late.example:443", "other"]
