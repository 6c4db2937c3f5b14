"""How reservations end: given back, or deducted because the parcel leaves. `commands` says in which order to lock."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.failpoints import failpoint
from chassis.outbox import publish
from chassis.statements import BIGINT, ID, TEXT, with_arrays
from chassis.steps import note_refusal, step
from contracts.product.inventory import (
    InventoryDeducted,
    InventoryReleased,
    MovementKind,
    ReservationState,
    Settled,
    StockLine,
)

from .commands import Overtaken
from .model import DEDUCTED, NEXT, RELEASED
from .stocking import refresh_in_stock
from .tables import named, stored
from .traces import with_traces

_GIVEN_BACK: Final = "RESERVATION_RELEASED"

# The state is that of after the wait; lines are written with their reservation and never changed.
_LOCK_RESERVATIONS = with_arrays(
    """
    WITH locked AS (SELECT id, state FROM reservations WHERE id = ANY(:ids) ORDER BY id FOR UPDATE)
    SELECT id, state, product_id, variant_id, quantity
    FROM locked LEFT JOIN reservation_lines ON reservation_id = id ORDER BY id, line
    """,
    ids=ID,
)
_LOCK_STOCK = with_arrays(
    """
    SELECT product_id, on_hand = reserved AS is_out
    FROM stock JOIN unnest(:product_ids, :variant_ids) AS due (product_id, variant_id) USING (product_id, variant_id)
    ORDER BY stock.product_id, stock.variant_id FOR UPDATE OF stock
    """,
    product_ids=TEXT,
    variant_ids=ID,
)
_TOMBSTONES = with_arrays(
    """
    INSERT INTO reservations (id, state, settled_at) SELECT id, 'RELEASED', now() FROM unnest(:ids) AS late (id)
    ORDER BY id ON CONFLICT DO NOTHING RETURNING id
    """,
    ids=ID,
)
_SETTLE = with_arrays(
    """
    WITH settled AS (
        UPDATE reservations SET state = :state, settled_at = now() WHERE id = ANY(:ids)
    ), due AS (
        SELECT * FROM unnest(:line_ids, :line_products, :line_variants, :line_quantities, :actors)
            AS due (reservation_id, product_id, variant_id, quantity, actor)
    ), moved AS (
        INSERT INTO stock_movements (product_id, variant_id, kind, on_hand_change, reserved_change, cause, actor)
        SELECT product_id, variant_id, :kind, -quantity * :leaving, -quantity, reservation_id, actor FROM due
    )
    UPDATE stock SET reserved = reserved - sums.quantity, on_hand = on_hand - sums.quantity * :leaving
    FROM (SELECT product_id, variant_id, sum(quantity) AS quantity FROM due GROUP BY 1, 2) AS sums
    WHERE stock.product_id = sums.product_id AND stock.variant_id = sums.variant_id
    """,
    ids=ID,
    line_ids=ID,
    line_products=TEXT,
    line_variants=ID,
    line_quantities=BIGINT,
    actors=TEXT,
).bindparams(bindparam("state", type_=TEXT), bindparam("kind", type_=TEXT), bindparam("leaving", type_=BIGINT))


@dataclass(frozen=True, slots=True)
class _Found:
    """All of it is locked."""

    states: Mapping[UUID, ReservationState]
    lines: Mapping[UUID, Sequence[StockLine]]
    """Of those that can become what is wanted."""
    out: Collection[str]
    """Products in these lines of which something cannot be had at the moment."""


@step("InventoryService", "releaseInventory")
async def release(session: AsyncSession, ids: Sequence[UUID], by: Sequence[str]) -> list[Settled]:
    """Gives back what is held. An unknown id is released from now on: should it still arrive, it holds nothing."""
    found = await _lock(session, set(ids), RELEASED)
    late = await _bury(session, set(ids) - found.states.keys())
    if found.lines:
        await _write(session, found, RELEASED, _actors(ids, by))
        if found.out:
            await refresh_in_stock(session, found.out)
        await _publish(session, ids, found, InventoryReleased)
    return _settled(ids, {**found.states, **late, **dict.fromkeys(found.lines, RELEASED)}, RELEASED)


@step("InventoryService", "deductInventory")
async def deduct(session: AsyncSession, ids: Sequence[UUID], by: Sequence[str]) -> list[Settled]:
    """Takes what is held off the shelf, because it leaves."""
    found = await _lock(session, set(ids), DEDUCTED)
    if found.lines:
        await _write(session, found, DEDUCTED, _actors(ids, by))
        await _publish(session, ids, found, InventoryDeducted)
    settled = _settled(ids, {**found.states, **dict.fromkeys(found.lines, DEDUCTED)}, DEDUCTED)
    for one, trace in with_traces(settled):
        if one.state not in (None, DEDUCTED):
            note_refusal(_GIVEN_BACK, trace)
    return settled


async def _lock(session: AsyncSession, ids: Collection[UUID], wanted: ReservationState) -> _Found:
    states: dict[UUID, ReservationState] = {}
    lines: defaultdict[UUID, list[StockLine]] = defaultdict(list)
    out: set[str] = set()
    for id, state, product_id, variant_id, quantity in await session.execute(_LOCK_RESERVATIONS, {"ids": list(ids)}):
        states[id] = ReservationState(state)
        if wanted in NEXT[states[id]]:
            lines[id].append(StockLine(product_id=product_id, variant_id=named(variant_id), quantity=quantity))
    if lines:
        articles = {(line.product_id, stored(line.variant_id)) for each in lines.values() for line in each}
        asked = {
            "product_ids": [product_id for product_id, _ in articles],
            "variant_ids": [variant_id for _, variant_id in articles],
        }
        out = {row.product_id for row in await session.execute(_LOCK_STOCK, asked) if row.is_out}
    return _Found(states, lines, out)


async def _bury(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, ReservationState]:
    if not ids:
        return {}
    buried = set(await session.scalars(_TOMBSTONES, {"ids": list(ids)}))
    if len(buried) < len(ids):
        raise Overtaken
    return dict.fromkeys(buried, RELEASED)


async def _write(session: AsyncSession, found: _Found, state: ReservationState, actors: Mapping[UUID, str]) -> None:
    lines = [(id, line) for id, each in found.lines.items() for line in each]
    await session.execute(
        _SETTLE,
        {
            "state": state,
            "kind": MovementKind.DEDUCTED if state == DEDUCTED else MovementKind.RELEASED,
            "leaving": int(state == DEDUCTED),
            "ids": list(found.lines),
            "line_ids": [id for id, _ in lines],
            "line_products": [line.product_id for _, line in lines],
            "line_variants": [stored(line.variant_id) for _, line in lines],
            "line_quantities": [line.quantity for _, line in lines],
            "actors": [actors[id] for id, _ in lines],
        },
    )
    await failpoint("product.settle.written")


async def _publish(
    session: AsyncSession, ids: Sequence[UUID], found: _Found, kind: type[InventoryDeducted | InventoryReleased]
) -> None:
    waiting = {id: kind(reservation_id=id, items=list(each)) for id, each in found.lines.items()}
    for id, trace in with_traces(ids):
        if id in waiting:
            publish(session, waiting.pop(id), traceparent=trace)


def _actors(ids: Sequence[UUID], by: Sequence[str]) -> dict[UUID, str]:
    """The first one who asked for it."""
    return dict(zip(reversed(ids), reversed(by), strict=True))


def _settled(ids: Sequence[UUID], states: Mapping[UUID, ReservationState], wanted: ReservationState) -> list[Settled]:
    return [Settled(reservation_id=id, state=states.get(id), done=states.get(id) == wanted) for id in ids]
