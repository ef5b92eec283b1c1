"""Events as bytes: the envelope that every log stores as its `state`, and back.

    state = format (1 byte) ‖ time (u64, UTC ns) ‖ event id (16 bytes) ‖ length of context (u16) ‖ context ‖ payload

Context and payload are JSON; what equals its default is left out. The envelope is part of the state, so that every log,
whatever else it keeps, keeps all of it. A shape that changes gets a new topic version (`lading.domain.upcasting`).
"""

from __future__ import annotations

import functools
import struct
import types
from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin
from uuid import UUID

import attrs
import cattrs
import orjson
from cattrs.gen import make_dict_unstructure_fn

from lading.domain.download import Download
from lading.domain.errors import LogDamaged, StoreNewer
from lading.domain.events import EVENTS, Event
from lading.domain.facts import Context, Fact
from lading.domain.pieces import Piece
from lading.domain.ports import Recorded
from lading.domain.requests import Order, Source
from lading.domain.upcasting import upcast
from lading.domain.validators import Validator

FORMAT = 1
_PLAIN = frozenset({str, int, float, bool})
_Hook = Callable[[Any, Any], Any]
_HEADER = struct.Struct(">BQ16sH")
_NO_CONTEXT = Context()
_fact = functools.partial(tuple.__new__, Fact)


def _plain(kind: Any) -> bool:
    """Tell whether orjson writes values of this kind as they are: words, numbers, None, and tuples of such."""
    if kind in _PLAIN:
        return True
    parts = get_args(kind) if get_origin(kind) in {tuple, types.UnionType} else ()
    return bool(parts) and all(part in {None, types.NoneType, Ellipsis} or _plain(part) for part in parts)


def _optional(kind: Any) -> bool:
    return get_origin(kind) is types.UnionType and types.NoneType in get_args(kind) and len(get_args(kind)) == 2


def _tuple(kind: Any) -> bool:
    return get_origin(kind) is tuple and get_args(kind)[1:] == (Ellipsis,)


def _load_optional(kind: Any, converter: cattrs.BaseConverter) -> _Hook:
    (inner,) = (part for part in get_args(kind) if part is not types.NoneType)
    load = converter.get_structure_hook(inner)
    if inner in _PLAIN:
        return lambda value, _: value
    return lambda value, _: None if value is None else load(value, inner)


def _load_tuple(kind: Any, converter: cattrs.BaseConverter) -> _Hook:
    inner = get_args(kind)[0]
    load = converter.get_structure_hook(inner)
    if inner in _PLAIN:
        return lambda value, _: tuple(value)
    return lambda value, _: tuple([load(item, inner) for item in value])


def _loader(kind: type[attrs.AttrsInstance], converter: cattrs.BaseConverter) -> _Hook:
    """Return what makes a `kind` of its words, past the class's own `__init__`.

    What is stored was checked when it was made, and its checksum when it was read; a million events come through here.
    """
    fields = attrs.fields(kind)
    needed = {field.name for field in fields if field.default is attrs.NOTHING}
    defaults = {field.name: _default(field) for field in fields if field.name not in needed}
    hooks = [
        (field.name, field.type, converter.get_structure_hook(field.type))
        for field in fields
        if not _plain(field.type) or get_origin(field.type) is tuple
    ]

    def load(words: Any, _: Any) -> Any:
        if not needed <= words.keys():
            raise KeyError(kind.__name__)
        made = object.__new__(kind)
        values = made.__dict__
        values.update(defaults)
        values.update(words)
        for name, inner, hook in hooks:
            if name in words:
                values[name] = hook(words[name], inner)
        return made

    return load


def _dumper(kind: type[attrs.AttrsInstance], converter: cattrs.Converter) -> Callable[[Any], Any]:
    return make_dict_unstructure_fn(kind, converter, _cattrs_omit_if_default=True)


def _default(field: attrs.Attribute[Any]) -> Any:
    """Return the default of a field; one that a factory makes is frozen, and may be shared."""
    factory: Any = getattr(field.default, "factory", None)
    return field.default if factory is None else factory()


def _converter() -> cattrs.Converter:
    """Make the converter, with short cuts for what JSON and Python have in common: every event passes through here."""
    converter = cattrs.Converter(detailed_validation=False, omit_if_default=True, forbid_extra_keys=False)
    as_it_is = converter.get_unstructure_hook(str)
    converter.register_unstructure_hook_factory(_plain, lambda _: as_it_is)
    converter.register_structure_hook_factory(_optional, _load_optional)
    converter.register_structure_hook_factory(_tuple, _load_tuple)
    converter.register_unstructure_hook(UUID, lambda value: value.hex)
    converter.register_structure_hook(UUID, lambda value, _: _load_id(value))
    for kind in (Piece, Validator, Source, Order):
        resolved = attrs.resolve_types(kind)
        converter.register_unstructure_hook(resolved, _dumper(resolved, converter))
        converter.register_structure_hook(resolved, _loader(resolved, converter))
    return converter


class _Hooks(dict[type[attrs.AttrsInstance], Any]):
    """What writes or reads each kind of event, and the state of a download; made when the first of it comes by.

    There are a hundred kinds, and most programs meet ten of them: making all would be a good part of a short command.
    """

    def __init__(self, make: Callable[[Any, cattrs.Converter], Any]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, kind: type[attrs.AttrsInstance]) -> Any:
        hook = self[kind] = self._make(attrs.resolve_types(kind), CONVERTER)
        return hook


CONVERTER = _converter()
_DUMP, _LOAD = _Hooks(_dumper), _Hooks(_loader)


@functools.lru_cache(maxsize=256)
def _load_id(value: str) -> UUID:
    """Read an id within a payload: a worker's or a correlation's, which many events in a row have in common."""
    return UUID(int=int(value, 16))


@functools.lru_cache(maxsize=64)
def _dump_context(context: Context) -> bytes:
    return orjson.dumps(_DUMP[Context](context)) if context != _NO_CONTEXT else b""


@functools.lru_cache(maxsize=256)
def _load_context(data: bytes) -> Context:
    return _LOAD[Context](orjson.loads(data), Context) if data else _NO_CONTEXT


def seal(event: Event, *, id: UUID, at_ns: int, context: Context = _NO_CONTEXT) -> bytes:
    """Return the envelope of `event` as the bytes that a log stores."""
    words = _dump_context(context)
    return b"".join((_HEADER.pack(FORMAT, at_ns, id.bytes, len(words)), words, orjson.dumps(_DUMP[type(event)](event))))


def open_envelope(recorded: Recorded) -> Fact:
    """Read back what `seal` made, brought up to today's shape.

    Raises:
        StoreNewer: a topic or an envelope of a later version.
        LogDamaged: not an envelope.
    """
    position, stream, version, topic, state = recorded
    try:
        form, at_ns, id_bytes, length = _HEADER.unpack_from(state)
        if form > FORMAT:
            raise StoreNewer(f"event {position} has an envelope of format {form}; this version reads {FORMAT}")
        if form < FORMAT:
            raise ValueError("there is no format before the first")
        start = _HEADER.size + length
        payload: Any = orjson.loads(state[start:])
        kind = EVENTS.get(topic)
        if kind is None:
            topic, payload = upcast(topic, payload)
            kind = EVENTS[topic]
        event = _LOAD[kind](payload, kind)
        context = _load_context(state[_HEADER.size : start])
    except (struct.error, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise LogDamaged(f"event {position} ({topic}) cannot be read: {type(error).__name__}") from error
    return _fact((position, stream, version, id_bytes, at_ns, event, context))


def words(event: Event) -> Any:
    """Return an event as the words that JSON has for it, without what is as by default."""
    return _DUMP[type(event)](event)


def of_words(kind: type[Event], words: Mapping[str, Any]) -> Event:
    """Return the event of a kind that such words tell.

    Raises:
        ValueError, KeyError, TypeError: they do not.
    """
    event: Event = _LOAD[kind](words, kind)
    return event


def time_of(recorded: Recorded) -> int:
    """Return the time (UTC, ns) of an event without reading the rest of it.

    Raises:
        StoreNewer, LogDamaged: as `open_envelope` says.
    """
    if len(recorded.state) < _HEADER.size or recorded.state[0] != FORMAT:
        return open_envelope(recorded).at_ns
    at_ns: int = _HEADER.unpack_from(recorded.state)[1]
    return at_ns


def take_apart(position: int, state: bytes) -> tuple[int, bytes, bytes, bytes]:
    """Return time (UTC, ns), event id, context and payload of an envelope; the last two are JSON, or empty, as stored.

    Raises:
        StoreNewer: an envelope of a later version.
        LogDamaged: not an envelope.
    """
    try:
        form, at_ns, id_bytes, length = _HEADER.unpack_from(state)
    except struct.error as error:
        raise LogDamaged(f"event {position} cannot be read: it is cut short") from error
    if form != FORMAT:
        raise _foreign(position, form)
    start = _HEADER.size + length
    payload = state[start:]
    if payload[:1] != b"{" or payload[-1:] != b"}":
        raise LogDamaged(f"event {position} cannot be read: its payload is no object")
    return at_ns, id_bytes, state[_HEADER.size : start], payload


def _foreign(position: int, form: int) -> StoreNewer | LogDamaged:
    if form > FORMAT:
        return StoreNewer(f"event {position} has an envelope of format {form}; this version reads {FORMAT}")
    return LogDamaged(f"event {position} cannot be read: there is no format before the first")


def read_words(state: bytes) -> tuple[Any, Any]:
    """Return the JSON of an envelope as it is stored, whatever version that is: context and payload.

    Raises:
        ValueError: it is not an envelope.
    """
    try:
        _, _, _, length = _HEADER.unpack_from(state)
        start = _HEADER.size + length
        return orjson.loads(state[_HEADER.size : start] or b"{}"), orjson.loads(state[start:])
    except struct.error as error:
        raise ValueError("this is too short to be an envelope") from error


def dump_download(download: Download) -> bytes:
    """Return the state of a download as bytes, for a view to keep."""
    return orjson.dumps(_DUMP[Download](download))


def load_download(data: bytes) -> Download:
    """Read back what `dump_download` made.

    Raises:
        ValueError, KeyError, TypeError: it is not that.
    """
    download: Download = _LOAD[Download](orjson.loads(data), Download)
    return download
