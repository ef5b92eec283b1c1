"""What the system tells of this machine: its memory, and whether there is a network, and one that costs by the byte.

All of it is read from files of the Linux kernel; elsewhere nothing is known, and what is not known keeps nobody from
downloading. A way to other machines is any route over an interface that is up and has a carrier, not only a default
one: a machine without a gateway still reaches its neighbours.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from lading.domain.requirements import Conditions

ROUTE_UP, ROUTE_REJECTS = 0x0001, 0x0200
METERED_FOR_S = 30.0
"""How long the answer of the network's manager is believed: asking it takes a program."""
ASKED_S = 2.0
_METERED = {"1": True, "2": False, "3": True, "4": False}
"""NetworkManager's words: yes, no, and its guesses of both; anything else is unknown."""
_QUESTION = (
    "busctl",
    "get-property",
    "org.freedesktop.NetworkManager",
    "/org/freedesktop/NetworkManager",
    "org.freedesktop.NetworkManager",
    "Metered",
)


class LocalMachine:
    """This machine; `root` is where its `/proc` and `/sys` are found."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._metered: bool | None = None
        self._asked_s = float("-inf")

    def look(self, *, metered: bool) -> Conditions:
        """Look at the machine; blocks, with `metered` for up to two seconds now and then."""
        return Conditions(
            online=self._online(),
            metered=self._is_metered() if metered else None,
            memory_percent=self._memory_percent(),
        )

    def _memory_percent(self) -> float | None:
        try:
            lines = (self._root / "proc/meminfo").read_text().splitlines()
            kilobytes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
            return 100.0 * (1 - kilobytes["MemAvailable"] / kilobytes["MemTotal"])
        except (OSError, LookupError, ValueError, ZeroDivisionError):
            return None

    def _online(self) -> bool | None:
        try:
            return any(self._is_up(interface) for interface in self._routed())
        except (OSError, LookupError, ValueError):
            return None

    def _routed(self) -> Iterator[str]:
        """Yield the interfaces over which a route leads to other machines."""
        for line in (self._root / "proc/net/route").read_text().splitlines()[1:]:
            interface, _, _, flags, *_ = line.split()
            if _leads(int(flags, 16)):
                yield interface
        try:
            lines = (self._root / "proc/net/ipv6_route").read_text().splitlines()
        except FileNotFoundError:  # a kernel without IPv6
            return
        for line in lines:
            target, *_, flags, interface = line.split()
            if _leads(int(flags, 16)) and not target.startswith(("fe8", "ff")):
                yield interface

    def _is_up(self, interface: str) -> bool:
        if interface == "lo":
            return False
        try:
            return (self._root / "sys/class/net" / interface / "operstate").read_text().strip() in {"up", "unknown"}
        except FileNotFoundError:
            return False

    def _is_metered(self) -> bool | None:
        """Ask the network's manager, where there is one."""
        now_s = time.monotonic()
        if now_s - self._asked_s >= METERED_FOR_S:
            self._asked_s = now_s
            self._metered = _ask()
        return self._metered


def _leads(flags: int) -> bool:
    return bool(flags & ROUTE_UP) and not flags & ROUTE_REJECTS


def _ask() -> bool | None:
    program = shutil.which(_QUESTION[0])
    if program is None:
        return None
    try:
        answer = subprocess.run(
            [program, *_QUESTION[1:]],
            capture_output=True,
            text=True,
            timeout=ASKED_S,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return _METERED.get(answer.stdout.split()[-1] if answer.stdout.split() else "")
