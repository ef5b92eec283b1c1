"""What an event says, in a sentence: for `why`, for `log`, and for progress in plain lines."""

from __future__ import annotations

import functools
import re

from lading.domain import amounts
from lading.domain import events as e
from lading.domain.facts import Context, Fact
from lading.projections.instants import iso
from lading.projections.progress import vouched
from lading.tools.cli.units import moment, size


def sentence(fact: Fact) -> str:
    """Return what a fact says: no capital, no full stop, no time."""
    return _say(fact.event, fact.context)


def kind(event: e.Event) -> str:
    """Return the name of an event, as filters and JSON have it: `RetryScheduled`."""
    return type(event).__name__


@functools.singledispatch
def _say(event: e.Event, _: Context) -> str:
    """Say of an event that has no sentence of its own what its name says."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind(event)).lower()


def _by(context: Context) -> str:
    if not context.actor:
        return ""
    return f" by {context.actor}" + (f" on {context.host}" if context.host else "")


@_say.register
def _(event: e.Queued, context: Context) -> str:
    return f"queued{_by(context)}: {event.order.url}"


@_say.register
def _(event: e.Started, _: Context) -> str:
    whence = f" from source {event.source + 1}" if event.source else ""
    on = f", with the {size(event.resumed_from)} that were durable" if event.resumed_from else ""
    return f"attempt {event.attempt} started{whence}{on}"


@_say.register
def _(event: e.Probed, _: Context) -> str:
    return f"the server answered {event.status}, {'size unknown' if event.total is None else size(event.total)}"


@_say.register
def _(event: e.Joined, _: Context) -> str:
    return f"source {event.source + 1} takes part: {event.url}"


@_say.register
def _(event: e.Progressed, _: Context) -> str:
    sources = sorted({piece.source + 1 for piece in event.pieces if piece.source is not None})
    others = f", some from source {' and '.join(map(str, sources))}" if sources else ""
    return f"what had arrived became durable, up to byte {max((p.end for p in event.pieces), default=0):,}{others}"


@_say.register
def _(event: e.PieceRejected, _: Context) -> str:
    return f"the bytes from {event.start} to {event.end} were given up: {event.reason}"


@_say.register
def _(_event: e.ResourceChanged, _: Context) -> str:
    return "the server has another version of the file now"


@_say.register
def _(event: e.Restarted, _: Context) -> str:
    given_up = f", giving up {size(event.discarded)}" if event.discarded else ""
    return f"began again from byte 0{given_up}: {event.reason}"


@_say.register
def _(event: e.FellBack, _: Context) -> str:
    return f"fell back to source {event.source + 1} because of {event.cause}"


@_say.register
def _(_event: e.Paused, context: Context) -> str:
    return f"asked to pause{_by(context)}"


@_say.register
def _(event: e.Resumed, context: Context) -> str:
    return f"asked to {'try again' if event.fresh else 'go on'}{_by(context)}"


@_say.register
def _(event: e.Cancelled, context: Context) -> str:
    return f"given up: {event.reason}" if event.reason else f"cancelled{_by(context)}"


@_say.register
def _(event: e.Removed, context: Context) -> str:
    return f"removed{' with its file' if event.files else ''}{_by(context)}"


@_say.register
def _(event: e.Discarded, _: Context) -> str:
    return f"what was left of it went from the disk, {size(event.size)}" if event.size else "nothing was to be removed"


@_say.register
def _(event: e.Reprioritised, context: Context) -> str:
    return f"given the priority {event.priority}{_by(context)}"


@_say.register
def _(event: e.Stopped, _: Context) -> str:
    return f"attempt {event.attempt} stopped: {event.reason}"


@_say.register
def _(event: e.RetryScheduled, _: Context) -> str:
    until = moment(iso(event.not_before_ns))
    return f"attempt {event.attempt} failed of {event.cause}: {event.message}; the next may start at {until}"


@_say.register
def _(event: e.Blocked, _: Context) -> str:
    return f"blocked by {event.reason}" + (f": {event.message}" if event.message else "")


@_say.register
def _(event: e.Unblocked, _: Context) -> str:
    return f"no longer blocked by {event.reason}"


@_say.register
def _(event: e.Verified, _: Context) -> str:
    return f"verified, {size(event.size)}, {event.digest}"


@_say.register
def _(event: e.Completed, _: Context) -> str:
    return f"completed, {size(event.size)}, {vouched(event.assurance)}"


@_say.register
def _(event: e.Failed, _: Context) -> str:
    return f"attempt {event.attempt} failed of {event.cause}: {event.message}"


@_say.register
def _(event: e.KeyClaimed, _: Context) -> str:
    return f"the key {event.key} names {event.download}"


@_say.register
def _(event: e.EngineOpened, context: Context) -> str:
    return f"an engine of version {event.version} was opened{_by(context)}"


@_say.register
def _(event: e.Recovered, _: Context) -> str:
    return (
        f"recovered: {event.interrupted} interrupted, {event.resumable} resumable, {event.published} published, "
        f"{event.vanished} vanished, {size(event.bytes_vouched)} vouched for, {size(event.bytes_discarded)} discarded"
    )


@_say.register
def _(_event: e.EngineClosed, context: Context) -> str:
    return f"the engine was closed{_by(context)}"


@_say.register
def _(event: e.LimitChanged, context: Context) -> str:
    told = [] if event.limit_rate is None else [f"{size(event.limit_rate)} a second"]
    told += [] if event.connections is None else [amounts.of(event.connections, "connection")]
    return f"limited to {', '.join(told)}{_by(context)}" if told else f"left without limits of its own{_by(context)}"


@_say.register
def _(event: e.SourceReplaced, context: Context) -> str:
    return f"source {event.source + 1} is now {event.url}{_by(context)}"


@_say.register
def _(_event: e.FinishRequested, context: Context) -> str:
    return f"asked to end here{_by(context)}"


@_say.register
def _(_event: e.Forgotten, context: Context) -> str:
    return f"its secrets were given up for good{_by(context)}"


@_say.register
def _(_event: e.KeyShredded, _: Context) -> str:
    return "the key of its secrets was shredded, and the vault written anew"


@_say.register
def _(event: e.Degraded, _: Context) -> str:
    return f"goes on without {event.feature}: {event.message}"


@_say.register
def _(event: e.Quarantined, _: Context) -> str:
    return f"what was left of it, {size(event.size)}, is kept until {moment(iso(event.until_ns))}"


@_say.register
def _(_event: e.Restored, context: Context) -> str:
    return f"taken back into the queue{_by(context)}"


@_say.register
def _(_event: e.Returned, context: Context) -> str:
    return f"taken back with its file{_by(context)}"


@_say.register
def _(event: e.Invalidated, _: Context) -> str:
    return f"the file is not what was published: {event.reason}"


@_say.register
def _(_event: e.Confirmed, _: Context) -> str:
    return "the file is what was published"


@_say.register
def _(event: e.NetworkChanged, _: Context) -> str:
    metered = {True: ", metered", False: ", not metered", None: ""}[event.metered]
    return f"the network is {'there' if event.online else 'gone'}{metered}"


@_say.register
def _(event: e.Maintained, _: Context) -> str:
    return (
        f"tidied up: {event.failures} stale failures, {event.orphans} orphans, {event.quarantined} from quarantine, "
        f"{event.evicted} from the cache, {event.invalidated} not valid, {size(event.bytes_reclaimed)} given back"
    )


@_say.register
def _(_event: e.QueuePaused, context: Context) -> str:
    return f"the queue was paused{_by(context)}"


@_say.register
def _(_event: e.QueueResumed, context: Context) -> str:
    return f"the queue was let go on{_by(context)}"


@_say.register
def _(event: e.QueueBlocked, _: Context) -> str:
    return f"nothing starts, blocked by {event.reason}" + (f": {event.message}" if event.message else "")


@_say.register
def _(event: e.QueueUnblocked, _: Context) -> str:
    return f"the queue is no longer blocked by {event.reason}"


@_say.register
def _(event: e.HistoryArchived, context: Context) -> str:
    return f"{len(event.downloads)} downloads archived{_by(context)}: {event.file}, {event.digest}"


@_say.register
def _(event: e.LogRepaired, context: Context) -> str:
    lost = "an unknown number of events was" if event.lost is None else f"{event.lost:,} events were"
    return f"the log was repaired{_by(context)}: {lost} lost from position {event.cut:,} on ({event.reason})"


@_say.register
def _(event: e.Undone, context: Context) -> str:
    return f"the act {event.act} was undone{_by(context)}"


@_say.register
def _(event: e.Redone, context: Context) -> str:
    return f"the act {event.act} was done again{_by(context)}"


@_say.register
def _(event: e.BundleOpened, context: Context) -> str:
    return f"the bundle {event.name} of {len(event.members)} was opened, {event.policy}{_by(context)}"


@_say.register
def _(_event: e.BundleVerified, _: Context) -> str:
    return "all of the bundle is whole, and is about to be visible"


@_say.register
def _(_event: e.BundlePublished, _: Context) -> str:
    return "all of the bundle is visible"


@_say.register
def _(event: e.BundleFailed, _: Context) -> str:
    return f"the bundle failed of {event.cause}: {event.message}"


@_say.register
def _(_event: e.BundleRetried, context: Context) -> str:
    return f"the bundle is to be tried again{_by(context)}"
