"""What an erased customer leaves behind on the way of an order. The orders themselves stay, with where they went."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# They become no orders any more, and the sweep gives their stock back. One that is becoming an order right now is
# waited for; what it was answered the next statements find.
_STOP = text(
    "UPDATE attempts SET state = 'undoing', wanted = CASE WHEN wanted IS NOT NULL THEN '{}'::jsonb END "
    "WHERE customer_id = :customer_id AND state = 'open'"
)
# By way of the orders, because attempts without a key cannot be found by their customer.
_FORGET_PLACED = text(
    """
    DELETE FROM attempts USING orders
    WHERE orders.customer_id = :customer_id AND attempts.id = orders.reservation_id AND attempts.state = 'placed'
    """
)
_FORGET_KEYS = text(
    """
    DELETE FROM attempts
    WHERE customer_id = :customer_id AND idempotency_key IS NOT NULL AND state IN ('placed', 'refused')
    """
)


async def forget_attempts(session: AsyncSession, customer_id: str) -> None:
    """Stored answers hold addresses. Refusals without a key stay until all are forgotten: they name products only."""
    for statement in (_STOP, _FORGET_PLACED, _FORGET_KEYS):
        await session.execute(statement, {"customer_id": customer_id})
