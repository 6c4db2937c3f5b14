"""Which events the service has handled: an id is written down with what the event changed, and only once."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Index, Text, func
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from .statements import TEXT, with_arrays
from .tables import ChassisTable


class InboxRow(ChassisTable):
    __tablename__ = "inbox"

    event_id: Mapped[str] = mapped_column(Text, primary_key=True)
    event_type: Mapped[str] = mapped_column(Text)
    handled_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True), server_default=func.now())

    __table_args__ = (Index("ix_inbox_handled_at", "handled_at"),)


_CLAIM = with_arrays(
    """
    INSERT INTO inbox (event_id, event_type) SELECT * FROM unnest(:event_ids, :event_types) ORDER BY 1
    ON CONFLICT DO NOTHING RETURNING event_id
    """,
    event_ids=TEXT,
    event_types=TEXT,
)


async def claim(session: AsyncSession, types: Mapping[str, str]) -> set[str]:
    """Those of these events (id to type) that were not handled before.

    When another replica is at one of them this waits for the outcome.
    """
    claimed = await session.scalars(_CLAIM, {"event_ids": [*types], "event_types": [*types.values()]})
    return set(claimed)
