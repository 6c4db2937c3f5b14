"""An address on file: whose it is, and whether orders go there when they do not say where."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from chassis.errors import Conflict, NotFound
from sales.db import SalesTable

MOST_ADDRESSES: Final = 20


class Address(SalesTable):
    __tablename__ = "addresses"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[str] = mapped_column(Text, ForeignKey("customers.id"))
    address: Mapped[dict[str, Any]] = mapped_column(JSONB)
    is_default: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True), server_default=func.now())

    __table_args__ = (
        Index("ix_addresses_customer_id_id", "customer_id", "id"),
        Index("uq_addresses_default", "customer_id", unique=True, postgresql_where=text("is_default")),
    )


class AddressNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("There is no such address.")


class TooManyAddresses(Conflict):
    code = "TOO_MANY_ADDRESSES"

    def __init__(self) -> None:
        super().__init__(f"There are {MOST_ADDRESSES} addresses on file already, and no more can be kept.")
