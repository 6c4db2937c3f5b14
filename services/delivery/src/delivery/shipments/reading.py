"""Shows shipments: one, or a page of them."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.paging import Keyset
from contracts.delivery.shipments import ProofOfDelivery, ShipmentItem, ShipmentStatus, ShipmentView
from contracts.sales.addresses import ShippingAddress

from .model import Shipment
from .storing import as_shipment, no_such_shipment
from .tables import shipments

# Ids ascend with the time of creation.
_newest_first = Keyset(UUID)


@dataclass(frozen=True)
class Filter:
    order_id: UUID | None = None
    status: ShipmentStatus | None = None


def view(shipment: Shipment) -> ShipmentView:
    return ShipmentView(
        shipment_id=shipment.id,
        order_id=shipment.order_id,
        number=shipment.number,
        status=shipment.status,
        items=[ShipmentItem.model_validate(item) for item in shipment.items],
        shipping_address=ShippingAddress.model_validate(shipment.shipping_address),
        carrier=shipment.carrier,
        tracking_number=shipment.tracking_number,
        tracking_url=shipment.tracking_url,
        created_at=shipment.created_at,
        shipped_at=shipment.shipped_at,
        delivered_at=shipment.delivered_at,
        delivery_location=shipment.delivery_location,
        proof=ProofOfDelivery.model_validate(shipment.proof) if shipment.proof else None,
        stop_reason=shipment.stop_reason,
        allowed_actions=shipment.allowed_actions,
    )


async def one_shipment(session: AsyncSession, shipment_id: UUID) -> ShipmentView:
    return view(await find_shipment(session, shipment_id))


async def find_shipment(session: AsyncSession, shipment_id: UUID) -> Shipment:
    rows = await session.execute(select(shipments).where(shipments.c.id == shipment_id))
    found = rows.mappings().one_or_none()
    if found is None:
        raise no_such_shipment()
    return as_shipment(found)


async def page_of_shipments(session: AsyncSession, wanted: Filter, cursor: str | None, limit: int) -> dict[str, Any]:
    query = select(shipments).order_by(shipments.c.id.desc()).limit(limit + 1)
    if wanted.order_id is not None:
        query = query.where(shipments.c.order_id == wanted.order_id)
    if wanted.status is not None:
        query = query.where(shipments.c.status == wanted.status)
    if (after := _newest_first.read(cursor)) is not None:
        query = query.where(shipments.c.id < after)
    found = [as_shipment(row) for row in (await session.execute(query)).mappings()]
    page = _newest_first.page(found, limit, lambda shipment: shipment.id)
    return {**page, "items": [view(shipment) for shipment in page["items"]]}
