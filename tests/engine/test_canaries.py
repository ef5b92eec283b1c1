"""Law 7: no secret enters the log, a view, an error, an output: a real home, searched byte by byte for canaries."""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme

from lading.tools.origin import Behaviour, Drop, Origin, Redirect, Refusal, Resource

pytestmark = [
    pytest.mark.law(7),
    pytest.mark.timeout(60),
    pytest.mark.filterwarnings("ignore::lading.adapters.lmdb.ground.GroundWarning"),
]

CANARIES = {
    "user": "canary-user/U",
    "password": "canary:pass word&ä",
    "query": "canary+query=/?Q",
    "fragment": "canary-fragment#F",
    "header": "canary-header-H",
    "cookie": "canary-cookie-C",
    "bearer": "canary.bearer_B",
    "redirect": "canary-redirect%R",
    "path": "canary-path-P",
    "netrc": "canary-netrc-N",
    "jar": "canary-jar-J",
    "set cookie": "canary-set-cookie-S",
}

PROGRAM = """
import logging, sys, json, traceback, warnings
logging.basicConfig(level=1, stream=sys.stderr)
import trio, lading
from lading.domain.errors import LadingError

async def main(home, downloads, asked, refused):
    for fields in refused:
        try:
            async with lading.open_engine(home, downloads=downloads) as engine:
                await engine.submit(lading.Request(fields.pop("url"), **fields))
        except LadingError:
            traceback.print_exc()
    requests = [lading.Request(fields.pop("url"), **fields) for fields in asked]
    print(requests, [repr(request) for request in requests])
    patience = {"connect_timeout_s": 1, "stall_timeout_s": 1, "retries": 1}
    async with lading.open_engine(home, downloads=downloads, concurrency=4, **patience) as engine:
        queued = await engine.submit_many(requests)
        print(queued)
        outcomes = [await engine.wait(download.id) for download in queued]
        print(*outcomes, sep="\\n")
        for download in queued:
            async for fact in engine.follow(download.id):
                print(fact)
        for row in await engine.listing():
            print(json.dumps(row))
        for row in await engine.history():
            print(json.dumps(row))
        failed = [outcome.id for outcome in outcomes if not outcome.ok]
        await engine.retry(*failed)
        for id in failed:
            print(await engine.wait(id), await engine.get(id))
        print("states", sorted({outcome.cause or "ok" for outcome in outcomes}))
        for fields in refused:
            try:
                await engine.submit(lading.Request(fields.pop("url", "nonsense?token=" + fields["key"]), **fields))
            except LadingError as error:
                traceback.print_exc()
                print(repr(error), error, error.hint)
        engine.reading.views.rebuild()

warnings.simplefilter("ignore")
trio.run(main, *sys.argv[1:3], *map(json.loads, sys.argv[3:5]))
for name in asked if (asked := json.loads(sys.argv[5])) else ():
    try:
        print(lading.download(name, sys.argv[2] + "/blocking"))
    except LadingError as error:
        traceback.print_exc()
        print(repr(error), error, error.hint)
"""


@pytest.fixture
def sightings(sought):
    """Say which canaries are in a text, and how they are spelt."""
    return lambda text: sought(CANARIES, text)


def test_a_canary_is_found_however_it_is_spelt(sightings):
    """Else the search would find nothing for its own reasons."""
    for name, secret in CANARIES.items():
        userinfo = base64.b64encode(f"someone:{secret}:x".encode())
        for text in (secret.encode(), quote(secret, safe="").encode(), userinfo, json.dumps(secret).encode()):
            assert any(sighting.startswith(name) for sighting in sightings(b"before " + text + b" after")), (name, text)
    assert sightings(b"nothing here: canary") == []


def asked_of(origin: Origin, tls_port: int) -> list[dict]:
    """Requests full of secrets, to resources that go wrong in as many ways as there are."""
    code = {name: quote(secret, safe="") for name, secret in CANARIES.items()}
    userinfo = f"{code['user']}:{code['password']}@"
    tail = f"?token={code['query']}&page=1#{code['fragment']}"
    headers = {
        "X-Api-Key": CANARIES["header"],
        "Cookie": f"session={CANARIES['cookie']}; b=2",
        "Authorization": f"Bearer {CANARIES['bearer']}",
    }

    def url(name: str, scheme: str = "http", port: int | None = None) -> str:
        return f"{scheme}://{userinfo}127.0.0.1:{port or origin.port}/{name}{tail}"

    names = [
        "good",
        "large",
        "broken",
        "missing",
        "forbidden",
        "busy",
        "elsewhere",
        "endless",
        "gone",
        "far",
        "nowhere",
    ]
    asked = [{"url": url(name), "path": name} for name in names]
    asked += [{"url": url("good"), "path": f"with headers {n}", "headers": headers, "key": f"k{n}"} for n in range(2)]
    asked += [
        {"url": url("good"), "path": "wrong", "digest": "sha256:" + "0" * 64},
        {"url": url("good", "https"), "path": "no tls", "retries": 0},
        {"url": url("good", "https", tls_port), "path": "not trusted"},
        {"url": url("good", port=1), "path": "nobody there"},
        {"url": url("gone"), "path": "mirrored", "mirrors": [url("missing"), url("good")]},
        {"url": url(f"{code['path']}/deep"), "path": "secret path", "secret_path": True, "headers": headers},
        {"url": url("good"), "show_query": ["page"], "path": "shown"},
        {"url": url("good"), "path": "/proc/nothing/can/be/here"},
    ]
    plain = f"http://127.0.0.1:{origin.port}"
    names = ("good", "missing", "broken", "forbidden", "elsewhere", "far")
    asked += [{"url": f"{plain}/{name}", "path": f"known from files {name}"} for name in names]
    return asked


def files(folder: Path) -> dict[str, str]:
    """Put secrets into a netrc and a file of cookies, and return the environment that names both."""
    (folder / "logins").write_text(f"machine 127.0.0.1 login me password {CANARIES['netrc']}\n")
    (folder / "jar").write_text(f"# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tid\t{CANARIES['jar']}\n")
    return {"NETRC": str(folder / "logins"), "LADING_COOKIES": str(folder / "jar")}


def behave(origin: Origin) -> None:
    elsewhere = f"/good?token={quote(CANARIES['redirect'], safe='')}"
    behaviours = {
        "broken": Behaviour(drop=Drop(after=0)),
        "forbidden": Behaviour(refusals=(Refusal(401, times=None),)),
        "busy": Behaviour(refusals=(Refusal(503, times=None, retry_after_s=0),)),
        "elsewhere": Behaviour(
            redirect=Redirect(elsewhere), headers=(("Set-Cookie", f"s={CANARIES['set cookie']}; Path=/"),)
        ),
        "endless": Behaviour(redirect=Redirect(None)),
        "gone": Behaviour(refusals=(Refusal(410, times=None),)),
        "far": Behaviour(redirect=Redirect(f"http://someone:{quote(CANARIES['redirect'], safe='')}@127.0.0.1:1/")),
        "nowhere": Behaviour(redirect=Redirect(f"gopher://{quote(CANARIES['redirect'], safe='')}.example/")),
    }
    for name, behaviour in behaviours.items():
        origin.put(Resource(name, 300_000))
        origin.set(name, behaviour)


@pytest.mark.long
def test_no_secret_is_anywhere_but_in_the_vault(tmp_path, sightings):
    """Home, output at the loudest level, events, lists, errors and their tracebacks; after a dozen kinds of failure."""
    home, downloads = tmp_path / "home", tmp_path / "downloads"
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    good = [Resource("good", 4000), Resource("large", 3_000_000)]
    with Origin(good) as origin, Origin(good, tls=tls) as untrusted:
        behave(origin)
        asked = asked_of(origin, untrusted.port)
        refused = [
            {"url": asked[0]["url"].replace("http:", "ftp:")},
            {"url": asked[0]["url"].replace(str(origin.port), "port")},
            {"url": asked[0]["url"], "path": "../out"},
            {"url": asked[0]["url"], "headers": {"X": CANARIES["header"] + "\n"}},
            {"url": asked[0]["url"], "headers": {"Range": CANARIES["header"]}},
            {"url": asked[0]["url"], "digest": "none"},
        ]
        refused = [fields | {"key": f"refused {n}"} for n, fields in enumerate(refused)]
        blocking = [asked[3]["url"], refused[0]["url"], asked[0]["url"]]
        told = subprocess.run(
            [sys.executable, "-X", "dev", "-c", PROGRAM, home, downloads, *map(json.dumps, (asked, refused, blocking))],
            capture_output=True,
            env={**os.environ, "PYTHONWARNINGS": "ignore", "HTTPX_LOG_LEVEL": "trace", **files(tmp_path)},
            cwd=tmp_path,
            timeout=50,
            check=False,
        )
        assert told.returncode == 0, told.stderr.decode()[-3000:]
        seen = b"\n".join(f"{exchange.path} {dict(exchange.headers)}".encode() for exchange in origin.requests)
    sent = {"query, percent-encoded", "header, raw", "cookie, raw", "bearer, raw", "jar, raw", "set cookie, raw"}
    assert sent <= set(sightings(seen)), "they were sent"
    assert any(sighting.startswith("netrc, base64") for sighting in sightings(seen)), "it was sent"
    states = told.stdout.decode().rpartition("states ")[2]
    for cause in (
        "ok",
        "refused",
        "unauthorised",
        "busy",
        "broken-body",
        "redirects",
        "tls",
        "network",
        "digest-mismatch",
    ):
        assert cause in states
    assert sightings(told.stdout) == []
    assert sightings(told.stderr) == []
    searched = 0
    for path in [*home.rglob("*"), *downloads.rglob("*")]:
        assert sightings(os.fsencode(path)) == []
        if path.is_file() and not path.is_relative_to(home / "vault"):
            assert sightings(path.read_bytes()) == [], path
            searched += 1
    assert searched > 8
    for path in [home / "vault", *(home / "vault").rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, f"{path} can be read by others"
    assert sightings(b"".join(p.read_bytes() for p in (home / "vault").rglob("*") if p.is_file())) == [], "sealed there"


async def test_without_its_vault_a_download_says_what_to_do(tmp_path):
    """It is blocked by that, is asked for nothing, and keeps no `run` from ending; its public URL is all there is."""
    import shutil

    import lading
    from lading.domain.states import State

    home = tmp_path / "home"
    with Origin([Resource("good", 4000)]) as origin:
        async with lading.open_engine(home, downloads=tmp_path, role="client") as engine:
            download = await engine.submit(lading.Request(f"{origin.url('good')}?token={CANARIES['query']}"))
        shutil.rmtree(home / "vault")
        async with lading.open_engine(home, downloads=tmp_path) as engine:
            await engine.wait_idle()
            left = await engine.get(download.id)
            assert (left.state, left.blocked, left.stuck) == (State.WAITING, "secret", True)
            assert "vault" in (left.message or "")
            await engine.resume(download.id)
            await engine.wait_idle()
            assert (await engine.get(download.id)).attempt == 2
        assert origin.requests == ()
    assert not Path(tmp_path / "good").exists()
