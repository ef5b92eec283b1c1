"""Which way the exchanges of one attempt go, and why not the fast one any more."""

from __future__ import annotations

import attrs


@attrs.define
class Route:
    """Shared by all calls of an attempt, and by the transport that is asked.

    Attributes:
        own: whether our own transport is to be used, where it can be.
        failure: why it is not any more, in words without a secret.
    """

    own: bool = True
    failure: str | None = None

    def give_up(self, failure: str) -> None:
        """Go the plain way from now on."""
        self.own, self.failure = False, failure
