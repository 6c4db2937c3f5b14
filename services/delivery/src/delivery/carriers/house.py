"""Carriers whose tracking numbers are ours to make up: the house's own, and the simulator's."""

import base64
import secrets

from .manual import Manual


class House(Manual):
    def new_tracking_number(self) -> str:
        """60 random bits, without the digits that are read as letters: unguessable, and legible on a label."""
        return "TRK" + base64.b32encode(secrets.token_bytes(8)).decode()[:12]
