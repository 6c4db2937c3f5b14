"""The addresses that a customer keeps with us: as long as there are any, exactly one of them is the default."""

from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.ids import uuid7
from chassis.paging import Keyset
from contracts.sales.addresses import ShippingAddress
from contracts.sales.profile import AddAddress, AddressView

from . import people
from .model import MOST_ADDRESSES, Address, AddressNotFound, TooManyAddresses

_oldest_first = Keyset(UUID)


async def add(session: AsyncSession, customer_id: str, wanted: AddAddress) -> AddressView:
    await people.find(session, customer_id, lock=True)
    number = await session.scalar(select(func.count()).where(Address.customer_id == customer_id))
    if number == MOST_ADDRESSES:
        raise TooManyAddresses
    is_default = wanted.is_default or not number
    if is_default:
        await _clear_default(session, customer_id)
    address = Address(id=uuid7(), customer_id=customer_id, address=_content(wanted), is_default=is_default)
    session.add(address)
    await session.flush()
    return view(address)


async def page(session: AsyncSession, customer_id: str, cursor: str | None, limit: int) -> dict[str, Any]:
    query = select(Address).where(Address.customer_id == customer_id).order_by(Address.id).limit(limit + 1)
    if (after := _oldest_first.read(cursor)) is not None:
        query = query.where(Address.id > after)
    rows = (await session.scalars(query)).all()
    found = _oldest_first.page(rows, limit, lambda address: address.id)
    return {**found, "items": [view(address) for address in found["items"]]}


async def change(session: AsyncSession, customer_id: str, address_id: UUID, wanted: ShippingAddress) -> AddressView:
    address = await _take(session, customer_id, address_id)
    address.address = _content(wanted)
    return view(address)


async def make_default(session: AsyncSession, customer_id: str, address_id: UUID) -> AddressView:
    address = await _take(session, customer_id, address_id)
    if not address.is_default:
        await _clear_default(session, customer_id)
        address.is_default = True
    return view(address)


async def remove(session: AsyncSession, customer_id: str, address_id: UUID) -> None:
    """The one that was added last takes the place of a default."""
    address = await _take(session, customer_id, address_id)
    await session.delete(address)
    await session.flush()
    if address.is_default:
        theirs = select(Address).where(Address.customer_id == customer_id).order_by(Address.id.desc()).limit(1)
        if (heir := await session.scalar(theirs)) is not None:
            heir.is_default = True


def view(address: Address) -> AddressView:
    return AddressView(
        address_id=address.id, is_default=address.is_default, created_at=address.created_at, **address.address
    )


async def _take(session: AsyncSession, customer_id: str, address_id: UUID) -> Address:
    await people.find(session, customer_id, lock=True)
    query = select(Address).where(Address.id == address_id, Address.customer_id == customer_id)
    address = await session.scalar(query)
    if address is None:
        raise AddressNotFound
    return address


async def _clear_default(session: AsyncSession, customer_id: str) -> None:
    """Before another becomes it: the index that allows one only looks at each row as it is written."""
    default = update(Address).where(Address.customer_id == customer_id, Address.is_default)
    await session.execute(default.values(is_default=False))


def _content(address: ShippingAddress) -> dict[str, Any]:
    return address.model_dump(include=set(ShippingAddress.model_fields), exclude_none=True)
