"""Stock and what is held of it: the tables, who gets what, how a reservation may end. Rules only: no I/O, no clock."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Text, text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from chassis.errors import Conflict
from contracts.product import RequestedItem, Reservation, ReservationState, ReservationView, ReservedItem
from product.db import ProductTable

HELD, REFUSED, RELEASED, DEDUCTED = (
    ReservationState.HELD,
    ReservationState.REFUSED,
    ReservationState.RELEASED,
    ReservationState.DEDUCTED,
)

NEXT: Final[Mapping[ReservationState, frozenset[ReservationState]]] = {
    HELD: frozenset({RELEASED, DEDUCTED}),
    REFUSED: frozenset(),
    RELEASED: frozenset(),
    DEDUCTED: frozenset(),
}

_MOST_OF_ONE_PRODUCT = 50 * 10_000  # lines of a reservation, pieces of a line


class StockRow(ProductTable):
    __tablename__ = "stock"

    product_id: Mapped[str] = mapped_column(Text, ForeignKey("products.id"), primary_key=True)
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
        {"postgresql_with": {"fillfactor": 80}},
    )


class ReservationLine(ProductTable):
    """Only what was held has lines, one per product. No foreign key: its check would be paid on every order."""

    __tablename__ = "reservation_lines"

    reservation_id: Mapped[UUID] = mapped_column(primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    product_id: Mapped[str] = mapped_column(Text)
    quantity: Mapped[int]

    __table_args__ = (CheckConstraint(f"quantity BETWEEN 1 AND {_MOST_OF_ONE_PRODUCT}", name="quantity"),)


class ReservationMismatch(Conflict):
    code = "RESERVATION_MISMATCH"

    def __init__(self, reservation_id: UUID) -> None:
        message = "This reservation exists with other items."
        super().__init__(message, [{"field": "items", "message": message, "reservation_id": str(reservation_id)}])


@dataclass(frozen=True, slots=True)
class Offer:
    """A product that is on sale, and how many of it can be had."""

    name: str
    unit_price: int
    currency: str
    available: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a reservation and how it was answered first: not at all, if it was released before it came."""

    state: ReservationState
    items: list[ReservedItem]

    def lines(self) -> Counter[str]:
        """How many of each product it holds."""
        lines: Counter[str] = Counter()
        for item in self.items:
            lines[item.product_id] += item.requested
        return lines

    def answer(self, asked: Reservation) -> ReservationView | ReservationMismatch:
        """To whoever asks for it, for the first time or again. What was given back is not promised once more."""
        if self.items and not _same(self.items, asked.items):
            return ReservationMismatch(asked.reservation_id)
        items = judge(asked.items, {}, {}) if self.state == RELEASED else self.items
        return view(asked.reservation_id, self.state, items)


def view(reservation_id: UUID, state: ReservationState, items: list[ReservedItem]) -> ReservationView:
    return ReservationView(
        reservation_id=reservation_id, state=state, all_available=state in (HELD, DEDUCTED), items=items
    )


def decide(wanted: Sequence[Reservation], on_offer: Mapping[str, Offer]) -> list[Decision]:
    """In the order of arrival each gets all of its items or none, out of what those before it have left."""
    left = {product_id: offer.available for product_id, offer in on_offer.items()}
    decisions = []
    for reservation in wanted:
        items = judge(reservation.items, on_offer, left)
        decision = Decision(HELD if all(item.is_available for item in items) else REFUSED, items)
        if decision.state == HELD:
            for product_id, quantity in decision.lines().items():
                left[product_id] -= quantity
        decisions.append(decision)
    return decisions


def judge(items: Sequence[RequestedItem], on_offer: Mapping[str, Offer], left: Mapping[str, int]) -> list[ReservedItem]:
    """Each item by itself, except that the lines of one product add up; `left` is what there is of each product."""
    asked: Counter[str] = Counter()
    judged = []
    for item in items:
        # There are no variants yet, so nobody has one.
        offer = on_offer.get(item.product_id) if item.variant_id is None else None
        if offer is None:
            judged.append(_unknown(item))
            continue
        asked[item.product_id] += item.quantity
        judged.append(
            ReservedItem(
                product_id=item.product_id,
                requested=item.quantity,
                available=left[item.product_id],
                is_available=asked[item.product_id] <= left[item.product_id],
                name=offer.name,
                unit_price=offer.unit_price,
                currency=offer.currency,
            )
        )
    return judged


def _unknown(item: RequestedItem) -> ReservedItem:
    return ReservedItem(
        product_id=item.product_id,
        variant_id=item.variant_id,
        requested=item.quantity,
        available=0,
        is_available=False,
    )


def _same(answered: Sequence[ReservedItem], asked: Sequence[RequestedItem]) -> bool:
    return [(item.product_id, item.variant_id, item.requested) for item in answered] == [
        (item.product_id, item.variant_id, item.quantity) for item in asked
    ]
