"""The customer's own page over HTTP: who they are, the addresses that they keep with us, and the way out."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Response

from chassis.auth import Admin, Customer
from chassis.db import Transaction
from chassis.edge import SafeRoute, refusals
from chassis.errors import Forbidden, Invalid, KeyReused, Overloaded, TooMany, Unauthenticated
from chassis.idempotency import Once
from chassis.paging import DEFAULT_LIMIT, Cursor, Limit, Page
from chassis.service import provided
from contracts.sales.addresses import ShippingAddress
from contracts.sales.profile import AddAddress, AddressView, ChangeProfile, CustomerView, EraseCustomer, EraseMe
from sales.customers.known_addresses import ClientAddress
from sales.customers.log_in import InvalidCredentials

from . import addresses, people
from .erasing import Erasing
from .model import AddressNotFound, TooManyAddresses
from .people import CustomerNotFound, NoLongerCustomer

router = APIRouter(prefix="/api/v1/customers", tags=["profile"], route_class=SafeRoute)

_KNOWN = (NoLongerCustomer, Forbidden)

TheErasing = Annotated[Erasing, Depends(provided(Erasing))]
CustomerId = Annotated[str, Path(max_length=100)]


@router.get("/me", response_model=CustomerView, responses=refusals(*_KNOWN, CustomerNotFound))
async def who_am_i(caller: Customer, session: Transaction) -> CustomerView:
    return await people.show(session, caller.subject)


@router.patch("/me", response_model=CustomerView, responses=refusals(Invalid, *_KNOWN, CustomerNotFound))
async def change_profile(body: ChangeProfile, caller: Customer, session: Transaction) -> CustomerView:
    return await people.change(session, caller.subject, body)


@router.delete(
    "/me",
    status_code=204,
    responses=refusals(Invalid, *_KNOWN, InvalidCredentials, CustomerNotFound, TooMany, Overloaded),
)
async def erase_me(body: EraseMe, caller: Customer, erasing: TheErasing, address: ClientAddress) -> None:
    await erasing.erase_me(caller.subject, body.password, address)


@router.delete(
    "/{customer_id}", status_code=204, responses=refusals(Invalid, Unauthenticated, Forbidden, CustomerNotFound)
)
async def erase_customer(customer_id: CustomerId, body: EraseCustomer, caller: Admin, erasing: TheErasing) -> None:
    await erasing.erase(customer_id, body.reason, by=caller.subject)


@router.post(
    "/me/addresses",
    status_code=201,
    response_model=None,
    responses={
        201: {"model": AddressView},
        **refusals(Invalid, *_KNOWN, CustomerNotFound, TooManyAddresses, KeyReused),
    },
)
async def add_address(body: AddAddress, caller: Customer, session: Transaction, once: Once) -> Response:
    return await once(addresses.add(session, caller.subject, body))


@router.get("/me/addresses", response_model=Page[AddressView], responses=refusals(Invalid, *_KNOWN))
async def list_addresses(
    caller: Customer, session: Transaction, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> dict[str, Any]:
    return await addresses.page(session, caller.subject, cursor, limit)


@router.put(
    "/me/addresses/{address_id}", response_model=AddressView, responses=refusals(Invalid, *_KNOWN, AddressNotFound)
)
async def change_address(
    address_id: UUID, body: ShippingAddress, caller: Customer, session: Transaction
) -> AddressView:
    return await addresses.change(session, caller.subject, address_id, body)


@router.delete("/me/addresses/{address_id}", status_code=204, responses=refusals(*_KNOWN, AddressNotFound))
async def remove_address(address_id: UUID, caller: Customer, session: Transaction) -> None:
    await addresses.remove(session, caller.subject, address_id)


@router.post(
    "/me/addresses/{address_id}/default", response_model=AddressView, responses=refusals(*_KNOWN, AddressNotFound)
)
async def make_default(address_id: UUID, caller: Customer, session: Transaction) -> AddressView:
    return await addresses.make_default(session, caller.subject, address_id)
