"""The tables of orders: written by set-based statements on the hot path (`writing`), read by `reading`."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Identity, Index, Integer, LargeBinary, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP, UUID

from contracts.text import MAX_MINOR_UNITS
from sales.db import SalesTable

_INSTANT = TIMESTAMP(timezone=True)

attempts = Table(
    "attempts",
    SalesTable.metadata,
    Column("id", UUID, primary_key=True),
    Column("customer_id", Text, nullable=False),
    Column("idempotency_key", Text),
    Column("request_hash", LargeBinary, nullable=False),
    Column("wanted", JSONB),
    Column("state", Text, nullable=False),
    Column("lease_until", _INSTANT, nullable=False),
    Column("order_id", UUID),
    Column("answer_status", Integer),
    Column("answer", Text),
    CheckConstraint("state IN ('open', 'placed', 'refused', 'undoing', 'undone')", name="state"),
    CheckConstraint("(state = 'placed') = (order_id IS NOT NULL)", name="order"),
    Index(
        "uq_attempts_customer_id_idempotency_key",
        "customer_id",
        "idempotency_key",
        unique=True,
        postgresql_where=text("idempotency_key IS NOT NULL"),
    ),
    Index("ix_attempts_unfinished", "lease_until", postgresql_where=text("state IN ('open', 'undoing')")),
)

orders = Table(
    "orders",
    SalesTable.metadata,
    Column("id", UUID, primary_key=True),
    Column("customer_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("reservation_id", UUID, nullable=False),
    Column("subtotal", BigInteger, nullable=False),
    Column("shipping_cost", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("shipping_address", JSONB, nullable=False),
    Column("note", Text),
    Column("tracking_number", Text),
    Column("carrier", Text),
    Column("created_at", _INSTANT, nullable=False),
    Column("updated_at", _INSTANT, nullable=False),
    Column("shipped_at", _INSTANT),
    Column("delivered_at", _INSTANT),
    Column("delivery_location", Text),
    Column("cancelled_at", _INSTANT),
    Column("cancel_reason", Text),
    Column("tracking_url", Text),
    CheckConstraint("(status = 'CANCELLED') = (cancelled_at IS NOT NULL)", name="cancelled"),
    CheckConstraint(
        "status IN ('PENDING', 'PENDING_SHIPMENT', 'CONFIRMED', 'SHIPPED', 'DELIVERED', 'CANCELLED')", name="status"
    ),
    CheckConstraint(f"total = subtotal + shipping_cost AND total BETWEEN 0 AND {MAX_MINOR_UNITS}", name="total"),
    Index("ix_orders_customer_id_id", "customer_id", "id"),
    Index("ix_orders_pending", "id", postgresql_where=text("status = 'PENDING'")),
)

# No foreign keys: on young tables their checks turn into sequential scans of what was bulk-loaded.
order_items = Table(
    "order_items",
    SalesTable.metadata,
    Column("order_id", UUID, primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("product_id", Text, nullable=False),
    Column("variant_id", UUID),
    Column("name", Text, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("unit_price", BigInteger, nullable=False),
    CheckConstraint("quantity > 0 AND unit_price >= 0", name="amounts"),
)

order_history = Table(
    "order_history",
    SalesTable.metadata,
    Column("order_id", UUID, primary_key=True),
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", _INSTANT, nullable=False),
    Column("kind", Text, nullable=False),
    Column("from_status", Text),
    Column("to_status", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("event_id", Text),
    Column("reason", Text),
    CheckConstraint("kind IN ('changed', 'refused')", name="kind"),
)

cancellations = Table(
    "cancellations",
    SalesTable.metadata,
    Column("order_id", UUID, primary_key=True),
    Column("reservation_id", UUID, nullable=False),
    Column("reason", Text),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", _INSTANT, nullable=False),
    Column("state", Text, nullable=False),
    Column("next_look_at", _INSTANT, nullable=False),
    CheckConstraint("state IN ('asked', 'done', 'refused')", name="state"),
    Index("ix_cancellations_next_look_at", "next_look_at", postgresql_where=text("state = 'asked'")),
    Index("ix_cancellations_reservation_id", "reservation_id", postgresql_where=text("state = 'asked'")),
)
