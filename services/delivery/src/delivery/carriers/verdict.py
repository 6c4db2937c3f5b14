"""What can be said of a report by a look at its parcel, before anything is done: rules only."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from chassis.errors import Refused
from contracts.delivery.shipments import ShipmentStatus
from delivery.shipments.following import ParcelNews
from delivery.shipments.model import CLOCKS_DIFFER, NEXT, ImplausibleDelivery, InvalidStatusTransition

_NOT_LEFT_YET: Final = {ShipmentStatus.ON_HOLD, ShipmentStatus.READY}


@dataclass(frozen=True, slots=True)
class Parcel:
    """As much of a shipment as a report is judged by."""

    id: UUID
    status: ShipmentStatus
    shipped_at: datetime | None

    @property
    def waits(self) -> bool:
        """Its dispatch is written down, and not done: carriers may be faster than we."""
        return self.status in _NOT_LEFT_YET


def refuse_the_future(news: ParcelNews, now: datetime) -> None:
    if news.at is not None and news.at > now + CLOCKS_DIFFER:
        raise ImplausibleDelivery("This is in the future.")


def never_taken_by(parcel: Parcel, news: ParcelNews) -> Refused | None:
    """Why the parcel can take this neither now nor later; a repetition is taken."""
    if parcel.waits or parcel.status == news.kind:
        return None
    if news.kind not in NEXT[parcel.status]:
        return InvalidStatusTransition(parcel.status, news.kind)
    is_delivered = news.kind == ShipmentStatus.DELIVERED and news.at is not None and parcel.shipped_at is not None
    if is_delivered and news.at < parcel.shipped_at - CLOCKS_DIFFER:  # type: ignore[operator]
        return ImplausibleDelivery("This is before the parcel was shipped.")
    return None
