"""From a guest's cart to the door: logged in, paid by card, shipped; and what is in the way of those who may not."""

from uuid import uuid4

import aiohttp

from sales.seed import DEMO_EMAIL, DEMO_PASSWORD
from tests.harness.platform import until

from .people import Staff, Visitor
from .stack import Stack


async def test_a_guests_cart_becomes_an_order_that_is_paid_and_delivered(visitor: Visitor, staff: Staff) -> None:
    cart_token = await visitor.takes_a_cart()
    put_in = await visitor.puts_into_the_cart("stoneware-mug", 2)
    logged_in = await visitor.logs_in(DEMO_EMAIL, DEMO_PASSWORD, cart_token)
    cart = await visitor.see("sales", "/cart")

    bought = await visitor.checks_out("tok_ok", expected_total=cart["total"])
    order_id = bought.body["order_id"]
    await visitor.sees(order_id, "CONFIRMED")
    shipment = await staff.shipment(order_id)

    async def released() -> bool:
        return bool((await staff.shipment(order_id))["status"] == "READY")

    await until(released, 60)
    await staff.dispatch(shipment["shipment_id"], "FedEx", f"TRK-{uuid4().hex[:12]}")
    await visitor.sees(order_id, "SHIPPED")
    await staff.ask("POST", "delivery", f"/shipments/{shipment['shipment_id']}/delivery")
    await visitor.sees(order_id, "DELIVERED")

    assert (put_in.status, logged_in.status, bought.status) == (201, 200, 201)
    assert (bought.body["status"], bought.body["total"]) == ("PENDING", "28.00")
    assert bought.body["shipping_address"]["line1"] == "12 Analytical Row"
    assert (await visitor.see("sales", "/cart"))["items"] == []


async def test_a_card_that_is_declined_buys_nothing(visitor: Visitor) -> None:
    await visitor.logs_in(DEMO_EMAIL, DEMO_PASSWORD)
    before = (await visitor.see("product", "/products/paper-filters-100"))["available"]
    await visitor.puts_into_the_cart("paper-filters-100", 1)

    declined = await visitor.checks_out("tok_decline")

    assert (declined.status, declined.code) == (402, "PAYMENT_FAILED")
    assert (await visitor.see("product", "/products/paper-filters-100"))["available"] == before
    assert [item["quantity"] for item in (await visitor.see("sales", "/cart"))["items"]] == [1]
    await visitor.ask("DELETE", "sales", "/cart")


async def test_a_paid_order_that_is_cancelled_never_leaves(visitor: Visitor, staff: Staff) -> None:
    await visitor.logs_in(DEMO_EMAIL, DEMO_PASSWORD)
    await visitor.puts_into_the_cart("stoneware-mug", 1)
    order_id = (await visitor.checks_out("tok_ok")).body["order_id"]
    await visitor.sees(order_id, "CONFIRMED")

    cancelled = await visitor.ask("POST", "sales", f"/orders/{order_id}/cancellation", json={"reason": "Too many."})

    assert (cancelled.status, cancelled.body["status"]) == (200, "CANCELLED")

    async def stopped() -> bool:
        return bool((await staff.shipment(order_id))["status"] == "STOPPED")

    await until(stopped, 60)


async def test_who_registers_has_to_verify_the_email_before_buying(
    visitor: Visitor, stack: Stack, client: aiohttp.ClientSession
) -> None:
    email, password = f"grace-{uuid4().hex[:12]}@example.org", "a moth in the relay, 1947"
    cart_token = await visitor.takes_a_cart()
    await visitor.puts_into_the_cart("stoneware-mug", 1)
    as_a_guest = await visitor.checks_out("tok_ok")

    registered = await visitor.registers(email, password, "Grace Example")
    again = await Visitor(stack, client).registers(email.upper(), password, "Somebody Else")
    logged_in = await visitor.logs_in(email, password, cart_token)
    unverified = await visitor.checks_out("tok_ok")

    assert (as_a_guest.status, as_a_guest.code) == (403, "REGISTRATION_REQUIRED")
    assert (registered.status, registered.body["email_verified"]) == (201, False)
    assert (again.status, again.code) == (409, "EMAIL_ALREADY_REGISTERED")
    assert logged_in.status == 200
    assert (unverified.status, unverified.code) == (403, "EMAIL_NOT_VERIFIED")
    assert [item["product_id"] for item in (await visitor.see("sales", "/cart"))["items"]] == ["stoneware-mug"]
