"""Messages as the AMQP frames that publish them, written by hand; that they go out, and arrive, is the publisher's.

The driver makes three objects of each message and asks each property for its type; here a message costs one join.
"""

import struct
from functools import lru_cache
from typing import Final

from aiormq import spec
from aiormq.abc import ChannelFrame

from .protocol import Message

_AROUND: Final = 8
"""Octets of a frame beside what it carries: kind, channel and size before it, and one that ends it."""

_END: Final = b"\xce"
_HEADER_KIND, _BODY_KIND = 2, 3
_FRAME: Final = struct.Struct(">BHI")
_HEADER: Final = struct.Struct(">BHIHHQH")
_HEADERS: Final = struct.Struct(">I13sI")
_TIME: Final = struct.Struct(">Q")

# The properties follow each other in the order of their flags: what all have in common, the id, the time, the type.
_FLAGS: Final = 1 << 15 | 1 << 12 | 1 << 7 | 1 << 6 | 1 << 5
_FLAGS_WITH_HEADERS: Final = _FLAGS | 1 << 13
_JSON, _PERSISTENT, _TRACEPARENT = b"\x10application/json", b"\x02", b"\x0btraceparentS"


def publication(message: Message, channel: int, frame_max: int, now: int) -> bytes:
    """Raises ValueError or TypeError for what cannot be said in AMQP, such as an id of more than 255 octets."""
    begin, kind = _constants(channel, message.exchange, message.routing_key, message.mandatory)
    flags, common = (
        (_FLAGS_WITH_HEADERS, b"".join((_JSON, _headers(message.traceparent), _PERSISTENT)))
        if message.traceparent
        else (_FLAGS, _JSON + _PERSISTENT)
    )
    properties = b"".join((common, _short(message.id), _TIME.pack(now), kind))
    body = message.body
    head = _HEADER.pack(_HEADER_KIND, channel, 14 + len(properties), spec.Basic.frame_id, 0, len(body), flags)
    pieces = [begin, head, properties, _END]
    most = frame_max - _AROUND if frame_max else len(body)
    while body:
        piece, body = body[:most], body[most:]
        pieces += (_FRAME.pack(_BODY_KIND, channel, len(piece)), piece, _END)
    return b"".join(pieces)


@lru_cache(maxsize=1024)
def _constants(channel: int, exchange: str, routing_key: str, mandatory: bool) -> tuple[bytes, bytes]:
    """The frame that begins each publication of one kind, and the kind as the property that closes its header."""
    publish = spec.Basic.Publish(exchange=exchange, routing_key=routing_key, mandatory=mandatory)
    return ChannelFrame.marshall(channel, [publish]).payload, _short(routing_key)


def _headers(traceparent: str) -> bytes:
    value = traceparent.encode()
    return _HEADERS.pack(len(_TRACEPARENT) + 4 + len(value), _TRACEPARENT, len(value)) + value


def _short(text: str) -> bytes:
    encoded = text.encode()
    return bytes((len(encoded),)) + encoded
