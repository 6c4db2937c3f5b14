"""Placing an order: what is answered, stored and told when all goes well, and when it cannot be."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from chassis import steps
from contracts.product.inventory import ReservationState
from contracts.sales.orders import OrderCreated, PlaceOrder
from sales.seed import DEMO_CUSTOMER, seed
from services.sales.tests.factories import ADDRESS, Sales, wanted
from services.sales.tests.fake_product import Ware


@pytest.mark.rule("AC-ORD-006")
async def test_an_order_is_answered_with_what_it_costs_and_what_becomes_of_it(sales: Sales) -> None:
    answer = await sales.order(wanted(("lamp", 2), "desk", note=" Ring twice. "))

    said = answer.json()
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    assert "idempotency-replayed" not in answer.headers
    assert UUID(said.pop("order_id")).version == 7
    placed = datetime.fromisoformat(said.pop("created_at"))
    assert datetime.now(UTC) - timedelta(seconds=10) < placed <= datetime.now(UTC)
    assert said.pop("updated_at").startswith(placed.isoformat()[:19])
    assert {name: value for name, value in said.items() if value is not None} == {
        "customer_id": "grace",
        "status": "PENDING_SHIPMENT",
        "items": [
            {
                "product_id": "lamp",
                "variant_id": None,
                "name": "A lamp",
                "quantity": 2,
                "unit_price": "19.99",
                "subtotal": "39.98",
            },
            {
                "product_id": "desk",
                "variant_id": None,
                "name": "A desk",
                "quantity": 1,
                "unit_price": "249.00",
                "subtotal": "249.00",
            },
        ],
        "subtotal": "288.98",
        "shipping_cost": "0.00",
        "total": "288.98",
        "currency": "USD",
        "shipping_address": {**ADDRESS, "line2": None},
        "note": "Ring twice.",
        "allowed_actions": ["cancel"],
    }


async def test_what_is_answered_is_what_is_shown_later(sales: Sales) -> None:
    placed = (await sales.order(wanted(("lamp", 2), "desk", note="Ring twice."))).json()

    shown = (await sales.get(f"/{placed['order_id']}")).json()

    assert shown == placed


async def test_order_items_history_event_and_answer_are_written_in_one_transaction(sales: Sales) -> None:
    answer = await sales.order(wanted(("lamp", 2), "desk"))

    [order] = await sales.rows("SELECT *, xmin::text AS tx FROM orders")
    items = await sales.rows("SELECT *, xmin::text AS tx FROM order_items ORDER BY line")
    [change] = await sales.rows("SELECT *, xmin::text AS tx FROM order_history")
    [event] = await sales.rows("SELECT *, xmin::text AS tx FROM outbox")
    [attempt] = await sales.rows("SELECT *, xmin::text AS tx FROM attempts")
    assert str(order["id"]) == answer.json()["order_id"]
    assert (order["status"], order["total"], order["currency"]) == ("PENDING_SHIPMENT", 28898, "USD")
    assert [(item["product_id"], item["quantity"], item["unit_price"]) for item in items] == [
        ("lamp", 2, 1999),
        ("desk", 1, 24900),
    ]
    assert (change["kind"], change["from_status"], change["to_status"], change["actor"]) == (
        "changed",
        None,
        "PENDING_SHIPMENT",
        "grace",
    )
    assert (attempt["state"], attempt["order_id"], attempt["answer"]) == ("placed", order["id"], answer.text)
    assert {row["tx"] for row in (order, *items, change, event, attempt)} == {order["tx"]}


async def test_exactly_one_event_tells_of_the_order_and_names_the_hold(sales: Sales) -> None:
    placed = (await sales.order(wanted(("lamp", 2), "desk"))).json()

    [event] = await sales.published()
    told = OrderCreated.model_validate(event["data"])
    assert (event["event_type"], event["source"]) == ("order.created", "sales-service")
    assert str(told.order_id) == placed["order_id"]
    assert sales.product.reservations[told.reservation_id].state == ReservationState.HELD
    assert (told.customer_id, told.status, told.total, told.currency) == ("grace", "PENDING_SHIPMENT", 28898, "USD")
    assert [(item.product_id, item.quantity, item.unit_price) for item in told.items] == [
        ("lamp", 2, 1999),
        ("desk", 1, 24900),
    ]
    assert told.shipping_address.model_dump(exclude_none=True) == ADDRESS
    await sales.nothing_is_halfway()


async def test_the_same_product_twice_is_one_line(sales: Sales) -> None:
    said = (await sales.order(wanted(("lamp", 2), "desk", ("lamp", 3)))).json()

    assert [(line["product_id"], line["quantity"]) for line in said["items"]] == [("lamp", 5), ("desk", 1)]


@pytest.mark.rule("BR-ORD-002")
async def test_name_and_price_are_those_of_product_at_this_moment(sales: Sales) -> None:
    sales.product.wares["lamp"] = Ware(5, 5, "Lämpchen 💡", "EUR")

    said = (await sales.order()).json()

    assert (said["items"][0]["name"], said["items"][0]["unit_price"]) == ("Lämpchen 💡", "0.05")
    assert (said["total"], said["currency"]) == ("0.05", "EUR")


@pytest.mark.rule("AC-ORD-006")
async def test_what_is_not_in_stock_is_refused_and_said_item_by_item(sales: Sales) -> None:
    answer = await sales.order(wanted("lamp", ("desk", 30), "lamp", ("desk", 21), "unicorn"))

    error = answer.json()["error"]
    assert answer.status_code == 400
    assert error["code"] == "INSUFFICIENT_STOCK"
    assert error["details"] == [
        {
            "field": "items.1.quantity",
            "message": "50 available, 51 asked for.",
            "product_id": "desk",
            "requested": 51,
            "available": 50,
            "is_available": False,
        },
        {
            "field": "items.4.quantity",
            "message": "0 available, 1 asked for.",
            "product_id": "unicorn",
            "requested": 1,
            "available": 0,
            "is_available": False,
        },
    ]


@pytest.mark.rule("BR-ORD-001", "AC-ORD-006")
async def test_what_is_refused_leaves_no_order_and_no_event_and_holds_nothing(sales: Sales) -> None:
    await sales.order(wanted("lamp", ("desk", 51)))

    assert await sales.count("orders") == 0
    assert await sales.count("order_items") == 0
    assert await sales.published() == []
    await sales.nothing_is_halfway()


async def test_the_address_on_file_is_used_when_none_is_sent(sales: Sales) -> None:
    async with sales.service.database.begin() as session:
        await seed(session)
        await seed(session)

    answer = await sales.order(wanted(address=None), customer=DEMO_CUSTOMER)

    assert answer.status_code == 201
    assert answer.json()["shipping_address"]["line1"] == "12 Analytical Row"
    assert (await sales.published("order.created"))[0]["data"]["shipping_address"]["line1"] == "12 Analytical Row"


@pytest.mark.rule("BR-ORD-004")
async def test_without_any_address_the_order_is_refused_before_anything_is_done(sales: Sales) -> None:
    answer = await sales.order(wanted(address=None), "key")

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INCOMPLETE_ADDRESS")
    assert await sales.count("attempts") == 0
    assert sales.product.asked == []


async def test_a_total_that_cannot_be_booked_is_refused_and_its_hold_given_back(sales: Sales) -> None:
    sales.product.wares["yacht"] = Ware(10_000, 10**9)

    largest = await sales.order(wanted(("yacht", 1000)))
    answer = await sales.order(wanted(("yacht", 1001)))

    assert (largest.status_code, largest.json()["total"]) == (201, "10000000000.00")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert sales.product.held("yacht") == 2001
    await sales.sweep()
    assert sales.product.held("yacht") == 1000
    await sales.nothing_is_halfway()


async def test_what_is_priced_in_two_currencies_has_no_sum_and_is_refused(sales: Sales) -> None:
    sales.product.wares["desk"] = Ware(50, 100, "Schreibtisch", "EUR")

    answer = await sales.order(wanted("lamp", "desk"))

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert await sales.count("orders") == 0
    await sales.sweep()
    await sales.nothing_is_halfway()


async def test_the_steps_are_those_of_the_sequence_design(sales: Sales) -> None:
    with steps.record() as recording:
        answer = await sales.placing.place("grace", PlaceOrder.model_validate(wanted()), None)

    assert [(step.caller, step.participant, step.action, step.emits) for step in recording.steps] == [
        (None, "OrderService", "placeOrder", ()),
        ("OrderService", "OrderService", "validateShippingAddress", ()),
        ("OrderService", "OrderAggregate", "createOrder", ("OrderPlaced",)),
    ]
    assert len({step.trace_id for step in recording.steps}) == 1
    assert json.loads(answer.body)["status"] == "PENDING_SHIPMENT"
