"""Law 7 at the command line: secrets of many kinds through every door that it has, and a search for them everywhere.

`CANARIES` are the kinds, `doors` the ways in, `LOOKS` the ways out. A new way in is one line of `doors`; a new way out,
such as an export, is one line of `LOOKS`, and what it writes into the folder `told` is searched as well: as it lies
there, and what of it is packed (`unpacked`) also as whoever opens it reads it.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote

import pytest

from lading import packing
from lading.adapters.parcel import Parcel
from lading.tools.origin import Behaviour, Origin, Redirect, Refusal, Resource

pytestmark = [pytest.mark.law(7), pytest.mark.timeout(120)]

CANARIES = {
    "user": "canary-user/U",
    "password": "canary:pass word&ä",
    "query": "canary+query=/?Q",
    "fragment": "canary-fragment#F",
    "path": "canary-path-P",
    "header": "canary-header-H",
    "bearer": "canary.bearer_B",
    "cookie": "canary-cookie-C",
    "proxy": "canary-proxy-X",
    "netrc": "canary-netrc-N",
    "jar": "canary-jar-J",
    "key": "canary-client-key-K",
    "signature": "canary-signature-5",
    "redirect": "canary-redirect%R",
    "set cookie": "canary-set-cookie-S",
    "log": "canary-log-password-L",
    "hook": "canary-hook-W",
    "list": "canary-list-I",
    "stdin": "canary-stdin-D",
    "file": "canary-file-E",
    "refreshed": "canary-refreshed-T",
    "renewed": "canary-renewed-header-V",
    "mirror": "canary-mirror-M",
    "mistyped": "canary-mistyped-Z",
}
SENT = {
    "query", "path", "header", "bearer", "cookie", "jar", "signature", "set cookie", "hook", "list", "stdin", "file",
    "refreshed", "renewed", "mirror", "netrc", "proxy", "password", "redirect",
}  # fmt: skip
"""What the origin must have seen, or a door was shut."""

LOOKS = (
    "list", "list --total", "show {id}", "why {id}", "why {blocked}", "history", "history --limit 50", "log",
    "log --id {id}", "stats", "stats --by host", "stats --by cause", "health", "health --openmetrics", "files",
    "files --digest", "verify --files --views", "config", "hooks", "hooks test posted", "doctor", "bundle list",
    "bundle show pair", "clean --dry-run", "rebuild",
    "receipt {done}", "receipt {done} -o {told}/receipt{turn}", "receipt {id} --any",
    "verify-receipt {told}/receipt{turn}", "repair {done} {id}", "repair --log", "add {url} -o later",
    "show {done} --at-byte 0", "show {id} --at-byte 0", "history --drift --url {url}", "diff 0", "replay",
    "replay --view progress", "replay --view history --at 0s", "log --from 1 --to 9",
    "export events --to {told}/events{turn}.jsonl", "export events --to {told}/events{turn}.csv",
    "export events --to {told}/events{turn}.parquet", "export events --to {told}/clouds --format cloudevents",
    "export events --to {told}/parts", "export history --to {told}/history.jsonl --force",
    "export attempts --to {told}/attempts.csv --force", "export queue --to {told}/queue.parquet --force",
    "export progress --to {told}/progress.jsonl --force", "export failures --to {told}/failures.csv --force",
    "export statistics --to {told}/statistics.jsonl --force", "export history --to {told}/histories",
    "verify --export {told}/parts", "sql 'SELECT * FROM events'", "sql 'SELECT * FROM progress'", "sql --tables",
    "sql 'SELECT {url}'", "incident {told}/incident{turn}", "replay --simulate {told}/incident{turn}",
    "checkpoint", "checkpoint --key", "checkpoint --tiles {told}/tiles", "backup {told}/backup{turn}",
    "backup {told}/vaulted{turn} --with-vault", "verify --backup {told}/backup{turn}",
    "--home {told}/home{turn} restore {told}/backup{turn}", "--home {told}/home{turn} list",
    "--home {told}/vaulted-home{turn} restore {told}/vaulted{turn}",
    "undo", "redo", "undo --skip", "pause --all", "resume --all", "archive --to {told}/archive --format parquet",
    "archive", "forget --tag listed", "remove {id}", "completion bash",
)  # fmt: skip
"""Every verb that shows something of a home, each said with and without --json.

{id} is a download full of secrets, {done} one that is complete, {url} a whole URL of one, {turn} counts 0 and 1. What
writes files is to write them below {told}.
"""

MADE = (
    "receipt0", "events0.jsonl", "events1.csv", "events0.parquet", "clouds/*/*.jsonl", "parts/**/*.parquet",
    "history.jsonl", "attempts.csv", "queue.parquet", "progress.jsonl", "failures.csv", "histories/*/*.parquet",
    "backup0", "backup1", "vaulted1", "home1/log/data.mdb", "vaulted-home0/log/data.mdb", "archive/*.parquet",
)  # fmt: skip
"""What looks must have written of the downloads, or there was nothing to be found in it."""

SPEAK = """
import json, os, sys
from lading.tools.cli import main
before = dict(os.environ)
for words, stdin, environ in json.loads(sys.stdin.read()):
    os.environ.clear()
    os.environ.update(before | environ)
    with open("../stdin", "w") as file:
        file.write(stdin)
    with open("../stdin") as file:
        os.dup2(file.fileno(), 0)
    sys.stdin = open(0, closefd=False)
    main(words)
"""


class Door(NamedTuple):
    """A command, what it reads, and what is in its environment."""

    words: list[str]
    stdin: str = ""
    environ: Mapping[str, str] = MappingProxyType({})


class Stage:
    """A home with doors: says commands, and keeps everything that was heard."""

    def __init__(self, folder: Path, origin: Origin) -> None:
        self.folder = folder
        self.home, self.files, self.told = folder / "home", folder / "files", folder / "told"
        for made in (self.home, self.files, self.told):
            made.mkdir(exist_ok=True)
        self.origin = origin
        self.heard: list[tuple[str, bytes]] = []

    def say(self, doors: list[Door]) -> None:
        """Say commands, one after the other, in a process of their own."""
        said = [[["--home", str(self.home), *door.words], door.stdin, dict(door.environ)] for door in doors]
        clean = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        done = subprocess.run(
            [sys.executable, "-c", SPEAK],
            input=json.dumps(said).encode(),
            capture_output=True,
            env={**clean, "LADING_DEBUG": "1", "LADING_RETRIES": "0", "LADING_CONNECT_TIMEOUT_S": "2"},
            cwd=self.files,
            timeout=100,
            check=True,
        )
        self.heard += [("stdout", done.stdout), ("stderr", done.stderr)]

    def found(self, sightings) -> list[str]:
        """Say where any canary is, but for the settings that a person wrote."""
        places = [*self.heard]
        for folder in (self.home, self.files, self.told):
            for path in folder.rglob("*"):
                places.append((f"the name of {path}", os.fsencode(path)))
                if path.is_file() and path.name != "settings.toml":
                    places.append((f"inside of {path}", unpacked(path)))
                    if not path.name.startswith("vaulted"):  # which has the settings as they are
                        places.append((str(path), path.read_bytes()))
        return [f"{name}: {sighting}" for name, data in places for sighting in sightings(CANARIES, data)]


def unpacked(path: Path) -> bytes:
    """Return what a packed file holds, as it is read by whoever opens it; nothing of another."""
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == b"PAR1":
        import pyarrow.parquet

        return repr(pyarrow.parquet.read_table(path, partitioning=None).to_pylist()).encode()
    if magic[:2] == b"\x1f\x8b":
        return gzip.decompress(path.read_bytes())
    if path.name.startswith("receipt"):
        payload = base64.b64decode(json.loads(path.read_bytes())["payload"])
        return payload + b"".join(
            map(base64.b64decode, re.findall(rb'"((?:[A-Za-z0-9+/]{4}){8,}(?:..==|...=)?)"', payload))
        )
    if path.name.startswith(("backup", "vaulted")):
        with Parcel(path) as parcel:
            packed = {"events", "vault/secrets"} & set(parcel.members)
            plain = [chunk for name in packed for chunk in packing.unpack(parcel.chunks(name))]
            rest = set(parcel.members) - packed - {"settings.toml"}
            return b"\n".join(plain + [chunk for name in sorted(rest) for chunk in parcel.chunks(name)])
    return b""


def doors(stage: Stage) -> list[Door]:
    """Every way in, as it is used in earnest; some are used in the wrong way."""
    code = {name: quote(secret, safe="") for name, secret in CANARIES.items()}
    host, folder = f"127.0.0.1:{stage.origin.port}", stage.folder
    plain = f"http://{host}"
    whole = f"http://{code['user']}:{code['password']}@{host}/good?token={code['query']}#{code['fragment']}"
    (folder / "headers").write_text(f"X-Secret: {CANARIES['file']}\n")
    (folder / "netrc").write_text(f"machine 127.0.0.1 login me password {CANARIES['netrc']}\n")
    (folder / "jar").write_text(f"# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tid\t{CANARIES['jar']}\n")
    (folder / "key.pem").write_text(f"-----BEGIN PRIVATE KEY-----\n{CANARIES['key']}\n-----END PRIVATE KEY-----\n")
    (folder / "list").write_text(f"# mine\n{plain}/good?t={code['list']}\nhttps//{host}/?t={code['list']}\n")
    headers = ["X-Api-Key: " + CANARIES["header"], "Cookie: s=" + CANARIES["cookie"]]
    bearer, renewed = (f"Authorization: Bearer {CANARIES[kind]}" for kind in ("bearer", "renewed"))
    options = [word for header in headers for word in ("--header", header)]
    proxy = {"http_proxy": f"http://me:{code['proxy']}@{host}"}
    dead = {"http_proxy": f"http://me:{code['proxy']}@127.0.0.1:1"}
    typo = f"http://me:{code['mistyped']}@{host}/good?t={code['mistyped']}"
    log = f"u:{code['log']}@127.0.0.1:1/db"
    asked = [
        *(["get", f"{whole}", "-o", f"whole {n}", *options] for n in range(2)),
        *(["get", f"{plain}/{name}?t={code['query']}", "-o", name, "--header", bearer] for name in stage_names()),
        ["get", f"{plain}/{code['path']}/deep", "-o", "secret path", "--secret-path"],
        ["get", f"{plain}/good?X-Amz-Signature={code['signature']}", "-o", "signed", "--show-query", "X-Amz-Signature"],
        ["get", f"{plain}/gone", "--mirror", f"{plain}/good?t={code['mirror']}", "-o", "mirrored"],
        ["get", whole.replace(str(stage.origin.port), "1"), "-o", "nobody there", *options],
        ["get", whole, "-o", "../../out", *options],
        ["get", whole.replace("http:", "ftp:")],
        ["get", whole, "--digest", "sha256:" + "0" * 64, "-o", "wrong"],
        ["add", "-i", str(folder / "list"), "--tag", "listed"],
        ["add", whole, "-o", "blocked later", "--key", "blocked", "--header", bearer],
        ["bundle", "add", "pair", whole, f"{plain}/good?t={code['query']}2", "-d", "pair"],
        ["refresh-url", "blocked", f"{plain}/good?t={code['refreshed']}", "--header", renewed],
        ["run"],
        ["--log", f"postgresql://{log}", "list"],
        ["--log", f"mysql://{log}", "list"],
        ["show", typo], [typo], ["wait", typo], ["get", typo, "--bogus"], ["show", "blocked", typo],
        ["refresh-url", "blocked", typo, typo], ["add", typo, "--header", CANARIES["mistyped"]],
        ["get", typo.replace("//", "/")],
        ["bundle", "show", typo], ["forget", typo], ["history", "--url", typo], ["add", "-i", typo],
        ["--home", typo, "list"], ["--json", "show", typo],
    ]  # fmt: skip
    return [
        *map(Door, asked),
        Door(["add", "-i", "-", "--tag", "listed"], f"{plain}/good?t={code['stdin']}\n"),
        Door(["get", "-", "--header", f"@{folder / 'headers'}", "-o", "unseen"], f"{plain}/good?t={code['stdin']}\n"),
        Door(["get", f"http://proxied.test/good?t={code['query']}", "-o", "proxied"], environ=proxy),
        Door(["get", "http://proxied.test/good", "-o", "no proxy"], environ=dead),
        Door(["get", f"{plain}/forbidden", "-o", "netrc"], environ={"NETRC": str(folder / "netrc")}),
        Door(["get", f"{plain}/elsewhere", "-o", "jar"], environ={"LADING_COOKIES": str(folder / "jar")}),
        Door(
            ["get", f"{plain}/good", "-o", "key"],
            environ={
                "LADING_CLIENT_CERTIFICATE": str(folder / "key.pem"),
                "LADING_CLIENT_KEY": str(folder / "key.pem"),
            },
        ),
        Door(["list"], environ={"LADING_LOG": f"postgresql://{log}"}),
    ]


def stage_names() -> tuple[str, ...]:
    """The resources that go wrong."""
    return ("missing", "forbidden", "busy", "elsewhere", "endless", "far", "nowhere")


def behave(origin: Origin) -> None:
    token = quote(CANARIES["redirect"], safe="")
    cookie = (("Set-Cookie", f"s={CANARIES['set cookie']}; Path=/"),)
    for name, behaviour in {
        "forbidden": Behaviour(refusals=(Refusal(401, times=None),)),
        "busy": Behaviour(refusals=(Refusal(503, times=None, retry_after_s=0),)),
        "gone": Behaviour(refusals=(Refusal(410, times=None),)),
        "elsewhere": Behaviour(redirect=Redirect(f"/good?token={token}"), headers=cookie),
        "endless": Behaviour(redirect=Redirect(None)),
        "far": Behaviour(redirect=Redirect(f"http://someone:{token}@127.0.0.1:1/")),
        "nowhere": Behaviour(redirect=Redirect(f"gopher://{token}.example/")),
        "hook": Behaviour(),
    }.items():
        origin.put(Resource(name, 30_000))
        origin.set(name, behaviour)


def settle(stage: Stage) -> None:
    """Write hooks into the settings: a program that keeps what it is told, one that fails, one that is posted to."""
    (stage.folder / "hook.py").write_text(
        "import os, sys\n"
        "told = sys.stdin.read() + repr({k: v for k, v in os.environ.items() if k.startswith('LADING_')})\n"
        f"open({str(stage.told / 'hook')!r}, 'a').write(told)\n"
    )
    port = stage.origin.port
    (stage.home / "settings.toml").write_text(
        f"""
[hooks.told]
command = "{sys.executable} {stage.folder / "hook.py"}"
on = ["all"]

[hooks.fails]
command = "false {CANARIES["hook"]}"
give_up_after = 1

[hooks.posted]
url = "http://me:{CANARIES["hook"]}@127.0.0.1:{port}/hook?token={CANARIES["hook"]}"
give_up_after = 1

[hooks.lost]
url = "http://127.0.0.1:1/hook?token={CANARIES["hook"]}"
give_up_after = 1
"""
    )


@pytest.mark.long
def test_no_secret_comes_out_wherever_it_went_in(tmp_path, sought):
    """The home, its vault too, the names of files, all that was said, written elsewhere, and that hooks were told."""
    with Origin([Resource("good", 4000)]) as origin:
        stage = Stage(tmp_path, origin)
        behave(origin)
        settle(stage)
        stage.say([*doors(stage), Door(["--json", "list"])])
        rows = [json.loads(line) for line in stage.heard[0][1].splitlines() if line.startswith(b'{"id":')]
        done = next(row["id"] for row in rows if row["state"] == "completed")
        url = shlex.quote(next(door.words[1] for door in doors(stage)))
        ids = {"id": rows[-1]["id"], "done": done, "url": url, "blocked": "blocked", "told": str(stage.told)}
        (stage.files / "whole 0").write_bytes(b"rotten")
        looks = [[shlex.split(look.format(turn=turn, **ids)) for turn in range(2)] for look in LOOKS]
        stage.say([Door(said) for plain, told in looks for said in (plain, ["--json", *told])])
        seen = b"\n".join(f"{exchange.path} {dict(exchange.headers)}".encode() for exchange in origin.requests)
    arrived = {sighting.partition(",")[0] for sighting in sought(CANARIES, seen)}
    assert arrived >= SENT, f"{sorted(SENT - arrived)} never arrived: a door was shut"
    assert (stage.told / "hook").stat().st_size > 1000
    assert sum(len(data) for _, data in stage.heard) > 50_000, "they spoke"
    for name in MADE:
        made = [path.read_bytes() + unpacked(path) for path in stage.told.glob(name)]
        assert b"127.0.0.1" in b"".join(made), f"{name} was not made, or cannot be read"
    assert stage.found(sought) == []
    planted = b" ".join(quote(secret, safe="").encode() for secret in CANARIES.values())
    (stage.home / "log" / "planted").write_bytes(planted)
    stage.heard.append(("planted", b" ".join(secret.encode().hex().encode() for secret in CANARIES.values())))
    found = [place.rpartition(": ") for place in stage.found(sought)]
    for name in ("planted", str(stage.home / "log" / "planted")):
        assert {what.partition(",")[0] for where, _, what in found if where == name} == set(CANARIES), "it can find"
