"""What hangs is shown to admins, and to nobody else."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from chassis.ids import first_uuid7_at
from services.sales.tests.factories import Sales


async def stuck(sales: Sales, *roles: Any, **params: Any) -> httpx.Response:
    async with sales.client("root", *(roles or ("admin",))) as client:
        return await client.get("/api/v1/attempts/stuck", params=params)


async def an_attempt(sales: Sales, age: timedelta, state: str = "open", wanted: str | None = None) -> UUID:
    id = first_uuid7_at(datetime.now(UTC) - age)
    await sales.attempt(id)
    await sales.rows(
        "UPDATE attempts SET state = :state, wanted = CAST(:wanted AS jsonb) WHERE id = :id RETURNING 1",
        id=id,
        state=state,
        wanted=wanted,
    )
    return id


async def test_an_attempt_that_had_its_time_and_is_not_over_is_shown(sales: Sales) -> None:
    hangs = await an_attempt(sales, timedelta(minutes=6), "undoing", "{}")
    await an_attempt(sales, timedelta(minutes=4))
    await an_attempt(sales, timedelta(minutes=7), "undone")

    [shown] = (await stuck(sales)).json()["items"]

    assert (shown["attempt_id"], shown["customer_id"], shown["state"]) == (str(hangs), "grace", "undoing")
    assert shown["is_checkout"] is True
    age = datetime.now(UTC) - datetime.fromisoformat(shown["begun_at"])
    assert timedelta(minutes=5.9) < age < timedelta(minutes=8)


async def test_they_come_by_page_the_oldest_first(sales: Sales) -> None:
    ids = [await an_attempt(sales, timedelta(minutes=60 - number)) for number in range(5)]

    first = (await stuck(sales, limit=3)).json()
    second = (await stuck(sales, limit=3, cursor=first["next_cursor"])).json()

    assert [UUID(each["attempt_id"]) for page in (first, second) for each in page["items"]] == ids
    assert second["next_cursor"] is None


@pytest.mark.parametrize("role", ["customer", "warehouse"])
async def test_they_are_for_admins_only(sales: Sales, role: str) -> None:
    assert (await stuck(sales, role)).status_code == 403
