"""Puts returns into the database and takes them out, locked, to change them; and what is due for the jobs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.errors import NotFound
from contracts.sales.returns import RefundWay, ReturnState

from .model import Return, ReturnItem
from .tables import return_items, returns

_BATCH: Final = 100

_TAKE_UP: Final = text(
    """
    WITH due AS (
        SELECT id FROM returns WHERE state = :state AND next_look_at <= now()
        ORDER BY next_look_at LIMIT :batch FOR UPDATE SKIP LOCKED
    )
    UPDATE returns SET next_look_at = now() + CAST(:patience AS interval) FROM due
    WHERE returns.id = due.id RETURNING returns.id
    """
)


class ReturnNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("There is no such return.")


async def create(session: AsyncSession, one: Return) -> None:
    await session.execute(insert(returns).values(_columns(one)))
    lines = [{"return_id": one.id, "line": number, **asdict(item)} for number, item in enumerate(one.items, start=1)]
    await session.execute(insert(return_items), lines)


async def take(session: AsyncSession, return_id: UUID) -> Return:
    """Locked until the transaction ends. Who also needs the payment or the order locks those first, in this order."""
    query = select(returns).where(returns.c.id == return_id).with_for_update()
    row = (await session.execute(query)).mappings().one_or_none()
    if row is None:
        raise ReturnNotFound
    return (await with_items(session, [row]))[0]


async def returns_of(session: AsyncSession, order_id: UUID) -> list[Return]:
    """All of the order's; who has locked the order finds them as they stay."""
    rows = await session.execute(select(returns).where(returns.c.order_id == order_id).order_by(returns.c.id))
    return await with_items(session, rows.mappings().all())


async def order_of(session: AsyncSession, return_id: UUID) -> UUID:
    """It is never another one: to know it no lock is needed."""
    found: UUID | None = await session.scalar(select(returns.c.order_id).where(returns.c.id == return_id))
    if found is None:
        raise ReturnNotFound
    return found


async def save(session: AsyncSession, one: Return) -> None:
    await session.execute(update(returns).where(returns.c.id == one.id).values(_columns(one)))
    for number, item in enumerate(one.items, start=1):
        mine = return_items.c.return_id == one.id, return_items.c.line == number
        changed = return_items.c.restock.is_distinct_from(item.restock)
        await session.execute(update(return_items).where(*mine, changed).values(restock=item.restock))


async def take_up(session: AsyncSession, state: ReturnState, patience: timedelta) -> list[UUID]:
    """Those whose time has come, which are nobody else's for as long as that."""
    return list(await session.scalars(_TAKE_UP, {"state": state, "batch": _BATCH, "patience": patience}))


async def with_items(session: AsyncSession, rows: Sequence[Mapping[Any, Any]]) -> list[Return]:
    query = (
        select(return_items)
        .where(return_items.c.return_id.in_([row["id"] for row in rows]))
        .order_by(return_items.c.return_id, return_items.c.line)
    )
    items: dict[UUID, list[ReturnItem]] = {}
    for line in (await session.execute(query)).mappings():
        item = ReturnItem(**{name: line[name] for name in ReturnItem.__slots__})
        items.setdefault(line["return_id"], []).append(item)
    return [as_return(row, items.get(row["id"], [])) for row in rows]


def as_return(row: Mapping[Any, Any], items: Sequence[ReturnItem]) -> Return:
    way = row["refund_way"] and RefundWay(row["refund_way"])
    return Return(**{**row, "state": ReturnState(row["state"]), "refund_way": way, "items": items})


def _columns(one: Return) -> dict[str, Any]:
    return {column.name: getattr(one, column.name) for column in returns.columns}
