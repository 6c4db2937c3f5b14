"""Asking for stock: what there is, and holding it. How a reservation ends is `settlement`'s.

Locks are taken in one order everywhere: rows of reservations by id, rows of stock by product, new reservations by id.
"""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.errors import NotFound
from chassis.failpoints import failpoint
from chassis.outbox import publish
from chassis.statements import ID, INTEGER, TEXT, with_arrays
from chassis.steps import step
from contracts.product import (
    Availability,
    InventoryReserved,
    ItemAvailability,
    RequestedItem,
    Reservation,
    ReservationState,
    ReservationView,
    ReservedItem,
    StockLine,
)

from .model import HELD, Decision, Offer, ReservationMismatch, ReservationRow, decide, judge, view
from .traces import with_traces

_ITEMS = TypeAdapter(list[ReservedItem])

_LOOK = """
    SELECT stock.product_id, products.name, products.price, products.currency,
        stock.on_hand - stock.reserved AS available
    FROM stock JOIN products ON products.id = stock.product_id
    WHERE stock.product_id = ANY(:product_ids) AND products.is_active
"""
_OFFERS = with_arrays(_LOOK, product_ids=TEXT)
_OFFERS_LOCKED = with_arrays(f"{_LOOK} ORDER BY stock.product_id FOR UPDATE OF stock", product_ids=TEXT)

_KNOWN = with_arrays("SELECT id, state, answer FROM reservations WHERE id = ANY(:ids)", ids=ID)

_WRITE = with_arrays(
    """
    WITH inserted AS (
        INSERT INTO reservations (id, state, answer)
        SELECT id, state, answer::jsonb FROM unnest(:ids, :states, :answers) AS decided (id, state, answer) ORDER BY id
        ON CONFLICT DO NOTHING RETURNING id
    ), lines AS (
        INSERT INTO reservation_lines (reservation_id, line, product_id, quantity)
        SELECT held.* FROM unnest(:line_ids, :line_numbers, :line_products, :line_quantities)
            AS held (reservation_id, line, product_id, quantity)
        JOIN inserted ON inserted.id = held.reservation_id
        RETURNING product_id, quantity
    ), taken AS (
        UPDATE stock SET reserved = stock.reserved + held.quantity
        FROM (SELECT product_id, sum(quantity) AS quantity FROM lines GROUP BY product_id) AS held
        WHERE stock.product_id = held.product_id
    )
    SELECT id FROM inserted
    """,
    ids=ID,
    states=TEXT,
    answers=TEXT,
    line_ids=ID,
    line_numbers=INTEGER,
    line_products=TEXT,
    line_quantities=INTEGER,
)


class Overtaken(Exception):
    """Someone else wrote one of these reservations in the meantime. In a new transaction it is known: begin again."""


@step("InventoryService", "checkAvailability")
async def check_availability(session: AsyncSession, items: Sequence[RequestedItem]) -> Availability:
    """What a reservation of these items would be told now. It holds nothing."""
    on_offer = await _offers(session, items, lock=False)
    judged = judge(items, on_offer, {product_id: offer.available for product_id, offer in on_offer.items()})
    return Availability(
        all_available=all(item.is_available for item in judged),
        items=[ItemAvailability.model_validate(item) for item in judged],
    )


@step("InventoryService", "reserveInventory")
async def reserve(session: AsyncSession, wanted: Sequence[Reservation]) -> list[ReservationView | ReservationMismatch]:
    """One answer for each, in order. An id that is known gets the answer that it got first, and publishes nothing."""
    on_offer = await _offers(session, [item for one in wanted for item in one.items], lock=True)
    # Only now: a twin that was being written while we waited for its stock is known by this time.
    known = await _known(session, {one.reservation_id for one in wanted})
    new: dict[UUID, Reservation] = {}
    for one in wanted:
        if one.reservation_id not in known:
            new.setdefault(one.reservation_id, one)
    decided = dict(zip(new, decide(list(new.values()), on_offer), strict=True))
    await _write(session, decided)
    await failpoint("product.reserve.written")
    await _publish(session, wanted, decided)
    known |= decided
    return [known[one.reservation_id].answer(one) for one in wanted]


async def show_reservation(session: AsyncSession, reservation_id: UUID) -> ReservationView:
    """The state that it is in now, with the items as they were answered first."""
    row = await session.get(ReservationRow, reservation_id)
    if row is None:
        raise NotFound("There is no such reservation.")
    return view(row.id, ReservationState(row.state), _ITEMS.validate_python(row.answer or []))


async def _offers(session: AsyncSession, items: Iterable[RequestedItem], *, lock: bool) -> dict[str, Offer]:
    product_ids = {item.product_id for item in items if item.variant_id is None}
    rows = await session.execute(_OFFERS_LOCKED if lock else _OFFERS, {"product_ids": list(product_ids)})
    return {row.product_id: Offer(row.name, row.price, row.currency, row.available) for row in rows}


async def _known(session: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, Decision]:
    asked = list(ids)
    rows = await session.execute(_KNOWN, {"ids": asked}) if asked else ()
    return {row.id: Decision(ReservationState(row.state), _ITEMS.validate_python(row.answer or [])) for row in rows}


async def _write(session: AsyncSession, decided: Mapping[UUID, Decision]) -> None:
    if not decided:
        return
    lines = [
        (id, number, product_id, quantity)
        for id, decision in decided.items()
        if decision.state == HELD
        for number, (product_id, quantity) in enumerate(decision.lines().items(), start=1)
    ]
    written = await session.scalars(
        _WRITE,
        {
            "ids": list(decided),
            "states": [decision.state for decision in decided.values()],
            "answers": [_ITEMS.dump_json(decision.items, exclude_none=True).decode() for decision in decided.values()],
            "line_ids": [line[0] for line in lines],
            "line_numbers": [line[1] for line in lines],
            "line_products": [line[2] for line in lines],
            "line_quantities": [line[3] for line in lines],
        },
    )
    if len(written.all()) < len(decided):
        raise Overtaken


async def _publish(session: AsyncSession, wanted: Sequence[Reservation], decided: Mapping[UUID, Decision]) -> None:
    """What is newly held; an event belongs to the trace of the one who asked for it first."""
    events = {
        id: InventoryReserved(
            reservation_id=id,
            items=[StockLine(product_id=product, quantity=count) for product, count in decision.lines().items()],
        )
        for id, decision in decided.items()
        if decision.state == HELD
    }
    for one, trace in with_traces(wanted):
        if one.reservation_id in events:
            publish(session, events.pop(one.reservation_id), traceparent=trace)
