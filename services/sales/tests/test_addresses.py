"""The addresses that a customer keeps: one of them is the default, and an order without an address goes there."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import IntegrityError

from services.sales.tests.factories import ADDRESS, Sales, running, wanted
from services.sales.tests.fake_product import FakeProduct
from services.sales.tests.profiles import HOME, WORK, add, code, customer, listed, me


async def test_a_new_address_is_answered_as_it_is_kept(sales: Sales) -> None:
    await customer(sales)

    answer = await me(sales, "POST", "/addresses", {**HOME, "line2": " Back door "})

    said = answer.json()
    assert answer.status_code == 201
    assert UUID(said.pop("address_id")).version == 7
    assert datetime.fromisoformat(said.pop("created_at")) > datetime.now(UTC) - timedelta(seconds=10)
    assert said == {**HOME, "line2": "Back door", "is_default": True}
    assert (await me(sales, path="/addresses")).json() == {"items": [answer.json()], "next_cursor": None}


async def test_the_first_is_the_default_and_stays_it_until_another_wants_to_be(sales: Sales) -> None:
    await customer(sales)

    await add(sales, HOME)
    await add(sales, WORK)
    before = await listed(sales)
    await add(sales, {**ADDRESS, "line1": "3 New Street", "is_default": True})

    assert before == [("1 Home Street", True), ("2 Work Street", False)]
    assert await listed(sales) == [("1 Home Street", False), ("2 Work Street", False), ("3 New Street", True)]


async def test_another_one_is_made_the_default_as_often_as_one_likes(sales: Sales) -> None:
    await customer(sales)
    await add(sales, HOME)
    work = await add(sales, WORK)

    answers = [await me(sales, "POST", f"/addresses/{work}/default") for _ in range(2)]

    assert [(answer.status_code, answer.json()["is_default"]) for answer in answers] == [(200, True)] * 2
    assert await listed(sales) == [("1 Home Street", False), ("2 Work Street", True)]


async def test_an_address_is_replaced_as_a_whole_and_stays_the_default(sales: Sales) -> None:
    await customer(sales)
    home = await add(sales, {**HOME, "line2": "Back door"})

    answer = await me(sales, "PUT", f"/addresses/{home}", WORK)

    assert answer.status_code == 200
    assert (answer.json()["line1"], answer.json()["line2"]) == ("2 Work Street", None)
    assert await listed(sales) == [("2 Work Street", True)]


async def test_when_the_default_goes_the_youngest_of_the_others_takes_its_place(sales: Sales) -> None:
    await customer(sales)
    home, work, attic = [await add(sales, {**ADDRESS, "line1": street}) for street in ("home", "work", "attic")]

    answer = await me(sales, "DELETE", f"/addresses/{home}")
    without_the_default = await listed(sales)
    await me(sales, "DELETE", f"/addresses/{work}")
    without_another = await listed(sales)
    await me(sales, "DELETE", f"/addresses/{attic}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert without_the_default == [("work", False), ("attic", True)]
    assert without_another == [("attic", True)]
    assert await listed(sales) == []


async def test_what_is_gone_is_not_found(sales: Sales) -> None:
    await customer(sales)
    home = await add(sales)
    await me(sales, "DELETE", f"/addresses/{home}")

    for gone in (home, uuid4()):
        assert code(await me(sales, "DELETE", f"/addresses/{gone}")) == (404, "NOT_FOUND")
        assert code(await me(sales, "PUT", f"/addresses/{gone}", WORK)) == (404, "NOT_FOUND")
        assert code(await me(sales, "POST", f"/addresses/{gone}/default")) == (404, "NOT_FOUND")


async def test_the_pages_have_every_address_once_the_oldest_first(sales: Sales) -> None:
    await customer(sales)
    ids = [await add(sales) for _ in range(5)]
    found: list[list[str]] = []
    cursor: str | None = ""

    while cursor is not None:
        page = (await me(sales, path=f"/addresses?limit=2{cursor}")).json()
        found.append([item["address_id"] for item in page["items"]])
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"

    assert found == [ids[:2], ids[2:4], ids[4:]]


async def test_an_order_without_an_address_goes_to_the_default(sales: Sales) -> None:
    await customer(sales)
    await add(sales, HOME)
    work = await add(sales, {**WORK, "line2": "Ring twice"})

    to_home = await sales.order(wanted(address=None))
    await me(sales, "POST", f"/addresses/{work}/default")
    to_work = await sales.order(wanted(address=None))

    assert to_home.json()["shipping_address"] == {**HOME, "line2": None}
    assert to_work.json()["shipping_address"] == {**WORK, "line2": "Ring twice"}


async def test_an_order_keeps_its_address_whatever_becomes_of_the_one_on_file(sales: Sales) -> None:
    await customer(sales)
    home = await add(sales, HOME)
    order = (await sales.order(wanted(address=None))).json()

    await me(sales, "PUT", f"/addresses/{home}", WORK)

    assert (await sales.get(f"/{order['order_id']}")).json()["shipping_address"]["line1"] == "1 Home Street"


async def test_the_twenty_first_is_refused(sales: Sales) -> None:
    await customer(sales)
    addresses = [await add(sales) for _ in range(20)]

    refused = await me(sales, "POST", "/addresses", WORK)
    await me(sales, "DELETE", f"/addresses/{addresses[7]}")

    assert code(refused) == (409, "TOO_MANY_ADDRESSES")
    assert await add(sales, WORK)


async def test_of_thirty_at_once_through_two_processes_twenty_are_kept_and_one_is_the_default(
    database_url: str, product: FakeProduct, sales: Sales
) -> None:
    await customer(sales)

    async with running(database_url, product) as other:
        new = {**HOME, "is_default": True}
        answers = await asyncio.gather(*(me((sales, other)[n % 2], "POST", "/addresses", new) for n in range(30)))

    assert sorted(answer.status_code for answer in answers) == [201] * 20 + [409] * 10
    assert sum(is_default for _, is_default in await listed(sales)) == 1


async def test_whoever_is_made_the_default_at_once_with_others_there_is_one_in_the_end(sales: Sales) -> None:
    await customer(sales)
    ids = [await add(sales) for _ in range(8)]

    answers = await asyncio.gather(*(me(sales, "POST", f"/addresses/{id}/default") for id in ids * 2))

    assert {answer.status_code for answer in answers} == {200}
    assert sum(is_default for _, is_default in await listed(sales)) == 1


async def test_adding_and_removing_at_once_leaves_a_default(sales: Sales) -> None:
    await customer(sales)
    ids = [await add(sales) for _ in range(6)]

    removed = [me(sales, "DELETE", f"/addresses/{id}") for id in ids]
    added = [me(sales, "POST", "/addresses", WORK) for _ in range(6)]
    answers = await asyncio.gather(*(one for pair in zip(removed, added, strict=True) for one in pair))

    assert {answer.status_code for answer in answers} == {201, 204}
    assert sorted(is_default for _, is_default in await listed(sales)) == [False] * 5 + [True]


async def test_the_database_itself_allows_one_default_per_customer(sales: Sales) -> None:
    await customer(sales)
    await add(sales, HOME)
    await add(sales, WORK)

    with pytest.raises(IntegrityError, match="uq_addresses_default"):
        await sales.rows("UPDATE addresses SET is_default = true RETURNING 1")


async def test_the_same_key_adds_one_address(sales: Sales) -> None:
    await customer(sales)

    first, again = [await me(sales, "POST", "/addresses", HOME, key="key") for _ in range(2)]
    other = await me(sales, "POST", "/addresses", WORK, key="key")

    assert (first.status_code, again.content) == (201, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert code(other) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert await listed(sales) == [("1 Home Street", True)]


@pytest.mark.parametrize(
    "address",
    [
        {},
        None,
        {**HOME, "country": "USA"},
        {**HOME, "name": " "},
        {**HOME, "city": "Arling\x00ton"},
        {**HOME, "planet": "Mars"},
        {**HOME, "address_id": str(uuid4())},
        {**HOME, "customer_id": "ada"},
        {**HOME, "is_default": "yes, please"},
        {**HOME, "line1": "x" * 201},
    ],
)
async def test_what_is_no_address_is_refused_without_repeating_it(sales: Sales, address: Any) -> None:
    await customer(sales)
    home = await add(sales)

    added = await me(sales, "POST", "/addresses", address)
    changed = await me(sales, "PUT", f"/addresses/{home}", address)

    assert code(added) == code(changed) == (400, "VALIDATION_ERROR")
    assert added.json()["error"]["details"]
    assert "Mars" not in added.text
    assert await listed(sales) == [("1 Home Street", True)]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "cursor=x", "cursor=%00"])
async def test_odd_pages_are_refused(sales: Sales, query: str) -> None:
    await customer(sales)

    assert code(await me(sales, path=f"/addresses?{query}")) == (400, "VALIDATION_ERROR")


async def test_whoever_is_no_customer_keeps_no_address(sales: Sales) -> None:
    assert code(await me(sales, "POST", "/addresses", HOME)) == (404, "NOT_FOUND")
    assert code(await me(sales, "PUT", f"/addresses/{uuid4()}", HOME)) == (404, "NOT_FOUND")
    assert await listed(sales) == []
    assert code(await me(sales, "PUT", "/addresses/not-an-id", HOME)) == (400, "VALIDATION_ERROR")
