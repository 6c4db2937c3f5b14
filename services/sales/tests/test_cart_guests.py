"""Guests: their carts open to their tokens alone, and become the customer's at log-in, once."""

import base64
from datetime import timedelta
from uuid import uuid4

import pytest

from sales.carts import commands
from services.sales.tests.factories import Sales, token
from services.sales.tests.fake_product import Ware
from services.sales.tests.shopping import Guest, Shopper, a_customer, a_guest, refused

EVERYTHING = [("GET", ""), ("POST", "/items"), ("PUT", "/items/{}"), ("DELETE", "/items/{}"), ("DELETE", "")]


async def merge(sales: Sales, cart_token: str, customer: str = "grace") -> None:
    """What happens at log-in."""
    async with sales.service.database.begin() as session:
        await commands.merge_guest_cart(session, customer, cart_token)


async def ask(shopper: Shopper, method: str, path: str, item: object) -> tuple[int, str]:
    body = {"POST": {"product_id": "lamp", "quantity": 1}, "PUT": {"quantity": 1}}.get(method)
    answer = await shopper.ask(method, path.format(item), **({"json": body} if body else {}))
    return refused(answer)


async def test_a_guest_gets_a_token_that_cannot_be_guessed_and_is_not_stored(sales: Sales) -> None:
    guest, other = await a_guest(sales), await a_guest(sales)
    await guest.has("lamp", 2)

    dumped = [
        str(row["t"])
        for table in ("carts", "cart_items", "outbox")
        for row in await sales.rows(f"SELECT t FROM {table} t")
    ]
    assert len(base64.urlsafe_b64decode(guest.token + "=")) >= 16
    assert guest.token != other.token
    assert not any(guest.token in row for row in dumped)
    assert await guest.quantities() == {"lamp": 2}
    assert await other.quantities() == {}


@pytest.mark.parametrize(("method", "path"), EVERYTHING)
async def test_a_token_that_is_not_one_opens_nothing(sales: Sales, method: str, path: str) -> None:
    guest = await a_guest(sales)
    item = await guest.has("lamp", 2)
    wrong = [guest.token[:-1], guest.token + "A", guest.token.swapcase(), "x", "x" * 5000, str(uuid4()), "\x7f", "%00"]
    quoted = sales.product.quoted

    answers = [await ask(Guest(sales, **{"X-Cart-Token": each}), method, path, item) for each in wrong]

    assert set(answers) == {(404, "NOT_FOUND")}
    assert sales.product.quoted == quoted
    assert await guest.quantities() == {"lamp": 2}


@pytest.mark.parametrize(("method", "path"), EVERYTHING)
async def test_who_is_neither_customer_nor_guest_gets_nothing(sales: Sales, method: str, path: str) -> None:
    guest = await a_guest(sales)
    item = await guest.has("lamp", 2)
    strangers: list[dict[str, str]] = [
        {},
        {"X-Cart-Token": ""},
        {"Authorization": ""},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Basic Z3JhY2U6c2VjcmV0"},
        {"Authorization": f"Bearer {token('grace', 'customer', lives=timedelta(minutes=-2))}"},
        {"Authorization": "Bearer nonsense", "X-Cart-Token": guest.token},
    ]

    answers = [await ask(Shopper(sales, **headers), method, path, item) for headers in strangers]
    staff = [
        await ask(Shopper(sales, Authorization=f"Bearer {token('grace', role)}"), method, path, item)
        for role in ("warehouse", "admin")
    ]

    assert set(answers) == {(401, "UNAUTHENTICATED")}
    assert set(staff) == {(403, "FORBIDDEN")}
    assert await guest.quantities() == {"lamp": 2}


async def test_beside_an_access_token_the_carts_token_does_not_count(sales: Sales) -> None:
    guest = await a_guest(sales)
    await guest.has("lamp", 2)

    both = a_customer(sales, "grace", **{"X-Cart-Token": guest.token})
    await both.has("desk", 1)

    assert await both.quantities() == await a_customer(sales, "grace").quantities() == {"desk": 1}
    assert await guest.quantities() == {"lamp": 2}


async def test_a_guest_changes_and_takes_out_what_is_in_the_cart(sales: Sales) -> None:
    guest = await a_guest(sales)
    lamp, desk = await guest.has("lamp", 2), await guest.has("desk", 1)

    await guest.change(lamp, 5)
    await guest.remove(desk)

    assert await guest.quantities() == {"lamp": 5}
    assert (await guest.clear()).json()["items"] == []


@pytest.mark.rule("BR-CART-005")
async def test_at_log_in_quantities_add_up_and_the_guests_cart_is_gone(sales: Sales) -> None:
    grace, guest = a_customer(sales), await a_guest(sales)
    lamp = await grace.has("lamp", 2)
    sales.product.wares["lamp"] = Ware(150, 2500, "A better lamp")
    await guest.has("lamp", 3)
    desk = await guest.has("desk", 4)
    before = len(await sales.published())

    await merge(sales, guest.token)

    items = {item["product_id"]: item for item in (await grace.cart())["items"]}
    told = [event["data"] for event in (await sales.published())[before:]]
    assert {name: item["quantity"] for name, item in items.items()} == {"lamp": 5, "desk": 4}
    assert items["lamp"]["item_id"] == lamp
    assert items["desk"]["item_id"] != desk
    assert refused(await guest.ask("GET")) == (404, "NOT_FOUND")
    assert await sales.count("carts") == 1
    assert await sales.count("cart_items") == 2
    assert [(each["product_id"], each["added"], each["quantity"]) for each in told] == [("lamp", 3, 5), ("desk", 4, 4)]
    assert {(each["customer_id"], each["cart_id"]) for each in told} == {("grace", (await grace.cart())["cart_id"])}


async def test_a_customer_without_a_cart_gets_the_guests(sales: Sales) -> None:
    guest = await a_guest(sales)
    await guest.has("lamp", 3)

    await merge(sales, guest.token)

    assert await a_customer(sales).quantities() == {"lamp": 3}


@pytest.mark.parametrize("what", ["repeated", "unknown", "a customer's cart id"])
async def test_a_token_that_opens_nothing_any_more_merges_nothing(sales: Sales, what: str) -> None:
    grace, guest = a_customer(sales), await a_guest(sales)
    await grace.has("lamp", 2)
    await guest.has("lamp", 3)
    await merge(sales, guest.token)
    told = await sales.published()
    cart_id = (await a_customer(sales).cart())["cart_id"]

    for customer in ("grace", "ada"):
        await merge(sales, {"repeated": guest.token, "unknown": "x"}.get(what, cart_id), customer)

    assert await grace.quantities() == {"lamp": 5}
    assert await a_customer(sales, "ada").quantities() == {}
    assert await sales.published() == told


async def test_an_empty_guest_cart_is_gone_after_log_in_and_opens_none(sales: Sales) -> None:
    guest = await a_guest(sales)

    await merge(sales, guest.token)

    assert await sales.count("carts") == 0


async def test_merged_quantities_stop_at_the_largest_allowed_and_lines_at_fifty(sales: Sales) -> None:
    sales.product.everything_else = Ware(10**9)
    grace, guest = a_customer(sales), await a_guest(sales)
    await grace.has("full", 10_000)
    await grace.has("nearly", 9_999)
    for number in range(47):
        await grace.has(f"graces-{number}")
    for name, quantity in (("full", 5), ("nearly", 5), ("first", 2), ("second", 3)):
        await guest.has(name, quantity)
    before = len(await sales.published())

    await merge(sales, guest.token)

    quantities = await grace.quantities()
    told = [event["data"] for event in (await sales.published())[before:]]
    assert (quantities["full"], quantities["nearly"], quantities["first"]) == (10_000, 10_000, 2)
    assert "second" not in quantities
    assert len(quantities) == 50
    assert [(each["product_id"], each["added"]) for each in told] == [("nearly", 1), ("first", 2)]


@pytest.mark.rule("BR-CART-005")
async def test_what_was_merged_may_be_more_than_there_are_and_the_cart_says_so(sales: Sales) -> None:
    grace, guest = a_customer(sales), await a_guest(sales)
    await grace.has("desk", 30)
    await guest.has("desk", 40)

    await merge(sales, guest.token)

    [item] = (await grace.cart())["items"]
    assert item["quantity"] == 70
    assert [note["code"] for note in item["notes"]] == ["QUANTITY_EXCEEDS_STOCK"]


async def test_registration_opens_a_cart_once_and_erasure_leaves_nothing_of_it(sales: Sales) -> None:
    grace, ada = a_customer(sales, "grace"), a_customer(sales, "ada")
    await ada.has("desk")
    for _ in range(2):
        async with sales.service.database.begin() as session:
            await commands.open_cart(session, "grace")
    cart_id = (await grace.cart())["cart_id"]
    await grace.has("lamp", 2)
    async with sales.service.database.begin() as session:
        await commands.open_cart(session, "grace")
    assert await grace.quantities() == {"lamp": 2}
    assert (await grace.cart())["cart_id"] == cart_id

    async with sales.service.database.begin() as session:
        await commands.discard_cart(session, "grace")
        await commands.discard_cart(session, "grace")

    assert (await grace.cart())["cart_id"] is None
    assert await ada.quantities() == {"desk": 1}
    assert await sales.count("cart_items") == 1
