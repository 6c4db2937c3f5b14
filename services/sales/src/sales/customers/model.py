"""A customer, and the account that they log in to."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, Text, func, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from contracts.sales.customers import CustomerStatus, Language
from sales.db import SalesTable


class Customer(SalesTable):
    __tablename__ = "customers"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    email: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True), server_default=func.now())
    status: Mapped[CustomerStatus] = mapped_column(Text, server_default="REGISTERED")
    email_verified: Mapped[bool] = mapped_column(server_default=text("false"))
    language: Mapped[Language] = mapped_column(Text, server_default="en")
    password_hash: Mapped[str | None] = mapped_column(Text)
    """Without one nobody can log in."""
    password_set_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    """By its owner; a hash that is only made anew keeps it."""
    is_introduced: Mapped[bool] = mapped_column(server_default=text("true"))
    """To those who keep copies: registering does it, and a job for whoever registered before there were any."""

    __table_args__ = (
        Index("uq_customers_email", func.lower(email), unique=True),
        # Every order looks there whether its customer was erased: it is as good as empty.
        Index("ix_customers_erased", "id", postgresql_where=text("status = 'ERASED'")),
        Index("ix_customers_not_introduced", "id", postgresql_where=text("NOT is_introduced")),
        CheckConstraint("status IN ('REGISTERED', 'ERASED')", name="status"),
        CheckConstraint(
            "status <> 'ERASED' OR (email = id AND name = '' AND password_hash IS NULL AND NOT email_verified)",
            name="erased",
        ),
    )
