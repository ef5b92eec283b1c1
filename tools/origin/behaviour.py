"""How an origin treats one of its resources, as data.

`Behaviour()` is an honest HTTP/1.1 server. Each field departs from that in one way and fields combine freely, also with
`|`: `Behaviour(rate=1 << 20) | Behaviour(drop=Drop(after=5000))`. What a field does stands in one place: fields that
choose the answer in `lading.tools.origin.answer`, fields that treat its bytes in `lading.tools.origin.delivery`.

Two counts decide what "the first" means, both begun anew when a behaviour is set: *requests* are all requests to that
name, HEAD and refused ones too; *deliveries* are the answers that carry content (200 or 206 to a GET).
"""

from __future__ import annotations

import enum

import attrs
from attrs.validators import ge, gt, le, optional


class Ranges(enum.Enum):
    """What a single byte range in a GET is answered with; several ranges in one request always get the whole (200)."""

    HONEST = "honest"
    """206 with exactly what was asked, or 416 (RFC 9110 §14)."""
    IGNORED = "ignored"
    """200 with the whole, and no Accept-Ranges."""
    REFUSED = "refused"
    """416, whatever was asked."""
    EARLIER = "earlier"
    """206 that begins at half the asked start, and says so: legal."""
    SHORTER = "shorter"
    """206 that ends half-way to the asked end, and says so: legal."""
    NO_TOTAL = "no_total"
    """206 whose Content-Range gives `*` for the total: legal."""
    WRONG_START = "wrong_start"
    """206 that begins one byte late, and says so."""
    WRONG_TOTAL = "wrong_total"
    """206 whose Content-Range gives a total that is one too large."""
    FROM_ZERO = "from_zero"
    """206 that claims what was asked and sends bytes from offset 0: only a digest tells."""


class IfRange(enum.Enum):
    """What an If-Range does to the range beside it."""

    HONEST = "honest"
    """The range counts when the validator is strong and still holds (RFC 9110 §13.1.5)."""
    IGNORED = "ignored"
    """The range counts, whatever the validator: splices versions for a client that does not look."""
    DROPS_RANGE = "drops_range"
    """The range is forgotten, whatever the validator, as some networks of caches do."""


class Modified(enum.Enum):
    """Which Last-Modified is sent."""

    OLD = "old"
    """A date long before Date, so strong (RFC 9110 §8.8.2.2); each version has its own."""
    FRESH = "fresh"
    """The same, with a Date equal to it, so weak: the resource might change again within that second."""
    NONE = "none"
    """None."""


class Framing(enum.Enum):
    """What ends a body with content."""

    LENGTH = "length"
    """Its Content-Length."""
    CHUNKED = "chunked"
    """The last chunk; to HTTP/1.0 the connection's end."""
    CLOSE = "close"
    """The connection's end (over TLS after a close_notify)."""


STRONG_ETAG = '"{tag}"'
WEAK_ETAG = 'W/"{tag}"'
NO_ETAG = ""


@attrs.frozen
class Refusal:
    """A status instead of the content: 401, 403, 404, 429, 500, 503, whichever.

    Attributes:
        status: The status code.
        times: For how many requests; None for all from here on.
        retry_after_s: Seconds for a Retry-After header; None for no such header.
        as_date: Give Retry-After as an HTTP-date instead of seconds (RFC 9110 §10.2.3).
    """

    status: int = attrs.field(validator=[ge(400), le(599)])
    times: int | None = 1
    retry_after_s: int | None = attrs.field(default=None, validator=optional(ge(0)))
    as_date: bool = False


@attrs.frozen
class Redirect:
    """A redirect instead of the content.

    Attributes:
        to: The Location, a path or a URL; None redirects to the same resource with ever new queries, without end.
        status: The status code.
    """

    to: str | None
    status: int = attrs.field(default=302, validator=[ge(300), le(399)])


@attrs.frozen
class Change:
    """The resource becomes another version: other bytes of the same length, and other validators.

    Attributes:
        after: From which request on, counted from 0.
        version: Which version it becomes.
        keeps_validators: ETag and Last-Modified stay those of version 0, which is a lie.
    """

    after: int = attrs.field(default=0, validator=ge(0))
    version: int = 1
    keeps_validators: bool = False


@attrs.frozen
class Drip:
    """Small writes with pauses between.

    Attributes:
        size: Bytes a write.
        pause_s: Seconds after each.
    """

    size: int = attrs.field(default=1, validator=gt(0))
    pause_s: float = attrs.field(default=0.1, validator=ge(0))


@attrs.frozen
class Stall:
    """Silence in the middle of a body, after which it goes on.

    Attributes:
        seconds: How long.
        at: After how many bytes of the body.
        times: In how many of the first deliveries; None for all.
    """

    seconds: float = attrs.field(validator=ge(0))
    at: int = attrs.field(default=0, validator=ge(0))
    times: int | None = attrs.field(default=None, validator=optional(ge(0)))


@attrs.frozen
class Drop:
    """The connection ends in the middle of a body, over TLS without a close_notify.

    Attributes:
        after: After how many bytes of the body; None for a place anywhere in it, chosen by the seed.
        times: In how many of the first deliveries; None for all.
        probability: Of happening in one delivery, chosen by the seed.
        seed: Of place and chance, together with the resource's name and the delivery's number.
        reset: End by a reset (RST), which may overtake bytes already sent, instead of an orderly end (FIN).
    """

    after: int | None = attrs.field(default=None, validator=optional(ge(0)))
    times: int | None = attrs.field(default=None, validator=optional(ge(0)))
    probability: float = attrs.field(default=1.0, validator=[ge(0), le(1)])
    seed: str = "lading"
    reset: bool = False


@attrs.frozen(kw_only=True)
class Behaviour:
    """How one resource is treated; each default is what an honest server does.

    Attributes:
        authorization: A request without exactly this Authorization gets 401.
        refusals: Statuses given in turn, before anything else is.
        redirect: Sends the client elsewhere.
        change: Makes the resource another version at some request.
        etag: What the ETag looks like, `{tag}` standing for the version's own tag; without it the ETag never changes,
            empty for none.
        modified: Which Last-Modified is sent.
        ranges: What a range is answered with.
        if_range: What If-Range does to it.
        framing: What ends a body.
        length_lie: Bytes that Content-Length is too long (or, negative, too short); the connection then ends.
        gzip: Encode the body with gzip though identity was asked (chunked if framed by length; ranges are ignored).
        disposition: The Content-Disposition, raw; surrogate escapes stand for bytes that are not UTF-8.
        headers: More header fields, raw, on every answer.
        keep_alive: Whether the connection survives an answer.
        stall_head_s: Seconds of silence in the middle of the head, of any answer.
        drip: Small writes with pauses between.
        rate: Bytes a second and connection, of the body.
        stall: Silence in the middle of a body.
        drop: The connection ends in the middle of a body.
    """

    authorization: str | None = None
    refusals: tuple[Refusal, ...] = ()
    redirect: Redirect | None = None
    change: Change | None = None
    etag: str = STRONG_ETAG
    modified: Modified = Modified.OLD
    ranges: Ranges = Ranges.HONEST
    if_range: IfRange = IfRange.HONEST
    framing: Framing = Framing.LENGTH
    length_lie: int = 0
    gzip: bool = False
    disposition: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    keep_alive: bool = True
    stall_head_s: float = attrs.field(default=0.0, validator=ge(0))
    drip: Drip | None = None
    rate: int | None = attrs.field(default=None, validator=optional(gt(0)))
    stall: Stall | None = None
    drop: Drop | None = None

    def __or__(self, other: Behaviour) -> Behaviour:
        """Return this behaviour with every departure of `other` from honesty laid over it."""
        fields = attrs.fields(Behaviour)
        departures = {field.name: getattr(other, field.name) for field in fields}
        return attrs.evolve(
            self,
            **{field.name: departures[field.name] for field in fields if departures[field.name] != field.default},
        )


HONEST = Behaviour()
