"""A process that forks victims for `test_forget_kills`: each works on a copy of one home, and may be killed at a step.

It reads one JSON object a line from stdin, forks, and says what the child said and how it ended; so a hundred engines
cost one import. The axe of the torture is laid around `os` before anything of Lading has its functions by name.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from lading.tools.torture.steps import Axe, Step

AXE = Axe("", "", None)
AXE.install()
warnings.simplefilter("ignore")

import trio  # noqa: E402

from lading import Request, open_engine  # noqa: E402
from lading.adapters.lmdb import LMDBStore  # noqa: E402
from lading.adapters.vault import SealedVault, Strongroom  # noqa: E402

AXE.install_commits()

SECRET, OTHER = "http://127.0.0.1:1/a?token=sesame-open", "http://127.0.0.1:1/b?token=another-one"


async def make(home: str) -> dict[str, Any]:
    """Queue two downloads with secrets; tell their ids, and what the vault has of the first."""
    async with open_engine(home, downloads=home, role="client") as engine:
        ids = [d.id for d in await engine.submit_many([Request(SECRET), Request(OTHER)])]
    room = Strongroom(Path(home) / "vault", LMDBStore)
    with room.inside() as store, store.read() as reader:
        record = reader.get(ids[0].bytes)
    room.close()
    return {"ids": [id.hex for id in ids], "record": record.hex()}


async def forget(home: str, id: str, kill: str = "") -> dict[str, Any]:
    """Forget the first, unless killed before; tell the steps that this took."""
    AXE._home, AXE._downloads, AXE._at = home, f"{home}/nowhere", Step.parse(kill) if kill else None
    async with open_engine(home, downloads=home, role="owner", start=False) as engine:
        (left,) = await engine.forget(UUID(hex=id))
        assert not left.shredding
    return {"steps": [[*kind, count] for kind, count in sorted(AXE.counts.items())]}


async def vault(home: str, ids: list[str]) -> dict[str, Any]:
    """Tell what the vault has of each now, and whether a secret can be kept."""
    opened = SealedVault(Path(home) / "vault", LMDBStore)
    held = [opened.recall(UUID(hex=id)) for id in ids]
    opened.close()
    return {"held": [None if one is None else one.urls[0] for one in held]}


async def recover(home: str, id: str) -> dict[str, Any]:
    """Open the home as its owner, and tell what has become of the forgotten one once nothing is to be done."""
    async with open_engine(home, downloads=home, role="owner", start=False) as engine:
        with trio.fail_after(20):
            while (await engine.get(UUID(hex=id))).shredding:
                await trio.sleep(0.01)
        left = await engine.get(UUID(hex=id))
        facts = await trio.to_thread.run_sync(engine.reading.stream, left.id)
    return {"forgotten": left.forgotten, "events": [type(fact.event).__name__ for fact in facts]}


DOES: dict[str, Callable[..., Any]] = {"make": make, "forget": forget, "vault": vault, "recover": recover}


def main() -> None:
    """Fork for each line."""
    for line in sys.stdin:
        words = json.loads(line)
        child = os.fork()
        if not child:
            try:
                said = trio.run(lambda: DOES[words.pop("do")](**words))  # noqa: B023 # it runs at once
            except BaseException as error:  # it is told
                said = {"error": repr(error)}
            os.write(1, json.dumps(said).encode() + b"\n")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        os.write(1, json.dumps({"ended": os.waitstatus_to_exitcode(status)}).encode() + b"\n")


if __name__ == "__main__":
    main()
