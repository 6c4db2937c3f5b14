"""What is heard of customers elsewhere, kept as far as mail needs it: in whatever order it comes, the newest holds."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.statements import INSTANT, TEXT, with_arrays
from contracts.sales.customers import Language


@dataclass(frozen=True, slots=True)
class Told:
    """What an event says of a customer, and when it was so."""

    customer_id: str
    at: datetime
    name: str
    language: Language
    email: str | None


_COLUMNS: Final = {
    "customer_id": TEXT,
    "email": TEXT,
    "email_told_at": INSTANT,
    "name": TEXT,
    "language": TEXT,
    "profile_told_at": INSTANT,
}
_EMAIL_IS_NEWER: Final = "customers.email_told_at IS NULL OR customers.email_told_at <= excluded.email_told_at"
_PROFILE_IS_NEWER: Final = "customers.profile_told_at IS NULL OR customers.profile_told_at <= excluded.profile_told_at"
# Nothing brings back whom we were told to forget.
_REMEMBER: Final = with_arrays(
    f"""
    INSERT INTO customers ({", ".join(_COLUMNS)})
    SELECT * FROM unnest({", ".join(f":{name}" for name in _COLUMNS)}) ORDER BY 1
    ON CONFLICT (customer_id) DO UPDATE SET
        (email, email_told_at) = (
            SELECT excluded.email, excluded.email_told_at WHERE {_EMAIL_IS_NEWER}
            UNION ALL SELECT customers.email, customers.email_told_at WHERE ({_EMAIL_IS_NEWER}) IS NOT TRUE
        ),
        (name, language, profile_told_at) = (
            SELECT excluded.name, excluded.language, excluded.profile_told_at WHERE {_PROFILE_IS_NEWER}
            UNION ALL SELECT customers.name, customers.language, customers.profile_told_at
            WHERE ({_PROFILE_IS_NEWER}) IS NOT TRUE
        )
    WHERE customers.erased_at IS NULL
    """,
    **_COLUMNS,
)
_FORGET: Final = with_arrays(
    """
    INSERT INTO customers (customer_id, erased_at) SELECT id, now() FROM unnest(:ids) AS erased (id) ORDER BY 1
    ON CONFLICT (customer_id) DO UPDATE SET
        email = NULL, email_told_at = NULL, name = NULL, language = NULL, profile_told_at = NULL,
        unwanted_topics = '{}', erased_at = excluded.erased_at
    WHERE customers.erased_at IS NULL
    """,
    ids=TEXT,
)


async def remember(session: AsyncSession, told: Iterable[Told]) -> None:
    """Without an e-mail only the name and the language are told."""
    profiles: dict[str, Told] = {}
    emails: dict[str, Told] = {}
    for each in sorted(told, key=lambda one: one.at):
        profiles[each.customer_id] = each
        if each.email is not None:
            emails[each.customer_id] = each
    rows = [
        {
            "customer_id": customer_id,
            "email": emails[customer_id].email if customer_id in emails else None,
            "email_told_at": emails[customer_id].at if customer_id in emails else None,
            "name": profile.name,
            "language": profile.language,
            "profile_told_at": profile.at,
        }
        for customer_id, profile in profiles.items()
    ]
    await session.execute(_REMEMBER, {column: [row[column] for row in rows] for column in _COLUMNS})


async def forget(session: AsyncSession, customer_ids: set[str]) -> None:
    """A row stays that says nothing but that they are forgotten, also of those who were never heard of."""
    await session.execute(_FORGET, {"ids": sorted(customer_ids)})
