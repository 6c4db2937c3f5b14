"""An event for every message: what previews show, and what messages are checked with."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from contracts.delivery.carriers import UnmatchedTracking
from contracts.delivery.shipments import ShipmentItem, ShipmentStatus, ShipmentUpdated
from contracts.product.inventory import InventoryRestocked, OutOfStock
from contracts.sales.addresses import ShippingAddress
from contracts.sales.customers import CustomerRegistered, PasswordResetRequested
from contracts.sales.orders import (
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
    OrderDelivered,
    OrderedItem,
    OrderParcelShipped,
    OrderShipped,
    OrderStatus,
    ParcelItem,
)
from contracts.sales.payments import CaptureFailed, RefundDelayed
from contracts.sales.returns import (
    RefundWay,
    ReturnLine,
    ReturnReceived,
    ReturnRefunded,
    ReturnRejected,
    ReturnRequested,
)

CUSTOMER: Final = "customer_demo"
_THEN: Final = datetime(2026, 3, 5, 14, 7, tzinfo=UTC)
_ORDER: Final = UUID("019cbe3a-41f0-7b52-8d3e-5a0c9e7f1b24")
_PARCEL: Final = UUID("019cbe3a-6a02-7c11-9f0d-2b7d4c6e8a90")
_PAYMENT: Final = UUID("019cbe3a-3f7e-7d6a-a1c4-90b2e5d7f638")
_RETURN: Final = UUID("019ce2b1-08d4-7e93-b6a5-c3f1d2e4a507")
_TOKEN: Final = UUID("019cbe20-7c3d-7a48-9be1-4d5f60718293")
_VARIANT: Final = UUID("4be0643f-1d98-473b-97cd-ca98a65347dd")

# So that it is never over: a mail whose token has expired is not written.
_FAR_OFF: Final = datetime(2999, 12, 31, 23, 59, tzinfo=UTC)
_PERSON: Final[dict[str, Any]] = {
    "customer_id": CUSTOMER,
    "email": "ada@example.org",
    "name": "Ada Example",
    "language": "en",
    "token_id": _TOKEN,
    "expires_at": _FAR_OFF,
}
_OF_THE_ORDER: Final[dict[str, Any]] = {"order_id": _ORDER, "customer_id": CUSTOMER}
_OF_THE_RETURN: Final[dict[str, Any]] = {"return_id": _RETURN, **_OF_THE_ORDER}
_TRACKED: Final[dict[str, Any]] = {
    "carrier": "OrderFlow Express",
    "tracking_number": "OFE2603051407",
    "tracking_url": "https://tracking.example.com/OFE2603051407",
}

REGISTERED: Final = CustomerRegistered(**_PERSON)
RESET_REQUESTED: Final = PasswordResetRequested(**_PERSON)
ORDER_CREATED: Final = OrderCreated(
    **_OF_THE_ORDER,
    reservation_id=_PAYMENT,
    status=OrderStatus.PENDING_SHIPMENT,
    items=[
        OrderedItem(product_id="product_456", name="Wireless Headphones", quantity=2, unit_price=7_999),
        OrderedItem(
            product_id="product_789", variant_id=_VARIANT, name="T-Shirt (M, blue)", quantity=1, unit_price=1_950
        ),
    ],
    shipping_cost=490,
    total=18_438,
    currency="EUR",
    shipping_address=ShippingAddress(
        name="Ada Example", line1="12 Analytical Row", city="Springfield", postal_code="62701", country="US"
    ),
    created_at=_THEN,
)
ORDER_CONFIRMED: Final = OrderConfirmed(**_OF_THE_ORDER, total=18_438, currency="EUR", confirmed_at=_THEN)
ORDER_SHIPPED: Final = OrderShipped(**_OF_THE_ORDER, **_TRACKED, shipped_at=_THEN + timedelta(days=1))
PARCEL_SHIPPED: Final = OrderParcelShipped(
    **_OF_THE_ORDER,
    **_TRACKED,
    shipment_id=_PARCEL,
    items=[ParcelItem(product_id="product_789", variant_id=_VARIANT, name="T-Shirt (M, blue)", quantity=1)],
    shipped_at=_THEN + timedelta(days=2),
)
ORDER_DELIVERED: Final = OrderDelivered(**_OF_THE_ORDER, delivered_at=_THEN + timedelta(days=3))
ORDER_CANCELLED: Final = OrderCancelled(**_OF_THE_ORDER, cancelled_at=_THEN + timedelta(hours=2))
REFUND_DELAYED: Final = RefundDelayed(
    **_OF_THE_ORDER, payment_id=_PAYMENT, amount=18_438, currency="EUR", reason="gateway_error", delayed_at=_THEN
)
RETURN_REQUESTED: Final = ReturnRequested(
    **_OF_THE_RETURN,
    items=[ReturnLine(product_id="product_456", quantity=1), ReturnLine(product_id="product_789", quantity=1)],
    requested_at=_THEN + timedelta(days=7),
)
RETURN_RECEIVED: Final = ReturnReceived(**_OF_THE_RETURN, restocked=[], received_at=_THEN + timedelta(days=10))
RETURN_REFUNDED: Final = ReturnRefunded(
    **_OF_THE_RETURN, amount=9_949, currency="EUR", way=RefundWay.CARD, refunded_at=_THEN + timedelta(days=11)
)
RETURN_REJECTED: Final = ReturnRejected(**_OF_THE_RETURN, rejected_at=_THEN + timedelta(days=11))
RESTOCKED: Final = InventoryRestocked(
    product_id="product_789", variant_id=_VARIANT, name="T-Shirt (M, blue)", quantity=40, available=40
)
OUT_OF_STOCK: Final = OutOfStock(product_id="product_789", variant_id=_VARIANT, name="T-Shirt (M, blue)")
CAPTURE_FAILED: Final = CaptureFailed(
    **_OF_THE_ORDER, payment_id=_PAYMENT, amount=18_438, currency="EUR", reason="card_declined", failed_at=_THEN
)
UNMATCHED_TRACKING: Final = UnmatchedTracking(
    report_id=_PARCEL, carrier="FedEx", tracking_number="TRK123456789", reported="delivered", received_at=_THEN
)
PARCEL_LOST: Final = ShipmentUpdated(
    shipment_id=_PARCEL,
    order_id=_ORDER,
    number=2,
    version=4,
    status=ShipmentStatus.LOST,
    items=[ShipmentItem(product_id="product_789", variant_id=_VARIANT, quantity=1)],
    carrier="FedEx",
    tracking_number="TRK123456789",
    shipped_at=_THEN,
)
