"""A service's consumer at its RabbitMQ queue, session after session; what a batch means is its handle's affair."""

import asyncio
import random
from typing import Final

from ..breather import breather
from ..telemetry import logger
from .link import Link
from .patience import FINISH_WITHIN, Interrupted, finish, hand_over, happens, quietly
from .protocol import Handle, NotReady, Subscription
from .session import Session, open_session

_RETRY_AFTER: Final = 1.0

log = logger("broker")


class RabbitConsumer:
    def __init__(self, link: Link, subscription: Subscription, handle: Handle) -> None:
        self.queue = subscription.queue
        self._link = link
        self._subscription = subscription
        self._handle = handle
        self._session: Session | None = None
        self._state = "not connected yet"
        self._tried = asyncio.Event()
        self._stopped = asyncio.Event()
        self._running = asyncio.create_task(self._run(), name=f"{self.queue} consumer")

    @property
    def session(self) -> Session | None:
        """None while there is none alive, though a handle may still work on what the last one gave it."""
        return None if self._session is None or self._session.over.is_set() else self._session

    @property
    def is_stopped(self) -> bool:
        return self._stopped.is_set()

    @property
    def has_ended(self) -> bool:
        return self._running.done()

    async def tried(self) -> None:
        """Until the first attempt to consume has succeeded or failed."""
        await self._tried.wait()

    def ready(self) -> None:
        session = self.session
        if session is None or self.has_ended:
            raise NotReady(f"{self.queue}: {self._state}")
        if not session.registered:
            raise NotReady(f"{self.queue}: the broker has cancelled the consumer")

    async def stop(self) -> None:
        self._stopped.set()
        session = self.session
        if session is not None:
            session.end()
            await quietly(session.cancel())
        await finish(self._running, FINISH_WITHIN)

    async def _run(self) -> None:
        try:
            while not self.is_stopped:
                try:
                    await self._hold_session()
                except Exception as error:
                    self._report(f"{type(error).__name__}: {error}")
                    await happens(self._stopped, within=_RETRY_AFTER * random.uniform(0.75, 1.25))
        finally:
            self._tried.set()

    async def _hold_session(self) -> None:
        async with open_session(self._link, self._subscription) as session:
            self._session = session
            self._report("consuming")
            try:
                while batch := await session.next_batch():
                    began = asyncio.get_running_loop().time()
                    if await hand_over(self._handle, [delivery.message for delivery in batch], session.over):
                        await session.settle(batch)
                    was_full = len(batch) == self._subscription.batch
                    least = self._subscription.rest
                    rest = breather(since=began, done=len(batch), least=least, was_full=was_full)
                    await happens(session.over, within=rest)
            finally:
                self._session = None
        if not self.is_stopped:
            raise Interrupted("the channel was lost")

    def _report(self, state: str) -> None:
        if state != self._state:
            log.warning("consumer_state", queue=self.queue, state=state)
        self._state = state
        self._tried.set()
