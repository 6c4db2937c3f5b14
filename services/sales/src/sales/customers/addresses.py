"""Where an order goes when its customer does not say."""

from chassis.db import Database
from chassis.errors import Invalid
from chassis.steps import step
from contracts.sales import ShippingAddress

from .model import Customer


class IncompleteAddress(Invalid):
    code = "INCOMPLETE_ADDRESS"

    def __init__(self) -> None:
        super().__init__(
            "There is no address to ship to: none was sent and none is on file.",
            [{"field": "shipping_address", "message": "This is needed."}],
        )


@step("OrderService", "validateShippingAddress")
async def address_for(database: Database, customer_id: str, sent: ShippingAddress | None) -> ShippingAddress:
    if sent is not None:
        return sent
    async with database.begin() as session:
        customer = await session.get(Customer, customer_id)
    if customer is None or customer.shipping_address is None:
        raise IncompleteAddress
    return ShippingAddress.model_validate(customer.shipping_address)
