"""What a file that is fetched by several connections can meet, over real sockets; looks are short, so it comes soon."""

from __future__ import annotations

import attrs
import pytest
import trio

import lading
from lading import crew
from lading.domain import allotment, growth
from lading.domain import events as e
from lading.tools.origin import (
    NO_ETAG,
    Behaviour,
    Change,
    Drop,
    IfRange,
    Modified,
    Origin,
    OriginProcess,
    Ranges,
    Resource,
    Stall,
)
from lading.tools.origin.certificate import certify

pytestmark = [pytest.mark.row("S2.4"), pytest.mark.law(4), pytest.mark.law(5), pytest.mark.timeout(60)]

MIB = 1 << 20
FILE = Resource("file.bin", 4 * MIB + 321, "several")
SLOW = Behaviour(rate=4 * MIB)
RIGHT, OTHER = FILE.digest(), FILE.digest(version=1)


@pytest.fixture(autouse=True)
def _hasten(monkeypatch):
    """Look ten times a second, and share out small pieces."""
    monkeypatch.setattr(growth, "LOOK_S", 0.07)
    monkeypatch.setattr(growth, "WORTH_S", 0.05)
    monkeypatch.setattr(growth, "SLOW_S", 0.4)
    monkeypatch.setattr(allotment, "LEAST_BYTES", 128 * 1024)
    monkeypatch.setattr(crew, "LEAST_BLOCK", 512 * 1024)


@attrs.frozen(kw_only=True)
class Case:
    """How the origin behaves, what is asked, and whether several connections are to bring bytes."""

    behaviour: Behaviour
    asked: dict = attrs.field(factory=dict)
    several: bool | None = None
    attempts: int | None = 1
    versions: tuple[int, ...] = (0,)


CASES = {
    "an honest server": Case(behaviour=Behaviour(), several=True),
    "200 to every range (2)": Case(behaviour=Behaviour(ranges=Ranges.IGNORED), several=False),
    "416 to every range (13)": Case(behaviour=Behaviour(ranges=Ranges.REFUSED), several=False),
    "206 that begins earlier (3)": Case(behaviour=Behaviour(ranges=Ranges.EARLIER), several=True),
    "206 that ends earlier (1)": Case(behaviour=Behaviour(ranges=Ranges.SHORTER)),
    "206 without a total (1)": Case(behaviour=Behaviour(ranges=Ranges.NO_TOTAL), several=False),
    "206 that begins late (1)": Case(behaviour=Behaviour(ranges=Ranges.WRONG_START), several=False),
    "206 of another total (1)": Case(behaviour=Behaviour(ranges=Ranges.WRONG_TOTAL), several=False),
    "206 that lies about its start (1)": Case(behaviour=Behaviour(ranges=Ranges.FROM_ZERO), several=False),
    "If-Range makes it forget the range (5)": Case(behaviour=Behaviour(if_range=IfRange.DROPS_RANGE), several=False),
    "no validators (4)": Case(behaviour=Behaviour(etag=NO_ETAG, modified=Modified.NONE), several=False),
    "no validators, but a digest of ours (4)": Case(
        behaviour=Behaviour(etag=NO_ETAG, modified=Modified.NONE), asked={"digest": RIGHT}, several=True
    ),
    "another version for every later question (4)": Case(
        behaviour=Behaviour(change=Change(after=1)), several=False, versions=(0, 1)
    ),
    "another version under the same validators (4)": Case(
        behaviour=Behaviour(change=Change(after=1, keeps_validators=True)), several=False
    ),
    "another version, some questions later (4)": Case(
        behaviour=Behaviour(change=Change(after=4), if_range=IfRange.IGNORED), attempts=None, versions=(0, 1)
    ),
    "another version under the same validators, some questions later, with a digest (4)": Case(
        behaviour=Behaviour(change=Change(after=4, keeps_validators=True)),
        asked={"digest": OTHER, "retries": 9},
        attempts=None,
        versions=(1,),
    ),
    "every connection breaks (14)": Case(behaviour=Behaviour(drop=Drop(after=700_000)), attempts=None),
    "every connection is reset (14)": Case(behaviour=Behaviour(drop=Drop(after=900_000, reset=True)), attempts=None),
    "the first falls silent (15)": Case(behaviour=Behaviour(stall=Stall(8.0, at=MIB, times=1)), attempts=None),
    "a connection for each answer": Case(behaviour=Behaviour(keep_alive=False), several=True),
    "one connection is all that may be": Case(behaviour=Behaviour(), asked={"connections": 1}, several=False),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
async def test_misbehaviour_leaves_the_file_right(fetch, name):
    """Whatever the others are answered, the file is one version of the origin's, and no attempt is spent on trying."""
    case = CASES[name]
    with Origin([FILE], behaviour=SLOW | case.behaviour) as origin:
        verdict = await fetch(origin.url(FILE.name), **case.asked)
        asked = len(origin.requests)
    assert verdict.ended == "whole", verdict.outcome.error
    assert verdict.files[FILE.name] in [FILE.read(version=version) for version in case.versions]
    assert verdict.parts == []
    if case.attempts is not None:
        assert verdict.outcome.attempts == case.attempts
    if case.several is not None:
        assert (asked > 2) is case.several, "a second connection asks for something known first"


async def test_several_connections_and_a_mirror_under_tls(tmp_path, monkeypatch):
    """The same over https, with a mirror of another name."""
    certificate, folder = tmp_path / "certificate.pem", tmp_path / "files"
    certify(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    mirror = attrs.evolve(FILE, name="mirror.bin")
    with OriginProcess([FILE, mirror], tls_certificate=certificate) as origin:
        for resource in (FILE, mirror):
            origin.set(resource.name, SLOW)
        request = lading.Request(origin.url(FILE.name), mirrors=origin.url(mirror.name), digest=RIGHT)
        async with lading.open_engine(tmp_path / "home", downloads=folder) as engine:
            id = (await engine.submit(request)).id
            outcome = await engine.wait(id)
            told = [fact.event for fact in engine.reading.stream(id)]
    assert (outcome.ok, outcome.attempts, outcome.digest) == (True, 1, RIGHT)
    assert (folder / FILE.name).read_bytes() == FILE.read()
    assert any(isinstance(event, e.Joined) for event in told)


async def test_a_pause_in_good_order_gives_up_nothing(tmp_path):
    """What was not fetched yet between the shares is no damage when it goes on, on a real disk too."""
    folder = tmp_path / "files"
    large = Resource("large.bin", 24 * MIB + 1234, "paused")
    with OriginProcess([large]) as origin:
        origin.set(large.name, Behaviour(rate=2 * MIB))
        async with lading.open_engine(tmp_path / "home", downloads=folder) as engine:
            id = (await engine.submit(lading.Request(origin.url(large.name)))).id
            await trio.sleep(1.5)
            (paused,) = await engine.pause(id)
            origin.set(large.name, Behaviour())
            await engine.resume(id)
            outcome = await engine.wait(id)
            told = [fact.event for fact in engine.reading.stream(id)]
    assert (outcome.ok, outcome.resumed_from) == (True, paused.received)
    assert len(paused.durable) > 1, "several connections had brought something"
    assert not any(isinstance(event, e.PieceRejected) for event in told)
    assert (folder / large.name).read_bytes() == large.read()
