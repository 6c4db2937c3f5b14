"""What customers and operations are told by mail, and what they can do with it."""

from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from tests.harness.platform import LINK

from .mailbox import Mailbox, code_in
from .people import ADDRESS, PASSWORD, Customer, Person, Staff, Visitor
from .stack import Stack

VERIFY, RESET = "Please confirm your e-mail address", "Choose a new password"


@pytest.mark.rule("AC-REG-001", "BR-ORD-003")
async def test_the_mailed_code_verifies_the_email_and_opens_the_checkout(grace: Visitor, mailbox: Mailbox) -> None:
    await grace.puts_into_the_cart("stoneware-mug", 1)
    before = await grace.checks_out("tok_ok", shipping_address=ADDRESS)
    token = code_in(await mailbox.gets(VERIFY))

    verified = await grace.ask("POST", "sales", "/customers/verifications", json={"token": token})
    again = await grace.ask("POST", "sales", "/customers/verifications", json={"token": token})
    bought = await grace.checks_out("tok_ok", shipping_address=ADDRESS)
    order_id = bought.body["order_id"]
    await grace.sees(order_id, "CONFIRMED")
    await mailbox.gets(f"Your order {order_id} is confirmed")

    assert (before.status, before.code) == (403, "EMAIL_NOT_VERIFIED")
    assert (verified.status, verified.body["email_verified"]) == (200, True)
    assert (again.status, again.code) == (400, "INVALID_TOKEN")
    assert bought.status == 201
    assert mailbox.subjects() == [
        VERIFY,
        f"We have received your order {order_id}",
        f"Your order {order_id} is confirmed",
    ]


async def test_who_has_forgotten_the_password_chooses_a_new_one_with_the_mailed_code(
    grace: Visitor, mailbox: Mailbox, address: str, stack: Stack, client: aiohttp.ClientSession
) -> None:
    visitor = Visitor(stack, client)
    asked = await visitor.ask("POST", "sales", "/customers/password-reset-requests", json={"email": address})
    token = code_in(await mailbox.gets(RESET))

    reset = {"token": token, "new_password": "compilers are not magic, either"}
    chosen = await visitor.ask("POST", "sales", "/customers/password-resets", json=reset)
    with_the_old = await visitor.logs_in(address, PASSWORD)
    with_the_new = await visitor.logs_in(address, reset["new_password"])

    assert (asked.status, chosen.status) == (202, 204)
    assert (with_the_old.status, with_the_old.code) == (401, "INVALID_CREDENTIALS")
    assert with_the_new.status == 200
    assert mailbox.subjects() == [VERIFY, RESET]


@pytest.mark.rule("BR-MAIL-002", "AC-ORD-002", "AC-ORD-003", "AC-ORD-004")
async def test_an_orders_mails_come_once_each_and_in_the_order_of_its_life(
    grace: Visitor, mailbox: Mailbox, staff: Staff
) -> None:
    order_id = await grace.places({"product_456": 1})
    tracking_number = f"TRK-{uuid4().hex[:12]}"
    shipment = await staff.shipment(order_id)
    await staff.dispatch(shipment["shipment_id"], "FedEx", tracking_number)
    await grace.sees(order_id, "SHIPPED")
    await staff.ask("POST", "delivery", f"/shipments/{shipment['shipment_id']}/delivery")
    await grace.sees(order_id, "DELIVERED")

    received = await mailbox.gets(f"We have received your order {order_id}")
    shipped = await mailbox.gets(f"On its way: your order {order_id}")
    await mailbox.gets(f"Delivered: your order {order_id}")

    assert "Hello Grace Example," in received
    assert "34.90" in received
    assert "FedEx" in shipped
    assert tracking_number in shipped
    assert mailbox.subjects(about=order_id) == [
        f"We have received your order {order_id}",
        f"On its way: your order {order_id}",
        f"Delivered: your order {order_id}",
    ]
    ids = [mail["Message-ID"] for mail in mailbox.mails()]
    assert len(set(ids)) == len(ids)


async def test_the_mail_that_it_is_on_its_way_links_to_where_the_carrier_shows_it(
    grace: Visitor, mailbox: Mailbox, staff: Staff
) -> None:
    order_id = await grace.places({"product_456": 1})
    shipment = await staff.shipment(order_id)

    dispatched = await staff.dispatch(shipment["shipment_id"], "FedEx", f"TRK-{order_id[-12:]}")
    shipped = await mailbox.gets(f"On its way: your order {order_id}")

    link = LINK.format(tracking_number=f"TRK-{order_id[-12:]}")
    assert dispatched.body["tracking_url"] == link
    assert link in shipped


@pytest.mark.rule("AC-ORD-005")
async def test_a_customer_is_told_of_a_cancellation_in_their_own_language(
    visitor: Visitor, mailbox: Mailbox, address: str
) -> None:
    account = {"email": address, "password": PASSWORD, "name": "Grace Müller", "language": "de"}
    await visitor.ask("POST", "sales", "/customers", json=account)
    await visitor.logs_in(address, PASSWORD)
    order_id = await visitor.places({"product_456": 1})

    await visitor.ask("POST", "sales", f"/orders/{order_id}/cancellation", json={"reason": "Ordered twice."})
    cancelled = await mailbox.gets(f"Storniert: Ihre Bestellung {order_id}")

    assert "Guten Tag Grace Müller," in cancelled
    assert mailbox.subjects(about=order_id) == [
        f"Wir haben Ihre Bestellung {order_id} erhalten",
        f"Storniert: Ihre Bestellung {order_id}",
    ]


@pytest.mark.rule("AC-INV-002")
async def test_operations_are_told_that_something_is_sold_out(
    merchant: Person, customer: Customer, operations: Mailbox
) -> None:
    name = f"The last lamp {uuid4().hex[:8]}"
    product_id = await _on_sale(merchant, name)

    await customer.order({product_id: 1})
    told = await operations.gets(f"Out of stock: {name}")

    assert product_id in told


async def test_who_has_asked_is_told_once_that_it_is_back_in_stock(
    merchant: Person, customer: Customer, staff: Staff, grace: Visitor, mailbox: Mailbox
) -> None:
    name = f"The next lamp {uuid4().hex[:8]}"
    product_id = await _on_sale(merchant, name)
    await customer.order({product_id: 1})
    asked = await grace.ask("PUT", "notification", f"/back-in-stock/{product_id}")

    for _ in range(2):
        await _restock(staff, product_id)
    told = await mailbox.gets(f"Back in stock: {name}")
    left = await grace.see("notification", "/back-in-stock")
    # What was written before this is decided when this is there.
    await grace.ask("POST", "sales", "/customers/password-reset-requests", json={"email": mailbox.address})
    await mailbox.gets(RESET)

    assert (asked.status, left["items"]) == (200, [])
    assert product_id in told
    assert mailbox.subjects(about=name) == [f"Back in stock: {name}"]


@pytest.mark.rule("BR-MAIL-003")
async def test_who_turns_mails_off_gets_what_is_essential_and_nothing_else(
    grace: Visitor, mailbox: Mailbox, staff: Staff
) -> None:
    chosen = await grace.ask("PUT", "notification", "/mail-preferences", json={"unwanted": ["order_progress"]})
    order_id = await grace.places({"product_456": 1})
    shipment = await staff.shipment(order_id)
    await staff.ask("POST", "delivery", f"/shipments/{shipment['shipment_id']}/dispatch", json={})
    await grace.sees(order_id, "SHIPPED")
    # To one customer mails go in order: when the one about a new password is there, those before are decided.
    await grace.ask(
        "POST", "sales", "/customers/password-reset-requests", json={"email": (await _profile(grace))["email"]}
    )
    await mailbox.gets(RESET)

    assert chosen.status == 200
    assert mailbox.subjects(about=order_id) == [f"We have received your order {order_id}"]


async def test_the_button_of_the_mail_program_turns_such_mails_off_without_logging_in(
    grace: Visitor, mailbox: Mailbox, staff: Staff, stack: Stack, client: aiohttp.ClientSession
) -> None:
    first = await grace.places({"product_456": 1})
    shipment = await staff.shipment(first)
    await staff.ask("POST", "delivery", f"/shipments/{shipment['shipment_id']}/dispatch", json={})
    await mailbox.gets(f"On its way: your order {first}")
    [link] = {mail["List-Unsubscribe"] for mail in mailbox.mails() if mail["List-Unsubscribe"]}

    # Where it leads to is the platform's own word for itself, which a stack of tests may hear under another address.
    path = link.strip("<>").partition("/api/v1")[2]
    pressed = await Visitor(stack, client).ask("POST", "notification", path, data={"List-Unsubscribe": "One-Click"})
    chosen = await grace.see("notification", "/mail-preferences")

    assert pressed.status == 200
    assert chosen["unwanted"] == ["order_progress"]


async def _profile(customer: Person) -> Any:
    return await customer.see("sales", "/customers/me")


async def _restock(staff: Staff, product_id: str) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    answer = await staff.ask("POST", "product", f"/products/{product_id}/restocks", json={"quantity": 3}, headers=key)
    assert answer.status == 201, answer


async def _on_sale(merchant: Person, name: str) -> str:
    """One piece of it."""
    key = {"Idempotency-Key": uuid4().hex}
    category = await merchant.ask(
        "POST", "product", "/categories", json={"name": f"Lamps {uuid4().hex[:8]}"}, headers=key
    )
    body = {"name": name, "category_id": category.body["category_id"], "price": "24.50", "initial_stock": 1}
    made = await merchant.ask("POST", "product", "/products", json=body, headers=key)
    assert made.status == 201, made
    return str(made.body["product_id"])
