"""What the OpenAPI document promises is kept, whatever is sent: no request gets a 500 or an undocumented answer."""

from sales.seed import DEMO_CUSTOMER, seed
from services.sales.tests.factories import Sales, token
from services.sales.tests.fake_product import Ware
from tests.harness.openapi import answers


async def test_whatever_is_sent_the_answer_is_a_documented_one(sales: Sales) -> None:
    sales.product.everything_else = Ware(10**9)
    async with sales.service.database.begin() as session:
        await seed(session)
    signed_in = {"Authorization": f"Bearer {token(DEMO_CUSTOMER, 'customer')}"}

    statuses = await answers(sales.app, headers=lambda _: signed_in, examples=40)

    assert {200, 201, 400} <= statuses
    await sales.sweep()
    await sales.nothing_is_halfway()
