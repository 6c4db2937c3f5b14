"""How a request comes by its attempt and what it leaves behind there; both ways to order have this in common."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from chassis.errors import KeyReused, Refused
from chassis.refusals import envelope, status_of
from chassis.steps import note_refusal
from chassis.telemetry import logger

from .attempts import Attempt, Attempts, Request

_FIRST_LOOK, _LATER_LOOKS = 0.02, 0.2

log = logger("pursuing")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the customer is told, now and whenever the same request comes again."""

    status: int
    body: str
    replayed: bool = False


async def begin(attempts: Attempts, request: Request) -> Attempt | Answer:
    """An attempt of our own, or the answer that the key has; while another request has it we wait for that."""
    pause = _FIRST_LOOK
    while True:
        attempt = await attempts.claim(request)
        if attempt.is_ours:
            return attempt
        if not attempt.same_request:
            raise KeyReused("This Idempotency-Key was used before, for another order.")
        if attempt.answer:
            return Answer(*attempt.answer, replayed=True)
        if attempt.lapsed and await attempts.take_over(attempt.id):
            return attempt
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LATER_LOOKS)


async def refuse(attempts: Attempts, attempt_id: UUID, refused: Refused) -> Answer:
    """A refusal that is the attempt's answer from now on."""
    status = status_of(type(refused))
    body = bytes(envelope(status, refused.code, refused.message, refused.details).body).decode()
    await attempts.refuse((attempt_id, status, body))
    note_refusal(refused.code)
    return Answer(status, body)


async def answered(attempts: Attempts, attempt_id: UUID) -> Answer | None:
    """What somebody else has answered meanwhile: a retry that took the attempt over."""
    settled = await attempts.answer_of(attempt_id)
    return Answer(*settled, replayed=True) if settled else None


@asynccontextmanager
async def pursued(attempts: Attempts, attempt_id: UUID) -> AsyncIterator[None]:
    """What ends early lets its attempt go: a retry with the same key may go on from there at once; without one the
    sweep undoes it."""
    try:
        yield
    except (Exception, asyncio.CancelledError):
        await _let_go(attempts, attempt_id)
        raise


async def _let_go(attempts: Attempts, attempt_id: UUID) -> None:
    try:
        # Bounded, because its lease ends anyhow: the customer need not wait for this.
        async with asyncio.timeout(1):
            await attempts.let_go(attempt_id)
    except Exception as error:
        log.warning("attempt_kept", attempt_id=str(attempt_id), reason=f"{type(error).__name__}: {error}")
