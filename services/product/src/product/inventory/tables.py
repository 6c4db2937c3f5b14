"""The tables of the inventory: stock, what is held of it, and every movement that made it what it is."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from product.db import ProductTable

NO_VARIANT: Final = UUID(int=0)
"""Stands in the tables for "the product itself": a null is equal to nothing, so no key could hold it."""

_MOST_OF_ONE_PRODUCT = 50 * 10_000  # lines of a reservation, pieces of a line


def stored(variant_id: UUID | None) -> UUID:
    """As it stands in the tables."""
    return NO_VARIANT if variant_id is None else variant_id


def named(variant_id: UUID) -> UUID | None:
    """As everyone else calls it."""
    return None if variant_id == NO_VARIANT else variant_id


class StockRow(ProductTable):
    __tablename__ = "stock"

    product_id: Mapped[str] = mapped_column(Text, ForeignKey("products.id"), primary_key=True)
    variant_id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text(f"'{NO_VARIANT}'"))
    on_hand: Mapped[int] = mapped_column(BigInteger)
    reserved: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))

    __table_args__ = (
        CheckConstraint("on_hand >= 0", name="on_hand"),
        CheckConstraint("reserved >= 0", name="reserved"),
        CheckConstraint("reserved <= on_hand", name="not_oversold"),
        {"postgresql_with": {"fillfactor": 80}},
    )


class ReservationRow(ProductTable):
    __tablename__ = "reservations"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(Text)
    answer: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB)
    """The items as they were answered first; null when it was released before it was asked for."""
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True), server_default=text("now()"))
    settled_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))

    __table_args__ = (
        CheckConstraint("state IN ('HELD', 'REFUSED', 'RELEASED', 'DEDUCTED')", name="state"),
        CheckConstraint("answer IS NOT NULL OR state = 'RELEASED'", name="answer"),
        CheckConstraint("(settled_at IS NULL) = (state IN ('HELD', 'REFUSED'))", name="settled_at"),
        {"postgresql_with": {"fillfactor": 50}},
    )


class ReservationLine(ProductTable):
    """Only what was held has lines, one per product. No foreign key: its check would be paid on every order."""

    __tablename__ = "reservation_lines"

    reservation_id: Mapped[UUID] = mapped_column(primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    product_id: Mapped[str] = mapped_column(Text)
    variant_id: Mapped[UUID] = mapped_column(server_default=text(f"'{NO_VARIANT}'"))
    quantity: Mapped[int]

    __table_args__ = (CheckConstraint(f"quantity BETWEEN 1 AND {_MOST_OF_ONE_PRODUCT}", name="quantity"),)


class MovementRow(ProductTable):
    """Written with each change of a stock row, and never changed: their sums are the row. `folding` keeps the sums."""

    __tablename__ = "stock_movements"

    product_id: Mapped[str] = mapped_column(Text, primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    """Of the movements of the same stock, a later one has a greater one."""
    variant_id: Mapped[UUID]
    at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True), server_default=text("now()"))
    kind: Mapped[str] = mapped_column(Text)
    on_hand_change: Mapped[int] = mapped_column(BigInteger)
    reserved_change: Mapped[int] = mapped_column(BigInteger)
    cause: Mapped[UUID]
    actor: Mapped[str] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        # The same cause moves the same stock in the same way only once.
        Index("uq_stock_movements_cause", "cause", "product_id", "variant_id", "kind", unique=True),
        CheckConstraint(
            """
            CASE kind
                WHEN 'received' THEN on_hand_change > 0 AND reserved_change = 0
                WHEN 'reserved' THEN on_hand_change = 0 AND reserved_change > 0
                WHEN 'released' THEN on_hand_change = 0 AND reserved_change < 0
                WHEN 'deducted' THEN on_hand_change < 0 AND reserved_change = on_hand_change
                WHEN 'corrected' THEN on_hand_change <> 0 AND reserved_change = 0
                WHEN 'folded' THEN on_hand_change <= 0 AND reserved_change = 0
                ELSE false
            END
            """,
            name="kind",
        ),
    )
