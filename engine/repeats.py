"""Requests that repeat one which has not ended: whoever asks again in the same words means that one.

So a command that was interrupted can be given again, and goes on where it was. What has settled its path is found among
any number of downloads; of those that wait for their first attempt, the first thousand or so are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice

from lading.domain.download import Download
from lading.domain.errors import LadingError
from lading.domain.ports import Secrets, Vault
from lading.domain.requests import Order
from lading.domain.states import State
from lading.placing import named_by
from lading.reading import Reading

MOST_LOOKED_AT = 1_000
"""So many of each state, and as many more as there are requests: those may be a long command that was interrupted."""
GOING = (State.ACTIVE, State.VERIFYING, State.WAITING, State.QUEUED, State.PAUSING, State.PAUSED)


class Repeats:
    """Finds what orders repeat, by what the views and the vault say; all of it blocks."""

    def __init__(self, reading: Reading, vault: Vault) -> None:
        self._reading = reading
        self._vault = vault

    def find(self, parted: Sequence[tuple[Order, Secrets | None]]) -> list[Download | None]:
        """Return, for each order with its secrets, the download that asks for the same and has not ended, if any."""
        self._reading.catch_up()
        with self._reading.at_once():
            most = MOST_LOOKED_AT + len(parted)
            going = [list(islice(self._of(state), most)) for state in GOING]
            are_more = any(len(some) == most for some in going)
            by_url: dict[str, list[Download]] = {}
            for download in chain.from_iterable(going):
                by_url.setdefault(download.order.url, []).append(download)
            found: list[Download | None] = []
            for order, secrets in parted:
                likely = chain(by_url.get(order.url, ()), self._there(order) if are_more else ())
                found.append(next((one for one in likely if self._is_same(one, order, secrets)), None))
        return found

    def _of(self, state: State) -> Iterator[Download]:
        return (one for one in self._reading.downloads(state=state.shown) if one.state is state)

    def _is_same(self, download: Download, order: Order, secrets: Secrets | None) -> bool:
        """Tell whether a download is what an order repeats; one whose secrets cannot be had is not."""
        if not order.repeats(download.order):
            return False
        try:
            return not order.secret or self._vault.recall(download.id) == secrets
        except LadingError:
            return False

    def _there(self, order: Order) -> Iterator[Download]:
        """Yield the download that is to make the file that the order would, if there is one."""
        id = self._reading.claims.owner(order.root, named_by(order))
        download = None if id is None else self._reading.get(id)
        if download is not None and download.state in GOING:
            yield download
