"""How reservations end: given back, or deducted because the parcel leaves. `commands` says in which order to lock."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy import bindparam
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.failpoints import failpoint
from chassis.outbox import publish
from chassis.statements import BIGINT, ID, TEXT, with_arrays
from chassis.steps import step
from contracts.product import InventoryDeducted, InventoryReleased, ReservationState, Settled, StockLine

from .commands import Overtaken
from .model import DEDUCTED, NEXT, RELEASED
from .traces import with_traces

Lines = Mapping[UUID, Sequence[StockLine]]

_LOCK_RESERVATIONS = with_arrays(
    "SELECT id, state FROM reservations WHERE id = ANY(:ids) ORDER BY id FOR UPDATE", ids=ID
)
_LINES = with_arrays(
    """
    SELECT reservation_id, product_id, quantity FROM reservation_lines
    WHERE reservation_id = ANY(:ids) ORDER BY reservation_id, line
    """,
    ids=ID,
)
_LOCK_STOCK = with_arrays(
    "SELECT product_id FROM stock WHERE product_id = ANY(:product_ids) ORDER BY product_id FOR UPDATE", product_ids=TEXT
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
    )
    UPDATE stock SET reserved = reserved - held.quantity, on_hand = on_hand - held.quantity * :leaving
    FROM unnest(:product_ids, :quantities) AS held (product_id, quantity)
    WHERE stock.product_id = held.product_id
    """,
    ids=ID,
    product_ids=TEXT,
    quantities=BIGINT,
).bindparams(bindparam("state", type_=TEXT), bindparam("leaving", type_=BIGINT))


@step("InventoryService", "releaseInventory")
async def release(session: AsyncSession, ids: Sequence[UUID]) -> list[Settled]:
    """Gives back what is held. An unknown id is released from now on: should it still arrive, it holds nothing."""
    states, lines = await _lock(session, set(ids), RELEASED)
    late = await _bury(session, set(ids) - states.keys())
    return await _settle(session, ids, {**states, **late}, lines, RELEASED)


@step("InventoryService", "deductInventory")
async def deduct(session: AsyncSession, ids: Sequence[UUID]) -> list[Settled]:
    """Takes what is held off the shelf, because it leaves."""
    states, lines = await _lock(session, set(ids), DEDUCTED)
    return await _settle(session, ids, states, lines, DEDUCTED)


async def _lock(
    session: AsyncSession, ids: Collection[UUID], wanted: ReservationState
) -> tuple[dict[UUID, ReservationState], Lines]:
    """What is known of the ids, and the lines of those that can become what is wanted; all that stays locked."""
    rows = await session.execute(_LOCK_RESERVATIONS, {"ids": list(ids)})
    states = {row.id: ReservationState(row.state) for row in rows}
    due = [id for id, state in states.items() if wanted in NEXT[state]]
    lines: defaultdict[UUID, list[StockLine]] = defaultdict(list)
    if due:
        for row in await session.execute(_LINES, {"ids": due}):
            lines[row.reservation_id].append(StockLine(product_id=row.product_id, quantity=row.quantity))
        await session.execute(_LOCK_STOCK, {"product_ids": list(_sums(lines))})
    return states, lines


async def _bury(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, ReservationState]:
    if not ids:
        return {}
    buried = set(await session.scalars(_TOMBSTONES, {"ids": list(ids)}))
    if len(buried) < len(ids):
        raise Overtaken
    return dict.fromkeys(buried, RELEASED)


async def _settle(
    session: AsyncSession,
    ids: Sequence[UUID],
    states: Mapping[UUID, ReservationState],
    lines: Lines,
    wanted: ReservationState,
) -> list[Settled]:
    if lines:
        sums = _sums(lines)
        await session.execute(
            _SETTLE,
            {
                "state": wanted,
                "leaving": int(wanted == DEDUCTED),
                "ids": list(lines),
                "product_ids": list(sums),
                "quantities": list(sums.values()),
            },
        )
        await failpoint("product.settle.written")
        await _publish(session, ids, lines, InventoryDeducted if wanted == DEDUCTED else InventoryReleased)
    now = {**states, **dict.fromkeys(lines, wanted)}
    return [Settled(reservation_id=id, state=now.get(id), done=now.get(id) == wanted) for id in ids]


async def _publish(
    session: AsyncSession, ids: Sequence[UUID], lines: Lines, kind: type[InventoryDeducted | InventoryReleased]
) -> None:
    waiting = {id: kind(reservation_id=id, items=list(each)) for id, each in lines.items()}
    for id, trace in with_traces(ids):
        if id in waiting:
            publish(session, waiting.pop(id), traceparent=trace)


def _sums(lines: Lines) -> Counter[str]:
    sums: Counter[str] = Counter()
    for each in lines.values():
        for line in each:
            sums[line.product_id] += line.quantity
    return sums
