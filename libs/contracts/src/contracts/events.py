"""All events there are, by the type under which they travel."""

from .delivery.carriers import UnmatchedTracking
from .delivery.shipments import OrderStatusUpdated, ShipmentUpdated
from .envelope import Event
from .product.catalog import CategoryCreated, ProductCreated, ProductDeactivated, ProductUpdated
from .product.inventory import (
    InventoryDeducted,
    InventoryReleased,
    InventoryReserved,
    InventoryRestocked,
    OutOfStock,
)
from .sales.carts import CartCleared, CartQuantityUpdated, ItemAddedToCart, ItemRemovedFromCart
from .sales.customers import CustomerRegistered, PasswordResetRequested, VerificationRequested
from .sales.orders import (
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
    OrderDelivered,
    OrderParcelShipped,
    OrderShipped,
)
from .sales.payments import CaptureFailed, RefundDelayed
from .sales.profile import CustomerChanged, CustomerErased
from .sales.returns import ReturnReceived, ReturnRefunded, ReturnRejected, ReturnRequested

EVENTS: dict[str, type[Event]] = {
    event.event_type: event
    for event in (
        CustomerRegistered,
        VerificationRequested,
        PasswordResetRequested,
        CustomerChanged,
        CustomerErased,
        ItemAddedToCart,
        CartQuantityUpdated,
        ItemRemovedFromCart,
        CartCleared,
        OrderCreated,
        OrderConfirmed,
        OrderCancelled,
        OrderShipped,
        OrderParcelShipped,
        OrderDelivered,
        ReturnRequested,
        ReturnReceived,
        ReturnRefunded,
        ReturnRejected,
        CaptureFailed,
        RefundDelayed,
        OrderStatusUpdated,
        ShipmentUpdated,
        UnmatchedTracking,
        CategoryCreated,
        ProductCreated,
        ProductUpdated,
        ProductDeactivated,
        InventoryReserved,
        InventoryReleased,
        InventoryDeducted,
        InventoryRestocked,
        OutOfStock,
    )
}
