"""Goods arrive, and wishes are granted: each is told of once, by the transaction that has taken it.

So many at a time: where more wait than one transaction should tell, the arrival is kept, and a job tells the others.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.db import Database, wakes
from chassis.statements import ID, INSTANT, TEXT, with_arrays
from contracts.notification.preferences import Topic
from notification.mails.writing import Letter, write
from notification.messages.catalogue import BACK_IN_STOCK

from .tables import arrivals

AT_ONCE: Final = 2_000
LEFT: Final = "wishes.left"
"""What a commit wakes that has left some for later."""

# Locked in one order: whoever grants or forgets some of the same waits, and finds them gone. Of several arrivals that
# fit the first counts; what was asked for after an arrival is not what that one brought.
_GRANT: Final = with_arrays(
    """
    WITH arrived AS MATERIALIZED (
        SELECT * FROM unnest(:event_ids, :product_ids, :variant_ids, :ats) AS new (event_id, product_id, variant_id, at)
    ), granted AS MATERIALIZED (
        SELECT wish.id, fitting.event_id
        FROM back_in_stock_wishes AS wish
            JOIN customers ON customers.customer_id = wish.customer_id
            CROSS JOIN LATERAL (
                SELECT arrived.event_id FROM arrived
                WHERE arrived.product_id = wish.product_id AND arrived.at >= wish.asked_at
                    AND (wish.variant_id IS NULL OR wish.variant_id = arrived.variant_id)
                ORDER BY arrived.at, arrived.event_id LIMIT 1
            ) AS fitting
        WHERE wish.product_id = ANY(:product_ids) AND NOT :topic = ANY(customers.unwanted_topics)
        ORDER BY wish.id LIMIT :at_once FOR UPDATE OF wish
    )
    DELETE FROM back_in_stock_wishes AS wish USING granted WHERE wish.id = granted.id
    RETURNING wish.customer_id, granted.event_id
    """,
    event_ids=TEXT,
    product_ids=TEXT,
    variant_ids=ID,
    ats=INSTANT,
)


@dataclass(frozen=True, slots=True)
class Arrival:
    event_id: str
    product_id: str
    variant_id: UUID | None
    name: str | None
    at: datetime
    traceparent: str | None


async def tell_who_waits(session: AsyncSession, arrived: Sequence[Arrival]) -> None:
    if arrived and await _tell(session, arrived) == AT_ONCE:
        kept = insert(arrivals).values([asdict(arrival) for arrival in arrived])
        await session.execute(kept.on_conflict_do_nothing())
        wakes(session, LEFT)


async def tell_the_others(database: Database) -> int:
    """Those for whom there was no room in the transaction that heard of the arrival."""
    told = 0
    while True:
        async with database.begin() as session:
            oldest = select(arrivals).order_by(arrivals.c.event_id).limit(1).with_for_update(skip_locked=True)
            row = (await session.execute(oldest)).mappings().one_or_none()
            if row is None:
                return told
            count = await _tell(session, [Arrival(**row)])
            told += count
            if count < AT_ONCE:
                await session.execute(delete(arrivals).where(arrivals.c.event_id == row["event_id"]))


async def _tell(session: AsyncSession, arrived: Sequence[Arrival]) -> int:
    by_event = {arrival.event_id: arrival for arrival in arrived}
    granted = await session.execute(
        _GRANT,
        {
            "event_ids": [arrival.event_id for arrival in arrived],
            "product_ids": [arrival.product_id for arrival in arrived],
            "variant_ids": [arrival.variant_id for arrival in arrived],
            "ats": [arrival.at for arrival in arrived],
            "topic": Topic.BACK_IN_STOCK,
            "at_once": AT_ONCE,
        },
    )
    # Who has asked in two ways for what one arrival brings has two letters here, of which one is written.
    letters = [_letter(by_event[row.event_id], row.customer_id) for row in granted]
    await write(session, letters)
    return len(letters)


def _letter(arrival: Arrival, customer_id: str) -> Letter:
    about: dict[str, Any] = {
        "product_id": arrival.product_id,
        "variant_id": arrival.variant_id,
        "name": arrival.name,
    }
    return Letter(arrival.event_id, BACK_IN_STOCK.name, customer_id, about, arrival.at, arrival.traceparent)
