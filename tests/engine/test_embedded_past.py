"""The past is there for programs that embed the engine, beside its work."""

from __future__ import annotations

import pytest
import trio

import lading
from lading.domain.sightings import Wanted
from lading.tools.origin import Origin, Resource

pytestmark = pytest.mark.row("C.6")


async def test_an_embedder_asks_the_engine_s_own_reading(tmp_path):
    """As it was, what changed, where a byte came from, and what was seen; the engine goes on meanwhile."""
    resource = Resource("f.bin", 70_000)
    with Origin([resource]) as origin:
        async with lading.open_engine(tmp_path / "home", downloads=tmp_path) as engine:
            reading = engine.reading
            download = await engine.submit(lading.Request(origin.url(resource.name), key="k"))
            await engine.wait(download.id)

            def look() -> None:
                (queued,) = [fact for fact in reading.facts() if type(fact.event).__name__ == "Queued"]
                with reading.as_of(queued.position) as then:
                    assert [row["state"] for row in then.listing(now_ns=queued.at_ns)] == ["queued"]
                    assert then.find("k").id == download.id
                    with pytest.raises(lading.UsageError), then.as_of(queued.position + 1):
                        pass
                    with then.as_of(queued.position - 1) as earlier:
                        assert list(earlier.listing(now_ns=0)) == []
                assert reading.position_at(queued.at_ns) >= queued.position
                (difference,) = reading.diff(queued.position, reading.log.head())
                assert (difference.before, difference.after) == (queued_state(queued), reading.get(download.id))
                told = reading.provenance(download.id, 69_999).delivery
                assert told is not None
                assert told.digest == resource.digest()
                (seen,) = reading.drift(Wanted(url=origin.url(resource.name)))
                assert seen["digest"] == resource.digest()

            def queued_state(fact) -> object:
                with reading.as_of(fact.position) as then:
                    return then.get(download.id)

            await trio.to_thread.run_sync(look)
            again = await engine.submit(lading.Request(origin.url(resource.name), key="k"))
            assert again.id == download.id
    assert len(list((tmp_path / "home").glob("views-*"))) == 1
