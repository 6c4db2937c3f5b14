"""The tokens in mails with which their reader, without logging in, has no more mails of that topic."""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from dataclasses import dataclass
from typing import Final

from contracts.notification.preferences import Topic

_PURPOSE: Final = b"notification.unsubscribe"


@dataclass(frozen=True, slots=True)
class Unsubscription:
    customer_id: str
    topic: Topic


def unsubscribe_token(secret: str, customer_id: str, topic: str) -> str:
    """`topic.customer.mac`, fit to stand in a link as it is. It never ends, as the mail that it stands in."""
    said = f"{topic}.{_packed(customer_id.encode())}"
    return f"{said}.{_mac(secret, said)}"


def read_unsubscribe_token(secret: str, token: str) -> Unsubscription | None:
    said, _, mac = token.rpartition(".")
    if not hmac.compare_digest(mac.encode(), _mac(secret, said).encode()):
        return None
    topic, _, customer = said.partition(".")
    try:
        return Unsubscription(urlsafe_b64decode(customer + "=" * (-len(customer) % 4)).decode(), Topic(topic))
    except (Error, ValueError):
        return None


def _mac(secret: str, said: str) -> str:
    # A key of its own: nothing that is signed here can be a token of another kind.
    key = hmac.digest(secret.encode(), _PURPOSE, hashlib.sha256)
    return _packed(hmac.digest(key, said.encode("utf-8", "surrogatepass"), hashlib.sha256))


def _packed(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()
