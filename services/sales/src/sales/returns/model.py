"""The life of a return. Rules only: no I/O, no clock, no framework."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from chassis.errors import Conflict, Invalid
from contracts.sales.returns import ItemReceipt, ReceiveReturn, RefundWay, ReturnedItem, ReturnState
from contracts.text import to_decimal_string

REQUESTED, RECEIVED, REFUNDED, REJECTED = ReturnState

NEXT: dict[ReturnState, set[ReturnState]] = {
    REQUESTED: {RECEIVED, REJECTED},
    RECEIVED: {REFUNDED, REJECTED},
    REFUNDED: set(),
    REJECTED: set(),
}

Article = tuple[str, UUID | None]


class InvalidStatusTransition(Conflict):
    code = "INVALID_STATUS_TRANSITION"

    def __init__(self, current: ReturnState, wanted: ReturnState) -> None:
        super().__init__(f"A return that is {current} cannot become {wanted}.")


class ReturnNotAllowed(Conflict):
    code = "RETURN_NOT_ALLOWED"


class QuantityExceedsOrder(Invalid):
    code = "QUANTITY_EXCEEDS_ORDER"

    def __init__(self, number: int, item: ReturnedItem, left: int) -> None:
        message = f"{left} of it can still be returned."
        named = {"product_id": item.product_id, "variant_id": item.variant_id and str(item.variant_id)}
        super().__init__(
            "This is more than can be returned of this order.",
            [{"field": f"items.{number}.quantity", "message": message, **named, "left": left}],
        )


class RefundExceedsReturn(Invalid):
    code = "REFUND_EXCEEDS_RETURN"

    def __init__(self, most: int) -> None:
        limit = to_decimal_string(most)
        super().__init__(
            "This is more than what came back has cost.",
            [{"field": "amount", "message": f"This must be at most {limit}.", "most": limit}],
        )


class DecidedOtherwise(Conflict):
    """What was asked for once is not asked for again in another way."""


@dataclass(slots=True)
class ReturnItem:
    product_id: str
    variant_id: UUID | None
    name: str
    quantity: int
    unit_price: int
    restock: bool | None = None

    @property
    def article(self) -> Article:
        return self.product_id, self.variant_id

    @property
    def subtotal(self) -> int:
        return self.quantity * self.unit_price


@dataclass(slots=True)
class Return:
    id: UUID
    order_id: UUID
    customer_id: str
    state: ReturnState
    currency: str
    created_at: datetime
    updated_at: datetime
    items: Sequence[ReturnItem] = field(default_factory=list)
    reason: str | None = None
    receipt_asked_by: str | None = None
    received_at: datetime | None = None
    refund_amount: int | None = None
    refund_way: RefundWay | None = None
    refund_asked_by: str | None = None
    refunded_at: datetime | None = None
    rejected_at: datetime | None = None
    rejection_reason: str | None = None
    next_look_at: datetime | None = None
    """When a job looks what has become of what is under way."""

    @property
    def price(self) -> int:
        return sum(item.subtotal for item in self.items)

    @property
    def restocked(self) -> list[ReturnItem]:
        return [item for item in self.items if item.restock]

    @property
    def is_being_received(self) -> bool:
        return self.state == REQUESTED and self.receipt_asked_by is not None

    @property
    def is_being_refunded(self) -> bool:
        return self.state == RECEIVED and self.refund_amount is not None

    def ask_receipt(self, body: ReceiveReturn, by: str, now: datetime, patience: timedelta) -> None:
        """Once; the same again changes nothing."""
        choices = _choices(self.items, body)
        if self.receipt_asked_by is not None:
            if choices != {item.article: item.restock for item in self.items}:
                raise DecidedOtherwise("The goods were received already, and it was decided otherwise about the shelf.")
            return
        if RECEIVED not in NEXT[self.state]:
            raise InvalidStatusTransition(self.state, RECEIVED)
        for item in self.items:
            item.restock = choices[item.article]
        self.receipt_asked_by, self.next_look_at, self.updated_at = by, now + patience, now

    def withdraw_receipt(self, now: datetime) -> None:
        """The goods are none that the shelf takes: it has to be decided again."""
        for item in self.items:
            item.restock = None
        self.receipt_asked_by, self.next_look_at, self.updated_at = None, None, now

    def receive(self, now: datetime) -> None:
        self._become(RECEIVED, now)
        self.received_at, self.next_look_at = now, None

    def ask_refund(self, amount: int, way: RefundWay, by: str, now: datetime, patience: timedelta) -> None:
        if REFUNDED not in NEXT[self.state]:
            raise InvalidStatusTransition(self.state, REFUNDED)
        self.refund_amount, self.refund_way, self.refund_asked_by = amount, way, by
        self.next_look_at, self.updated_at = now + patience, now

    def withdraw_refund(self, now: datetime) -> None:
        """There is not as much left of the payment: it has to be asked for anew."""
        self.refund_amount = self.refund_way = self.refund_asked_by = None
        self.next_look_at, self.updated_at = None, now

    def refund(self, now: datetime) -> None:
        self._become(REFUNDED, now)
        self.refunded_at, self.next_look_at = now, None

    def reject(self, reason: str, now: datetime) -> None:
        if self.is_being_received or self.is_being_refunded:
            raise Conflict("This return is being received or refunded just now; it cannot be rejected any more.")
        self._become(REJECTED, now)
        self.rejection_reason, self.rejected_at = reason, now

    def _become(self, state: ReturnState, now: datetime) -> None:
        if state not in NEXT[self.state]:
            raise InvalidStatusTransition(self.state, state)
        self.state, self.updated_at = state, now


def most_refundable(one: Return, others: Sequence[Return], ordered: Mapping[Article, int], shipping_cost: int) -> int:
    """What the goods have cost, and the shipping with the return by which all of the order is back, once."""
    here = [one, *(other for other in others if other.state in (RECEIVED, REFUNDED))]
    back: dict[Article, int] = {}
    for item in (item for each in here for item in each.items):
        back[item.article] = back.get(item.article, 0) + item.quantity
    if back != ordered:
        return one.price
    shipping_refunded = sum(max(0, (other.refund_amount or 0) - other.price) for other in others)
    return one.price + max(0, shipping_cost - shipping_refunded)


def _choices(items: Sequence[ReturnItem], body: ReceiveReturn) -> dict[Article, bool]:
    returned = {item.article for item in items}
    chosen: dict[Article, bool] = {}
    for number, choice in enumerate(body.items):
        article = _article(choice)
        if article not in returned or article in chosen:
            message = "This was named before." if article in chosen else "This is not part of the return."
            raise Invalid("The return has other items.", [{"field": f"items.{number}", "message": message}])
        chosen[article] = choice.restock
    if body.restock is None and chosen.keys() != returned:
        message = "This must name each item of the return where restock is not said for all."
        raise Invalid("Not all items are named.", [{"field": "items", "message": message}])
    return {article: chosen.get(article, bool(body.restock)) for article in returned}


def _article(choice: ItemReceipt) -> Article:
    return choice.product_id, choice.variant_id
