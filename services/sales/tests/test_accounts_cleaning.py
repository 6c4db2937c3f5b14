"""What accounts leave behind goes when its time is over, and nothing sooner."""

from datetime import timedelta

import pytest

from sales.customers.forgetting import forget_access, forget_what_is_over
from services.sales.tests.accounts import ask, log_in, register, renew, session
from services.sales.tests.factories import Sales


async def left(sales: Sales) -> dict[str, int]:
    tables = ("sessions", "mail_tokens", "slowdowns", "known_addresses")
    return {table: await sales.count(table) for table in tables}


async def age(sales: Sales, by: timedelta) -> None:
    for table, columns in {
        "sessions": ("expires_at",),
        "mail_tokens": ("expires_at",),
        "slowdowns": ("last_at", "opens_at"),
        "known_addresses": ("last_at",),
    }.items():
        earlier = ", ".join(f"{column} = {column} - CAST(:by AS interval)" for column in columns)
        await sales.rows(f"UPDATE {table} SET {earlier} RETURNING 1", by=by)


async def lived_in(sales: Sales) -> str:
    """An account with something in every table; its refresh token."""
    await register(sales)
    tokens = await session(sales)
    await log_in(sales, "not the password")
    await ask(sales, "password-reset-requests", "nobody@example.org")
    assert min((await left(sales)).values()) >= 1
    return str(tokens["refresh_token"])


async def test_nothing_goes_while_it_is_of_use(sales: Sales) -> None:
    refresh_token = await lived_in(sales)
    before = await left(sales)

    assert await sales.run("forget_what_is_over") == 0

    assert await left(sales) == before
    assert (await renew(sales, refresh_token)).status_code == 200


@pytest.mark.parametrize(
    ("after", "gone"),
    [
        (timedelta(hours=1, minutes=1), {"slowdowns"}),
        (timedelta(days=1, minutes=1), {"slowdowns", "mail_tokens"}),
        (timedelta(days=30, minutes=1), {"slowdowns", "mail_tokens", "sessions"}),
        (timedelta(days=90, minutes=1), {"slowdowns", "mail_tokens", "sessions", "known_addresses"}),
    ],
)
async def test_each_thing_goes_when_it_is_of_none(sales: Sales, after: timedelta, gone: set[str]) -> None:
    await lived_in(sales)
    await age(sales, after)

    await sales.run("forget_what_is_over")

    assert {table for table, count in (await left(sales)).items() if count == 0} == gone


async def test_there_can_be_more_than_goes_in_one_batch(sales: Sales) -> None:
    await register(sales)
    for _ in range(5):
        await session(sales)
    await sales.rows("UPDATE sessions SET expires_at = now() RETURNING 1")

    assert await forget_what_is_over(sales.service.database, batch=2) == 5
    assert await sales.count("sessions") == 0


async def test_whoever_is_erased_takes_along_what_would_let_somebody_in(sales: Sales) -> None:
    await lived_in(sales)
    await register(sales, email="ada@example.org")
    await session(sales, email="ada@example.org")
    [grace] = await sales.rows("SELECT id FROM customers WHERE email LIKE 'grace%'")

    async with sales.service.database.begin() as erasing:
        await forget_access(erasing, grace["id"])

    others = await left(sales)
    assert (others["sessions"], others["mail_tokens"], others["known_addresses"]) == (1, 1, 1)
    rows = await sales.rows("SELECT customer_id FROM sessions UNION SELECT customer_id FROM mail_tokens")
    assert grace["id"] not in {row["customer_id"] for row in rows}
