"""Where a customer has logged in from before, and under which address a request counts."""

import hashlib
from datetime import UTC, datetime
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Annotated, Final

from fastapi import Depends, Request
from sqlalchemy import Index, LargeBinary, Text, select
from sqlalchemy.dialects.postgresql import TIMESTAMP, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from sales.db import SalesTable

_OF_ONE_CUSTOMER: Final = 64
"""So many bits of an IPv6 address a provider gives to one customer, who chooses the others at will."""


class KnownAddress(SalesTable):
    __tablename__ = "known_addresses"

    customer_id: Mapped[str] = mapped_column(Text, primary_key=True)
    address_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    last_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))

    __table_args__ = (Index("ix_known_addresses_last_at", "last_at", postgresql_using="brin"),)


async def address_of(request: Request) -> str:
    """What the connection says, or a proxy that is trusted: see `chassis.serving`."""
    return counted(request.client.host) if request.client else "nowhere"


ClientAddress = Annotated[str, Depends(address_of)]


def counted(host: str) -> str:
    try:
        address = ip_address(host)
    except ValueError:
        return host[:100]
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address), _OF_ONE_CUSTOMER), strict=False))


async def is_known(session: AsyncSession, customer_id: str, address: str) -> bool:
    found = select(KnownAddress.customer_id).where(
        KnownAddress.customer_id == customer_id, KnownAddress.address_hash == _hash(customer_id, address)
    )
    return await session.scalar(found) is not None


async def remember(session: AsyncSession, customer_id: str, address: str) -> None:
    seen = insert(KnownAddress).values(
        customer_id=customer_id, address_hash=_hash(customer_id, address), last_at=datetime.now(UTC)
    )
    key = [KnownAddress.customer_id, KnownAddress.address_hash]
    await session.execute(seen.on_conflict_do_update(index_elements=key, set_={"last_at": seen.excluded.last_at}))


def _hash(customer_id: str, address: str) -> bytes:
    return hashlib.sha256(f"{customer_id}\n{address}".encode("utf-8", "surrogatepass")).digest()
