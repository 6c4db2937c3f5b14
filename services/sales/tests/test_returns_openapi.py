"""Whatever staff and customers send to the routes of returns that exist, the answer is one that is documented."""

from services.sales.tests.factories import Sales, token
from services.sales.tests.returning import asked, delivered, received
from tests.harness.openapi import answers


async def test_whatever_is_sent_the_answer_is_a_documented_one(sales: Sales) -> None:
    order = await delivered(sales, ("lamp", 100))
    ids = {"order_id": order["order_id"], "return_id": await asked(sales, order)}
    await received(sales, order)
    everybody = {"Authorization": f"Bearer {token('grace', 'customer', 'warehouse', 'admin')}"}

    statuses = await answers(
        sales.app,
        headers=lambda _: everybody,
        examples=25,
        wanted=lambda operation: "/returns" in operation.path,
        ids=ids,
    )

    assert {200, 400} <= statuses
