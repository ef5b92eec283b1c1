"""The victim: an engine in a process of its own, that tells each acknowledgement and may be killed at any step.

    python -m lading.tools.torture.victim '{"home": …, "downloads": …, …}'        (a `Plan`)

It speaks on stdout, one JSON object a line, and only after what it says is so. Between its recovery and its work it
waits for a line on stdin, so that the parent can look at what recovery made of home and folder while nobody works.
"""

from __future__ import annotations

import faulthandler
import hashlib
import json
import os
import random
import sys
from typing import Any, cast
from uuid import UUID

import attrs

from lading.tools.torture.steps import Axe, Step

LONGEST_S = 60.0
RETRIES = 100


@attrs.frozen(kw_only=True)
class Plan:
    """What a victim is to do.

    Attributes:
        home, downloads: Where, absolute.
        root: The origin's, with a slash at its end.
        seed: Of the life.
        batch: Number of the consignment to submit; those before it were submitted by earlier victims.
        share: Of the kinds of cargo, how many are in the consignment; 0 for none.
        kill: The step to die at, as text; empty for none.
        last: Whether to see everything to its end, so that nothing but the resting rests.
    """

    home: str
    downloads: str
    root: str
    seed: str
    batch: int
    share: float
    kill: str = ""
    last: bool = False


def main(text: str) -> None:
    """Do as the plan says."""
    plan = Plan(**json.loads(text))
    faulthandler.dump_traceback_later(LONGEST_S + 10, exit=True)
    axe = Axe(plan.home, plan.downloads, Step.parse(plan.kill) if plan.kill else None)
    axe.install()
    import trio

    from lading.tools.torture.work import work

    axe.install_commits()
    trio.run(work, plan, axe)


if __name__ == "__main__":
    main(sys.argv[1])
