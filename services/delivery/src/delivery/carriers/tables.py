"""The webhooks that have had their effect: each has it once."""

from sqlalchemy import Column, Index, Table, Text
from sqlalchemy.dialects.postgresql import TIMESTAMP

from delivery.db import DeliveryTable

carrier_webhooks = Table(
    "carrier_webhooks",
    DeliveryTable.metadata,
    Column("carrier", Text, primary_key=True),
    Column("webhook_id", Text, primary_key=True),
    Column("received_at", TIMESTAMP(timezone=True), nullable=False),
    Index("ix_carrier_webhooks_received_at", "received_at", postgresql_using="brin"),
)
