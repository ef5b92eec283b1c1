"""What is to be looked at on the disk, against a model that looks at every download."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain import commands as c
from lading.domain.states import State
from lading.projections import upkeep

pytestmark = [pytest.mark.row("C.2"), pytest.mark.row("S3.6")]


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_stale_failures_and_published_files_are_found_in_order(data, worlds, make):
    """The longest failed first, up to a time; the last asked for of the published first, from anywhere on."""
    world = data.draw(worlds)
    ended = [d for d in world.downloads.values() if d.state in {State.FAILED, State.CANCELLED}]
    by_time = sorted((d.ended_at_ns, d.id) for d in ended)
    before_ns = data.draw(st.sampled_from([0, *(at for at, _ in by_time), 2**62]))
    done = [d for d in reversed(world.by_age()) if d.state is State.COMPLETED]
    with make.fold(world.facts(), [2] * 20).read() as reader:
        found = list(upkeep.stale(reader, before_ns))
        assert [id for _, id in found] == [id for at, id in by_time if at < before_ns]
        for number, (key, _) in enumerate(found):
            assert list(upkeep.stale(reader, before_ns, key)) == found[number + 1 :]
        published = list(upkeep.published(reader))
        assert published == [(world.ages[d.id], d.id) for d in done]
        for number, (age, _) in enumerate(published):
            assert list(upkeep.published(reader, age)) == published[number + 1 :]
        assert list(upkeep.published(reader, limit=1)) == published[:1]
        wrong = {d.id for d in world.downloads.values() if d.wrong is not None}
        assert set(upkeep.invalid(reader)) == wrong
        assert len(list(upkeep.invalid(reader, 1))) == min(1, len(wrong))


@pytest.mark.row("S3.3")
def test_what_somebody_wants_again_is_stale_no_more(make):
    """It leaves the view at once, and comes back with the time of its next end."""
    world = make.World()
    id = world.submit()
    world.do(id, c.Cancel())
    first_ns = world.downloads[id].ended_at_ns
    world.do(id, c.Retry())
    with make.fold(world.facts(), [1] * 20).read() as reader:
        assert list(upkeep.stale(reader, 2**62)) == []
    world.do(id, c.Cancel())
    with make.fold(world.facts(), [1] * 20).read() as reader:
        assert [id for _, id in upkeep.stale(reader, 2**62)] == [id]
        assert list(upkeep.stale(reader, first_ns + 1)) == []


@pytest.mark.row("S0.3")
def test_each_folder_is_visited_once_and_its_downloads_found_by_the_end_of_their_ids(make):
    """Those that had an attempt; however long the name of the folder is."""
    world = make.World()
    folders = ["", "a", "a/b", "b" * 200, "b" * 201]
    ids = {folder: [world.submit(folder=folder) for _ in range(3)] for folder in folders}
    for wanted in ids.values():
        for id in wanted[:2]:
            world.do(id, make.start(world.downloads[id]))
    with make.fold(world.facts(), [3] * 20).read() as reader:
        found = list(upkeep.folders(reader))
        assert sorted(world.downloads[folder.id].order.folder for folder in found) == sorted(folders)
        for number, folder in enumerate(found):
            assert list(upkeep.folders(reader, folder.key)) == found[number + 1 :]
            of_folder = ids[world.downloads[folder.id].order.folder]
            held = [list(upkeep.in_folder(reader, folder.key, id.bytes[-4:])) for id in of_folder]
            assert held == [[of_folder[0]], [of_folder[1]], []]
