"""What can go wrong with an attempt, sorted by what it takes to go right: one table of causes and their policies.

A transport or the disk says what happened as a `Cause`; `retry` decides from the table, the budget and a random number
between 0 and 1 whether, and when, another attempt is worth its bytes. Backoff is exponential with full jitter.
"""

from __future__ import annotations

import enum

import attrs


class Cause(enum.StrEnum):
    """Why an attempt came to nothing."""

    NETWORK = "network"
    TIMEOUT = "timeout"
    STALLED = "stalled"
    BROKEN = "broken-body"
    BUSY = "busy"
    SERVER = "server-error"
    REFUSED = "refused"
    UNAUTHORISED = "unauthorised"
    TLS = "tls"
    DIGEST = "digest-mismatch"
    PROTOCOL = "protocol"
    CHANGED = "resource-changed"
    UNREPAIRABLE = "unrepairable"
    UNSIZED = "unsized"
    REDIRECTS = "redirects"
    DESTINATION = "destination"
    DISK = "disk"
    SECRET = "secret-missing"  # noqa: S105 # the name of a cause
    UNKNOWN = "unknown"


@attrs.frozen
class Policy:
    """How often a cause may be retried (None: as the budget says) and from which delay backoff doubles, in seconds."""

    most: int | None
    first_delay_s: float = 1.0


POLICIES: dict[Cause, Policy] = {
    Cause.NETWORK: Policy(None),
    Cause.TIMEOUT: Policy(None),
    Cause.STALLED: Policy(None, 0.5),
    Cause.BROKEN: Policy(None, 0.5),
    Cause.BUSY: Policy(None, 5.0),
    Cause.SERVER: Policy(None, 2.0),
    Cause.DIGEST: Policy(1, 0.0),
    Cause.CHANGED: Policy(2, 0.5),
    Cause.PROTOCOL: Policy(1),
    Cause.UNKNOWN: Policy(1),
    Cause.DISK: Policy(1, 5.0),
    Cause.TLS: Policy(0),
    Cause.REFUSED: Policy(0),
    Cause.UNAUTHORISED: Policy(0),
    Cause.UNREPAIRABLE: Policy(0),
    Cause.UNSIZED: Policy(0),
    Cause.REDIRECTS: Policy(0),
    Cause.DESTINATION: Policy(0),
    Cause.SECRET: Policy(0),
}
LOCAL = frozenset({Cause.DISK, Cause.DESTINATION})
"""Causes that lie with this machine: another source would meet them too."""

OF_THE_NETWORK = frozenset({Cause.NETWORK, Cause.TIMEOUT, Cause.STALLED, Cause.BROKEN})
"""Causes that a machine without a network meets at every server."""

BUNDLE = "bundle"
"""The reason by which a member that is whole is blocked until its bundle is."""
SECRET = "secret"  # noqa: S105 # a word that users see
"""The reason by which a download is blocked that the vault has no secrets of any more."""
NEEDS_SOMEBODY = frozenset({SECRET})
"""Reasons to be blocked that pass only when somebody does something about them; nothing waits for that."""

FORGOTTEN = "its secrets were forgotten"
"""Why a download is blocked whose secrets somebody gave up."""

DEFAULT_RETRIES = 3
LONGEST_BACKOFF_S = 300.0
MOST_DOUBLINGS = 30
LONGEST_RETRY_AFTER_S = 86_400.0

HINTS: dict[Cause, str] = {
    Cause.UNAUTHORISED: "give credentials with --header 'Authorization: …', or put them into ~/.netrc",
    Cause.REFUSED: "check the URL in a browser; `lading retry ID` tries again",
    Cause.TLS: "the server's certificate was not accepted; check the host name and the clock",
    Cause.DIGEST: "the server's file is not the one that the digest describes; check both",
    Cause.UNREPAIRABLE: "the damaged file was left as it is; `lading retry ID --overwrite` puts it aside, and fetches"
    " what the server has now",
    Cause.UNSIZED: "nothing vouches for the end of this body; --allow-unsized accepts it",
    Cause.DESTINATION: "choose another name with -o or folder with -d; where another download is to make that file,"
    " `lading run` goes on with that one; where a file lies there already, say --if-exists rename, skip or overwrite,"
    " or `lading retry ID --overwrite`, which puts it aside",
    Cause.DISK: "check that the folder exists, is writable and has room",
    Cause.SECRET: "the vault does not have this download's secrets any more; give them"
    " to it again by `lading refresh-url ID URL`, with --header for each header that it had",
}
BLOCK_HINTS: dict[str, str] = {
    SECRET: HINTS[Cause.SECRET],
    "disk": "make room on the disk, or lower the setting disk_free_percent; it goes on by itself",
    "network": "it goes on by itself when the network is back",
    "metered": "`lading config set metered run` downloads all the same",
    BUNDLE: "it has its final name when the rest of its bundle is whole; `lading bundle list` tells how that stands",
    "schedule": "it goes on by itself when the schedule lets it",
    "cache": "it goes on by itself; --no-cache would have fetched it at once",
}


def of_status(status: int) -> Cause:
    """Return the cause that an HTTP status other than 200 and 206 stands for (RFC 9110 §15)."""
    if status in {408, 425, 429, 503}:
        return Cause.BUSY
    if status in {401, 407}:
        return Cause.UNAUTHORISED
    if 400 <= status < 500:
        return Cause.REFUSED
    if status >= 500:
        return Cause.SERVER
    return Cause.PROTOCOL


def retry(
    cause: Cause,
    *,
    spent: int,
    budget: int,
    jitter: float,
    retry_after_s: float | None = None,
    repeated: int | None = None,
) -> float | None:
    """Return the seconds to wait before the next attempt, or None when there should be none.

    Args:
        cause: why the last one came to nothing.
        spent: retries used since bytes last advanced.
        budget: the most that the request allows.
        jitter: a random number from 0 to 1.
        retry_after_s: what the server asked for; obeyed, up to a day.
        repeated: how many of those that were spent were for this very cause, one after the other; None for all.
    """
    policy = POLICIES[cause]
    if spent >= budget or (policy.most is not None and (spent if repeated is None else repeated) >= policy.most):
        return None
    if retry_after_s is not None:
        return min(max(0.0, retry_after_s), LONGEST_RETRY_AFTER_S)
    return jitter * min(LONGEST_BACKOFF_S, policy.first_delay_s * 2.0 ** min(spent, MOST_DOUBLINGS))
