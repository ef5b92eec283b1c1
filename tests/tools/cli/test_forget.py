"""`lading forget`: secrets go for good, also of what was removed; it can be asked for twice, and not taken back."""

from __future__ import annotations

import signal

import pytest

pytestmark = [pytest.mark.law(7)]

TOKEN = "sesame-open"


def vault_of(home) -> bytes:
    """Every byte of the vault but its key."""
    return b"".join(p.read_bytes() for p in (home / "vault").rglob("*") if p.is_file() and p.name != "key")


def test_a_forgotten_download_asks_for_a_url_and_goes_on_with_one(lading, origin, small, folder):
    """It says why it waits and what to do about that; the same again does nothing."""
    id = lading.add(f"{origin.url(small.name)}?token={TOKEN}", "-o", "x")
    assert lading.row("show", id)["secrets"] == "in the vault"
    said = lading("forget", id)
    assert lading.row("show", id)["secrets"] == "shredded"
    assert said.out == f"{id} waiting\n"
    assert "cannot be undone" in said.err
    told = lading("why", id).out
    assert "its secrets were forgotten" in told
    assert f"lading refresh-url {id} URL" in told
    row = lading.row("forget", id)
    assert (row["state"], row.get("blocked", "secret")) == ("waiting", "secret")
    assert lading.rows("log", "--id", id)[-1]["event"] == "KeyShredded"
    assert "cannot be undone" in lading("undo", code=2).err
    lading("refresh-url", id, f"{origin.url(small.name)}?token={TOKEN}")
    lading("run")
    assert (folder / "x").read_bytes() == small.read()


def test_all_means_those_that_were_removed_too(lading, origin, small):
    """What nobody sees any more has secrets as well; several ids and tags work as with other verbs."""
    url = f"{origin.url(small.name)}?token={TOKEN}"
    ids = [lading.add(url, "--tag", "t", "-o", str(n)) for n in range(4)]
    lading("remove", ids[0])
    before = len(vault_of(lading.home))
    assert {row["id"] for row in lading.rows("forget", "--tag", "t")} == set(ids)
    assert len(vault_of(lading.home)) <= before
    assert "there was nothing to do" in lading("forget", "--all").err
    others = [lading.add(url, "-o", f"b{n}") for n in range(2)]
    assert [row["id"] for row in lading.rows("forget", *others)] == others
    lading("forget", "nobody", code=2)


@pytest.mark.long
def test_a_running_download_is_paused_and_then_forgotten(lading, working, origin, large, eventually):
    """By the engine that runs it, while another process asks."""
    id = lading.add(f"{origin.url(large.name)}?token={TOKEN}", "-o", "x")
    eventually(lambda: lading.row("list")["state"] == "active")
    assert lading.row("forget", id)["state"] == "paused"
    events = [row["event"] for row in lading.rows("log", "--id", id)]
    assert events.index("Forgotten") < events.index("Paused") < events.index("Stopped") < events.index("KeyShredded")


def test_without_waiting_it_is_done_by_the_next_engine(lading, origin, small):
    """And that is said."""
    id = lading.add(f"{origin.url(small.name)}?token={TOKEN}")
    assert "as soon as an engine works" in lading("forget", id, "--no-wait").err
    assert lading.row("show", id)["secrets"] == "given up, and still to be shredded"
    lading("run")
    assert lading.rows("log", "--id", id)[-1]["event"] == "KeyShredded"


def test_who_works_the_queue_is_told_once_that_it_waits(lading, working, origin, small):
    """That its key is shredded then is no news of the download itself."""
    lading("pause", "--queue")
    id = lading.add(f"{origin.url(small.name)}?token={TOKEN}")
    lading("forget", id)
    assert lading.rows("log", "--id", id)[-1]["event"] == "KeyShredded"
    done = lading.add(origin.url(small.name), "-o", "other")
    lading("resume", "--queue")
    lading("wait", done)
    told = working.end(signal.SIGTERM).err
    assert told.count("error: small.bin: blocked by secret: its secrets were forgotten") == told.count("error: s") == 1


def test_secrets_that_were_shredded_are_not_missed_and_others_are(lading):
    """`lading verify` looks into a vault that was written anew: what it was told to forget is no finding."""
    id = lading.row("add", "http://a.test/1?t=secret")["id"]
    other = lading.row("add", "http://a.test/2?t=secret")["id"]
    lading("forget", id, other, "--no-wait")
    assert lading.row("verify")["ok"], "still to be shredded"
    lading("forget", id, other)
    assert lading.row("show", id)["secrets"] == "shredded"
    assert lading.row("verify")["ok"], "shredded"
    lading("refresh-url", id, "http://a.test/1?t=another")
    assert lading.row("verify")["ok"], "given anew"
    (store,) = (lading.home / "vault").glob("store-*")
    for path in store.iterdir():
        path.write_bytes(b"")
    assert "vault" in {row["kind"] for row in lading.rows("verify", code=4)}
