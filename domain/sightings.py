"""Sightings: every time that something was learnt of what lies behind a URL, as the events of a download tell it.

A pure function of the stream's facts. A server says ETag, Last-Modified, length and perhaps a digest with each answer;
a completed file has a digest that we took ourselves. In order of time, over all downloads of a URL, they show when
upstream changed: that is drift.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from uuid import UUID

import attrs

from lading.domain import events as e
from lading.domain.download import Download
from lading.domain.evolving import evolve
from lading.domain.facts import Fact
from lading.domain.validators import Validator


@attrs.frozen(kw_only=True)
class Wanted:
    """Which URL is meant: by the form that may be seen, asked for or answering; or, with `handle`, by that alone."""

    url: str | None = None
    handle: str | None = None

    def is_met(self, url: str, handle: str | None, final_url: str | None) -> bool:
        """Tell whether a source of this URL and handle, which `final_url` answered for, is meant."""
        if self.handle is not None:
            return handle == self.handle
        return self.url in {url, final_url}


@attrs.frozen(kw_only=True)
class Sighting:
    """What one event tells of a URL.

    Attributes:
        fact: the event.
        attempt: of the download.
        url, handle: what was asked for: its public form, and the name of the whole where that is secret.
        final_url: what answered after redirects, None when the event does not tell.
        status: of the answer, None when the event does not tell.
        validator: what the server said.
        digest: of the whole file, as we took it; None before that is complete.
    """

    fact: Fact
    attempt: int
    url: str
    handle: str | None
    final_url: str | None
    status: int | None
    validator: Validator
    digest: str | None


def sightings(stream: UUID, facts: Iterable[Fact], wanted: Wanted) -> Iterator[Sighting]:
    """Walk what the facts of a download tell of the wanted URL, in order.

    Raises:
        LogDamaged: the facts are not those of a download.
    """
    state: Download | None = None
    for fact in facts:
        state = evolve(state, fact.event, stream=stream, at_ns=fact.at_ns)
        seen = _seen(fact, state)
        if seen is not None and wanted.is_met(seen.url, seen.handle, seen.final_url):
            yield seen


def _seen(fact: Fact, download: Download) -> Sighting | None:
    source, final_url, status, digest = download.source, download.url, None, None
    match fact.event:
        case e.Probed() as event:
            validator, final_url, status = event.validator, event.url, event.status
        case e.Joined() as event:
            validator, final_url, source = event.validator, event.url, event.source
        case e.ResourceChanged() as event:
            validator = event.after
        case e.Completed() as event:
            validator, final_url, digest = event.validator, event.url, event.digest
        case _:
            return None
    asked = download.order.sources[source % len(download.order.sources)]
    return Sighting(
        fact=fact,
        attempt=download.attempt,
        url=asked.url,
        handle=asked.handle,
        final_url=final_url,
        status=status,
        validator=validator,
        digest=digest,
    )
