"""The table of mails: written by set-based statements (`writing`, `storing`), read by `reading`."""

from typing import Final

from sqlalchemy import Boolean, CheckConstraint, Column, Index, Integer, Table, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP, UUID

from notification.db import NotificationTable

_INSTANT = TIMESTAMP(timezone=True)
_QUEUED = text("state = 'QUEUED'")
_OF_EVERY_ORDER: Final = ("order_received", "order_shipped", "order_delivered")

mails = Table(
    "mails",
    NotificationTable.metadata,
    Column("id", UUID, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("about", JSONB, nullable=False),
    Column("at", _INSTANT, nullable=False),
    Column("written_at", _INSTANT, nullable=False, server_default=text("now()")),
    Column("traceparent", Text),
    Column("state", Text, nullable=False, server_default=text("'QUEUED'")),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("next_try_at", _INSTANT, nullable=False, server_default=text("now()")),
    Column("queued_at", _INSTANT, nullable=False, server_default=text("now()")),
    Column("behind", Boolean, nullable=False, server_default=text("false")),
    Column("leased_until", _INSTANT),
    Column("begun", Integer, nullable=False, server_default=text("0")),
    Column("last_error", Text),
    Column("ended_at", _INSTANT),
    UniqueConstraint("event_id", "message", "recipient", name="uq_mails_event_id_message_recipient"),
    CheckConstraint("state IN ('QUEUED', 'SENT', 'FAILED', 'UNWANTED')", name="state"),
    CheckConstraint("(state = 'QUEUED') = (ended_at IS NULL)", name="ended"),
    CheckConstraint("leased_until IS NULL OR state = 'QUEUED'", name="leased"),
    CheckConstraint("state IN ('QUEUED', 'SENT') OR last_error IS NOT NULL", name="explained"),
    Index("ix_mails_due", "next_try_at", "id", postgresql_where=text("state = 'QUEUED' AND NOT behind")),
    # Whether an older one of the same customer still waits.
    Index("ix_mails_in_order", "recipient", "at", "id", postgresql_where=_QUEUED),
    # For the desk. What is waiting the index above finds as well, and most of the others stand on any page.
    Index("ix_mails_ended_badly", "state", "id", postgresql_where=text("state IN ('FAILED', 'UNWANTED')")),
    Index("ix_mails_rare", "message", "id", postgresql_where=text(f"message NOT IN {_OF_EVERY_ORDER}")),
    Index("ix_mails_recipient_id", "recipient", "id"),
    Index("ix_mails_over", "ended_at", postgresql_where=text("state IN ('SENT', 'UNWANTED')")),
)
