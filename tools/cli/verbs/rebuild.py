"""`lading rebuild`: the views, made anew."""

from __future__ import annotations

import time

from lading.tools.cli.frame import Frame, verb


@verb()
def command(frame: Frame) -> None:
    """Make the views anew from the log, beside the old ones, and drop those; works beside a running engine.

    The ledger is one of them, and has to come out as what was signed: exit code 4 when it does not.
    """
    from lading.tools.cli.answers import answer
    from lading.tools.cli.homes import signing
    from lading.tools.cli.units import duration

    began_s = time.monotonic()
    with signing(frame) as (reading, notary):
        reading.views.rebuild()
        reading.catch_up()
        position = reading.log.head()
        counts = reading.counts()
        if notary is not None:
            notary.review()
    took_s = time.monotonic() - began_s
    row = {"position": position, "downloads": sum(counts.values()), "seconds": round(took_s, 3)}
    answer(frame, row, f"rebuilt {row['downloads']} downloads up to position {position} in {duration(took_s)}")
