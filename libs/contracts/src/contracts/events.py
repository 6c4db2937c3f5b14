"""All events there are, by the type under which they travel."""

from .delivery import OrderStatusUpdated
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
from .sales.orders import OrderCancelled, OrderConfirmed, OrderCreated, OrderDelivered, OrderShipped
from .sales.payments import CaptureFailed, RefundDelayed
from .sales.profile import CustomerErased
from .sales.returns import ReturnReceived, ReturnRefunded, ReturnRejected, ReturnRequested

EVENTS: dict[str, type[Event]] = {
    event.event_type: event
    for event in (
        CustomerRegistered,
        VerificationRequested,
        PasswordResetRequested,
        CustomerErased,
        ItemAddedToCart,
        CartQuantityUpdated,
        ItemRemovedFromCart,
        CartCleared,
        OrderCreated,
        OrderConfirmed,
        OrderCancelled,
        OrderShipped,
        OrderDelivered,
        ReturnRequested,
        ReturnReceived,
        ReturnRefunded,
        ReturnRejected,
        CaptureFailed,
        RefundDelayed,
        OrderStatusUpdated,
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
