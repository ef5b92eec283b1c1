"""The audit finds every event that is not what it was, and says where."""

from __future__ import annotations

import contextlib

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.auditing import Audit, Claim, Discrepancy, claims
from lading.domain import ledger as tree
from lading.domain.notes import Checkpoint
from lading.domain.ports import Entry
from lading.notary import Notary
from lading.projections import ledger
from lading.testing import MemoryLog, MemoryStore

pytestmark = pytest.mark.row("C.5")


def entry(number):
    """Return one of many events."""
    from uuid import UUID

    return Entry(UUID(int=number // 3), number % 3 + 1, "lading.test.v1", b"%d" % number)


def logged(entries):
    """Return a log of these events, whatever their versions are."""
    log = MemoryLog()
    versions = {}
    for each in entries:
        versions[each.stream] = versions.get(each.stream, 0) + 1
        log.append([[each._replace(version=versions[each.stream])]])
    return log


def folded(log, size=None):
    """Return the ledger of a log."""
    store = MemoryStore()
    with store.write() as txn:
        ledger.append(txn, log.read(0, 10**6)[:size])
    return store


def vouched(log, *sizes):
    """Return true claims about a log."""
    leaves = [tree.leaf(*record[1:]) for record in log.read(0, 10**6)]
    return [Claim(f"claim {size}", Checkpoint("log", size, tree.root_of(leaves[:size]))) for size in sizes]


def look(log, claimed=(), store=None):
    """Return what an audit finds, and the audit."""
    with contextlib.ExitStack() as stack:
        audit = Audit(log, claimed, None if store is None else stack.enter_context(store.read()))
        return list(audit.discrepancies()), audit


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 900), st.data())
def test_a_log_that_is_what_it_was_is_sound(count, data):
    """With any checkpoints, and with a ledger that lags or not."""
    log = logged(map(entry, range(count)))
    sizes = sorted(data.draw(st.lists(st.integers(0, count), max_size=5)))
    lag = data.draw(st.integers(0, count))
    found, audit = look(log, vouched(log, *sizes), folded(log, count - lag))
    assert found == []
    assert (audit.events, audit.checkpoints) == (count, len(sizes))
    assert audit.root == tree.root_of(tree.leaf(*record[1:]) for record in log.read(0, 10**6))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 900), st.data())
def test_a_changed_event_is_named(count, data):
    """By the ledger that was folded before, to the event; by checkpoints, to the stretch between two."""
    entries = [entry(number) for number in range(count)]
    log = logged(entries)
    wrong = data.draw(st.integers(0, count - 1))
    sizes = sorted({*data.draw(st.lists(st.integers(1, count), max_size=4)), count})
    claimed, store = vouched(log, *sizes), folded(log)
    entries[wrong] = entries[wrong]._replace(state=b"forged")
    forged = logged(entries)
    found, _ = look(forged, claimed, store)
    assert [each.position for each in found if each.position is not None] == [wrong + 1]
    before = max((size for size in sizes if size <= wrong), default=0)
    told = [each.message for each in found if each.position is None]
    assert len(told) == sum(size > wrong for size in sizes)
    assert all(f"the first {before:,} are" in message for message in told)
    assert look(forged, [], None)[0] == [], "nothing else knows"


def test_events_that_were_cut_off_or_swapped_are_missed():
    """Fewer than somebody vouches for, or than were folded, or in another order."""
    entries = [entry(number) for number in range(600)]
    log = logged(entries)
    claimed, store = vouched(log, 300, 600), folded(log)
    cut, _ = look(logged(entries[:500]), claimed, store)
    assert [each.message for each in cut] == [
        "the log has 500 events, and claim 600 vouches for 600",
        "the log has 500 events, and 600 were folded",
    ]
    entries[299], entries[300] = entries[300], entries[299]
    swapped, _ = look(logged(entries), claimed, store)
    assert [each.position for each in swapped if each.position] == [300, 301]


def test_no_more_is_told_than_somebody_can_read():
    """Of a log that is another one altogether the first events are named, and what vouches for it."""
    store = folded(logged(map(entry, range(1000))))
    found, _ = look(logged(map(entry, range(3000, 4000))), [], store)
    assert len(found) == 100


def test_what_is_wrong_with_checkpoints_is_told_in_its_place(tmp_path):
    """A note that nobody signed, one of another order, and a line that is none."""
    log = logged(map(entry, range(10)))

    class Stand:
        """Views that are what they are."""

        def __init__(self):
            self.store = folded(log)

        def catch_up(self):
            from lading.views import Caught

            return Caught(changed=frozenset(), reached=True, position=10)

        def read(self):
            return self.store.read()

    notary = Notary(tmp_path, "log", Stand())
    note, _ = notary.sign()
    assert look(log, claims(notary))[0] == []
    forged = attrs.evolve(note, text=note.text.replace("\n10\n", "\n9\n"))
    notary.book.append(forged)
    notary.book.append(note)
    with open(notary.book.path, "ab") as file:
        file.write(b"7\n")
    found, audit = look(log, claims(notary))
    assert audit.checkpoints == 3
    assert [each.message.partition(":")[0] for each in found] == [
        "checkpoint 2 of this home is not in its order, behind one of 10 events",
        "checkpoint 2 of this home",
        "checkpoint 4 of this home",
    ]
    assert all(isinstance(each, Discrepancy) for each in found)
