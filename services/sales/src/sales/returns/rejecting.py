"""Saying no to a return, before there is money under way for it."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.outbox import publish
from chassis.steps import step
from contracts.sales.returns import RejectReturn, ReturnRejected, ReturnView

from .model import REJECTED
from .reading import view
from .storing import save, take


@step("OrderService", "rejectReturn")
async def reject_return(session: AsyncSession, return_id: UUID, body: RejectReturn, by: str) -> ReturnView:
    """Repeating it changes nothing. What it held of the order can be requested anew."""
    one = await take(session, return_id)
    if one.state != REJECTED:
        before, now = {"state": one.state}, datetime.now(UTC)
        one.reject(body.reason, now)
        await save(session, one)
        record(session, by, "return.rejected", one.id, before=before, after={"state": one.state})
        rejected = ReturnRejected(return_id=one.id, order_id=one.order_id, customer_id=one.customer_id, rejected_at=now)
        publish(session, rejected)
    return view(one)
