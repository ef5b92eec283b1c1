"""How far is this download: the object that `list --json` shows."""

from __future__ import annotations

from uuid import UUID

import attrs
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain import checkpoints
from lading.domain import commands as c
from lading.domain.faults import Cause
from lading.domain.states import State
from lading.projections import progress
from lading.views import ROWS

pytestmark = pytest.mark.row("S0.2")

SECOND_NS = 10**9
MIB = 1024 * 1024
FIELDS = {
    *("id", "key", "url", "state", "received", "total", "percent", "rate", "eta", "path", "priority"),
    *("tags", "attempts", "error", "why", "bundle", "added_at", "updated_at"),
}


@settings(deadline=None)
@given(data=st.data())
def test_every_download_in_any_state_is_shown_whole(data, worlds, make):
    """All fields of the contract are there in plain JSON, the share is at most 100, and `why` is one short line."""
    world = data.draw(worlds)
    for download in world.downloads.values():
        shown = progress.listing(download, world.now_ns + data.draw(st.integers(0, 10**12)))
        assert set(shown) >= FIELDS
        assert orjson.loads(orjson.dumps(shown)) == shown
        assert shown["state"] == download.state.shown
        assert shown["percent"] is None or 0 <= shown["percent"] <= 100
        assert 0 < len(shown["why"]) < 200
        assert "\n" not in shown["why"]
        assert (shown["error"] is not None) >= (download.state is State.FAILED)
        assert shown["rate"] is None or download.state is State.ACTIVE


def active(make, pace_bytes: int, every_s: int = 1):
    """Return a download that is running, with two checkpoints at that pace, of a file of 100 MiB."""
    world = make.World()
    id = world.submit()
    world.do(id, make.start(world.downloads[id]))
    state = world.downloads[id]
    at_ns = state.paced_ns
    return attrs.evolve(
        state,
        total=100 * MIB,
        durable=((0, pace_bytes * every_s),),
        pace=float(pace_bytes),
        paced_ns=at_ns,
        url=state.order.url,
    )


def test_a_running_download_shows_rate_and_estimate_of_its_last_checkpoints(make):
    """Rate, percent and ETA follow from the durable bytes."""
    download = active(make, 10 * MIB)
    shown = progress.listing(download, download.paced_ns + SECOND_NS)
    assert (shown["received"], shown["total"], shown["percent"]) == (10 * MIB, 100 * MIB, 10.0)
    assert (shown["rate"], shown["eta"]) == (10.0 * MIB, 9.0)


@pytest.mark.parametrize(
    ("pace_bytes", "running", "silent_s"),
    [
        (10 * MIB, 1, checkpoints.SOON_S),
        (MIB // 30, 1, 30),
        (1, 1, checkpoints.LATE_S),
        (0, 1, checkpoints.LATE_S),
        (10 * MIB, 1000, 10 * checkpoints.SOON_S),
        (1, 1000, 10 * checkpoints.LATE_S),
    ],
)
def test_a_rate_is_stale_when_the_next_checkpoint_should_have_come_and_did_not(pace_bytes, running, silent_s, make):
    """Until 15 seconds after the checkpoint that was to be expected the rate stands, after that it is unknown."""
    download = active(make, pace_bytes)
    last_ns = download.paced_ns + int((silent_s + progress.STALE_S) * SECOND_NS)
    assert progress.listing(download, last_ns, running=running)["rate"] == pace_bytes
    assert progress.listing(download, last_ns + SECOND_NS, running=running)["rate"] is None


@pytest.mark.parametrize("pace", [1, 1000, MIB // 30, MIB, 100 * MIB])
def test_a_download_at_a_steady_pace_is_never_stale_before_its_next_checkpoint(pace, make):
    """The log's silence between two checkpoints, as `checkpoints.due` times them, is never taken for a standstill."""
    elapsed_s = next(s for s in range(1, 1000) if checkpoints.due(pace * s, s, 1))
    download = active(make, pace)
    assert progress.listing(download, download.paced_ns + elapsed_s * SECOND_NS)["rate"] == pace


@attrs.frozen
class Live:
    received: int = 50
    total: int | None = 100
    rate: float | None = 10.0
    eta: float | None = 5.0
    percent: float | None = 50.0


def test_live_figures_take_the_place_of_durable_ones(make):
    """An engine that runs the download shows what is there now; the log is behind by up to a checkpoint."""
    download = active(make, 1)
    shown = progress.listing(download, download.paced_ns + 10**15, Live())
    assert {name: shown[name] for name in ("received", "total", "rate", "eta", "percent")} == {
        "received": 50,
        "total": 100,
        "rate": 10.0,
        "eta": 5.0,
        "percent": 50.0,
    }


def test_unknown_is_null_and_never_a_guess(make):
    """Before the server has answered, nothing is known of size, share, rate or end."""
    world = make.World()
    id = world.submit(0)
    shown = progress.listing(world.downloads[id], world.now_ns)
    unknown = ("total", "percent", "rate", "eta", "path", "error", "bundle", "key")
    assert {name: shown[name] for name in unknown} == dict.fromkeys(unknown)
    assert (shown["received"], shown["attempts"]) == (0, 0)
    assert shown["added_at"] == shown["updated_at"] == "2023-11-14T22:13:21.000000Z"


@pytest.mark.parametrize(
    ("order", "path"),
    [
        ({"name": "f.iso"}, "f.iso"),
        ({"folder": "linux", "name": "f.iso"}, "linux/f.iso"),
        ({"folder": "linux"}, None),
        ({"root": "/", "folder": "srv/files", "name": "f.iso"}, "/srv/files/f.iso"),
    ],
)
def test_the_path_is_below_the_root_as_soon_as_it_is_known(order, path, make):
    """A name that was asked for is shown before the start; below the root `/` the path is absolute."""
    world = make.World()
    id = world.submit(0, **order)
    assert progress.listing(world.downloads[id], 0)["path"] == path


def test_each_state_says_why_from_its_own_events(make):
    """Paused by whom, waiting for what, failed of what: from the state alone."""
    world = make.World()
    id = world.submit()

    def why() -> str:
        return progress.why(world.downloads[id])

    assert why() == "ready to run when its turn comes"
    world.do(id, make.start(world.downloads[id]))
    assert why() == "attempt 1 is running"
    world.do(id, make.falter(world.downloads[id], Cause.NETWORK, now_ns=world.now_ns))
    assert why() == "waiting until 2023-11-14T22:13:22.500000Z after network: it broke"
    world.do(id, make.start(world.downloads[id]))
    world.do(id, make.block(world.downloads[id]))
    assert why() == "blocked by disk: no room"
    world.do(id, c.Pause())
    assert why() == "paused by request"
    world.do(id, c.Resume())
    world.do(id, make.start(world.downloads[id]))
    world.do(id, c.Pause())
    assert why() == "asked to be paused, attempt 3 is stopping"
    world.do(id, make.stop(world.downloads[id]), c.Resume())
    world.do(id, make.start(world.downloads[id]))
    world.do(id, make.falter(world.downloads[id], Cause.TLS))
    assert why() == "failed of tls: it broke"
    world.do(id, c.Cancel(reason="there is one already"))
    assert why() == "cancelled: there is one already"


@pytest.mark.parametrize("given_up", [c.Cancel(), c.Remove()])
def test_what_comes_back_after_it_had_failed_says_so_with_its_cause(given_up, make):
    """Paused, but by nobody's request, until somebody lets it go on."""
    world = make.World()
    id = world.submit()
    world.do(id, make.start(world.downloads[id]))
    world.do(id, make.falter(world.downloads[id], Cause.TLS), given_up)
    if world.downloads[id].litter:
        world.do(id, c.Discard(size=0))
    world.do(id, c.Restore(paused=True))
    assert progress.why(world.downloads[id]).startswith("paused after it had failed of tls")
    assert progress.error(world.downloads[id]).startswith("tls")
    world.do(id, c.Retry(), c.Pause())
    assert progress.why(world.downloads[id]) == "paused by request"
    assert progress.error(world.downloads[id]) is None


def test_ids_are_walked_from_behind_any_id(make):
    """Pages of ids follow each other without gap or overlap."""
    world = make.World()
    ids = sorted(world.submit() for _ in range(7))
    with make.fold(world.facts()).read() as reader:
        assert list(progress.ids(reader)) == ids
        assert list(progress.ids(reader, after=ids[2], limit=2)) == ids[3:5]
        assert list(progress.ids(reader, after=ids[-1])) == []
        assert progress.get(reader, UUID(int=1), ROWS) is None


def test_what_nothing_vouches_for_is_said_to_be_that(make):
    """A body whose end nobody knew is complete as far as anybody can tell."""
    assert progress.vouched("digest") == "vouched for by its digest"
    assert progress.vouched("none") == progress.vouched(None) == "and nothing vouches for it"
