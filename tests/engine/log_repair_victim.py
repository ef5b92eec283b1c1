"""A process that repairs the log of a home, and is killed at the step that it is told, or counts its steps."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from lading.tools.torture.steps import Axe, Step


def main() -> None:
    """Repair, with an axe around whatever changes the home."""
    home, step = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    axe = Axe(home, f"{home}/nothing", Step.parse(step) if step else None)
    axe.install()
    from lading.adapters.system import SystemChance, SystemClock
    from lading.domain.facts import Context
    from lading.home import open_home
    from lading.log_repair import LogRepairer

    axe.install_commits()
    repairer = LogRepairer(open_home(Path(home), new_id=None), SystemClock(), SystemChance(), Context(actor="t"))
    repairer.run()
    print(json.dumps([[*kind, count] for kind, count in sorted(axe.counts.items()) if kind[1]]))


if __name__ == "__main__":
    main()
