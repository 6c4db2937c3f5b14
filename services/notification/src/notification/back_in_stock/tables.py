"""The tables of wishes, who waits for what, and of arrivals that not everybody was told of yet."""

from sqlalchemy import Column, ForeignKey, Index, Table, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import TIMESTAMP, UUID

from notification.db import NotificationTable

wishes = Table(
    "back_in_stock_wishes",
    NotificationTable.metadata,
    Column("id", UUID, primary_key=True),
    Column("customer_id", Text, ForeignKey("customers.customer_id"), nullable=False),
    Column("product_id", Text, nullable=False),
    # None: any variant will do.
    Column("variant_id", UUID),
    Column("asked_at", TIMESTAMP(timezone=True), nullable=False),
    UniqueConstraint("customer_id", "product_id", "variant_id", postgresql_nulls_not_distinct=True),
    Index(None, "product_id"),
    Index(None, "asked_at"),
)

arrivals = Table(
    "back_in_stock_arrivals",
    NotificationTable.metadata,
    Column("event_id", Text, primary_key=True),
    Column("product_id", Text, nullable=False),
    Column("variant_id", UUID),
    Column("name", Text),
    Column("at", TIMESTAMP(timezone=True), nullable=False),
    Column("traceparent", Text),
)
