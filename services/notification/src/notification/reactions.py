"""What Notification does when something happened elsewhere, in the order of a customer's and an order's life.

It writes letters and nothing else: whether there is an address, and whether the mail is wanted, shows when it is sent.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.consumer import Reaction, Reactions, Received
from chassis.steps import step
from chassis.tracing import traceparents
from contracts.delivery.carriers import UnmatchedTracking
from contracts.delivery.shipments import ShipmentStatus, ShipmentUpdated
from contracts.envelope import Event
from contracts.product.inventory import InventoryRestocked, OutOfStock
from contracts.sales.customers import (
    CustomerRegistered,
    MailedToken,
    PasswordResetRequested,
    VerificationRequested,
)
from contracts.sales.orders import (
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
    OrderDelivered,
    OrderParcelShipped,
    OrderShipped,
)
from contracts.sales.payments import CaptureFailed, RefundDelayed
from contracts.sales.profile import CustomerChanged, CustomerErased
from contracts.sales.returns import ReturnReceived, ReturnRefunded, ReturnRejected, ReturnRequested

from .back_in_stock.forgetting import forget_wishes
from .back_in_stock.granting import Arrival, tell_who_waits
from .customers.hearing import Told, forget, remember
from .mails.writing import OPERATIONS, Letter, write
from .messages import catalogue
from .messages.message import Message

_TROUBLE: Final = {ShipmentStatus.LOST, ShipmentStatus.RETURNED}

Recipient = Callable[[Any], str]


def send_token(message: Message) -> Reaction:
    """Such events also say who the customer is, and where mail reaches them."""

    async def react(session: AsyncSession, due: Sequence[Received[MailedToken]]) -> None:
        await _remember(session, due)
        await write(session, _letters(message, due, _customer))

    return react


async def follow_customers(session: AsyncSession, changed: Sequence[Received[CustomerChanged]]) -> None:
    await _remember(session, changed)


async def forget_customers(session: AsyncSession, erased: Sequence[Received[CustomerErased]]) -> None:
    """Their mails hold nothing about them, and are not sent any more once this is known."""
    customer_ids = {one.event.customer_id for one in erased}
    await forget(session, customer_ids)
    await forget_wishes(session, customer_ids)


def tell_customers(message: Message) -> Reaction:
    async def react(session: AsyncSession, happened: Sequence[Received[Any]]) -> None:
        await write(session, _letters(message, happened, _customer))

    return react


def tell_operations(message: Message) -> Reaction:
    async def react(session: AsyncSession, happened: Sequence[Received[Any]]) -> None:
        await write(session, _letters(message, happened, _operations))

    return react


async def report_trouble(session: AsyncSession, updated: Sequence[Received[ShipmentUpdated]]) -> None:
    """How a parcel gets on is Sales' to tell its customer; what went wrong with it is for people."""
    letters = _letters(catalogue.PARCEL_IN_TROUBLE, updated, _operations)
    await write(session, [each for each, one in zip(letters, updated, strict=True) if one.event.status in _TROUBLE])


@step("NotificationService", "handleOutOfStock")
async def handle_out_of_stock(session: AsyncSession, sold_out: Sequence[Received[OutOfStock]]) -> None:
    await write(session, _letters(catalogue.OUT_OF_STOCK, sold_out, _operations))


async def grant_wishes(session: AsyncSession, restocked: Sequence[Received[InventoryRestocked]]) -> None:
    """What came in while others hold all of it is nothing to be told of."""
    arrived = [
        Arrival(one.event_id, one.event.product_id, one.event.variant_id, one.event.name, one.timestamp, trace)
        for one, trace in zip(restocked, traceparents(), strict=True)
        if one.event.available > 0
    ]
    await tell_who_waits(session, arrived)


REACTIONS: Final[Reactions] = {
    CustomerRegistered: send_token(catalogue.VERIFICATION),
    VerificationRequested: send_token(catalogue.VERIFICATION),
    PasswordResetRequested: send_token(catalogue.PASSWORD_RESET),
    CustomerChanged: follow_customers,
    CustomerErased: forget_customers,
    OrderCreated: tell_customers(catalogue.ORDER_RECEIVED),
    CaptureFailed: tell_operations(catalogue.CAPTURE_FAILED),
    OrderConfirmed: tell_customers(catalogue.ORDER_CONFIRMED),
    OrderShipped: tell_customers(catalogue.ORDER_SHIPPED),
    OrderParcelShipped: tell_customers(catalogue.PARCEL_SHIPPED),
    ShipmentUpdated: report_trouble,
    UnmatchedTracking: tell_operations(catalogue.UNMATCHED_TRACKING),
    OrderDelivered: tell_customers(catalogue.ORDER_DELIVERED),
    OrderCancelled: tell_customers(catalogue.ORDER_CANCELLED),
    RefundDelayed: tell_customers(catalogue.REFUND_DELAYED),
    ReturnRequested: tell_customers(catalogue.RETURN_REQUESTED),
    ReturnReceived: tell_customers(catalogue.RETURN_RECEIVED),
    ReturnRefunded: tell_customers(catalogue.RETURN_REFUNDED),
    ReturnRejected: tell_customers(catalogue.RETURN_REJECTED),
    OutOfStock: handle_out_of_stock,
    InventoryRestocked: grant_wishes,
}


def _letters(message: Message, happened: Sequence[Received[Any]], recipient: Recipient) -> list[Letter]:
    return [
        Letter(one.event_id, message.name, recipient(one.event), message.about(one.event), one.timestamp, trace)
        for one, trace in zip(happened, traceparents(), strict=True)
    ]


async def _remember(session: AsyncSession, told: Sequence[Received[Any]]) -> None:
    await remember(
        session,
        [
            Told(one.event.customer_id, one.timestamp, one.event.name, one.event.language, one.event.email)
            for one in told
        ],
    )


def _customer(event: Any) -> str:
    customer_id: str = event.customer_id
    return customer_id


def _operations(_: Event) -> str:
    return OPERATIONS
