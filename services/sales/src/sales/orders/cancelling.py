"""Cancelling, a journey: written down, the stock given back at Product, whose word decides against a dispatch, done.

What stops half-way is finished by Product's own news of the stock (`reactions`), or by a job.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.consumer import Received
from chassis.db import Database
from chassis.errors import NotFound
from chassis.failpoints import failpoint
from chassis.ids import first_uuid7_at
from chassis.outbox import publish
from chassis.statements import ID, with_arrays
from chassis.steps import step
from chassis.telemetry import logger
from contracts.product.inventory import InventoryReleased, ReservationState
from contracts.sales.orders import OrderCancelled, OrderView
from sales.payments.paying import Payments

from .model import CANCELLED, CancellationNotAllowed, Order, Origin
from .reading import one_order
from .stock import Stock
from .writing import save_orders, take_orders

# Longer than a request may take to hear Product's word: what is not finished by then has died.
_PATIENCE: Final = timedelta(seconds=15)
_BATCH: Final = 200
_FREE: Final = {ReservationState.RELEASED, ReservationState.REFUSED}
PAYER: Final = "cancellation"
NOT_PAID: Final = "It was not paid for in time."

_ASK = text(
    """
    INSERT INTO cancellations (order_id, reservation_id, reason, asked_by, asked_at, state, next_look_at)
    VALUES (:order_id, :reservation_id, :reason, :by, now(), 'asked', now() + CAST(:patience AS interval))
    ON CONFLICT (order_id) DO UPDATE SET next_look_at = excluded.next_look_at WHERE cancellations.state = 'asked'
    """
)
_TAKE_UP = text(
    """
    WITH due AS (
        SELECT order_id FROM cancellations WHERE state = 'asked' AND next_look_at <= now()
        ORDER BY next_look_at LIMIT :batch FOR UPDATE SKIP LOCKED
    )
    UPDATE cancellations SET next_look_at = now() + CAST(:patience AS interval) FROM due
    WHERE cancellations.order_id = due.order_id RETURNING cancellations.order_id, reservation_id
    """
)
_UNPAID = text(
    """
    SELECT id FROM orders WHERE status = 'PENDING' AND id < :before
        AND NOT EXISTS (SELECT 1 FROM cancellations WHERE order_id = orders.id)
    ORDER BY id LIMIT :batch
    """
)
_ASKED = with_arrays(
    "SELECT order_id, reason, asked_by FROM cancellations WHERE order_id = ANY(:order_ids) AND state = 'asked'",
    order_ids=ID,
)
_ASKED_FOR = with_arrays(
    """
    SELECT order_id, reservation_id FROM cancellations WHERE reservation_id = ANY(:reservation_ids) AND state = 'asked'
    """,
    reservation_ids=ID,
)
_END = with_arrays("UPDATE cancellations SET state = :state WHERE order_id = ANY(:order_ids)", order_ids=ID)

log = logger("cancelling")


@dataclass(frozen=True, slots=True)
class Asker:
    """Who wants it, and whose orders they may cancel: all, where that is empty."""

    name: str
    customer_id: str | None


class Cancelling:
    def __init__(self, database: Database, stock: Stock, payments: Payments) -> None:
        self._database = database
        self._stock = stock
        self._payments = payments

    @step("OrderService", "cancelOrder")
    async def cancel(self, order_id: UUID, reason: str | None, by: Asker) -> OrderView:
        """Repeating it changes nothing."""
        async with self._database.begin() as session:
            order = await _take(session, order_id, by)
            if order.status != CANCELLED:
                _check_cancellable(order)
                await _ask(session, order, reason, by)
        if order.status != CANCELLED:
            await failpoint("sales.cancel.asked")
            await self._pursue({order.id: order.reservation_id})
        async with self._database.begin() as session:
            cancelled = await one_order(session, order_id, by.customer_id)
        if cancelled.status != CANCELLED:
            raise CancellationNotAllowed
        return cancelled

    async def cancel_unpaid(self, after: timedelta) -> int:
        """The job: what was not paid for in time frees its stock."""
        expired = 0
        while True:
            async with self._database.begin() as session:
                before = first_uuid7_at(datetime.now(UTC) - after)
                ids = await session.scalars(_UNPAID, {"before": before, "batch": _BATCH})
                unpaid = await take_orders(session, ids.all())
                for order in unpaid.values():
                    await _ask(session, order, NOT_PAID, Asker("sales", None))
            if not unpaid:
                return expired
            await self._pursue({order.id: order.reservation_id for order in unpaid.values()})
            expired += len(unpaid)
            log.info("unpaid_orders_cancelled", count=len(unpaid))

    async def finish_stopped(self) -> int:
        """The job: asks Product for those that nobody has finished."""
        finished = 0
        while True:
            async with self._database.begin() as session:
                due = await session.execute(_TAKE_UP, {"patience": _PATIENCE, "batch": _BATCH})
                taken = {row.order_id: row.reservation_id for row in due}
            if not taken:
                return finished
            await self._pursue(taken)
            finished += len(taken)
            log.warning("cancellations_finished", count=len(taken))

    async def _pursue(self, reservations: Mapping[UUID, UUID]) -> None:
        """While Product does not answer all stays as it is written down, for the job."""
        states = await self._stock.release(list(reservations.values()))
        await failpoint("sales.cancel.released")
        async with self._database.begin() as session:
            await self._finish(session, reservations, states)
            await failpoint("sales.cancel.finishing")
        await failpoint("sales.cancel.finished")

    async def hear(self, session: AsyncSession, released: Sequence[Received[InventoryReleased]]) -> None:
        """The reaction: whoever began may have died before it heard Product's answer. Most releases are none of it."""
        ids = [one.event.reservation_id for one in released]
        rows = await session.execute(_ASKED_FOR, {"reservation_ids": ids})
        waiting = {row.order_id: row.reservation_id for row in rows}
        if waiting:
            await self._finish(session, waiting, dict.fromkeys(ids, ReservationState.RELEASED))

    async def _finish(
        self, session: AsyncSession, reservations: Mapping[UUID, UUID], states: Mapping[UUID, ReservationState]
    ) -> None:
        """Payments are locked before orders, here as where a payment confirms its order."""
        free = [id for id in reservations.values() if states[id] in _FREE]
        await self._payments.order_cancelled(session, free, by=PAYER)
        await _write(session, {order_id: states[id] for order_id, id in reservations.items()})


async def _write(session: AsyncSession, states: Mapping[UUID, ReservationState]) -> None:
    """Does to the orders what Product has said of their reservations; what is finished already stays as it is."""
    orders = await take_orders(session, states)
    rows = await session.execute(_ASKED, {"order_ids": list(orders)})
    cancelled, refused = [], []
    for row in rows.all():
        order = orders[row.order_id]
        origin = Origin(row.asked_by, datetime.now(UTC))
        match states[order.id]:
            case state if state in _FREE:
                before = {"status": order.status}
                _cancel(session, order, origin, row.reason)
                after = {"status": order.status}
                record(session, origin.actor, "order.cancelled", order.id, before=before, after=after)
                cancelled.append(order.id)
            case ReservationState.DEDUCTED:
                order.refuse(CANCELLED, origin, "The parcel was faster.")
                refused.append(order.id)
            case state:
                log.error("reservation_not_released", order_id=str(order.id), state=state)
    await save_orders(session, orders.values())
    for outcome, ids in (("done", cancelled), ("refused", refused)):
        if ids:
            await session.execute(_END, {"state": outcome, "order_ids": ids})


async def _take(session: AsyncSession, order_id: UUID, by: Asker) -> Order:
    order = (await take_orders(session, [order_id])).get(order_id)
    if order is None or by.customer_id not in (None, order.customer_id):
        raise NotFound("There is no such order.")
    return order


@step("OrderAggregate", "validateCancellable")
def _check_cancellable(order: Order) -> None:
    order.check_cancellable()


async def _ask(session: AsyncSession, order: Order, reason: str | None, by: Asker) -> None:
    asked = {"order_id": order.id, "reservation_id": order.reservation_id, "reason": reason, "by": by.name}
    await session.execute(_ASK, {**asked, "patience": _PATIENCE})


@step("OrderAggregate", "cancel")
def _cancel(session: AsyncSession, order: Order, origin: Origin, reason: str | None) -> None:
    order.cancel(origin, reason)
    cancelled = OrderCancelled(order_id=order.id, customer_id=order.customer_id, reason=reason, cancelled_at=origin.now)
    publish(session, cancelled)
