"""`lading.download`: one call, no event loop in sight, from any thread, and nothing left behind."""

from __future__ import annotations

import concurrent.futures
import os

import pytest

import lading
from lading.domain.errors import DestinationTaken
from lading.tools.origin import Behaviour, Drop, Origin, Refusal, Resource

pytestmark = [
    pytest.mark.row("S1.3"),
    pytest.mark.timeout(60),
    pytest.mark.filterwarnings("ignore::lading.adapters.lmdb.ground.GroundWarning"),
]


@pytest.fixture
def origin():
    """Eight files."""
    with Origin([Resource(f"{number}.bin", 200_000 + number, f"seed {number}") for number in range(8)]) as origin:
        yield origin


def test_it_returns_the_path_of_the_whole_file(origin, tmp_path, monkeypatch):
    """Where it was told to put it, or under the name that the URL gives, in the current folder."""
    monkeypatch.chdir(tmp_path)
    resource = Resource("3.bin", 200_003, "seed 3")
    assert lading.download(origin.url("3.bin"), tmp_path / "deep" / "it") == tmp_path / "deep" / "it"
    assert lading.download(origin.url("3.bin"), "named", digest=resource.digest()) == tmp_path / "named"
    assert lading.download(origin.url("3.bin")) == tmp_path / "3.bin"
    for path in ("deep/it", "named", "3.bin"):
        assert (tmp_path / path).read_bytes() == resource.read()
    assert sorted(os.listdir(tmp_path)) == ["3.bin", "deep", "named"]


@pytest.mark.parametrize("shared", [False, True])
def test_many_threads_may_call_it_at_once(shared, origin, tmp_path):
    """Each with a home of its own, or all on one: whoever owns it first, nobody waits for ever."""
    home = tmp_path / "home" if shared else None

    def fetch(number: int):
        return lading.download(origin.url(f"{number}.bin"), tmp_path / f"{number}", home=home)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(fetch, range(8)))
    for number, path in enumerate(paths):
        assert path.read_bytes() == Resource(f"{number}.bin", 200_000 + number, f"seed {number}").read()


@pytest.mark.parametrize("dropped", [False, True])
def test_a_failure_is_raised_with_its_cause_and_leaves_nothing(dropped, origin, tmp_path):
    """Nobody could go on from a part whose home is gone."""
    behaviour = Behaviour(drop=Drop(after=100_000)) if dropped else Behaviour(refusals=(Refusal(404, times=None),))
    origin.set("1.bin", behaviour)
    with pytest.raises(lading.TransferError) as caught:
        lading.download(origin.url("1.bin"), tmp_path / "x", retries=0)
    assert caught.value.cause == ("broken-body" if dropped else "refused")
    assert dropped or caught.value.hint
    assert os.listdir(tmp_path) == []


@pytest.mark.long
def test_when_the_engine_of_the_home_ends_another_call_takes_over(origin, tmp_path):
    """The second call follows the first one's engine; that ends long before the second file is there."""
    origin.set("0.bin", Behaviour(rate=200_000))
    origin.set("1.bin", Behaviour(rate=70_000))
    home = tmp_path / "home"
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first = pool.submit(lading.download, origin.url("0.bin"), tmp_path / "0", home=home)
        origin.wait_until(lambda requests: len(requests) == 1)
        second = pool.submit(lading.download, origin.url("1.bin"), tmp_path / "1", home=home)
        assert first.result(20).read_bytes() == Resource("0.bin", 200_000, "seed 0").read()
        assert second.result(20).read_bytes() == Resource("1.bin", 200_001, "seed 1").read()


def test_with_a_home_of_ones_own_a_failure_can_be_taken_up_again(origin, tmp_path):
    """The part stays; the same request under the same key goes on from it."""
    origin.set("1.bin", Behaviour(drop=Drop(after=100_000, times=1)))
    home, path = tmp_path / "home", tmp_path / "x"
    with pytest.raises(lading.TransferError):
        lading.download(origin.url("1.bin"), path, home=home, retries=0)
    assert len([name for name in os.listdir(tmp_path) if name.endswith(".part")]) == 1


def test_what_cannot_be_meant_is_refused(origin, tmp_path):
    """Before anything is made."""
    with pytest.raises(lading.UsageError):
        lading.download("not a url", tmp_path / "x")
    (tmp_path / "there").write_bytes(b"kept")
    with pytest.raises(DestinationTaken):
        lading.download(origin.url("1.bin"), tmp_path / "there")
    assert (tmp_path / "there").read_bytes() == b"kept"
    assert origin.requests == ()
