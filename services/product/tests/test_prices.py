"""Prices change, and what they were before stays on record. SEQ-PRICE-001."""

from typing import Any

import httpx
import pytest

from chassis.db import Database
from chassis.steps import record
from services.product.tests.factories import ask, item, published, reservation
from services.product.tests.factories_catalog import (
    NOBODY,
    PRODUCTS,
    Catalogue,
    Json,
    Recorded,
    arrows,
    code,
    fields,
    on_record,
)

PRICE = f"{PRODUCTS}/mug/price"
HISTORY = f"{PRODUCTS}/mug/price-history"


@pytest.fixture
def catalogue(client: httpx.AsyncClient) -> Catalogue:
    return Catalogue(client)


async def told(database: Database) -> list[dict[str, Any]]:
    return [event for kind, event in await published(database) if kind == "product.updated"]


async def recorded(database: Database) -> list[Recorded]:
    return [each for each in await on_record(database) if each.action.endswith(".price_changed")]


async def history(catalogue: Catalogue) -> list[Json]:
    return await catalogue.pages(HISTORY, limit=2)


def prices(*known: str) -> list[dict[str, str]]:
    return [{"price": price, "currency": "EUR"} for price in known]


async def test_a_price_is_changed_step_by_step_as_designed(catalogue: Catalogue) -> None:
    await catalogue.product(price="14.00")

    with record() as recording:
        await catalogue.done("PUT", PRICE, {"price": "15.00"})

    assert arrows(recording)[:5] == [
        "Admin → ProductService: updatePrice",
        "ProductService → ProductService: validatePrice",
        "ProductService → ProductAggregate: getPreviousPrice",
        "ProductService → ProductAggregate: update emits ProductUpdated",
        "ProductService → AuditLog: logPriceChange",
    ]


@pytest.mark.rule("BR-PRICE-001")
async def test_a_new_price_is_asked_from_now_on_and_the_previous_one_stays_on_record(
    catalogue: Catalogue, database: Database
) -> None:
    before = await catalogue.product(price="14.00")

    changed = await catalogue.done("PUT", PRICE, {"price": "12.5"})
    shown = await catalogue.show()
    wanted = await ask(catalogue.client, [reservation(item("mug"))])

    assert shown == changed == before | {"unit_price": "12.50", "updated_at": changed["updated_at"]}
    assert changed["updated_at"] > before["updated_at"]
    assert wanted.json()["reservations"][0]["items"][0]["unit_price"] == "12.50"
    [event] = await told(database)
    assert event["changed"] == ["price"]
    assert (event["previous_price"], event["price"], event["currency"]) == ("14.00", "12.50", "EUR")
    [was, now] = prices("14.00", "12.50")
    assert await recorded(database) == [Recorded("ada", "product.price_changed", "mug", was, now)]


@pytest.mark.rule("BR-PRICE-001")
async def test_the_history_has_every_price_that_was_the_latest_first_in_pages(catalogue: Catalogue) -> None:
    await catalogue.product(price="1.00")
    for price in ("2.00", "3.00", "4.00", "5.00", "1.00"):
        await catalogue.done("PUT", PRICE, {"price": price})

    found = await history(catalogue)

    assert [(each["previous_price"], each["price"]) for each in found] == [
        ("5.00", "1.00"),
        ("4.00", "5.00"),
        ("3.00", "4.00"),
        ("2.00", "3.00"),
        ("1.00", "2.00"),
    ]
    assert found[0] == {
        "at": (await catalogue.show())["updated_at"],
        "variant_id": None,
        "previous_price": "5.00",
        "price": "1.00",
        "currency": "EUR",
        "actor": "ada",
    }


async def test_the_history_is_a_products_own(catalogue: Catalogue) -> None:
    await catalogue.product("mug")
    await catalogue.product("cup")

    await catalogue.done("PUT", f"{PRODUCTS}/cup/price", {"price": "2.00"})

    assert await history(catalogue) == []


async def test_the_price_that_it_has_already_is_no_change(catalogue: Catalogue, database: Database) -> None:
    before = await catalogue.product(price="14.00")

    answer = await catalogue.done("PUT", PRICE, {"price": "14"})

    assert answer == before
    assert not await told(database)
    assert not await recorded(database)
    assert not await history(catalogue)


@pytest.mark.parametrize("price", ["0.00", "0.009", "-1", "1.999", "10000000000.01", "dear", "", "9" * 5000])
@pytest.mark.parametrize("of_variant", [False, True], ids=["product", "variant"])
async def test_a_wrong_price_changes_nothing(
    catalogue: Catalogue, database: Database, price: str, of_variant: bool
) -> None:
    await catalogue.product()
    variant = (await catalogue.variant())["variant_id"]
    path = f"{PRODUCTS}/mug/variants/{variant}/price" if of_variant else PRICE
    before = await catalogue.show()

    answer = await catalogue.ask("PUT", path, {"price": price})

    assert code(answer) == (400, "INVALID_PRICE")
    assert fields(answer) == ["price"]
    assert await catalogue.show() == before
    assert not await recorded(database)
    assert not await history(catalogue)


@pytest.mark.parametrize("method", ["PUT", "GET"])
async def test_what_does_not_exist_has_no_price_and_never_had_one(catalogue: Catalogue, method: str) -> None:
    path, body = (PRICE, {"price": "1.00"}) if method == "PUT" else (HISTORY, None)

    answer = await catalogue.ask(method, path, body)

    assert code(answer) == (404, "PRODUCT_NOT_FOUND")


@pytest.mark.rule("BR-PRICE-002")
async def test_a_variant_gets_a_price_of_its_own_and_goes_back_to_the_products(
    catalogue: Catalogue, database: Database
) -> None:
    await catalogue.product(price="14.00")
    variant = (await catalogue.variant())["variant_id"]
    path = f"{PRODUCTS}/mug/variants/{variant}/price"

    async def cost() -> tuple[str, bool]:
        [shown] = (await catalogue.show())["variants"]
        wanted = await ask(catalogue.client, [reservation(item("mug", variant_id=variant))])
        assert wanted.json()["reservations"][0]["items"][0]["unit_price"] == shown["unit_price"]
        return shown["unit_price"], shown["has_own_price"]

    costs = [await cost()]
    for each in ("16.00", "14.00", None):
        await catalogue.done("PUT", path, {"price": each})
        costs.append(await cost())
    await catalogue.done("PUT", path, {"price": None})

    assert costs == [("14.00", False), ("16.00", True), ("14.00", True), ("14.00", False)]
    found = [(each["variant_id"], each["previous_price"], each["price"]) for each in await history(catalogue)]
    assert found == [(variant, "14.00", None), (variant, "16.00", "14.00"), (variant, None, "16.00")]
    [was, now] = [{"price": None, "currency": "EUR"}, *prices("16.00")]
    assert (await recorded(database))[0] == Recorded("ada", "variant.price_changed", variant, was, now)
    events = [each for each in await told(database) if each["changed"] == ["price"]]
    assert [(each["variant_id"], each["previous_price"], each["price"]) for each in events] == [
        (variant, "14.00", "16.00"),
        (variant, "16.00", "14.00"),
        (variant, "14.00", "14.00"),
    ]


@pytest.mark.rule("BR-PRICE-002")
async def test_a_variant_without_a_price_of_its_own_follows_the_product(catalogue: Catalogue) -> None:
    await catalogue.product(price="14.00")
    await catalogue.variant(sku="own", price="20.00")
    await catalogue.variant(sku="none")

    changed = await catalogue.done("PUT", PRICE, {"price": "15.00"})

    assert {each["sku"]: each["unit_price"] for each in changed["variants"]} == {"own": "20.00", "none": "15.00"}


async def test_a_variant_is_only_found_under_its_own_product(catalogue: Catalogue, database: Database) -> None:
    await catalogue.product("mug")
    await catalogue.product("cup")
    variant = (await catalogue.variant("cup"))["variant_id"]

    answers = [
        await catalogue.ask("PUT", f"{PRODUCTS}/{path}/price", {"price": "1.00"})
        for path in (f"mug/variants/{variant}", f"mug/variants/{NOBODY}", f"vase/variants/{variant}")
    ]

    assert [code(each) for each in answers] == [(404, "PRODUCT_NOT_FOUND")] * 3
    assert await recorded(database) == []
