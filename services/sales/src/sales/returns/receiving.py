"""The goods are here, a journey: written down, what is any good put on the shelf at Product, done.

What stops half-way a job finishes: Product is asked under the return's id, and does it once.
"""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.db import Database
from chassis.errors import Unavailable
from chassis.failpoints import failpoint
from chassis.outbox import publish
from chassis.steps import step
from chassis.telemetry import logger
from contracts.sales.returns import ReceiveReturn, ReturnLine, ReturnReceived, ReturnView

from .model import REQUESTED, Return
from .pursuing import pursue_stopped
from .reading import one_return
from .shelf import NotTakenBack, Shelf
from .storing import save, take

# Longer than a request may take to hear Product's word: what is not finished by then has died.
PATIENCE: Final = timedelta(seconds=15)

log = logger("returns")


class Receiving:
    def __init__(self, database: Database, shelf: Shelf) -> None:
        self._database = database
        self._shelf = shelf

    @step("OrderService", "receiveReturn")
    async def receive(self, return_id: UUID, body: ReceiveReturn, by: str) -> ReturnView:
        """Repeating it changes nothing."""
        async with self._database.begin() as session:
            one = await take(session, return_id)
            asked_before = one.receipt_asked_by
            one.ask_receipt(body, by, datetime.now(UTC), PATIENCE)
            if asked_before is None:
                await save(session, one)
                pieces = sum(item.quantity for item in one.restocked)
                record(session, by, "return.receipt_asked", one.id, after={"restock": pieces})
        await failpoint("sales.return.receipt_asked")
        if one.is_being_received:
            await self._pursue(one)
        async with self._database.begin() as session:
            return await one_return(session, return_id, None)

    async def finish_stopped(self) -> int:
        """The job: asks Product for those that nobody has finished."""
        return await pursue_stopped(self._database, REQUESTED, PATIENCE, self._try)

    async def _try(self, one: Return) -> bool:
        try:
            await self._pursue(one)
        except (Unavailable, NotTakenBack) as error:
            log.warning("receipt_waits", return_id=str(one.id), reason=str(error))
            return False
        log.warning("receipt_finished", return_id=str(one.id))
        return True

    async def _pursue(self, one: Return) -> None:
        """While Product does not answer all stays as it is written down, for the job."""
        if one.restocked:
            try:
                await self._shelf.take_back(one.id, one.restocked)
            except NotTakenBack:
                await failpoint("sales.return.withdrawing")
                await self._withdraw(one)
                raise
        await failpoint("sales.return.restocked")
        async with self._database.begin() as session:
            await _finish(session, one.id)
            await failpoint("sales.return.receiving")
        await failpoint("sales.return.received")

    async def _withdraw(self, refused: Return) -> None:
        """Unless it was decided anew meanwhile."""
        async with self._database.begin() as session:
            one = await take(session, refused.id)
            if one.is_being_received and one.restocked == refused.restocked:
                one.withdraw_receipt(datetime.now(UTC))
                await save(session, one)
                record(session, refused.receipt_asked_by or "sales", "return.receipt_withdrawn", one.id)


@step("OrderAggregate", "receiveReturn")
async def _finish(session: AsyncSession, return_id: UUID) -> None:
    """Once, whoever comes first: the one who asked, one who asked again, or the job."""
    one = await take(session, return_id)
    if not one.is_being_received:
        return
    before, now = {"state": one.state}, datetime.now(UTC)
    one.receive(now)
    await save(session, one)
    restocked = [ReturnLine.model_validate(item) for item in one.restocked]
    after = {"state": one.state, "restocked": sum(line.quantity for line in restocked)}
    record(session, one.receipt_asked_by or "sales", "return.received", one.id, before=before, after=after)
    received = ReturnReceived(
        return_id=one.id,
        order_id=one.order_id,
        customer_id=one.customer_id,
        restocked=restocked,
        received_at=now,
    )
    publish(session, received)
