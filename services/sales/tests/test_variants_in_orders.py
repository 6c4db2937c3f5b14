"""Ordering what comes in variants: one has to be named, and the right one is ordered."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from services.sales.tests.factories import ADDRESS, Sales, wanted
from services.sales.tests.fake_product import Ware, does_it_but

RED, BLUE = uuid4(), uuid4()


def with_shirts(sales: Sales) -> None:
    variants = {RED: Ware(3, 1500, "A shirt, red"), BLUE: Ware(3, 1600, "A shirt, blue")}
    sales.product.wares["shirt"] = Ware(0, 1400, "A shirt", variants=variants)


def shirts(*variants: UUID | None) -> dict[str, Any]:
    items = [{"product_id": "shirt", "quantity": 1, **({"variant_id": str(each)} if each else {})} for each in variants]
    return {"items": [{"product_id": "lamp", "quantity": 1}, *items], "shipping_address": ADDRESS}


async def test_each_variant_is_a_line_of_its_own_at_its_own_price(sales: Sales) -> None:
    with_shirts(sales)

    placed = (await sales.order(shirts(RED, BLUE, RED))).json()

    assert [(line["variant_id"], line["name"], line["quantity"], line["unit_price"]) for line in placed["items"]] == [
        (None, "A lamp", 1, "19.99"),
        (str(RED), "A shirt, red", 2, "15.00"),
        (str(BLUE), "A shirt, blue", 1, "16.00"),
    ]
    await sales.nothing_is_halfway()


async def test_without_a_variant_the_order_is_refused_and_said_for_which_items(sales: Sales) -> None:
    with_shirts(sales)
    body = shirts(None, RED, None)
    body["items"] += [{"product_id": "desk", "quantity": 51}]

    answer = await sales.order(body)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "VARIANT_REQUIRED")
    assert error["details"] == [
        {
            "field": "items.1.variant_id",
            "message": "The product comes in variants; choose one.",
            "product_id": "shirt",
        }
    ]
    assert await sales.count("orders") == 0
    assert await sales.published() == []
    await sales.nothing_is_halfway()


async def test_the_refusal_is_kept_and_repeated_as_it_was(sales: Sales) -> None:
    with_shirts(sales)
    first = await sales.order(shirts(None), "key")
    sales.product.wares["shirt"] = Ware(9)

    again = await sales.order(shirts(None), "key")
    anew = await sales.order(shirts(None), "another")

    assert (first.status_code, again.status_code, again.content) == (400, 400, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert anew.status_code == 201


async def test_of_a_variant_there_may_be_too_few(sales: Sales) -> None:
    with_shirts(sales)

    answer = await sales.order(shirts(RED, RED, RED, RED))

    [detail] = answer.json()["error"]["details"]
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INSUFFICIENT_STOCK")
    assert (detail["field"], detail["variant_id"], detail["available"]) == ("items.1.quantity", str(RED), 3)


@pytest.mark.parametrize("product_id", ["unicorn", "relic", "shirt"])
async def test_what_cannot_be_had_for_another_reason_is_short(sales: Sales, product_id: str) -> None:
    with_shirts(sales)
    sales.product.wares["relic"] = Ware(9, on_sale=False)
    body = wanted(product_id)
    if product_id == "shirt":
        body["items"][0]["variant_id"] = str(uuid4())

    answer = await sales.order(body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INSUFFICIENT_STOCK")


async def test_what_is_said_to_be_available_and_not_to_be_had_is_not_believed(sales: Sales) -> None:
    def contradict(said: dict[str, Any]) -> None:
        said["reservations"][0]["items"][0]["reason"] = "VARIANT_REQUIRED"

    with sales.product.having(does_it_but(contradict)):
        answer = await sales.order()

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert await sales.count("orders") == 0
