"""Carts: filled, changed, emptied, and cleaned up at midnight."""

from typing import Any

import pytest
from sqlalchemy import text

from product.seed import DEMO_VARIANTS

from .cast import Answer, Cast

MUG = "stoneware-mug"


async def puts_in(cast: Cast, product_id: str, quantity: int = 1, **more: Any) -> Answer:
    return await cast.customer.post("sales", "/cart/items", {"product_id": product_id, "quantity": quantity, **more})


@pytest.mark.rule("AC-CART-001")
@pytest.mark.sequence("SEQ-CART-001")
async def test_what_is_put_in_is_in_the_cart_with_the_new_total(cast: Cast) -> None:
    cart = await puts_in(cast, MUG, 2)

    assert cart.status == 201
    assert [(item["product_id"], item["quantity"]) for item in cart["items"]] == [(MUG, 2)]
    assert cart["total"] == cart["items"][0]["subtotal"]


@pytest.mark.sequence("SEQ-CART-001", exception="OUT_OF_STOCK")
async def test_what_is_gone_cannot_be_put_in(cast: Cast) -> None:
    await cast.customer.post("sales", "/orders", {"items": [{"product_id": "product_789", "quantity": 50}]})

    refused = await puts_in(cast, "product_789")

    assert (refused.status, refused.code) == (400, "OUT_OF_STOCK")


@pytest.mark.sequence("SEQ-CART-001", exception="QUANTITY_EXCEEDS_STOCK")
async def test_more_than_there_are_cannot_be_put_in(cast: Cast) -> None:
    refused = await puts_in(cast, "product_789", 51)

    assert (refused.status, refused.code) == (400, "QUANTITY_EXCEEDS_STOCK")
    assert refused["error"]["details"][0]["available"] == 50


@pytest.mark.rule("BR-CART-002")
@pytest.mark.sequence("SEQ-CART-001", exception="VARIANT_REQUIRED")
async def test_a_product_with_variants_is_put_in_by_one_of_them(cast: Cast) -> None:
    refused = await puts_in(cast, DEMO_VARIANTS[0][1])

    assert (refused.status, refused.code) == (400, "VARIANT_REQUIRED")


@pytest.mark.sequence("SEQ-CART-001", exception="PRODUCT_NOT_AVAILABLE")
async def test_what_is_not_sold_any_more_cannot_be_put_in(cast: Cast) -> None:
    await cast.admin.post("product", f"/products/{MUG}/deactivation")

    refused = await puts_in(cast, MUG)

    assert (refused.status, refused.code) == (400, "PRODUCT_NOT_AVAILABLE")


@pytest.mark.rule("AC-CART-002")
@pytest.mark.sequence("SEQ-CART-002")
async def test_another_quantity_gives_another_total(cast: Cast) -> None:
    item = (await puts_in(cast, MUG))["items"][0]

    cart = await cast.customer.ask("PUT", "sales", f"/cart/items/{item['item_id']}", {"quantity": 3})

    assert (cart.status, cart["items"][0]["quantity"]) == (200, 3)
    assert cart["total"] == cart["items"][0]["subtotal"] != item["subtotal"]


@pytest.mark.sequence("SEQ-CART-002", exception="QUANTITY_EXCEEDS_STOCK")
async def test_no_quantity_is_more_than_there_are(cast: Cast) -> None:
    item = (await puts_in(cast, "product_789"))["items"][0]

    refused = await cast.customer.ask("PUT", "sales", f"/cart/items/{item['item_id']}", {"quantity": 51})

    assert (refused.status, refused.code) == (400, "QUANTITY_EXCEEDS_STOCK")


@pytest.mark.sequence("SEQ-CART-002", exception="ITEM_NOT_FOUND")
async def test_what_is_not_in_the_cart_has_no_quantity(cast: Cast) -> None:
    await puts_in(cast, MUG)
    nothing = "0197a5c8-7c00-7000-8000-000000000002"

    refused = await cast.customer.ask("PUT", "sales", f"/cart/items/{nothing}", {"quantity": 3})

    assert (refused.status, refused.code) == (404, "ITEM_NOT_FOUND")


@pytest.mark.rule("AC-CART-003")
@pytest.mark.sequence("SEQ-CART-003")
async def test_what_is_taken_out_is_gone(cast: Cast) -> None:
    item = (await puts_in(cast, MUG))["items"][0]

    cart = await cast.customer.ask("DELETE", "sales", f"/cart/items/{item['item_id']}")

    assert (cart.status, cart["items"]) == (200, [])


@pytest.mark.sequence("SEQ-CART-003", exception="ITEM_NOT_FOUND")
async def test_what_is_not_in_the_cart_cannot_be_taken_out(cast: Cast) -> None:
    await puts_in(cast, MUG)
    nothing = "0197a5c8-7c00-7000-8000-000000000002"

    refused = await cast.customer.ask("DELETE", "sales", f"/cart/items/{nothing}")

    assert (refused.status, refused.code) == (404, "ITEM_NOT_FOUND")


async def a_cart_of_last_year(cast: Cast) -> None:
    await puts_in(cast, MUG)
    async with cast.platform.services["sales"].database.begin() as session:
        await session.execute(text("UPDATE carts SET touched_at = now() - interval '1 year'"))


async def carts(cast: Cast) -> int:
    async with cast.platform.services["sales"].database.begin() as session:
        return int(await session.scalar(text("SELECT count(*) FROM carts WHERE touched_at < now() - interval '1 day'")))


@pytest.mark.rule("AC-CART-004")
@pytest.mark.sequence("SEQ-CART-004")
async def test_expired_carts_are_gone_after_midnight(cast: Cast) -> None:
    await a_cart_of_last_year(cast)

    await cast.runs_job("sales", "clean_up_carts")

    assert await carts(cast) == 0


@pytest.mark.rule("AC-CART-004")
@pytest.mark.sequence("SEQ-CART-004", exception="DATABASE_ERROR")
async def test_carts_that_the_database_failed_on_are_gone_all_the_same(cast: Cast) -> None:
    await a_cart_of_last_year(cast)
    async with cast.platform.services["sales"].database.begin() as session:
        await session.execute(text("CREATE SEQUENCE tries"))
        await session.execute(
            text(
                """
                CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    IF nextval('tries') = 1 THEN RAISE EXCEPTION 'The disk is full.'; END IF;
                    RETURN OLD;
                END $$
                """
            )
        )
        await session.execute(
            text("CREATE TRIGGER fails BEFORE DELETE ON carts FOR EACH ROW EXECUTE FUNCTION fail_once()")
        )

    await cast.runs_job("sales", "clean_up_carts")

    assert await carts(cast) == 0
