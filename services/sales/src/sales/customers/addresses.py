"""Where an order goes when its customer does not say."""

from collections.abc import Sequence

from sqlalchemy import select

from chassis.coalescer import Coalescer
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


class AddressBook:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._on_file: Coalescer[str, ShippingAddress | None] = Coalescer(self._look_up)

    @step("OrderService", "validateShippingAddress")
    async def address_for(self, customer_id: str, sent: ShippingAddress | None) -> ShippingAddress:
        address = sent or await self._on_file(customer_id)
        if address is None:
            raise IncompleteAddress
        return address

    async def close(self) -> None:
        await self._on_file.close()

    async def _look_up(self, customer_ids: Sequence[str]) -> list[ShippingAddress | None]:
        query = select(Customer.id, Customer.shipping_address).where(Customer.id.in_(set(customer_ids)))
        async with self._database.begin() as session:
            found = {row.id: row.shipping_address for row in await session.execute(query) if row.shipping_address}
        return [ShippingAddress.model_validate(found[id]) if id in found else None for id in customer_ids]
