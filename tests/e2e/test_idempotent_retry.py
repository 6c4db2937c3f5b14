"""A request that is sent again with its Idempotency-Key: one order, and the first answer once more."""

import asyncio
from uuid import uuid4

from .people import Customer


async def test_the_same_request_again_gets_the_first_answer_again(customer: Customer) -> None:
    before = await customer.available("gooseneck-kettle")
    key = uuid4().hex

    first = await customer.order({"gooseneck-kettle": 2}, key)
    again = await customer.order({"gooseneck-kettle": 2}, key)

    assert (first.status, first.replayed) == (201, False)
    assert (again.status, again.text, again.replayed) == (201, first.text, True)
    assert len(await customer.orders()) == 1
    assert await customer.available("gooseneck-kettle") == before - 2


async def test_ten_of_the_same_at_once_are_one_order(customer: Customer) -> None:
    before = await customer.available("gooseneck-kettle")
    key = uuid4().hex

    answers = await asyncio.gather(*(customer.order({"gooseneck-kettle": 1}, key) for _ in range(10)))

    assert {(answer.status, answer.text) for answer in answers} == {(201, answers[0].text)}
    assert await customer.available("gooseneck-kettle") == before - 1


async def test_another_request_under_the_same_key_is_refused(customer: Customer) -> None:
    key = uuid4().hex
    await customer.order({"gooseneck-kettle": 1}, key)

    other = await customer.order({"gooseneck-kettle": 2}, key)

    assert (other.status, other.code) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert len(await customer.orders()) == 1


async def test_a_refusal_is_remembered_too(customer: Customer) -> None:
    key = uuid4().hex

    refused = await customer.order({"gooseneck-kettle": 9_999}, key)
    again = await customer.order({"gooseneck-kettle": 9_999}, key)

    assert refused.status == 400
    assert (again.status, again.body["error"]["code"], again.replayed) == (400, refused.code, True)
