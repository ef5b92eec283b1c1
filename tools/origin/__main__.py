"""`python -m lading.tools.origin`: an origin in a process of its own, that ends with who started it.

It serves what `--resource` names, writes its port to `--port-file` (whole or not at all) and says on stdout that it is
ready, as JSON. Then each line on stdin, an object of `lading.tools.origin.script`, changes what it serves, and is
answered by a line on stdout. The end of stdin ends it, so that it never outlives a parent that holds the other end,
however that died; so do SIGTERM and Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import ssl
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TextIO

from lading.domain.errors import UsageError
from lading.tools.origin import Origin, script

_ABOUT = """\
Serve files on this machine, well or badly, to try downloads without a network.

It ends when its stdin closes, and on SIGTERM and Ctrl-C: in a terminal Ctrl-D ends it;
in a script hold its stdin open for as long as it shall serve."""

_SPOKEN = """\
what it prints, one JSON object a line:
  once it is ready             {"port": 40123, "url": "http://127.0.0.1:40123/"}
  for each line on stdin       {"name": "a.bin", "url": "http://127.0.0.1:40123/a.bin"}
  for one that it cannot take  {"error": "…", "hint": "…"}

what it takes, with --resource and on stdin:
  a.bin=2M                                              a file of that size
  {"name": "a.bin", "size": "2M", "seed": "x"}          the same, of other bytes
  {"name": "a.bin", "behaviour": {"rate": 100000}}      from now on treated so: 100000 bytes a second
  {"name": "a.bin", "behaviour": {"refusals": [{"status": 503, "times": 2}]}}"""


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to end; the exit code is 0 then, and 2 for a resource that cannot be meant."""
    options = _options(arguments)
    tls = None
    if options.tls_certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(options.tls_certificate)
    try:
        signal.signal(signal.SIGTERM, _leave)
        with Origin(tls=tls, connections_max=options.connections) as origin:
            for text in options.resource:
                _apply(origin, text, options.seed)
            if options.port_file:
                _write_whole(options.port_file, f"{origin.port}\n")
            _say(sys.stdout, {"port": origin.port, "url": origin.root})
            _follow(origin, sys.stdin, sys.stdout, options.seed)
    except UsageError as error:
        print(f"{error.message}\nhint: {error.hint}", file=sys.stderr)
        return error.exit_code
    except (KeyboardInterrupt, BrokenPipeError):
        pass
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m lading.tools.origin",
        description=_ABOUT,
        epilog=_SPOKEN,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", default="lading", help="seed of the resources that name none")
    parser.add_argument("--port-file", type=Path, help="file that gets the port once it is ready")
    parser.add_argument(
        "--resource", action="append", default=[], help="NAME=SIZE (4096, 64K, 2M, 1G) or a JSON object; repeatable"
    )
    parser.add_argument("--connections", type=int, default=64, help="connections served at once")
    parser.add_argument("--tls-certificate", type=Path, help="PEM with key and chain, to speak https")
    return parser.parse_args(arguments)


def _apply(origin: Origin, text: str, seed: str) -> dict[str, str]:
    line = script.read(text, seed=seed)
    if content := line.content:
        origin.put(content)
    if line.behaviour is not None:
        origin.set(line.name, line.behaviour)
    return {"name": line.name, "url": origin.url(line.name)}


def _follow(origin: Origin, lines: Iterable[str], answers: TextIO, seed: str) -> None:
    for text in lines:
        try:
            _say(answers, _apply(origin, text, seed))
        except UsageError as error:
            _say(answers, {"error": error.message, "hint": error.hint})


def _say(answers: TextIO, answer: Mapping[str, str | int]) -> None:
    print(json.dumps(answer), file=answers, flush=True)


def _write_whole(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(text)
    part.replace(path)


def _leave(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
