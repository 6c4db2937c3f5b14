"""A customer checks out what is in the cart, by card."""

from typing import Any

import pytest
from sqlalchemy import text

from .cast import ADDRESS, Answer, Cast, Person
from .parcels import BY_ITSELF, status

LAMP = "product_789"


async def checks_out(cast: Cast, card: str = "tok_ok", *, by: Person | None = None, **changes: Any) -> Answer:
    body = {"card_token": card, "shipping_address": ADDRESS, **changes}
    return await (by or cast.customer).post("sales", "/checkout", body)


async def puts_in(cast: Cast, quantity: int = 2, *, by: Person | None = None) -> None:
    await (by or cast.customer).post("sales", "/cart/items", {"product_id": LAMP, "quantity": quantity})


async def cart(cast: Cast) -> Any:
    return (await cast.customer.get("sales", "/cart"))["items"]


async def available(cast: Cast) -> Any:
    return (await cast.visitor.get("product", f"/products/{LAMP}"))["available"]


async def orders(cast: Cast) -> Any:
    return (await cast.customer.get("sales", "/orders"))["items"]


async def parcel_is(cast: Cast, order_id: str, status: str) -> None:
    async def is_so() -> bool:
        parcels = (await cast.staff.get("delivery", f"/shipments?order_id={order_id}"))["items"]
        return [parcel["status"] for parcel in parcels] == [status]

    await cast.eventually(is_so)


async def settled(cast: Cast, order_id: str) -> None:
    """All that a checkout brings about has happened."""
    await parcel_is(cast, order_id, "READY")
    await cast.is_told("We have received your order")
    await cast.is_told("is confirmed")


@pytest.mark.sequence("SEQ-ORD-001")
async def test_what_is_in_the_cart_is_ordered_and_the_cart_empty(cast: Cast) -> None:
    await puts_in(cast, 2)

    order = await checks_out(cast)

    assert (order.status, order["status"], order["items"][0]["quantity"]) == (201, "PENDING", 2)
    assert await cart(cast) == []
    assert await available(cast) == 48
    await settled(cast, order["order_id"])


@pytest.mark.parametrize("settings", [pytest.param(BY_ITSELF, id="autopilot")])
@pytest.mark.sequence("SEQ-ORD-001", exception="BY_AUTOPILOT")
async def test_without_people_a_paid_order_arrives_by_itself(cast: Cast) -> None:
    await puts_in(cast, 2)

    order = await checks_out(cast)

    assert order.status == 201
    for subject in ("We have received", "is confirmed", "On its way", "Delivered"):
        await cast.is_told(subject)
    assert await status(cast, order["order_id"]) == "DELIVERED"


@pytest.mark.sequence("SEQ-ORD-001", exception="REGISTRATION_REQUIRED")
async def test_who_is_not_registered_cannot_check_out(cast: Cast) -> None:
    refused = await checks_out(cast, by=cast.somebody("nobody_known"))

    assert (refused.status, refused.code) == (403, "REGISTRATION_REQUIRED")


@pytest.mark.sequence("SEQ-ORD-001", exception="EMAIL_NOT_VERIFIED")
async def test_whose_e_mail_is_not_verified_cannot_check_out(cast: Cast) -> None:
    form = {"email": "grace@example.org", "password": "seven hills and a long river", "name": "Grace"}
    account = await cast.visitor.post("sales", "/customers", form)
    grace = cast.somebody(account["customer_id"])
    await puts_in(cast, by=grace)

    refused = await checks_out(cast, by=grace)

    assert (refused.status, refused.code) == (403, "EMAIL_NOT_VERIFIED")


@pytest.mark.sequence("SEQ-ORD-001", exception="EMPTY_CART")
async def test_nothing_cannot_be_checked_out(cast: Cast) -> None:
    refused = await checks_out(cast)

    assert (refused.status, refused.code) == (400, "EMPTY_CART")


@pytest.mark.parametrize(
    ("address", "code"),
    [
        pytest.param(
            {**ADDRESS, "country": "FR"},
            "INTERNATIONAL_SHIPPING_NOT_AVAILABLE",
            marks=pytest.mark.sequence("SEQ-ORD-001", exception="INTERNATIONAL_SHIPPING_NOT_AVAILABLE"),
        ),
        pytest.param(
            {**ADDRESS, "city": ""},
            "INCOMPLETE_ADDRESS",
            marks=pytest.mark.sequence("SEQ-ORD-001", exception="INCOMPLETE_ADDRESS"),
        ),
    ],
)
async def test_an_order_goes_to_a_complete_address_in_the_country(
    cast: Cast, address: dict[str, str], code: str
) -> None:
    await puts_in(cast)

    refused = await checks_out(cast, shipping_address=address)

    assert (refused.status, refused.code) == (400, code)
    assert await available(cast) == 50


@pytest.mark.sequence("SEQ-ORD-001", exception="INSUFFICIENT_STOCK")
async def test_what_others_have_taken_meanwhile_cannot_be_checked_out(cast: Cast) -> None:
    await puts_in(cast, 5)
    await cast.staff.post("product", f"/products/{LAMP}/stock-corrections", {"quantity": -46, "reason": "Broken."})

    refused = await checks_out(cast)

    assert (refused.status, refused.code) == (400, "INSUFFICIENT_STOCK")
    assert refused["error"]["details"][0]["available"] == 4
    assert (await orders(cast), await available(cast), len(await cart(cast))) == ([], 4, 1)


@pytest.mark.sequence("SEQ-ORD-001", exception="PAYMENT_FAILED")
async def test_a_card_that_is_refused_buys_nothing(cast: Cast) -> None:
    await puts_in(cast)

    refused = await checks_out(cast, "tok_decline")

    assert (refused.status, refused.code) == (402, "PAYMENT_FAILED")
    assert (await orders(cast), await available(cast), len(await cart(cast))) == ([], 50, 1)


@pytest.mark.sequence("SEQ-ORD-001", exception="ORDER_CREATION_FAILED")
async def test_an_order_that_cannot_be_written_gives_stock_and_money_back(cast: Cast) -> None:
    await puts_in(cast)
    await no_order_can_be_written(cast)

    refused = await checks_out(cast)

    assert (refused.status, refused.code) == (503, "ORDER_CREATION_FAILED")
    assert (await orders(cast), await available(cast), len(await cart(cast))) == ([], 50, 1)
    [payment] = (await cast.admin.get("sales", "/payments"))["items"]
    assert payment["state"] == "VOIDED"


async def no_order_can_be_written(cast: Cast) -> None:
    async with cast.platform.services["sales"].database.begin() as session:
        await session.execute(
            text(
                """
                CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN RAISE EXCEPTION 'The disk is full.'; END $$
                """
            )
        )
        await session.execute(text("CREATE TRIGGER fails BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION fail()"))
