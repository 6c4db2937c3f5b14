"""Where an order goes when its customer does not say."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, and_, select

from chassis.coalescer import Coalescer
from chassis.db import Database
from chassis.errors import Invalid
from chassis.steps import step
from contracts.sales.addresses import ShippingAddress
from contracts.sales.customers import CustomerStatus
from sales.profile.model import Address
from sales.profile.people import NoLongerCustomer

from .model import Customer


class IncompleteAddress(Invalid):
    code = "INCOMPLETE_ADDRESS"

    def __init__(self, missing: Sequence[str] = ()) -> None:
        fields = [f"shipping_address.{part}" for part in missing] or ["shipping_address"]
        super().__init__(
            "Parts of the address are missing."
            if missing
            else "There is no address to ship to: none was sent and none is on file.",
            [{"field": field, "message": "This is needed."} for field in fields],
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

    async def _look_up(self, customer_ids: Sequence[str]) -> list[ShippingAddress | NoLongerCustomer | None]:
        default = and_(Address.customer_id == Customer.id, Address.is_default)
        query = select(Customer.id, Customer.status, Address.address).outerjoin(Address, default)
        async with self._database.begin() as session:
            rows = await session.execute(query.where(Customer.id.in_(set(customer_ids))))
            found = {row.id: row for row in rows}
        return [_on_file(found.get(id)) for id in customer_ids]


def _on_file(row: Row[Any] | None) -> ShippingAddress | NoLongerCustomer | None:
    if row is None:
        return None
    if row.status == CustomerStatus.ERASED:
        return NoLongerCustomer()
    return ShippingAddress.model_validate(row.address) if row.address else None
