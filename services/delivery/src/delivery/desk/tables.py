"""The tables of pick lists, and the indexes by which the desk finds shipments.

That a parcel is on a list is no column of shipments: those are written on every order. The indexes hold only what
waits and nobody dispatches, so that they stay small, and only the order's first row pays for them.
"""

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Index, Table, Text, literal_column, text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP, UUID

from delivery.db import DeliveryTable
from delivery.shipments.tables import shipments

_INSTANT = TIMESTAMP(timezone=True)

# As constants in the statement: PostgreSQL uses a partial index only where it sees that the condition implies its own.
is_ready = literal_column("(shipments.status = 'READY' AND shipments.dispatching_until IS NULL)", Boolean)
is_on_list = literal_column("(pick_list_parcels.outcome = 'WAITING')", Boolean)
products_in = literal_column("jsonb_path_query_array(shipments.items, '$[*].product_id')", JSONB)
country_of = literal_column("(shipments.shipping_address ->> 'country')", Text)
postal_code_of = literal_column("""(upper(shipments.shipping_address ->> 'postal_code') COLLATE "C")""", Text)

pick_lists = Table(
    "pick_lists",
    DeliveryTable.metadata,
    Column("id", UUID, primary_key=True),
    Column("taken_by", Text, nullable=False),
    Column("taken_at", _INSTANT, nullable=False),
    Column("status", Text, nullable=False),
    Column("closed_at", _INSTANT),
    Column("closed_by", Text),
    CheckConstraint("status IN ('OPEN', 'DONE', 'RELEASED')", name="status"),
    CheckConstraint("num_nulls(closed_at, closed_by) = CASE status WHEN 'OPEN' THEN 2 ELSE 0 END", name="closed"),
    Index("ix_pick_lists_open", "id", postgresql_where=text("status = 'OPEN'")),
    Index("ix_pick_lists_taken_by_id", "taken_by", "id"),
)

pick_list_parcels = Table(
    "pick_list_parcels",
    DeliveryTable.metadata,
    Column("pick_list_id", UUID, ForeignKey("pick_lists.id"), primary_key=True),
    Column("shipment_id", UUID, ForeignKey("shipments.id"), primary_key=True),
    # What was to be fetched: some of it may be split off meanwhile.
    Column("items", JSONB, nullable=False),
    Column("outcome", Text, nullable=False),
    CheckConstraint("outcome IN ('WAITING', 'DISPATCHED', 'STOPPED', 'RELEASED')", name="outcome"),
    # On one open list at most, whoever takes it.
    Index("uq_pick_list_parcels_waiting", "shipment_id", unique=True, postgresql_where=text("outcome = 'WAITING'")),
)

_WAITING = text("status = 'READY' AND dispatching_until IS NULL")
Index("ix_shipments_ready", shipments.c.id, postgresql_where=_WAITING)
Index(
    "ix_shipments_ready_products",
    text("jsonb_path_query_array(items, '$[*].product_id')"),
    postgresql_using="gin",
    postgresql_where=_WAITING,
    _table=shipments,
)
Index(
    "ix_shipments_ready_country",
    text("(shipping_address ->> 'country')"),
    shipments.c.id,
    postgresql_where=_WAITING,
    _table=shipments,
)
Index(
    "ix_shipments_ready_postal_code",
    # In the order of collation "C", which PostgreSQL does not tell when it is asked what the index is like.
    text("upper(shipping_address ->> 'postal_code')"),
    shipments.c.id,
    postgresql_where=_WAITING,
    _table=shipments,
)
