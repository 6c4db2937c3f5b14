"""Signatures of webhooks, in the standard-webhooks scheme. Pure: neither bodies nor clocks are read here."""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from .errors import Unauthenticated

TOLERANCE: Final = timedelta(minutes=5)
_PREFIX: Final = "whsec_"
_SHORTEST_KEY: Final = 16
# Without full stops: with them, the end of an id could be taken for the beginning of a body.
_ID: Final = re.compile(r"[\x21-\x2d\x2f-\x7e]{1,200}")
_SECONDS: Final = re.compile(r"[0-9]{1,12}")
_MOST_SIGNATURES: Final = 10


class NotVerified(Unauthenticated):
    """Never says what is wrong: that would help only those who guess."""

    def __init__(self) -> None:
        super().__init__("The webhook's signature could not be verified.")


@dataclass(frozen=True, slots=True)
class Signed:
    """The three headers of a webhook, as they came."""

    webhook_id: str
    timestamp: str
    signatures: str


def read_keys(secrets: str) -> list[bytes]:
    """`whsec_<base64>`; several stand with spaces between. A bad one is an error of the configuration."""
    keys = [_read_key(secret) for secret in secrets.split()]
    if not keys:
        raise ValueError("There is no webhook secret.")
    return keys


def sign(secret: str, webhook_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers with which the sender sends this body."""
    timestamp = str(int(at.timestamp()))
    signature = base64.b64encode(_mac(_read_key(secret), webhook_id, timestamp, body)).decode()
    return {"webhook-id": webhook_id, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}


def verify(keys: Sequence[bytes], signed: Signed, body: bytes, now: datetime) -> None:
    if not _ID.fullmatch(signed.webhook_id) or not _SECONDS.fullmatch(signed.timestamp):
        raise NotVerified
    if abs(now.timestamp() - int(signed.timestamp)) > TOLERANCE.total_seconds():
        raise NotVerified
    expected = [_mac(key, signed.webhook_id, signed.timestamp, body) for key in keys]
    matches = [hmac.compare_digest(mac, given) for given in _read_signatures(signed.signatures) for mac in expected]
    if not any(matches):
        raise NotVerified


def _mac(key: bytes, webhook_id: str, timestamp: str, body: bytes) -> bytes:
    return hmac.digest(key, f"{webhook_id}.{timestamp}.".encode() + body, hashlib.sha256)


def _read_key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith(_PREFIX) or len(key) < _SHORTEST_KEY:
        raise ValueError(f"A webhook secret is {_PREFIX} and {_SHORTEST_KEY} bytes or more in base64.") from None
    return key


def _read_signatures(header: str) -> list[bytes]:
    """Those of version 1; the others are for whoever understands them."""
    found = []
    for one in header.split()[:_MOST_SIGNATURES]:
        version, _, encoded = one.partition(",")
        try:
            if version == "v1":
                found.append(base64.b64decode(encoded, validate=True))
        except ValueError:
            continue
    return found
