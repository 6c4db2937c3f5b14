"""What others see of returns: what of a delivered order comes back, whether it may, and the money for it."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BeforeValidator, Field, StrictBool, model_validator

from contracts.text import Body, Currency, Line, Money, Note, ProductId, Quantity, View

from .orders import SalesEvent


class ReturnState(StrEnum):
    REQUESTED = "REQUESTED"
    RECEIVED = "RECEIVED"
    REFUNDED = "REFUNDED"
    REJECTED = "REJECTED"


class RefundWay(StrEnum):
    CARD = "card"
    """Back to where the money came from."""
    OUTSIDE = "outside"
    """The order was on the seller's terms: whoever settles those settles this, too."""


class ReturnedItem(Body):
    product_id: ProductId
    variant_id: UUID | None = None
    quantity: Quantity


class RequestReturn(Body):
    items: Annotated[list[ReturnedItem], Field(min_length=1, max_length=50)]
    reason: Note | None = None


class ItemReceipt(Body):
    product_id: ProductId
    variant_id: UUID | None = None
    restock: StrictBool


class ReceiveReturn(Body):
    """The goods are here: whether they go back on the shelf. `restock` is for all that `items` does not name."""

    restock: StrictBool | None = None
    items: Annotated[list[ItemReceipt], Field(max_length=50, default_factory=list)]

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.restock is None and not self.items:
            raise ValueError("must say whether the goods go back on the shelf: restock, or items")
        return self


def _written_out(amount: Any) -> Any:
    # 20 would be 20 cents inside, and 20.00 to whoever writes it.
    if isinstance(amount, int | float):
        raise ValueError('must be a decimal string such as "19.99"')  # noqa: TRY004 (pydantic hears no other)
    return amount


class RefundReturn(Body):
    """Without an amount it is the price of what was received."""

    amount: Annotated[Money, BeforeValidator(_written_out, json_schema_input_type=str), Field(ge=1)] | None = None


class RejectReturn(Body):
    """The customer is shown the reason."""

    reason: Line


class ReturnLineView(View):
    product_id: str
    variant_id: UUID | None = None
    name: str
    quantity: int
    unit_price: Money
    subtotal: Money
    restock: bool | None = None
    """Not decided before the goods are here."""


class RefundView(View):
    """`outside`: nothing is paid back by card, whoever settles the order with the customer settles this, too."""

    amount: Money
    currency: Currency
    way: RefundWay
    state: Literal["under_way", "done"]


class ReturnView(View):
    """`under_way`: the receipt or the refund was asked for, and goes on by itself until it is done."""

    return_id: UUID
    order_id: UUID
    customer_id: str
    state: ReturnState
    items: list[ReturnLineView]
    price: Money
    currency: Currency
    reason: str | None = None
    rejection_reason: str | None = None
    refund: RefundView | None = None
    under_way: Literal["receipt", "refund"] | None = None
    created_at: datetime
    updated_at: datetime
    received_at: datetime | None = None
    refunded_at: datetime | None = None
    rejected_at: datetime | None = None


class ReturnLine(View):
    product_id: str
    variant_id: UUID | None = None
    quantity: int


class ReturnRequested(SalesEvent):
    """The customer wants to send this back. It is not here, and nothing is promised yet."""

    event_type = "order.return_requested"
    domain_name = "ReturnRequested"
    heard_by = frozenset({"notification"})

    return_id: UUID
    order_id: UUID
    customer_id: str
    items: list[ReturnLine]
    requested_at: datetime


class ReturnReceived(SalesEvent):
    """The goods are back, and on the shelf where they are any good. No money has gone back yet."""

    event_type = "order.return_received"
    domain_name = "ReturnReceived"
    heard_by = frozenset({"notification"})

    return_id: UUID
    order_id: UUID
    customer_id: str
    restocked: list[ReturnLine]
    received_at: datetime


class ReturnRefunded(SalesEvent):
    """The money for it has gone back by card, or is for whoever settles the order outside. The return is over."""

    event_type = "order.return_refunded"
    domain_name = "ReturnRefunded"
    heard_by = frozenset({"notification"})

    return_id: UUID
    order_id: UUID
    customer_id: str
    amount: Money
    currency: Currency
    way: RefundWay
    refunded_at: datetime


class ReturnRejected(SalesEvent):
    """There will be no money for it. Its goods may be requested to be returned again."""

    event_type = "order.return_rejected"
    domain_name = "ReturnRejected"
    heard_by = frozenset({"notification"})

    return_id: UUID
    order_id: UUID
    customer_id: str
    rejected_at: datetime
