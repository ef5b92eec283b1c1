"""`lading demo`: the tour. Downloads over real sockets, a real SIGKILL, and a recovery that is nothing but replay.

It starts an origin on loopback that is slow and drops connections, an engine in a process of its own, kills that engine
in the middle of the largest file, starts another on the same home, and checks every file against what the origin really
holds. It believes nothing that it has not checked: the exit code is 0 only if all of it was true.
"""

from lading.tools.demo.play import main

__all__ = ["main"]
