"""The table of customers as far as mail goes: a row stays of whoever was erased, without anything about them."""

from sqlalchemy import CheckConstraint, Column, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP

from notification.db import NotificationTable

_INSTANT = TIMESTAMP(timezone=True)

customers = Table(
    "customers",
    NotificationTable.metadata,
    Column("customer_id", Text, primary_key=True),
    Column("email", Text),
    Column("email_told_at", _INSTANT),
    Column("name", Text),
    Column("language", Text),
    # Who is told late of something old must not undo what is newer.
    Column("profile_told_at", _INSTANT),
    Column("unwanted_topics", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("erased_at", _INSTANT),
    CheckConstraint("(email IS NULL) = (email_told_at IS NULL)", name="email"),
    CheckConstraint("num_nulls(name, language, profile_told_at) IN (0, 3)", name="profile"),
    CheckConstraint(
        "erased_at IS NULL OR num_nonnulls(email, name, language) = 0 AND unwanted_topics = '{}'", name="erased"
    ),
)
