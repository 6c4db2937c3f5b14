"""The table of shipments: written by set-based statements (`storing`), read by `reading`."""

from sqlalchemy import CheckConstraint, Column, Index, Integer, SmallInteger, Table, Text, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP, UUID

from delivery.db import DeliveryTable

_INSTANT = TIMESTAMP(timezone=True)
_ONE = text("1")

shipments = Table(
    "shipments",
    DeliveryTable.metadata,
    Column("id", UUID, primary_key=True),
    Column("order_id", UUID, nullable=False),
    Column("number", SmallInteger, nullable=False, server_default=_ONE),
    Column("parcels", SmallInteger, nullable=False, server_default=_ONE),
    Column("version", Integer, nullable=False, server_default=_ONE),
    Column("reservation_id", UUID, nullable=False),
    Column("status", Text, nullable=False),
    Column("order_status", Text, nullable=False),
    Column("items", JSONB, nullable=False),
    Column("shipping_address", JSONB, nullable=False),
    Column("created_at", _INSTANT, nullable=False),
    Column("traceparent", Text, nullable=False),
    Column("carrier", Text),
    Column("tracking_number", Text),
    Column("tracking_url", Text),
    Column("dispatching_until", _INSTANT),
    Column("dispatched_by", Text),
    Column("shipped_at", _INSTANT),
    Column("delivered_at", _INSTANT),
    Column("delivery_location", Text),
    Column("proof", JSONB(none_as_null=True)),
    Column("stop_reason", Text),
    CheckConstraint(
        "status IN ('ON_HOLD', 'READY', 'SHIPPED', 'DELIVERED', 'STOPPED', 'LOST', 'RETURNED')", name="status"
    ),
    CheckConstraint(
        "status NOT IN ('SHIPPED', 'DELIVERED', 'LOST', 'RETURNED')"
        " OR num_nulls(carrier, tracking_number, shipped_at) = 0",
        name="shipped",
    ),
    CheckConstraint("(status = 'DELIVERED') = (delivered_at IS NOT NULL)", name="delivered"),
    CheckConstraint("proof IS NULL OR status = 'DELIVERED'", name="proof"),
    CheckConstraint("(status = 'STOPPED') = (stop_reason IS NOT NULL)", name="stopped"),
    CheckConstraint(
        "dispatching_until IS NULL OR status = 'READY' AND num_nulls(carrier, tracking_number) = 0", name="dispatching"
    ),
    CheckConstraint("1 <= number AND number <= parcels AND parcels <= 20", name="parcels"),
    UniqueConstraint("order_id", "number", name="uq_shipments_order_id_number"),
    # The same carrier, however somebody writes its name.
    Index(
        "uq_shipments_carrier_tracking_number",
        func.lower(text("carrier")),
        "tracking_number",
        unique=True,
        postgresql_where=text("tracking_number IS NOT NULL"),
    ),
    # Work lists and pages alike: ids ascend with the time of creation.
    Index("ix_shipments_status_id", "status", "id"),
    Index("ix_shipments_dispatching", "dispatching_until", postgresql_where=text("dispatching_until IS NOT NULL")),
)
