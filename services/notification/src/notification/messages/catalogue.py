"""All messages there are, in the order of an order's life; what they say stands in `templates`."""

from collections.abc import Mapping
from typing import Final

from contracts.mail_tokens import MailPurpose
from contracts.notification.preferences import Topic

from . import examples
from .message import Audience, Message

_TOKEN: Final = frozenset({"token_id", "expires_at"})
_PARCEL: Final = frozenset({"order_id", "carrier", "tracking_number", "tracking_url", "shipped_at"})
_OPERATIONS: Final = Audience.OPERATIONS

VERIFICATION: Final = Message(
    "verification", "sendVerificationEmail", examples.REGISTERED, _TOKEN, token=MailPurpose.VERIFICATION
)
PASSWORD_RESET: Final = Message(
    "password_reset", "sendPasswordReset", examples.RESET_REQUESTED, _TOKEN, token=MailPurpose.PASSWORD_RESET
)
ORDER_RECEIVED: Final = Message(
    "order_received",
    "sendOrderReceipt",
    examples.ORDER_CREATED,
    frozenset({"order_id", "status", "items", "shipping_cost", "total", "currency", "created_at"}),
)
ORDER_CONFIRMED: Final = Message(
    "order_confirmed",
    "sendOrderConfirmation",
    examples.ORDER_CONFIRMED,
    frozenset({"order_id", "total", "currency", "confirmed_at"}),
)
ORDER_SHIPPED: Final = Message(
    "order_shipped", "sendShippingNotification", examples.ORDER_SHIPPED, _PARCEL, topic=Topic.ORDER_PROGRESS
)
PARCEL_SHIPPED: Final = Message(
    "parcel_shipped",
    "sendShippingNotification",
    examples.PARCEL_SHIPPED,
    _PARCEL | {"items"},
    topic=Topic.ORDER_PROGRESS,
)
ORDER_DELIVERED: Final = Message(
    "order_delivered",
    "sendDeliveryConfirmation",
    examples.ORDER_DELIVERED,
    frozenset({"order_id", "delivered_at"}),
    topic=Topic.ORDER_PROGRESS,
)
ORDER_CANCELLED: Final = Message(
    "order_cancelled",
    "sendCancellationConfirmation",
    examples.ORDER_CANCELLED,
    frozenset({"order_id", "cancelled_at"}),
)
REFUND_DELAYED: Final = Message(
    "refund_delayed",
    "notifyOfDelay",
    examples.REFUND_DELAYED,
    frozenset({"order_id", "amount", "currency", "delayed_at"}),
)
RETURN_REQUESTED: Final = Message(
    "return_requested",
    "sendReturnReceipt",
    examples.RETURN_REQUESTED,
    frozenset({"return_id", "order_id", "items", "requested_at"}),
    topic=Topic.RETURN_PROGRESS,
)
RETURN_RECEIVED: Final = Message(
    "return_received",
    "sendReturnArrival",
    examples.RETURN_RECEIVED,
    frozenset({"return_id", "order_id", "received_at"}),
    topic=Topic.RETURN_PROGRESS,
)
RETURN_REFUNDED: Final = Message(
    "return_refunded",
    "sendRefundConfirmation",
    examples.RETURN_REFUNDED,
    frozenset({"return_id", "order_id", "amount", "currency", "way", "refunded_at"}),
)
RETURN_REJECTED: Final = Message(
    "return_rejected",
    "sendReturnRejection",
    examples.RETURN_REJECTED,
    frozenset({"return_id", "order_id", "rejected_at"}),
)
BACK_IN_STOCK: Final = Message(
    "back_in_stock",
    "sendBackInStock",
    examples.RESTOCKED,
    frozenset({"product_id", "variant_id", "name"}),
    topic=Topic.BACK_IN_STOCK,
)
OUT_OF_STOCK: Final = Message(
    "out_of_stock",
    "notifyOperations",
    examples.OUT_OF_STOCK,
    frozenset({"product_id", "variant_id", "name"}),
    audience=_OPERATIONS,
)
CAPTURE_FAILED: Final = Message(
    "capture_failed",
    "notifyAdmin",
    examples.CAPTURE_FAILED,
    frozenset({"payment_id", "order_id", "amount", "currency", "reason", "failed_at"}),
    audience=_OPERATIONS,
)
UNMATCHED_TRACKING: Final = Message(
    "unmatched_tracking",
    "notifyOperations",
    examples.UNMATCHED_TRACKING,
    frozenset({"report_id", "carrier", "tracking_number", "reported", "received_at"}),
    audience=_OPERATIONS,
)
PARCEL_IN_TROUBLE: Final = Message(
    "parcel_in_trouble",
    "notifyOperations",
    examples.PARCEL_LOST,
    frozenset({"shipment_id", "order_id", "number", "status", "items", "carrier", "tracking_number"}),
    audience=_OPERATIONS,
)

MESSAGES: Final[Mapping[str, Message]] = {
    message.name: message
    for message in (
        VERIFICATION,
        PASSWORD_RESET,
        ORDER_RECEIVED,
        ORDER_CONFIRMED,
        ORDER_SHIPPED,
        PARCEL_SHIPPED,
        ORDER_DELIVERED,
        ORDER_CANCELLED,
        REFUND_DELAYED,
        RETURN_REQUESTED,
        RETURN_RECEIVED,
        RETURN_REFUNDED,
        RETURN_REJECTED,
        BACK_IN_STOCK,
        OUT_OF_STOCK,
        CAPTURE_FAILED,
        UNMATCHED_TRACKING,
        PARCEL_IN_TROUBLE,
    )
}
