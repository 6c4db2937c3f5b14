"""Which parcels an order has, as far as can be said. Rules only: no I/O, no clock, no framework."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Final

from contracts.delivery.shipments import ShipmentStatus
from contracts.sales.orders import OrderStatus, OrderView, ParcelItem, ParcelStatus, ParcelTracking

SEEN_AS: Final[Mapping[ShipmentStatus, ParcelStatus]] = {
    ShipmentStatus.ON_HOLD: ParcelStatus.PREPARING,
    ShipmentStatus.READY: ParcelStatus.PREPARING,
    ShipmentStatus.SHIPPED: ParcelStatus.SHIPPED,
    ShipmentStatus.DELIVERED: ParcelStatus.DELIVERED,
    ShipmentStatus.STOPPED: ParcelStatus.STOPPED,
    ShipmentStatus.LOST: ParcelStatus.LOST,
    ShipmentStatus.RETURNED: ParcelStatus.RETURNED,
}
"""What customers are told of a parcel's state."""

_ENDS: Final = {OrderStatus.DELIVERED: ParcelStatus.DELIVERED, OrderStatus.CANCELLED: ParcelStatus.STOPPED}


def parcels_of(order: OrderView, heard: Sequence[ParcelTracking]) -> list[ParcelTracking]:
    """Those that were told of, and whatever is in none of them as one more: of most orders that is all there is."""
    parcels = list(heard)
    if rest := _in_none_of(heard, order):
        parcels.append(_not_told_of(order, rest, heard))
    # When an order has ended all its parcels have, also those of which that has yet to be told.
    end = _ENDS.get(order.status)
    ended = [parcel.model_copy(update={"status": end}) if end else parcel for parcel in parcels]
    return sorted(ended, key=lambda parcel: parcel.number)


def _in_none_of(heard: Sequence[ParcelTracking], order: OrderView) -> list[ParcelItem]:
    packed: dict[object, int] = {}
    for item in (item for parcel in heard for item in parcel.items):
        article = item.product_id, item.variant_id
        packed[article] = packed.get(article, 0) + item.quantity
    rest = [
        ParcelItem(
            product_id=line.product_id,
            variant_id=line.variant_id,
            name=line.name,
            quantity=line.quantity - packed.get((line.product_id, line.variant_id), 0),
        )
        for line in order.items
    ]
    return [item for item in rest if item.quantity > 0]


def _not_told_of(order: OrderView, items: Sequence[ParcelItem], heard: Sequence[ParcelTracking]) -> ParcelTracking:
    """It is where the order is, unless that is known to be another parcel's doing."""
    taken = {parcel.number for parcel in heard}
    number = next(number for number in count(1) if number not in taken)
    others = {(parcel.carrier, parcel.tracking_number) for parcel in heard}
    if order.shipped_at is None or (order.carrier, order.tracking_number) in others:
        return ParcelTracking(number=number, status=ParcelStatus.PREPARING, items=list(items))
    return ParcelTracking(
        number=number,
        status=ParcelStatus.SHIPPED,
        items=list(items),
        carrier=order.carrier,
        tracking_number=order.tracking_number,
        tracking_url=order.tracking_url,
        shipped_at=order.shipped_at,
        delivered_at=order.delivered_at,
        delivery_location=order.delivery_location,
    )
