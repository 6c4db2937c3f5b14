"""The tables of payments, and the sandbox's own ledger: the outside world, in our database for want of another."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, Table, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import TIMESTAMP, UUID

from contracts.sales.payments import OperationKind, OperationState, PaymentState
from contracts.text import MAX_MINOR_UNITS
from sales.db import SalesTable

_INSTANT = TIMESTAMP(timezone=True)


def _one_of(column: str, *values: str) -> str:
    return f"{column} IN ({', '.join(repr(str(value)) for value in values)})"


AMOUNTS = ("amount", "authorised", "open", "captured", "voided", "refunded", "kept", "refunding")

# What each state says of the amounts: a payment whose state and money disagree cannot be written.
_STATE_AND_MONEY = """
    CASE state
        WHEN 'AUTHORISED' THEN open > 0
        WHEN 'CAPTURING' THEN open > 0
        WHEN 'CAPTURED' THEN open = 0 AND kept > 0 AND refunding = 0
        WHEN 'REFUND_DUE' THEN open = 0 AND refunding > 0
        WHEN 'REFUNDED' THEN open = 0 AND captured > 0 AND kept = 0
        WHEN 'VOIDED' THEN open = 0 AND captured = 0 AND voided > 0
        ELSE authorised = 0
    END
"""

payments = Table(
    "payments",
    SalesTable.metadata,
    Column("id", UUID, primary_key=True),
    Column("order_id", UUID),
    Column("customer_id", Text, nullable=False),
    Column("gateway", Text, nullable=False),
    Column("reference", Text),
    Column("currency", Text, nullable=False),
    Column("state", Text, nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in AMOUNTS),
    Column("unwanted_at", _INSTANT),
    Column("created_at", _INSTANT, nullable=False),
    Column("updated_at", _INSTANT, nullable=False),
    CheckConstraint(_one_of("state", *PaymentState), name="state"),
    CheckConstraint(f"least({', '.join(AMOUNTS)}) >= 0 AND amount <= {MAX_MINOR_UNITS}", name="amounts"),
    CheckConstraint("authorised = captured + voided + open AND authorised IN (0, amount)", name="authorised"),
    CheckConstraint("captured = refunded + kept AND refunding <= kept", name="captured"),
    CheckConstraint(_STATE_AND_MONEY, name="state_and_money"),
    CheckConstraint("amount > 0 OR (state = 'FAILED' AND unwanted_at IS NOT NULL)", name="tombstone"),
    Index("uq_payments_order_id", "order_id", unique=True, postgresql_where=text("order_id IS NOT NULL")),
    Index("uq_payments_gateway_reference", "gateway", "reference", unique=True),
    Index("ix_payments_customer_id_id", "customer_id", "id"),
    Index("ix_payments_state_id", "state", "id"),
)

payment_operations = Table(
    "payment_operations",
    SalesTable.metadata,
    Column("id", UUID, primary_key=True),
    Column("payment_id", UUID, nullable=False),
    Column("kind", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_try_at", _INSTANT),
    Column("told_at", _INSTANT),
    Column("reference", Text),
    Column("error", Text),
    Column("asked_by", Text, nullable=False),
    Column("completed_by", Text),
    Column("traceparent", Text),
    Column("created_at", _INSTANT, nullable=False),
    Column("updated_at", _INSTANT, nullable=False),
    UniqueConstraint("payment_id", "kind", "cause", "number"),
    CheckConstraint(_one_of("kind", *OperationKind), name="kind"),
    CheckConstraint(_one_of("state", *OperationState), name="state"),
    CheckConstraint("amount > 0 AND number > 0 AND tries >= 0", name="amount"),
    # What is open is taken up again by a job, whatever happens to those who asked: nothing is forgotten.
    CheckConstraint("state NOT IN ('asked', 'unknown') OR next_try_at IS NOT NULL", name="taken_up"),
    CheckConstraint("(state = 'done') = (reference IS NOT NULL)", name="reference"),
    CheckConstraint("kind = 'refund' OR state <> 'manual'", name="manual"),
    Index("ix_payment_operations_due", "next_try_at", postgresql_where=text("next_try_at IS NOT NULL")),
    Index("ix_payment_operations_refunds", "state", "created_at", "id", postgresql_where=text("kind = 'refund'")),
    # At most one of these is under way for a payment: a capture and a void never race from here.
    Index(
        "uq_payment_operations_under_way",
        "payment_id",
        unique=True,
        postgresql_where=text("kind <> 'refund' AND state IN ('asked', 'unknown')"),
    ),
)

payment_webhooks = Table(
    "payment_webhooks",
    SalesTable.metadata,
    Column("gateway", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("received_at", _INSTANT, nullable=False),
    Index("ix_payment_webhooks_received_at", "received_at"),
)

sandbox_operations = Table(
    "sandbox_operations",
    SalesTable.metadata,
    Column("key", UUID, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("payment_id", UUID, nullable=False),
    Column("payment_reference", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("card", Text),
    Column("at", _INSTANT, nullable=False),
    CheckConstraint("state IN ('done', 'refused', 'forestalled')", name="state"),
    Index("ix_sandbox_operations_payment_reference", "payment_reference"),
)
