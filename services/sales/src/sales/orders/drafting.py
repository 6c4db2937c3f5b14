"""What an order is made of: the lines that were asked for, what Product promised for them, and where it goes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from chassis.errors import Invalid
from chassis.explain import INVALID
from chassis.ids import uuid7
from contracts.product.inventory import RequestedItem
from contracts.sales.addresses import ShippingAddress
from contracts.sales.orders import OrderCreated, OrderedItem, OrderItem, OrderStatus
from contracts.text import MAX_QUANTITY

from .model import MixedCurrencies, Order, OrderLine
from .stock import Held


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a customer asks for, with the address that it goes to."""

    customer_id: str
    asked: Sequence[OrderItem]
    items: Sequence[RequestedItem]
    """What is asked for, with each product once."""
    address: ShippingAddress
    note: str | None


def add_up(items: Sequence[OrderItem]) -> list[RequestedItem]:
    """The same product twice is one line; the lines keep the order in which their products came first."""
    summed: dict[tuple[str, UUID | None], int] = {}
    for number, item in enumerate(items):
        quantity = summed.get((item.product_id, item.variant_id), 0) + item.quantity
        if quantity > MAX_QUANTITY:
            detail = {"field": f"items.{number}.quantity", "message": f"This must be at most {MAX_QUANTITY} in all."}
            raise Invalid(INVALID, [detail])
        summed[item.product_id, item.variant_id] = quantity
    return [
        RequestedItem(product_id=product_id, variant_id=variant_id, quantity=quantity)
        for (product_id, variant_id), quantity in summed.items()
    ]


def draft(
    wanted: Wanted, held: Held, *, status: OrderStatus = OrderStatus.PENDING_SHIPMENT, shipping_cost: int = 0
) -> Order:
    """The order that a hold becomes, at the names and prices that were promised with it."""
    items = held.items
    lines = [OrderLine(item.product_id, item.variant_id, item.name, item.requested, item.unit_price) for item in items]
    if len({item.currency for item in items}) > 1:
        raise MixedCurrencies
    now = datetime.now(UTC)
    order = Order(
        id=uuid7(),
        customer_id=wanted.customer_id,
        status=status,
        reservation_id=held.reservation_id,
        lines=lines,
        subtotal=sum(line.subtotal for line in lines),
        shipping_cost=shipping_cost,
        currency=items[0].currency,
        shipping_address=wanted.address,
        created_at=now,
        updated_at=now,
        note=wanted.note,
    )
    order.check_total()
    return order


def created(order: Order) -> OrderCreated:
    items = [
        OrderedItem(
            product_id=line.product_id,
            variant_id=line.variant_id,
            name=line.name,
            quantity=line.quantity,
            unit_price=line.unit_price,
        )
        for line in order.lines
    ]
    return OrderCreated(
        order_id=order.id,
        reservation_id=order.reservation_id,
        customer_id=order.customer_id,
        status=order.status,
        items=items,
        shipping_cost=order.shipping_cost,
        total=order.total,
        currency=order.currency,
        shipping_address=order.shipping_address,
        created_at=order.created_at,
    )
