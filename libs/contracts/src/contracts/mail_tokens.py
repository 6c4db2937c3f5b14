"""The tokens that customers get by mail: made, by whoever shares the secret, of an id that opens nothing by itself."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from enum import StrEnum
from uuid import UUID


class MailPurpose(StrEnum):
    VERIFICATION = "verification"
    PASSWORD_RESET = "password-reset"  # noqa: S105 (a purpose)


def mail_token(secret: str, purpose: MailPurpose, token_id: UUID) -> str:
    """`id.mac`, fit to stand in a link as it is. A token for one purpose says nothing about that for another."""
    mac = hmac.digest(secret.encode(), f"{purpose}:{token_id}".encode(), hashlib.sha256)
    return f"{token_id}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}"
