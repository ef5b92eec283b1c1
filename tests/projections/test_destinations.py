"""Who owns a final path, against a model that looks at every download."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain import commands as c
from lading.domain.faults import Cause
from lading.domain.states import State
from lading.projections import destinations

pytestmark = pytest.mark.row("C.2")

RELEASED = {State.FAILED, State.CANCELLED, State.REMOVED}


@settings(deadline=None)
@given(data=st.data())
def test_a_path_is_claimed_by_whoever_writes_it_or_wrote_it_last(data, worlds, make):
    """Claims are those under way, oldest first, then completed ones, the last end first; the first is the owner."""
    world = data.draw(worlds)
    holders = [d for d in world.by_age() if d.path is not None and d.state not in RELEASED]
    with make.fold(world.facts(), [2] * 20).read() as reader:
        for path in {d.path for d in world.downloads.values() if d.path} | {"nobody's"}:
            rivals = [d for d in holders if d.path == path]
            under_way = [d.id for d in rivals if d.state is not State.COMPLETED]
            done = [d for d in rivals if d.state is State.COMPLETED]
            completed = [d.id for d in sorted(done, key=lambda d: -d.ended_at_ns)]
            assert list(destinations.claims(reader, "downloads", path)) == under_way + completed
            assert destinations.owner(reader, "downloads", path) == next(iter(under_way + completed), None)
            assert destinations.owner(reader, "/", path) is None


@pytest.mark.parametrize("ending", ["fail", "cancel", "remove", "rename"])
def test_a_path_is_let_go_when_its_download_gives_it_up(ending, make):
    """A failed, cancelled, removed or renamed download leaves its path to others."""
    world = make.World()
    id = world.submit()
    state = world.do(id, make.start(world.downloads[id]))
    path = state.path
    with make.fold(world.facts()).read() as reader:
        assert destinations.owner(reader, "downloads", path) == id
    match ending:
        case "fail":
            world.do(id, make.falter(state, Cause.TLS))
        case "cancel":
            world.do(id, c.Cancel(), make.stop(state))
        case "remove":
            world.do(id, c.Remove(), make.stop(state))
        case "rename":
            world.do(id, make.complete(state, path="another"))
    with make.fold(world.facts()).read() as reader:
        assert destinations.owner(reader, "downloads", path) is None


def test_of_those_that_overwrote_each_other_the_last_to_complete_owns_the_file(make):
    """Neither the order of asking nor that of the ids decides whose file it is now."""
    world = make.World()
    ids = [world.submit() for _ in range(3)]
    for id in (ids[2], ids[0], ids[1]):
        world.do(id, make.start(world.downloads[id]))
        world.do(id, make.complete(world.downloads[id], path="f"))
    with make.fold(world.facts()).read() as reader:
        assert list(destinations.claims(reader, "downloads", "f")) == [ids[1], ids[0], ids[2]]


def test_paths_of_any_length_are_told_apart(make):
    """A path that is longer than a key may be has an owner like any other, and only its own."""
    world = make.World()
    paths = ["a", "a/b", "x" * 127, "x" * 128, "x" * 4000, "x" * 4000 + "y"]
    owners = {}
    for path in paths:
        id = world.submit()
        world.do(id, make.start(world.downloads[id]))
        world.do(id, make.complete(world.downloads[id], path=path))
        owners[path] = id
    with make.fold(world.facts()).read() as reader:
        assert {path: destinations.owner(reader, "downloads", path) for path in paths} == owners
