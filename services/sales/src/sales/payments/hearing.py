"""Hears what a gateway reports by itself: believed when it is signed, acted on once, in whichever order it comes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.db import Database
from chassis.errors import NotFound, TooLarge
from chassis.failpoints import failpoint
from chassis.retention import forget
from chassis.telemetry import logger
from contracts.sales.payments import WebhookAnswer

from .gateway import Done, Irrelevant, News, Refused, Reports
from .journal import AUTHORISE, CAPTURE, DONE, MANUAL, REFUND, VOID, Operation
from .model import AUTHORISED, CAPTURED, FAILED, REFUND_DUE, REFUNDED, VOIDED, Payment
from .settling import Rules, close, give_back_what_can_be, note_captured, note_voided, settle, tell
from .storing import Books, payment_by_reference, take
from .tables import payment_webhooks

LARGEST: Final = 64 * 1000
# Gateways repeat a report for days when they have got no answer, each time under the same id.
KEEP: Final = timedelta(days=30)
_HEARD: Final = "sales.payment.webhook.heard"
_KIND: Final = {AUTHORISED: AUTHORISE, CAPTURED: CAPTURE, VOIDED: VOID, FAILED: AUTHORISE}

log = logger("payments")


class Hearing:
    def __init__(self, reports: Sequence[Reports], rules: Rules) -> None:
        self._reports = {each.gateway: each for each in reports}
        self._rules = rules

    async def hear(self, session: AsyncSession, gateway: str, headers: Mapping[str, str], body: bytes) -> WebhookAnswer:
        reports = self._reports.get(gateway)
        if reports is None:
            raise NotFound("There is no such gateway here.")
        if len(body) > LARGEST:
            raise TooLarge(f"The body is larger than {LARGEST // 1000} kB.")
        now = datetime.now(UTC)
        said = reports.read(headers, body, now)
        if isinstance(said, Irrelevant):
            log.info("webhook_ignored", gateway=gateway, type=said.type[:100])
            return WebhookAnswer(result="ignored")
        # In the same transaction as the effect: of several copies at once, the others wait for what becomes of one.
        if not await _is_new(session, gateway, said.event_id, now):
            return WebhookAnswer(result="repeated")
        result = await self._act_on(session, gateway, said, now)
        await failpoint(_HEARD)
        return WebhookAnswer(result=result)

    async def _act_on(
        self, session: AsyncSession, gateway: str, news: News, now: datetime
    ) -> Literal["accepted", "ignored"]:
        books = await _concerned(session, gateway, news)
        if books is None or not books.payment.amount:
            log.warning("webhook_of_unknown_payment", gateway=gateway, event_id=news.event_id)
            return "ignored"
        by = f"gateway:{gateway}"
        if not self._believe(books, news, now):
            log.info("webhook_changes_nothing", payment_id=str(books.payment.id), event_id=news.event_id)
        give_back_what_can_be(books, by, self._rules, now)
        await close(books, by, self._rules)
        return "accepted"

    def _believe(self, books: Books, news: News, now: datetime) -> bool:
        """Whether it was news. What was asked follows the answer to that; a report only hurries it on."""
        if news.state in (REFUNDED, REFUND_DUE):
            return self._believe_refund(books, news, now)
        payment = books.payment
        under_way = next((each for each in books.journal if each.is_open and each.kind != REFUND), None)
        if under_way and under_way.kind == AUTHORISE and news.state == CAPTURED and news.payment_reference:
            # What is captured was authorised, even if we have not heard so yet.
            settle(books, under_way, Done(news.payment_reference), self._rules, now)
            under_way = None
        if under_way and under_way.kind == _KIND[news.state] and _is_plausible(news, under_way, payment):
            settle(books, under_way, _outcome(news, under_way), self._rules, now)
            return True
        if under_way:
            under_way.next_try_at = now
            return False
        if news.state == AUTHORISED and payment.state == FAILED:
            return self._authorise_late(books, news, now)
        if news.state == CAPTURED and payment.open and _fits(news.amount, payment.open):
            note_captured(books, news.amount, news.event_id, now)
            return True
        if news.state == VOIDED and payment.open:
            note_voided(books, news.event_id, now)
            return True
        return False

    def _authorise_late(self, books: Books, news: News, now: datetime) -> bool:
        asked = books.last(AUTHORISE)
        if asked is None or not news.payment_reference or news.amount not in (None, books.payment.amount):
            return False
        asked.done(news.payment_reference, now)
        books.payment.authorise(news.payment_reference, now)
        return True

    def _believe_refund(self, books: Books, news: News, now: datetime) -> bool:
        payment = books.payment
        asked = next((each for each in books.journal if each.kind == REFUND and each.id == news.key), None)
        if asked is not None and asked.is_open:
            settle(books, asked, _outcome(news, asked), self._rules, now)
            return True
        if news.state == REFUND_DUE:
            if asked is None or asked.state != DONE or asked.completed_by:
                return False
            payment.take_refund_back(asked.amount, now)
            asked.left_to_people(news.reason, now)
            log.error("refund_came_back", payment_id=str(payment.id), refund_id=str(asked.id), reason=news.reason)
            tell(books, asked, now)
            return True
        if asked is not None or news.amount is None:
            return False
        return self._note_refund(books, news.amount, news, now)

    def _note_refund(self, books: Books, amount: int, news: News, now: datetime) -> bool:
        """Somebody refunded it there by hand: what waits for a person is done with that, if it is the same amount."""
        waiting = [each for each in books.journal if each.state == MANUAL and each.amount == amount]
        if waiting:
            waiting[0].done(news.reference or "", now)
            books.payment.refund(amount, now)
            return True
        if not 0 < amount <= books.payment.refundable:
            log.error("refund_not_understood", payment_id=str(books.payment.id), event_id=news.event_id)
            return False
        books.payment.owe(amount, now)
        books.payment.refund(amount, now)
        books.note(REFUND, amount, news.reference or "", f"gateway:{news.event_id}", now)
        return True


async def forget_old_webhooks(database: Database) -> int:
    return await forget(database, "payment_webhooks", "received_at", datetime.now(UTC) - KEEP)


def _outcome(news: News, asked: Operation) -> Done | Refused:
    if news.state in (FAILED, REFUND_DUE):
        return Refused(news.reason)
    reference = news.payment_reference if asked.kind == AUTHORISE else news.reference
    return Done(reference or news.payment_reference or "", news.amount if asked.kind == CAPTURE else None)


def _is_plausible(news: News, asked: Operation, payment: Payment) -> bool:
    if news.key not in (None, asked.id):
        return False  # somebody else did the same there, and ours will be refused for that
    if news.state == AUTHORISED:
        return bool(news.payment_reference) and news.amount in (None, asked.amount)
    return news.state != CAPTURED or _fits(news.amount, payment.open)


def _fits(amount: int | None, left: int) -> bool:
    return amount is None or 0 < amount <= left


async def _is_new(session: AsyncSession, gateway: str, event_id: str, now: datetime) -> bool:
    row = {"gateway": gateway, "event_id": event_id, "received_at": now}
    new = insert(payment_webhooks).values(row).on_conflict_do_nothing().returning(payment_webhooks.c.event_id)
    return await session.scalar(new) is not None


async def _concerned(session: AsyncSession, gateway: str, news: News) -> Books | None:
    id = news.payment_id
    if id is None and news.payment_reference:
        id = await payment_by_reference(session, gateway, news.payment_reference)
    if id is None:
        return None
    try:
        books = await take(session, id)
    except NotFound:
        return None
    ours = books.payment
    is_ours = ours.gateway == gateway and news.payment_reference in (None, ours.reference or news.payment_reference)
    return books if is_ours else None
