"""Sending, a journey: claim, hand over outside of any transaction, mark. What stops half-way is sent again, later."""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Final

from chassis.coalescer import Coalescer
from chassis.db import Database
from chassis.errors import Unavailable
from chassis.failpoints import failpoint
from chassis.steps import step
from chassis.telemetry import logger
from chassis.tracing import working_for
from notification.customers.addressees import Addressee, find

from .delivering import Addressed, Delivering
from .model import FAILED, OPERATIONS, QUEUED, SENT, UNWANTED, Mail
from .storing import IN_A_ROW, claim, mark
from .transport import Transport

_LANES: Final = 50
_SHORTEST_LEASE: Final = timedelta(seconds=30)
_LOOK_BESIDE: Final = 1.0
_MARK_AGAIN: Final = 0.2
# Shorter than what a job has got left that is told to end.
_FINISH_WITHIN: Final = 0.7
_EVENTS: Final = {QUEUED: "mail_waits", SENT: "mail_sent", UNWANTED: "mail_unwanted"}

Lane = Sequence[Addressed]

log = logger("mails")


class Sending:
    """Several can share one table: what one has claimed, no other is given."""

    def __init__(
        self, database: Database, delivering: Delivering, transport: Transport, operations: Sequence[str]
    ) -> None:
        self._database = database
        self._delivering = delivering
        self._transport = transport
        self._operations = [Addressee(OPERATIONS, email) for email in operations]
        # Longer than it takes to send a mail, so that nobody else begins meanwhile.
        self._lease = max(transport.longest * 3, _SHORTEST_LEASE)
        self._marks: Coalescer[Mail, None] = Coalescer(self._mark)

    async def send_due(self) -> int:
        """Until nothing is due any more that is in nobody's hands; tells how many were tried."""
        ready: deque[Lane] = deque()
        running: set[asyncio.Task[int]] = set()
        tried = 0
        try:
            while True:
                if not ready and len(running) < self._transport.connections:
                    ready.extend(await self._claim(alone=not running))
                while ready and len(running) < self._transport.connections:
                    running.add(asyncio.create_task(self._send_in_order(ready.popleft())))
                if not running:
                    return tried
                # A mail that is stuck does not keep others waiting: they are looked for beside it.
                done, running = await asyncio.wait(running, timeout=_LOOK_BESIDE, return_when=asyncio.FIRST_COMPLETED)
                tried += sum(task.result() for task in done)
        finally:
            await self._leave(ready, running)

    async def close(self) -> None:
        await self._marks.close()
        await self._transport.close()

    async def _claim(self, *, alone: bool) -> list[Lane]:
        """While the server is away: one mail, to find out whether it is back."""
        probing = self._delivering.server_is_away
        if self._delivering.wait > 0 or (probing and not alone):
            return []
        lanes, in_a_row = (1, 1) if probing else (_LANES, IN_A_ROW)
        now = datetime.now(UTC)
        async with self._database.begin() as session:
            until = now + self._lease
            claimed = await claim(session, lanes=lanes, in_a_row=in_a_row, now=now, until=until, alone=alone)
            customers = {mail.recipient for lane in claimed for mail in lane} - {OPERATIONS}
            known = await find(session, customers) if customers else {}
        await failpoint("notification.mails.claimed")
        return [[Addressed(mail, self._those_of(mail, known)) for mail in lane] for lane in claimed]

    def _those_of(self, mail: Mail, known: dict[str, Addressee]) -> Sequence[Addressee]:
        if mail.recipient == OPERATIONS:
            return self._operations
        return [known[mail.recipient]] if mail.recipient in known else []

    async def _send_in_order(self, lane: Lane) -> int:
        """One after the other, until one has to wait: those behind it wait with it."""
        waiting, tried = deque(lane), 0
        try:
            while waiting and self._has_time_for(waiting[0].mail):
                addressed = waiting.popleft()
                tried += 1
                await self._send(addressed)
                if addressed.mail.state == QUEUED:
                    break
                if waiting:
                    waiting[0].mail.come_forward(datetime.now(UTC))
            return tried
        finally:
            await self._put_back(addressed.mail for addressed in waiting)

    def _has_time_for(self, mail: Mail) -> bool:
        assert mail.leased_until is not None
        return datetime.now(UTC) + self._transport.longest < mail.leased_until

    async def _send(self, addressed: Addressed) -> None:
        mail = addressed.mail
        file = await self._delivering.deliver(addressed)
        try:
            # Here, and nowhere else, a process that dies lets a second copy leave, under the same Message-ID.
            await failpoint("notification.mails.sent")
        finally:
            await self._mark_surely(mail)
        await failpoint("notification.mails.marked")
        _tell(mail, file)

    async def _put_back(self, untried: Iterable[Mail]) -> None:
        await asyncio.gather(*(self._mark_surely(mail) for mail in untried))

    async def _mark_surely(self, mail: Mail) -> None:
        """However long the database is away: what has left must not leave again because of that."""
        assert mail.leased_until is not None
        while True:
            try:
                # Not given up with us: it would be in the middle of a transaction.
                await asyncio.shield(self._marks(mail))
            except Unavailable:
                if datetime.now(UTC) > mail.leased_until:
                    raise
                await asyncio.sleep(_MARK_AGAIN)
            else:
                return

    async def _mark(self, done: Sequence[Mail]) -> list[None]:
        async with self._database.begin() as session:
            await mark(session, done)
            await failpoint("notification.mails.marking")
        return [None] * len(done)

    async def _leave(self, ready: Iterable[Lane], running: set[asyncio.Task[int]]) -> None:
        """Lets others have what was not begun, and waits a moment for what was."""
        if running:
            _, late = await asyncio.wait(running, timeout=_FINISH_WITHIN)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._put_back(addressed.mail for lane in ready for addressed in lane)


def _tell(mail: Mail, file: str | None) -> None:
    about = {"mail_id": str(mail.id), "mail": mail.message, "reason": mail.last_error, "file": file}
    known = {name: value for name, value in about.items() if value is not None}
    if mail.state == FAILED:
        with working_for([mail.traceparent]) if mail.traceparent else nullcontext():
            _log_failure(known)
    else:
        log.info(_EVENTS[mail.state], **known)


@step("Logger", "logFailedMail")
def _log_failure(known: Mapping[str, str]) -> None:
    """For people: nothing more is done about it by itself."""
    log.warning("mail_failed", **known)
