"""A home that was restored without its vault works: what it tells is the same, and only what needs a secret waits."""

from __future__ import annotations

import shutil

import pytest

import lading
from lading.domain.states import State
from lading.tools.origin import Origin, Resource

pytestmark = [
    pytest.mark.law(7),
    pytest.mark.filterwarnings("ignore::lading.adapters.lmdb.ground.GroundWarning"),
]


async def test_what_does_not_need_a_secret_is_as_it_was(tmp_path):
    """History, files and keys; a new secret makes a new key, by which fingerprints differ, and nothing minds."""
    home, files = tmp_path / "home", tmp_path / "files"
    with Origin([Resource("good", 2_000_000), Resource("plain", 4000)]) as origin:
        whole = f"{origin.url('good')}?token=sesame-open"
        async with lading.open_engine(home, downloads=files) as engine:
            done = await engine.submit(lading.Request(whole, path="done", key="done"))
            assert (await engine.wait(done.id)).ok
        async with lading.open_engine(home, downloads=files, role="client") as engine:
            waiting = await engine.submit(lading.Request(whole, path="waiting", key="waiting"))
            plain = await engine.submit(lading.Request(origin.url("plain"), path="plain"))
            history = await engine.history()
        shutil.copytree(home, tmp_path / "copy", ignore=shutil.ignore_patterns("vault"))
        async with lading.open_engine(tmp_path / "copy", downloads=files) as engine:
            assert await engine.history() == history
            assert [row["state"] for row in await engine.files(done.id)] == ["valid"]
            assert (await engine.wait(plain.id)).ok
            await engine.wait_idle()
            assert (await engine.get(waiting.id)).blocked == "secret"
            assert not (tmp_path / "copy" / "vault").exists(), "nothing made a key that nobody needs"
            await engine.forget(waiting.id, done.id)
            again = await engine.submit(lading.Request(whole, path="waiting", key="waiting"))
            assert (again.id, again.blocked) == (waiting.id, "secret"), "a key names what it named"
            await engine.refresh_url(waiting.id, whole)
            outcome = await engine.wait(waiting.id)
            assert (outcome.ok, outcome.cached) == (True, False), "what the old key named in the cache is not found"
            new = await engine.submit(lading.Request(whole, path="new"))
            assert new.order.sources[0].handle != done.order.sources[0].handle
            assert new.order.sources[0].handle == (await engine.get(waiting.id)).order.sources[0].handle
            assert (await engine.wait(new.id)).state is State.COMPLETED
            await engine.forget(new.id)
        async with lading.open_engine(home, downloads=files) as engine:
            assert (await engine.wait(waiting.id)).error is not None, "another engine has published it meanwhile"
