"""Splits a parcel in two, while it is in the warehouse: what is taken out goes into a parcel of its own."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.failpoints import failpoint
from chassis.ids import uuid7
from contracts.delivery.shipments import ShipmentView, SplitShipment

from .model import Shipment
from .reading import view
from .siblings import take_with_siblings
from .storing import divide
from .telling import tell_of, tell_of_change


async def split(session: AsyncSession, shipment_id: UUID, wanted: SplitShipment, by: str) -> ShipmentView:
    """The new parcel."""
    shipment, _ = await take_with_siblings(session, shipment_id)
    before = _packed(shipment)
    new = shipment.split(wanted.items, uuid7(), datetime.now(UTC))
    record(session, by, "shipment.split", shipment.id, before=before, after={**_packed(shipment), "into": new.id})
    record(session, by, "shipment.split_off", new.id, after={**_packed(new), "status": new.status, "of": shipment.id})
    tell_of_change(session, shipment)
    tell_of(session, new)
    await failpoint("delivery.split.decided")
    await divide(session, shipment, new)
    return view(new)


def _packed(shipment: Shipment) -> Mapping[str, Any]:
    return {"items": shipment.items, "parcels": shipment.parcels}
