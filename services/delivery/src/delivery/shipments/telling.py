"""Tells of a parcel by itself, where the status of its order does not say how it is."""

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.outbox import publish
from contracts.delivery.shipments import ShipmentItem, ShipmentUpdated

from .model import Shipment


def tell_of_change(session: AsyncSession, shipment: Shipment, *, is_first_to_leave: bool = False) -> None:
    """One of several, a lost one, one that came back, and all that follows of those. Of any other: nothing."""
    if shipment.is_told_of:
        shipment.version += 1
        tell_of(session, shipment, is_first_to_leave=is_first_to_leave)


def tell_of(session: AsyncSession, shipment: Shipment, *, is_first_to_leave: bool = False) -> None:
    publish(
        session,
        ShipmentUpdated(
            shipment_id=shipment.id,
            order_id=shipment.order_id,
            number=shipment.number,
            version=shipment.version,
            status=shipment.status,
            items=[ShipmentItem.model_validate(item) for item in shipment.items],
            carrier=shipment.carrier,
            tracking_number=shipment.tracking_number,
            tracking_url=shipment.tracking_url,
            shipped_at=shipment.shipped_at,
            delivered_at=shipment.delivered_at,
            delivery_location=shipment.delivery_location,
            is_first_to_leave=is_first_to_leave,
        ),
    )
