"""The tables of returns. How they are written and read is `storing`'s and `reading`'s."""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Index, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import TIMESTAMP, UUID

from sales.db import SalesTable

_INSTANT = TIMESTAMP(timezone=True)

returns = Table(
    "returns",
    SalesTable.metadata,
    Column("id", UUID, primary_key=True),
    Column("order_id", UUID, nullable=False),
    Column("customer_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("reason", Text),
    Column("receipt_asked_by", Text),
    Column("received_at", _INSTANT),
    Column("refund_amount", BigInteger),
    Column("refund_way", Text),
    Column("refund_asked_by", Text),
    Column("refunded_at", _INSTANT),
    Column("rejected_at", _INSTANT),
    Column("rejection_reason", Text),
    Column("next_look_at", _INSTANT),
    Column("created_at", _INSTANT, nullable=False),
    Column("updated_at", _INSTANT, nullable=False),
    CheckConstraint("state IN ('REQUESTED', 'RECEIVED', 'REFUNDED', 'REJECTED')", name="state"),
    CheckConstraint("state NOT IN ('RECEIVED', 'REFUNDED') OR received_at IS NOT NULL", name="received"),
    CheckConstraint("(state = 'REFUNDED') = (refunded_at IS NOT NULL)", name="refunded"),
    CheckConstraint("(state = 'REJECTED') = (rejected_at IS NOT NULL)", name="rejected"),
    CheckConstraint(
        """
        num_nulls(refund_amount, refund_way, refund_asked_by) IN (0, 3)
        AND refund_amount >= 0 AND refund_way IN ('card', 'outside')
        AND (refund_amount IS NULL OR state IN ('RECEIVED', 'REFUNDED'))
        AND (state <> 'REFUNDED' OR refund_amount IS NOT NULL)
        """,
        name="refund",
    ),
    # What is under way is taken up again by a job, whatever happens to those who asked: nothing is forgotten.
    CheckConstraint(
        """
        (next_look_at IS NOT NULL) = (
            state = 'REQUESTED' AND receipt_asked_by IS NOT NULL OR state = 'RECEIVED' AND refund_amount IS NOT NULL
        )
        """,
        name="taken_up",
    ),
    Index("ix_returns_order_id_id", "order_id", "id"),
    Index("ix_returns_state_id", "state", "id"),
    Index("ix_returns_due", "state", "next_look_at", postgresql_where=text("next_look_at IS NOT NULL")),
)

return_items = Table(
    "return_items",
    SalesTable.metadata,
    Column("return_id", UUID, primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("product_id", Text, nullable=False),
    Column("variant_id", UUID),
    Column("name", Text, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("unit_price", BigInteger, nullable=False),
    Column("restock", Boolean),
    CheckConstraint("quantity > 0 AND unit_price >= 0", name="amounts"),
)
