"""All events there are, by the type under which they travel."""

from .delivery import OrderStatusUpdated
from .envelope import Event
from .product import InventoryDeducted, InventoryReleased, InventoryReserved
from .sales import OrderCreated, OrderDelivered, OrderShipped

EVENTS: dict[str, type[Event]] = {
    event.event_type: event
    for event in (
        OrderCreated,
        OrderShipped,
        OrderDelivered,
        OrderStatusUpdated,
        InventoryReserved,
        InventoryReleased,
        InventoryDeducted,
    )
}
