"""Who may not check out, or not with this: refused before anything is held or charged."""

from typing import Any

import pytest

from services.sales.tests.checkout import buyer, buyer_with, check_out, fields, refused
from services.sales.tests.factories import ADDRESS, Sales, running
from services.sales.tests.fake_product import FakeProduct
from services.sales.tests.shopping import a_customer, a_guest


@pytest.mark.rule("BR-ORD-003")
async def test_who_is_not_registered_has_to(sales: Sales) -> None:
    unknown = await check_out(sales, customer="nobody")
    guest = await a_guest(sales)
    await guest.has("lamp")
    async with sales.client(None, **guest.headers) as client:
        with_a_cart = await client.post("/api/v1/checkout", json={"card_token": "tok_ok"})

    assert refused(unknown) == (403, "REGISTRATION_REQUIRED")
    assert refused(with_a_cart) == (403, "REGISTRATION_REQUIRED")
    assert await sales.count("attempts") == 0


async def test_who_was_erased_is_not_registered_any_more(sales: Sales) -> None:
    await buyer(sales)
    forgotten = "status = 'ERASED', email = id, name = '', email_verified = false"
    await sales.rows(f"UPDATE customers SET {forgotten} RETURNING 1")

    assert refused(await check_out(sales)) == (403, "REGISTRATION_REQUIRED")


@pytest.mark.rule("BR-ORD-003")
async def test_an_email_has_to_be_verified_first(sales: Sales) -> None:
    await buyer(sales, email_verified=False)

    assert refused(await check_out(sales)) == (403, "EMAIL_NOT_VERIFIED")


async def test_there_has_to_be_something_in_the_cart(sales: Sales) -> None:
    await buyer(sales)
    never_filled = await check_out(sales)
    await a_customer(sales).has("lamp")
    await a_customer(sales).clear()

    assert refused(never_filled) == (400, "EMPTY_CART")
    assert refused(await check_out(sales)) == (400, "EMPTY_CART")


@pytest.mark.rule("BR-ORD-004")
@pytest.mark.parametrize(
    ("address", "missing"),
    [
        ({}, ["name", "line1", "city", "postal_code", "country"]),
        ({**ADDRESS, "city": None}, ["city"]),
        ({**ADDRESS, "postal_code": " ", "name": ""}, ["name", "postal_code"]),
    ],
)
async def test_an_address_has_to_be_complete(sales: Sales, address: dict[str, Any], missing: list[str]) -> None:
    await buyer_with(sales)

    answer = await check_out(sales, shipping_address=address)

    assert refused(answer) == (400, "INCOMPLETE_ADDRESS")
    assert fields(answer) == [f"shipping_address.{part}" for part in missing]


async def test_without_an_address_at_all_there_is_nowhere_to_ship_to(sales: Sales) -> None:
    await buyer_with(sales)

    answer = await check_out(sales, shipping_address=None)

    assert (*refused(answer), fields(answer)) == (400, "INCOMPLETE_ADDRESS", ["shipping_address"])


async def test_an_address_that_cannot_be_one_is_refused_by_field(sales: Sales) -> None:
    await buyer_with(sales)

    answer = await check_out(sales, shipping_address={**ADDRESS, "country": "Atlantis"})

    assert (*refused(answer), fields(answer)) == (400, "VALIDATION_ERROR", ["shipping_address.country"])


@pytest.mark.rule("BR-ORD-004")
async def test_it_is_not_shipped_abroad(sales: Sales, database_url: str, product: FakeProduct) -> None:
    await buyer_with(sales)

    abroad = await check_out(sales, shipping_address={**ADDRESS, "country": "DE"})
    async with running(database_url, product, shipping={"home_country": "DE"}) as german:
        at_home = await check_out(german, shipping_address={**ADDRESS, "country": "DE"})

    assert refused(abroad) == (400, "INTERNATIONAL_SHIPPING_NOT_AVAILABLE")
    assert fields(abroad) == ["shipping_address.country"]
    assert at_home.status_code == 201


async def test_nobody_ships_to_the_address_of_another(sales: Sales) -> None:
    await buyer_with(sales)
    await buyer(sales, "ada")
    async with sales.client("ada") as client:
        hers = await client.post("/api/v1/customers/me/addresses", json=ADDRESS)

    answer = await check_out(sales, shipping_address=None, address_id=hers.json()["address_id"])

    assert refused(answer) == (404, "NOT_FOUND")


HOSTILE: list[dict[str, Any]] = [
    {"card_token": ""},
    {"card_token": "4242 4242 4242 4242"},
    {"card_token": None},
    {"card_token": "x" * 201},
    {"expected_total": 39.98},
    {"expected_total": "NaN"},
    {"expected_total": "-1.00"},
    {"shipping_address": "here"},
    {"shipping_address": {**ADDRESS, "planet": "Mars"}},
    {"shipping_address": {**ADDRESS, "line1": "x" * 201}},
    {"address_id": "home"},
    {"note": "x" * 1001},
    {"total": "0.01"},
    {"customer_id": "ada"},
]


@pytest.mark.parametrize("more", HOSTILE)
async def test_what_makes_no_sense_is_refused(sales: Sales, more: dict[str, Any]) -> None:
    await buyer_with(sales)

    async with sales.client() as client:
        body = {"card_token": "tok_ok", "shipping_address": ADDRESS, **more}
        answer = await client.post("/api/v1/checkout", json=body)

    assert refused(answer) == (400, "VALIDATION_ERROR")
    assert await sales.count("attempts") == 0
