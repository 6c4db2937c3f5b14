"""Names what is in a parcel as its order does: Delivery knows products by their ids alone."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.statements import ID, with_arrays
from contracts.delivery.shipments import ShipmentItem
from contracts.sales.orders import ParcelItem

Names = Mapping[tuple[str, UUID | None], str]

_NAMES = with_arrays(
    "SELECT order_id, product_id, variant_id, name FROM order_items WHERE order_id = ANY(:ids)", ids=ID
)


async def names_of(session: AsyncSession, order_ids: Iterable[UUID]) -> Mapping[UUID, Names]:
    names: dict[UUID, dict[tuple[str, UUID | None], str]] = {}
    for row in await session.execute(_NAMES, {"ids": list(order_ids)}):
        names.setdefault(row.order_id, {})[row.product_id, row.variant_id] = row.name
    return names


def named(items: Sequence[ShipmentItem], names: Names) -> list[ParcelItem]:
    return [
        ParcelItem(
            product_id=item.product_id,
            variant_id=item.variant_id,
            name=names.get((item.product_id, item.variant_id)),
            quantity=item.quantity,
        )
        for item in items
    ]
