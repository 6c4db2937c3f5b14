"""Holding stock. How a reservation ends is `settlement`'s.

Locks are taken in one order everywhere: rows of reservations by id, rows of stock by product and variant, new
reservations by id, rows of products by id. Who has locked a product therefore waits for no row of stock any more.
"""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.failpoints import failpoint
from chassis.outbox import publish
from chassis.statements import ID, INTEGER, TEXT, with_arrays
from chassis.steps import note_refusal, step
from contracts.product.inventory import (
    InventoryReserved,
    QuotedItem,
    Reservation,
    ReservationState,
    ReservationView,
    StockLine,
)

from .model import HELD, Article, Decision, Offers, ReservationMismatch, decide
from .offers import lock_offers
from .selling_out import tell_that_it_is_out
from .stocking import refresh_in_stock
from .tables import stored
from .traces import with_traces

ITEMS = TypeAdapter(list[QuotedItem])

_SHORT: Final = "INSUFFICIENT_STOCK"

_WRITE = with_arrays(
    """
    WITH inserted AS (
        INSERT INTO reservations (id, state, answer)
        SELECT id, state, answer::jsonb FROM unnest(:ids, :states, :answers) AS decided (id, state, answer) ORDER BY id
        ON CONFLICT DO NOTHING RETURNING id
    ), held AS (
        SELECT line.* FROM unnest(:line_ids, :line_numbers, :line_products, :line_variants, :line_quantities, :actors)
            AS line (reservation_id, number, product_id, variant_id, quantity, actor)
        JOIN inserted ON inserted.id = line.reservation_id
    ), lines AS (
        INSERT INTO reservation_lines (reservation_id, line, product_id, variant_id, quantity)
        SELECT reservation_id, number, product_id, variant_id, quantity FROM held
    ), moved AS (
        INSERT INTO stock_movements (product_id, variant_id, kind, on_hand_change, reserved_change, cause, actor)
        SELECT product_id, variant_id, 'reserved', 0, quantity, reservation_id, actor FROM held
    ), taken AS (
        UPDATE stock SET reserved = stock.reserved + sums.quantity
        FROM (SELECT product_id, variant_id, sum(quantity) AS quantity FROM held GROUP BY 1, 2) AS sums
        WHERE stock.product_id = sums.product_id AND stock.variant_id = sums.variant_id
    )
    SELECT id FROM inserted
    """,
    ids=ID,
    states=TEXT,
    answers=TEXT,
    line_ids=ID,
    line_numbers=INTEGER,
    line_products=TEXT,
    line_variants=ID,
    line_quantities=INTEGER,
    actors=TEXT,
)


class Overtaken(Exception):
    """Someone else wrote one of these reservations in the meantime. In a new transaction it is known: begin again."""


@step("InventoryService", "reserveInventory")
async def reserve(
    session: AsyncSession, wanted: Sequence[Reservation], by: Sequence[str]
) -> list[ReservationView | ReservationMismatch]:
    """One answer for each, in order. An id that is known gets the answer that it got first, and publishes nothing."""
    # A twin that is written while we wait for its stock is not among them: `_write` finds it, and it is begun again.
    offers, known = await _look(session, wanted)
    new: dict[UUID, Reservation] = {}
    actors: dict[UUID, str] = {}
    for one, actor in zip(wanted, by, strict=True):
        if one.reservation_id not in known:
            new.setdefault(one.reservation_id, one)
            actors.setdefault(one.reservation_id, actor)
    decided = dict(zip(new, decide(list(new.values()), offers), strict=True))
    await _write(session, decided, actors)
    await failpoint("product.reserve.written")
    await _publish(session, wanted, decided)
    known |= decided
    return [known[one.reservation_id].answer(one) for one in wanted]


async def _look(session: AsyncSession, wanted: Sequence[Reservation]) -> tuple[Offers, dict[UUID, Decision]]:
    items, ids = [item for one in wanted for item in one.items], {one.reservation_id for one in wanted}
    offers, known = await lock_offers(session, items, ids)
    decided = {
        id: Decision(ReservationState(state), ITEMS.validate_python(answer or [])) for id, state, answer in known
    }
    return offers, decided


async def _write(session: AsyncSession, decided: Mapping[UUID, Decision], actors: Mapping[UUID, str]) -> None:
    if not decided:
        return
    lines = [
        (id, number, product_id, stored(variant_id), quantity)
        for id, decision in decided.items()
        for number, ((product_id, variant_id), quantity) in enumerate(decision.holds.items(), start=1)
    ]
    written = await session.scalars(
        _WRITE,
        {
            "ids": list(decided),
            "states": [decision.state for decision in decided.values()],
            "answers": [ITEMS.dump_json(decision.items, exclude_none=True).decode() for decision in decided.values()],
            "line_ids": [line[0] for line in lines],
            "line_numbers": [line[1] for line in lines],
            "line_products": [line[2] for line in lines],
            "line_variants": [line[3] for line in lines],
            "line_quantities": [line[4] for line in lines],
            "actors": [actors[line[0]] for line in lines],
        },
    )
    if len(written.all()) < len(decided):
        raise Overtaken
    if sold_out := {product_id for decision in decided.values() for product_id, _ in decision.took_last}:
        await refresh_in_stock(session, sold_out)


async def _publish(session: AsyncSession, wanted: Sequence[Reservation], decided: Mapping[UUID, Decision]) -> None:
    """What is newly held; an event belongs to the trace of the one who asked for it first."""
    waiting = dict(decided)
    for one, trace in with_traces(wanted):
        decision = waiting.pop(one.reservation_id, None)
        if decision is None:
            continue
        if decision.state != HELD:
            note_refusal(_SHORT, trace)
            continue
        publish(session, _reserved(one.reservation_id, decision), traceparent=trace)
        for article in decision.took_last:
            tell_that_it_is_out(session, article, _name(decision, article), trace)


def _reserved(reservation_id: UUID, decision: Decision) -> InventoryReserved:
    return InventoryReserved(
        reservation_id=reservation_id,
        items=[
            StockLine(product_id=product_id, variant_id=variant_id, quantity=quantity)
            for (product_id, variant_id), quantity in decision.holds.items()
        ],
    )


def _name(decision: Decision, article: Article) -> str:
    return next(item.name or "" for item in decision.items if (item.product_id, item.variant_id) == article)
