"""An order for more than there is: refused as a whole, with what could be had."""

from .people import Customer


async def test_an_order_for_more_than_there_is_makes_nothing_and_holds_nothing(customer: Customer) -> None:
    plenty, scarce = await customer.available("product_456"), await customer.available("roaster-sampler")

    refused = await customer.order({"product_456": 1, "roaster-sampler": scarce + 1})

    assert (refused.status, refused.code) == (400, "INSUFFICIENT_STOCK")
    [short] = refused.body["error"]["details"]
    assert (short["product_id"], short["available"], short["requested"]) == ("roaster-sampler", scarce, scarce + 1)
    assert await customer.orders() == []
    assert await customer.available("product_456") == plenty
    assert await customer.available("roaster-sampler") == scarce


async def test_the_last_piece_can_be_had_and_then_no_other(customer: Customer) -> None:
    left = await customer.available("roaster-sampler")

    last = await customer.order({"roaster-sampler": left})
    after = await customer.order({"roaster-sampler": 1})

    assert (last.status, after.status, after.code) == (201, 400, "INSUFFICIENT_STOCK")
    assert await customer.available("roaster-sampler") == 0
