"""The table of what carriers report: each webhook once, with what has become of it."""

from sqlalchemy import CheckConstraint, Column, Index, Integer, Table, Text, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP, UUID

from delivery.db import DeliveryTable

_INSTANT = TIMESTAMP(timezone=True)

carrier_reports = Table(
    "carrier_reports",
    DeliveryTable.metadata,
    Column("id", UUID, primary_key=True),
    # Whose signature it bears, which an aggregator's carriers share; with its id it is unique.
    Column("source", Text, nullable=False),
    Column("webhook_id", Text, nullable=False),
    Column("carrier", Text, nullable=False),
    Column("tracking_number", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("occurred_at", _INSTANT),
    Column("location", Text),
    Column("proof", JSONB(none_as_null=True)),
    Column("reason", Text),
    Column("received_at", _INSTANT, nullable=False),
    Column("traceparent", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_try_at", _INSTANT),
    Column("tried_until", _INSTANT, nullable=False),
    Column("told_at", _INSTANT),
    Column("settled_at", _INSTANT),
    Column("code", Text),
    Column("message", Text),
    Column("shipment_id", UUID),
    UniqueConstraint("source", "webhook_id", name="uq_carrier_reports_source"),
    CheckConstraint("kind IN ('DELIVERED', 'LOST', 'RETURNED')", name="kind"),
    CheckConstraint("state IN ('WAITING', 'UNMATCHED', 'APPLIED', 'REFUSED')", name="state"),
    CheckConstraint("state <> 'WAITING' OR next_try_at IS NOT NULL", name="waiting"),
    CheckConstraint(
        "(state IN ('APPLIED', 'REFUSED')) = (settled_at IS NOT NULL) AND (settled_at IS NULL OR next_try_at IS NULL)",
        name="settled",
    ),
    CheckConstraint("state <> 'REFUSED' OR num_nulls(code, message) = 0", name="refused"),
    Index("ix_carrier_reports_due", "next_try_at", "id", postgresql_where=text("next_try_at IS NOT NULL")),
    # The same carrier, however somebody writes its name.
    Index("ix_carrier_reports_parcel", "tracking_number", func.lower(text("carrier")), "id"),
    Index("ix_carrier_reports_carrier", func.lower(text("carrier")), "id"),
    Index("ix_carrier_reports_state", "state", "id"),
    Index("ix_carrier_reports_shipment_id", "shipment_id", postgresql_where=text("shipment_id IS NOT NULL")),
)
