"""What is around a download that waits for its turn: the hold on the queue, and the hosts that want to be left alone.

Made when somebody asks why; a download's own row tells nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from lading.domain import requirements
from lading.domain.download import Download
from lading.domain.hold import Hold
from lading.domain.ports import Reader
from lading.domain.states import State
from lading.projections import hold, queue
from lading.projections.instants import iso


@attrs.frozen(kw_only=True)
class Around:
    """The hold on the whole queue, and until when (UTC, ns) which hosts are at rest."""

    hold: Hold = attrs.field(factory=Hold)
    resting: Mapping[str, int] = attrs.field(factory=dict)

    def keeps(self, download: Download) -> str | None:
        """Return in one short sentence what keeps a download from its turn, None when nothing does."""
        if download.state is not State.QUEUED:
            return None
        if self.hold.paused:
            return self.hold.why
        host = queue.host(download)
        reason = requirements.holds(self.hold.blocked, host)
        if reason is not None:
            message = self.hold.blocked[reason]
            return f"blocked by {reason}: {message}" if message else f"blocked by {reason}"
        if host in self.resting:
            return f"waiting until {iso(self.resting[host])}, as {host} asked to be left alone until then"
        return None


def look(reader: Reader, now_ns: int) -> Around:
    """Return what is around now."""
    return Around(hold=hold.get(reader), resting=queue.resting(reader, now_ns))
