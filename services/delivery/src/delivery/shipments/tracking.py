"""Makes up tracking numbers for the house's own carrier."""

import base64
import secrets


def new_tracking_number() -> str:
    """60 random bits, without the digits that are read as letters: unguessable, and legible on a label."""
    return "TRK" + base64.b32encode(secrets.token_bytes(8)).decode()[:12]
