"""What arrives in masses on one channel, read by hand: deliveries, returns, confirms. All other frames are aiormq's."""

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from .protocol import Message


class Delivered(NamedTuple):
    tag: int
    message: Message


class Returned(NamedTuple):
    message_id: str


class Confirmed(NamedTuple):
    tag: int
    multiple: bool
    refused: bool


Arrival = Delivered | Returned | Confirmed
Take = Callable[[Arrival], None]

_METHOD, _HEADER = 1, 2

_DELIVER, _RETURN, _ACK, _NACK = (b"\x00\x3c\x00" + bytes((method,)) for method in (60, 50, 80, 120))
_TAG: Final = struct.Struct(">QB")
_LENGTH: Final = struct.Struct(">I")
_BODY_SIZE: Final = struct.Struct(">Q")
_FLAGS: Final = struct.Struct(">H")
_MULTIPLE: Final = 1

_SIGNED, _UNSIGNED = b"bsIl", b"BuiL"
_FIXED: Final = dict(zip(b"tbBsuIilLfdDTV", (1, 1, 1, 2, 2, 4, 4, 8, 8, 4, 8, 5, 8, 0), strict=True))
"""How long a value of a header is, by its type; those of other types say it themselves."""


class Arrivals:
    """Puts the frames of one channel together; between those of one message no other of the channel can come."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._method = b""
        self._header = b""
        self._body: list[bytes] = []
        self._missing = 0

    def takes(self, kind: int, payload: bytes) -> bool:
        """Whether the frame is one of those that are read here."""
        if kind == _METHOD:
            return self._takes_method(payload)
        if not self._method:
            return False
        if kind == _HEADER:
            self._header = payload
            self._missing = _BODY_SIZE.unpack_from(payload, 4)[0]
        else:
            self._body.append(payload)
            self._missing -= len(payload)
        if not self._missing:
            self._complete()
        return True

    def _takes_method(self, payload: bytes) -> bool:
        method = payload[:4]
        if method in (_DELIVER, _RETURN):
            self._method = payload
        elif method in (_ACK, _NACK):
            tag, bits = _TAG.unpack_from(payload, 4)
            self._take(Confirmed(tag, bool(bits & _MULTIPLE), method == _NACK))
        else:
            return False
        return True

    def _complete(self) -> None:
        method, header, body = self._method, self._header, self._body
        self._method, self._body = b"", []
        if method.startswith(_DELIVER):
            self._take(_delivered(method, header, body[0] if len(body) == 1 else b"".join(body)))
        else:
            self._take(Returned(_id_and_headers(header)[0]))


def _delivered(method: bytes, header: bytes, body: bytes) -> Delivered:
    at = 5 + method[4]
    tag, _ = _TAG.unpack_from(method, at)
    exchange, routing_key = _origin(method[at + 9 :])
    id, traceparent, redelivered = _id_and_headers(header)
    return Delivered(tag, Message(id, routing_key, body, exchange, traceparent, redelivered=redelivered))


@lru_cache(maxsize=1024)
def _origin(names: bytes) -> tuple[str, str]:
    start = 1 + names[0]
    return _text(names[1:start]), _text(names[start + 1 :])


def _id_and_headers(header: bytes) -> tuple[str, str | None, int]:
    """The properties follow each other in the order of their flags, and what comes after the id is not read."""
    flags, at = _FLAGS.unpack_from(header, 12)[0], 14
    traceparent, redelivered = None, 0
    if flags & 1 << 15:  # content type
        at += 1 + header[at]
    if flags & 1 << 14:  # content encoding
        at += 1 + header[at]
    if flags & 1 << 13:
        start, at = at + 4, at + 4 + _LENGTH.unpack_from(header, at)[0]
        traceparent, redelivered = _headers(header, start, at)
    at += (flags >> 12 & 1) + (flags >> 11 & 1)  # delivery mode, priority
    for flag in (1 << 10, 1 << 9, 1 << 8):  # correlation id, reply to, expiration
        if flags & flag:
            at += 1 + header[at]
    return _text(header[at + 1 : at + 1 + header[at]]) if flags & 1 << 7 else "", traceparent, redelivered


def _headers(header: bytes, at: int, end: int) -> tuple[str | None, int]:
    traceparent, redelivered = None, 0
    while at < end:
        named = at + 1 + header[at]
        name, kind, at = header[at + 1 : named], header[named], named + 1
        size = _FIXED.get(kind)
        if size is None:
            at, size = at + 4, _LENGTH.unpack_from(header, at)[0]
        value, at = header[at : at + size], at + size
        if name == b"traceparent" and kind == ord("S"):
            traceparent = _text(value)
        elif name == b"x-delivery-count" and kind in _SIGNED + _UNSIGNED:
            redelivered = int.from_bytes(value, "big", signed=kind in _SIGNED)
    return traceparent, redelivered


def _text(octets: bytes) -> str:
    """Anyone may send anything: an id that is no text must not end the connection, again and again."""
    return octets.decode(errors="replace")
