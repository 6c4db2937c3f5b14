"""Two tabs, two log-ins, two processes at one cart at once: no change is lost, none is done twice."""

import asyncio
from uuid import UUID

import pytest
from sqlalchemy.exc import IntegrityError

from sales.carts import commands
from sales.carts.taking import Shopper, look, take
from services.sales.tests.factories import Sales, running
from services.sales.tests.fake_product import FakeProduct, Ware
from services.sales.tests.shopping import Shopper as Tab
from services.sales.tests.shopping import a_customer, a_guest, refused


async def merge(sales: Sales, cart_token: str, customer: str = "grace") -> None:
    async with sales.service.database.begin() as session:
        await commands.merge_guest_cart(session, customer, cart_token)


async def the_cart(sales: Sales) -> UUID:
    [cart] = await sales.rows("SELECT id FROM carts")
    found: UUID = cart["id"]
    return found


async def told_in_all(sales: Sales) -> int:
    return sum(event["data"]["added"] for event in await sales.published("cart.item_added"))


@pytest.mark.parametrize("who", ["customer", "guest"])
async def test_two_tabs_that_add_at_once_lose_nothing(
    database_url: str, product: FakeProduct, sales: Sales, who: str
) -> None:
    async with running(database_url, product) as other:
        one = a_customer(sales) if who == "customer" else await a_guest(sales)
        tabs = [one, Tab(other, **one.headers)]
        answers = await asyncio.gather(*(tabs[n % 2].add("lamp", 1 + n % 3) for n in range(30)))

        assert {answer.status_code for answer in answers} == {201}
        assert await one.quantities() == {"lamp": 60}
        assert await told_in_all(sales) == 60
        assert await sales.count("carts") == 1


@pytest.mark.parametrize("what", ["add", "change", "remove", "clear"])
async def test_who_changes_a_cart_waits_for_whoever_is_at_it_and_goes_on_from_there(sales: Sales, what: str) -> None:
    grace = a_customer(sales)
    lamp = await grace.has("lamp", 2)
    doing = {
        "add": lambda: grace.add("lamp", 3),
        "change": lambda: grace.change(lamp, 9),
        "remove": lambda: grace.remove(lamp),
        "clear": grace.clear,
    }

    async with sales.holding("carts", await the_cart(sales)):
        task = asyncio.ensure_future(doing[what]())
        assert await sales.waits(task)
        # As the other tab does it: committed before ours goes on.
        async with sales.service.database.begin() as session:
            connection = await session.connection()
            await connection.exec_driver_sql("UPDATE cart_items SET quantity = 10")
    await task

    left = await sales.rows("SELECT quantity FROM cart_items")
    [told] = (await sales.published())[1:]
    assert left == {"add": [{"quantity": 13}], "change": [{"quantity": 9}]}.get(what, [])
    assert {"quantity": 13, "previous_quantity": 10, "item_count": 1}.items() & told["data"].items() or what == "remove"
    assert what != "remove" or told["data"]["quantity"] == 10


async def test_what_was_taken_out_meanwhile_is_not_changed_any_more(sales: Sales) -> None:
    grace = a_customer(sales)
    lamp = await grace.has("lamp", 2)

    async with sales.holding("carts", await the_cart(sales)):
        changing = asyncio.create_task(grace.change(lamp, 5))
        assert await sales.waits(changing)
        await sales.rows("DELETE FROM cart_items RETURNING 1")

    assert refused(await changing) == (404, "ITEM_NOT_FOUND")
    assert await grace.quantities() == {}


async def test_who_has_looked_before_sees_what_was_changed_until_the_cart_was_taken(sales: Sales) -> None:
    grace = a_customer(sales)
    await grace.has("lamp", 2)

    async with sales.service.database.begin() as session:
        seen = await look(session, Shopper("grace"))
        await grace.has("lamp", 3)
        await grace.has("desk", 1)
        taken = await take(session, Shopper("grace"))

        assert seen is taken
        assert {item.product_id: item.quantity for item in taken.items} == {"lamp": 5, "desk": 1}


@pytest.mark.rule("BR-CART-001")
async def test_all_that_is_added_at_once_together_stays_within_the_stock(sales: Sales) -> None:
    sales.product.wares["lamp"] = Ware(10)
    grace = a_customer(sales)

    answers = await asyncio.gather(*(grace.add("lamp", 1) for _ in range(16)))

    assert sorted(answer.status_code for answer in answers) == [201] * 10 + [400] * 6
    assert {refused(answer)[1] for answer in answers if answer.status_code == 400} == {"QUANTITY_EXCEEDS_STOCK"}
    assert await grace.quantities() == {"lamp": 10}


async def test_all_that_is_added_at_once_together_stays_within_fifty_things(sales: Sales) -> None:
    sales.product.everything_else = Ware(10)
    grace = a_customer(sales)
    for number in range(45):
        await grace.has(f"thing-{number}")

    answers = await asyncio.gather(*(grace.add(f"new-{number}") for number in range(12)))

    assert sorted(answer.status_code for answer in answers) == [201] * 5 + [400] * 7
    assert await sales.count("cart_items") == 50


async def test_a_customer_has_one_cart_whoever_opens_it_first(sales: Sales) -> None:
    async def register() -> None:
        async with sales.service.database.begin() as session:
            await commands.open_cart(session, "grace")

    guest = await a_guest(sales)
    await guest.has("desk", 1)
    grace = a_customer(sales)

    await asyncio.gather(*(register() for _ in range(5)), merge(sales, guest.token), *(grace.add() for _ in range(5)))

    assert await sales.count("carts") == 1
    assert await grace.quantities() == {"lamp": 5, "desk": 1}


@pytest.mark.rule("BR-CART-005")
async def test_log_ins_at_once_with_one_token_merge_it_once(
    database_url: str, product: FakeProduct, sales: Sales
) -> None:
    guest = await a_guest(sales)
    await guest.has("lamp", 3)

    async with running(database_url, product) as other:
        await asyncio.gather(*(merge((sales, other)[n % 2], guest.token) for n in range(8)))

    assert await a_customer(sales).quantities() == {"lamp": 3}
    assert await told_in_all(sales) == 6


async def test_of_two_customers_who_log_in_with_one_token_one_gets_the_cart(sales: Sales) -> None:
    guest = await a_guest(sales)
    await guest.has("lamp", 3)
    people = ["grace", "ada", "linus", "mary"]

    await asyncio.gather(*(merge(sales, guest.token, customer) for customer in people))

    got = [await a_customer(sales, customer).quantities() for customer in people]
    assert sorted(got, key=len) == [{}, {}, {}, {"lamp": 3}]


async def test_many_guests_of_one_customer_are_merged_at_once_and_nothing_is_lost(sales: Sales) -> None:
    guests = [await a_guest(sales) for _ in range(8)]
    for guest in guests:
        await guest.has("lamp", 2)
        await guest.has("desk", 1)

    await asyncio.gather(*(merge(sales, guest.token) for guest in guests))

    assert await a_customer(sales).quantities() == {"lamp": 16, "desk": 8}
    assert await sales.count("carts") == 1


async def test_what_a_guest_adds_during_the_log_in_is_merged_or_refused(sales: Sales) -> None:
    guest = await a_guest(sales)
    await guest.has("lamp", 3)

    adding = [asyncio.create_task(guest.add("lamp", 1)) for _ in range(6)]
    await merge(sales, guest.token)
    answers = await asyncio.gather(*adding)

    taken = sum(answer.status_code == 201 for answer in answers)
    assert {refused(answer) for answer in answers if answer.status_code != 201} <= {(404, "NOT_FOUND")}
    assert await a_customer(sales).quantities() == {"lamp": 3 + taken}
    assert await sales.count("cart_items") == 1


async def test_a_log_in_waits_for_what_the_guest_is_adding(sales: Sales) -> None:
    guest = await a_guest(sales)
    await guest.has("lamp", 3)

    async with sales.holding("carts", await the_cart(sales)):
        merging = asyncio.create_task(merge(sales, guest.token))
        assert await sales.waits(merging)
        await sales.rows("UPDATE cart_items SET quantity = 7 RETURNING 1")
    await merging

    assert await a_customer(sales).quantities() == {"lamp": 7}


@pytest.mark.parametrize("variant", [None, "550e8400-e29b-41d4-a716-446655440000"])
async def test_the_database_itself_takes_the_same_product_once_per_cart(sales: Sales, variant: str | None) -> None:
    await a_customer(sales).has("desk")
    again = (
        "INSERT INTO cart_items SELECT gen_random_uuid(), id, 'lamp', CAST(:variant AS uuid), 1, 'A lamp', 1, 'USD'"
        " FROM carts RETURNING 1"
    )
    await sales.rows(again, variant=variant)

    with pytest.raises(IntegrityError, match="uq_cart_items_product"):
        await sales.rows(again, variant=variant)


@pytest.mark.parametrize("owners", ["NULL, NULL", "'grace', 'hash'::bytea"])
async def test_the_database_itself_wants_one_owner_of_a_cart(sales: Sales, owners: str) -> None:
    with pytest.raises(IntegrityError, match="ck_carts_owner"):
        await sales.rows(f"INSERT INTO carts SELECT gen_random_uuid(), {owners}, now() RETURNING 1")
