"""The table of parcels that their orders do not tell of: of several, lost, or come back."""

from sqlalchemy import CheckConstraint, Column, Integer, SmallInteger, Table, Text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP, UUID

from sales.db import SalesTable

_INSTANT = TIMESTAMP(timezone=True)

order_parcels = Table(
    "order_parcels",
    SalesTable.metadata,
    Column("order_id", UUID, primary_key=True),
    Column("number", SmallInteger, primary_key=True, autoincrement=False),
    Column("shipment_id", UUID, nullable=False),
    # Of what was told of it: the highest is how it stands.
    Column("version", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("items", JSONB, nullable=False),
    Column("carrier", Text),
    Column("tracking_number", Text),
    Column("tracking_url", Text),
    Column("shipped_at", _INSTANT),
    Column("delivered_at", _INSTANT),
    Column("delivery_location", Text),
    # When it left, the last time that its customer was told so.
    Column("announced_at", _INSTANT),
    CheckConstraint(
        "status IN ('PREPARING', 'SHIPPED', 'DELIVERED', 'LOST', 'RETURNED', 'STOPPED')",
        name="status",
    ),
)
