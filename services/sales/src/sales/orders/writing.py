"""Puts orders into the database and takes them out to change them: lists in, lists out, one statement for all."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any, Final
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.db import Database
from chassis.outbox import EVENT_COLUMNS, INSERT_EVENTS, Told
from chassis.pending import PendingRows
from chassis.statements import BIGINT, ID, INSTANT, INTEGER, TEXT, with_arrays
from contracts.sales.addresses import ShippingAddress
from contracts.sales.orders import OrderStatus

from .model import Change, Order

# The attempt's own row decides: once the sweep has begun to undo it, no order comes of it any more, nor once its
# customer is erased: what an order writes down of them, erasing would not find any more. The rows are
# locked in one order first, as two batches may share attempts: a retry takes over what another process still pursues.
_CREATING: Final = """
    WITH wanted AS (
        SELECT * FROM unnest(:ids, :reservation_ids, :customers, :statuses, :subtotals, :shipping_costs, :totals,
            :currencies, :addresses, :notes, :created, :answers)
        AS w (id, reservation_id, customer_id, status, subtotal, shipping_cost, total,
            currency, shipping_address, note, created_at, answer)
    ), open AS (
        SELECT id FROM attempts WHERE id = ANY(:reservation_ids) AND state = 'open' AND NOT EXISTS (
            SELECT FROM customers WHERE customers.id = attempts.customer_id AND customers.status = 'ERASED'
        ) ORDER BY id FOR UPDATE
    ), placed AS (
        UPDATE attempts SET state = 'placed', order_id = wanted.id, answer_status = 201, answer = wanted.answer,
            wanted = NULL
        FROM open JOIN wanted ON wanted.reservation_id = open.id
        WHERE attempts.id = open.id
        RETURNING wanted.*
    ), new_orders AS (
        INSERT INTO orders (id, customer_id, status, reservation_id, subtotal, shipping_cost, total,
            currency, shipping_address, note, created_at, updated_at)
        SELECT id, customer_id, status, reservation_id, subtotal, shipping_cost, total,
            currency, shipping_address::jsonb, note, created_at, created_at FROM placed
    ), new_items AS (
        INSERT INTO order_items (order_id, line, product_id, variant_id, name, quantity, unit_price)
        SELECT i.* FROM unnest(:item_orders, :item_lines, :item_products, :item_variants, :item_names,
            :item_quantities, :item_prices)
        AS i (order_id, line, product_id, variant_id, name, quantity, unit_price) JOIN placed ON placed.id = i.order_id
    ), first_changes AS (
        INSERT INTO order_history (order_id, at, kind, to_status, actor)
        SELECT id, created_at, 'changed', status, customer_id FROM placed
    )
"""
_COLUMNS: Final = {
    "ids": ID,
    "reservation_ids": ID,
    "customers": TEXT,
    "statuses": TEXT,
    "subtotals": BIGINT,
    "shipping_costs": BIGINT,
    "totals": BIGINT,
    "currencies": TEXT,
    "addresses": TEXT,
    "notes": TEXT,
    "created": INSTANT,
    "answers": TEXT,
    "item_orders": ID,
    "item_lines": INTEGER,
    "item_products": TEXT,
    "item_variants": ID,
    "item_names": TEXT,
    "item_quantities": INTEGER,
    "item_prices": BIGINT,
}
_CREATE = with_arrays(f"{_CREATING} SELECT id FROM placed", **_COLUMNS)
_CREATE_AND_TELL = with_arrays(
    f"""
    {_CREATING}, tidings AS (
        SELECT placed.id, news.event_id FROM placed JOIN unnest(:ids, :event_ids) AS news (id, event_id) USING (id)
    ), written AS (
        {INSERT_EVENTS} WHERE given.event_id IN (SELECT event_id FROM tidings) RETURNING id, event_id
    )
    SELECT tidings.id, event_id, written.id AS outbox_id FROM tidings JOIN written USING (event_id)
    """,
    event_ids=ID,
    **_COLUMNS,
    **EVENT_COLUMNS,
)

# Locked in one order, so that two batches that share orders wait for each other instead of dying together.
_TAKE = with_arrays("SELECT * FROM orders WHERE id = ANY(:ids) ORDER BY id FOR UPDATE", ids=ID)

_SAVE = with_arrays(
    """
    UPDATE orders SET status = changed.status, updated_at = changed.updated_at, carrier = changed.carrier,
        tracking_number = changed.tracking_number, tracking_url = changed.tracking_url,
        shipped_at = changed.shipped_at, delivered_at = changed.delivered_at,
        delivery_location = changed.delivery_location, cancelled_at = changed.cancelled_at,
        cancel_reason = changed.cancel_reason
    FROM unnest(:ids, :statuses, :updated, :carriers, :tracking_numbers, :tracking_urls, :shipped, :delivered,
            :locations, :cancelled, :cancel_reasons)
        AS changed (id, status, updated_at, carrier, tracking_number, tracking_url, shipped_at, delivered_at,
            delivery_location, cancelled_at, cancel_reason)
    WHERE orders.id = changed.id
    """,
    ids=ID,
    statuses=TEXT,
    updated=INSTANT,
    carriers=TEXT,
    tracking_numbers=TEXT,
    tracking_urls=TEXT,
    shipped=INSTANT,
    delivered=INSTANT,
    locations=TEXT,
    cancelled=INSTANT,
    cancel_reasons=TEXT,
)
_history = PendingRows(
    "order_history",
    order_id=ID,
    at=INSTANT,
    kind=TEXT,
    from_status=TEXT,
    to_status=TEXT,
    actor=TEXT,
    event_id=TEXT,
    reason=TEXT,
)


async def create_orders(session: AsyncSession, orders: Sequence[Order], answers: Sequence[str]) -> set[UUID]:
    """Writes the orders whose attempts are still open, with the answers that their retries will get; tells which."""
    return set(await session.scalars(_CREATE, _as_columns(orders, answers)))


async def create_and_tell(
    database: Database, orders: Sequence[Order], answers: Sequence[str], news: Sequence[Told]
) -> set[UUID]:
    """As `create_orders`, with an event for each, in one statement that is its own transaction."""
    columns = {**_as_columns(orders, answers), "event_ids": [each["event_id"] for each in news]}
    return {row.id for row in await database.tell_alone(_CREATE_AND_TELL, columns, news)}


def _as_columns(orders: Sequence[Order], answers: Sequence[str]) -> dict[str, Any]:
    items = [(order.id, number, line) for order in orders for number, line in enumerate(order.lines, start=1)]
    return {
        "ids": [order.id for order in orders],
        "reservation_ids": [order.reservation_id for order in orders],
        "customers": [order.customer_id for order in orders],
        "statuses": [order.status for order in orders],
        "subtotals": [order.subtotal for order in orders],
        "shipping_costs": [order.shipping_cost for order in orders],
        "totals": [order.total for order in orders],
        "currencies": [order.currency for order in orders],
        "addresses": [order.shipping_address.model_dump_json(exclude_none=True) for order in orders],
        "notes": [order.note for order in orders],
        "created": [order.created_at for order in orders],
        "answers": list(answers),
        "item_orders": [order_id for order_id, _, _ in items],
        "item_lines": [number for _, number, _ in items],
        "item_products": [line.product_id for _, _, line in items],
        "item_variants": [line.variant_id for _, _, line in items],
        "item_names": [line.name for _, _, line in items],
        "item_quantities": [line.quantity for _, _, line in items],
        "item_prices": [line.unit_price for _, _, line in items],
    }


async def take_orders(session: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, Order]:
    """The orders, locked until the transaction ends; without their lines, which no change of status needs."""
    rows = await session.execute(_TAKE, {"ids": sorted(set(ids))})
    return {row["id"]: as_order(row) for row in rows.mappings()}


async def save_orders(session: AsyncSession, orders: Iterable[Order]) -> None:
    """Writes what has become of them, and the lines that it adds to their timelines."""
    touched = [order for order in orders if order.changes]
    changed = [order for order in touched if any(change.kind == "changed" for change in order.changes)]
    if changed:
        await session.execute(
            _SAVE,
            {
                "ids": [order.id for order in changed],
                "statuses": [order.status for order in changed],
                "updated": [order.updated_at for order in changed],
                "carriers": [order.carrier for order in changed],
                "tracking_numbers": [order.tracking_number for order in changed],
                "tracking_urls": [order.tracking_url for order in changed],
                "shipped": [order.shipped_at for order in changed],
                "delivered": [order.delivered_at for order in changed],
                "locations": [order.delivery_location for order in changed],
                "cancelled": [order.cancelled_at for order in changed],
                "cancel_reasons": [order.cancel_reason for order in changed],
            },
        )
    for order in touched:
        for change in order.changes:
            _history.add(session, order_id=order.id, **_as_row(change))


def _as_row(change: Change) -> dict[str, Any]:
    return {field.name: getattr(change, field.name) for field in fields(change)}


def as_order(row: RowMapping, lines: Sequence[Any] = ()) -> Order:
    return Order(
        id=row["id"],
        customer_id=row["customer_id"],
        status=OrderStatus(row["status"]),
        reservation_id=row["reservation_id"],
        lines=lines,
        subtotal=row["subtotal"],
        shipping_cost=row["shipping_cost"],
        currency=row["currency"],
        shipping_address=ShippingAddress.model_validate(row["shipping_address"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        note=row["note"],
        tracking_number=row["tracking_number"],
        carrier=row["carrier"],
        tracking_url=row["tracking_url"],
        shipped_at=row["shipped_at"],
        delivered_at=row["delivered_at"],
        delivery_location=row["delivery_location"],
        cancelled_at=row["cancelled_at"],
        cancel_reason=row["cancel_reason"],
    )
