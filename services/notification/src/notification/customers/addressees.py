"""To whom mails go: the address, the language and the wishes of customers, as far as they were heard of."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.statements import TEXT, with_arrays
from contracts.sales.customers import Language

DEFAULT_LANGUAGE: Final[Language] = "en"


@dataclass(frozen=True, slots=True)
class Addressee:
    """Somebody at operations has an address and nothing else."""

    customer_id: str
    email: str = field(repr=False)
    name: str = field(default="", repr=False)
    language: str = DEFAULT_LANGUAGE
    unwanted_topics: frozenset[str] = frozenset()
    is_erased: bool = False
    """Then there is nothing else: no address, no name."""


_FIND: Final = with_arrays(
    """
    SELECT customer_id, email, name, language, unwanted_topics, erased_at FROM customers
    WHERE customer_id = ANY(:ids) AND (email IS NOT NULL OR erased_at IS NOT NULL)
    """,
    ids=TEXT,
)


async def find(session: AsyncSession, customer_ids: Collection[str]) -> dict[str, Addressee]:
    """Those that can be written to, and those that must not be any more; of whom else no address was heard yet."""
    found = await session.execute(_FIND, {"ids": sorted(customer_ids)})
    return {
        row.customer_id: Addressee(
            customer_id=row.customer_id,
            email=row.email or "",
            name=row.name or "",
            language=row.language or DEFAULT_LANGUAGE,
            unwanted_topics=frozenset(row.unwanted_topics),
            is_erased=row.erased_at is not None,
        )
        for row in found
    }
