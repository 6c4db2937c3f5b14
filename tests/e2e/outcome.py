"""What must be true of orders however much went wrong on their way: each came about once and took each step once."""

from collections.abc import Sequence

from .people import Answer, Customer, ids


async def delivered_once(customer: Customer, answers: Sequence[Answer]) -> None:
    assert [answer for answer in answers if answer.status != 201] == []
    placed = ids(answers)
    await customer.sees("DELIVERED", placed)
    assert sorted(order["order_id"] for order in await customer.orders()) == sorted(placed)
    for order_id in placed:
        steps = [(entry["kind"], entry["to_status"]) for entry in await customer.timeline(order_id)]
        assert steps == [("changed", "PENDING_SHIPMENT"), ("changed", "SHIPPED"), ("changed", "DELIVERED")], order_id
