"""What customers do not want to be told: they say so here, or by the link in a mail."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.errors import Unauthenticated
from contracts.notification.preferences import ChangePreferences, PreferencesView, Topic
from contracts.sales.customers import Language

from .addressees import DEFAULT_LANGUAGE
from .tables import customers
from .unsubscribe_tokens import Unsubscription

BY_LINK = "unsubscribe-link"
"""Who has changed it, where nobody has logged in."""


class NoLongerCustomer(Unauthenticated):
    """Their tokens end a little later than they do."""

    def __init__(self) -> None:
        super().__init__("The account does not exist any more.")


async def show(session: AsyncSession, customer_id: str) -> PreferencesView:
    row = await _find(session, customer_id)
    if row is None:
        return _view((), None)
    if row.erased_at is not None:
        raise NoLongerCustomer
    return _view(row.unwanted_topics, row.language)


async def change(session: AsyncSession, customer_id: str, wanted: ChangePreferences) -> PreferencesView:
    customer = await take(session, customer_id)
    await _save(session, customer, wanted.unwanted, by=customer_id)
    return _view(wanted.unwanted, customer.language)


async def unsubscribe(session: AsyncSession, wanted: Unsubscription) -> None:
    """Repeating it changes nothing; whoever was erased gets no mail anyway."""
    try:
        customer = await take(session, wanted.customer_id)
    except NoLongerCustomer:
        return
    await _save(session, customer, [*customer.unwanted_topics, wanted.topic], by=BY_LINK)


async def language_of(session: AsyncSession, customer_id: str) -> str:
    row = await _find(session, customer_id)
    return (row and row.language) or DEFAULT_LANGUAGE


async def take(session: AsyncSession, customer_id: str) -> Row[Any]:
    """The customer, locked; also one of whom nothing was heard yet."""
    await session.execute(insert(customers).values(customer_id=customer_id).on_conflict_do_nothing())
    locked = select(customers).where(customers.c.customer_id == customer_id).with_for_update(key_share=True)
    customer = (await session.execute(locked)).one()
    if customer.erased_at is not None:
        raise NoLongerCustomer
    return customer


async def _find(session: AsyncSession, customer_id: str) -> Row[Any] | None:
    return (await session.execute(select(customers).where(customers.c.customer_id == customer_id))).one_or_none()


async def _save(session: AsyncSession, customer: Row[Any], unwanted: Iterable[str], *, by: str) -> None:
    before, after = sorted(customer.unwanted_topics), sorted(set(unwanted))
    if before == after:
        return
    row = update(customers).where(customers.c.customer_id == customer.customer_id)
    await session.execute(row.values(unwanted_topics=after))
    record(
        session,
        by,
        "mail_preferences.changed",
        customer.customer_id,
        before={"unwanted": before},
        after={"unwanted": after},
    )


def _view(unwanted: Iterable[str], language: Language | None) -> PreferencesView:
    return PreferencesView(
        # What cannot be turned off any more may still stand in a row.
        unwanted=[topic for topic in Topic if topic in set(unwanted)],
        topics=list(Topic),
        language=language or DEFAULT_LANGUAGE,
    )
