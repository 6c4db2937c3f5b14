"""Asks the gateway: each question bounded in time, and none while it does not answer. Outside any transaction."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import TypeVar

from chassis import tracing
from chassis.breaker import Breaker
from chassis.telemetry import logger
from contracts.sales.payments import OperationKind

from .gateway import Found, Gateway, Outcome, Question, Unanswered

T = TypeVar("T")

log = logger("payments")


class Asking:
    """Raises `Away` when there is no answer: `Unanswered` if it was asked, and nobody knows what became of it."""

    def __init__(self, gateway: Gateway, timeout: timedelta) -> None:
        self.gateway = gateway
        self._seconds = timeout.total_seconds()
        self._breaker = Breaker("payment")

    async def ask(self, question: Question, card: str | None = None) -> Outcome:
        match question.kind:
            case OperationKind.AUTHORISE:
                if card is None:
                    raise ValueError("An authorisation needs a card.")
                return await self._bounded(question, self.gateway.authorise(question, card))
            case OperationKind.CAPTURE:
                return await self._bounded(question, self.gateway.capture(question))
            case OperationKind.VOID:
                return await self._bounded(question, self.gateway.void(question))
            case OperationKind.REFUND:
                return await self._bounded(question, self.gateway.refund(question))

    async def look_up(self, question: Question) -> Found:
        return await self._bounded(question, self.gateway.look_up(question))

    async def forestall(self, question: Question) -> Found:
        return await self._bounded(question, self.gateway.forestall(question))

    async def close(self) -> None:
        await self.gateway.close()

    async def _bounded(self, question: Question, answer: Awaitable[T]) -> T:
        try:
            with tracing.span("payment.gateway", gateway=self.gateway.name, kind=question.kind), self._breaker.watch():
                try:
                    async with asyncio.timeout(self._seconds):
                        return await answer
                except TimeoutError:
                    raise Unanswered("time-out") from None
        except Unanswered as error:
            log.warning("gateway_unanswered", kind=question.kind, operation_id=str(question.key), reason=error.reason)
            raise
        finally:
            # Not even begun, if the breaker is open.
            if asyncio.iscoroutine(answer):
                answer.close()
