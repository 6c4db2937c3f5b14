"""What a carrier is to us: it may give tracking numbers, show where a parcel is, and report of it by webhooks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from delivery.shipments.following import ParcelNews


def called(name: str) -> str:
    """The same carrier, however somebody writes its name."""
    return name.strip().lower()


@dataclass(frozen=True, slots=True)
class Reported:
    carrier: str
    """Who has the parcel: an aggregator reports for many."""
    tracking_number: str
    news: ParcelNews


@dataclass(frozen=True, slots=True)
class Webhook:
    """One that was signed as it should be."""

    id: str
    type: str
    reported: Reported | None
    """None: nothing that we do anything about."""


class Carrier(Protocol):
    name: str

    def new_tracking_number(self) -> str | None:
        """None: its numbers are not ours to make up."""
        ...

    def tracking_url(self, tracking_number: str) -> str | None: ...

    def hear(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Webhook:
        """`NotVerified` if its signature is not good, `Invalid` if it is, and the body makes no sense."""
        ...
