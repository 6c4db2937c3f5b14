"""Shows where the parcels of an order are. Whose order may be seen stands in the WHERE."""

from uuid import UUID

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.delivery.shipments import ShipmentItem
from contracts.sales.orders import OrderTracking, ParcelStatus, ParcelTracking
from sales.orders.reading import one_order

from .model import parcels_of
from .naming import Names, named
from .tables import order_parcels


async def tracking_of(session: AsyncSession, order_id: UUID, customer_id: str | None) -> OrderTracking:
    order = await one_order(session, order_id, customer_id)
    rows = await session.execute(select(order_parcels).where(order_parcels.c.order_id == order_id))
    names = {(line.product_id, line.variant_id): line.name for line in order.items}
    heard = [_view(row, names) for row in rows.mappings()]
    return OrderTracking(order_id=order_id, status=order.status, parcels=parcels_of(order, heard))


def _view(row: RowMapping, names: Names) -> ParcelTracking:
    items = [ShipmentItem.model_validate(item) for item in row["items"]]
    # What has come back keeps the time at which it left; to its customer it has not left anew yet.
    left = {"shipped_at": None} if row["status"] == ParcelStatus.PREPARING else {}
    return ParcelTracking.model_validate({**row, **left, "items": named(items, names)})
