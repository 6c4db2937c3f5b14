"""What is held of the stock: who gets what, how a reservation may end. Rules only: no I/O, no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from chassis.errors import Conflict
from contracts.product.inventory import (
    QuotedItem,
    RequestedItem,
    Reservation,
    ReservationState,
    ReservationView,
    Unavailable,
)

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

Article = tuple[str, UUID | None]
"""A product, or a variant of it: what has a stock of its own."""

_LONGEST_NAME: Final = 200


class ReservationMismatch(Conflict):
    code = "RESERVATION_MISMATCH"

    def __init__(self, reservation_id: UUID) -> None:
        message = "This reservation exists with other items."
        super().__init__(message, [{"field": "items", "message": message, "reservation_id": str(reservation_id)}])


@dataclass(frozen=True, slots=True)
class Offer:
    """What can be had, as far as there is any."""

    name: str
    unit_price: int
    currency: str
    weight_grams: int
    available: int


Offers = Mapping[Article, Offer | Unavailable]
"""Or why it cannot be had; what is not in it is unknown."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a reservation and how it was answered first: not at all, if it was released before it came."""

    state: ReservationState
    items: list[QuotedItem]
    holds: Mapping[Article, int] = field(default_factory=dict)
    """What it was decided to hold, and how many of each."""
    took_last: Sequence[Article] = ()
    """Of what nothing is left since then."""

    def answer(self, asked: Reservation) -> ReservationView | ReservationMismatch:
        """To whoever asks for it, for the first time or again. What was given back is not promised once more."""
        if self.items and not _same(self.items, asked.items):
            return ReservationMismatch(asked.reservation_id)
        items = [_none(item) for item in asked.items] if self.state == RELEASED else self.items
        return view(asked.reservation_id, self.state, items)


def view(reservation_id: UUID, state: ReservationState, items: list[QuotedItem]) -> ReservationView:
    return ReservationView(
        reservation_id=reservation_id, state=state, all_available=state in (HELD, DEDUCTED), items=items
    )


def decide(wanted: Sequence[Reservation], offers: Offers) -> list[Decision]:
    """In the order of arrival each gets all of its items or none, out of what those before it have left."""
    left = stock_of(offers)
    decisions = []
    for reservation in wanted:
        items = judge(reservation.items, offers, left)
        if not all(item.is_available for item in items):
            decisions.append(Decision(REFUSED, items))
            continue
        holds: dict[Article, int] = {}
        for item in items:
            article = item.product_id, item.variant_id
            holds[article] = holds.get(article, 0) + item.requested
            left[article] -= item.requested
        decisions.append(Decision(HELD, items, holds, [article for article in holds if not left[article]]))
    return decisions


def judge(items: Sequence[RequestedItem], offers: Offers, left: Mapping[Article, int]) -> list[QuotedItem]:
    """Each item by itself, except that the lines of one article add up; `left` is what there is of each."""
    asked: dict[Article, int] = {}
    judged = []
    for item in items:
        article = item.product_id, item.variant_id
        offer = offers.get(article, Unavailable.UNKNOWN)
        if isinstance(offer, Unavailable):
            judged.append(_none(item, offer))
            continue
        asked[article] = asked.get(article, 0) + item.quantity
        judged.append(
            QuotedItem(
                product_id=item.product_id,
                variant_id=item.variant_id,
                requested=item.quantity,
                available=left[article],
                is_available=asked[article] <= left[article],
                name=offer.name,
                unit_price=offer.unit_price,
                currency=offer.currency,
                weight_grams=offer.weight_grams,
            )
        )
    return judged


def stock_of(offers: Offers) -> dict[Article, int]:
    return {article: offer.available for article, offer in offers.items() if isinstance(offer, Offer)}


def full_name(product: str, *attributes: str | None) -> str:
    """The product's name with the variant's attributes, in a line that an order can hold."""
    if not any(attributes):
        return product
    attached = "".join(f", {attribute}" for attribute in attributes if attribute)
    room = _LONGEST_NAME - len(attached)
    return (product if len(product) <= room else product[: room - 1] + "…") + attached


def _none(item: RequestedItem, reason: Unavailable | None = None) -> QuotedItem:
    return QuotedItem(
        product_id=item.product_id,
        variant_id=item.variant_id,
        requested=item.quantity,
        available=0,
        is_available=False,
        reason=reason,
    )


def _same(answered: Sequence[QuotedItem], asked: Sequence[RequestedItem]) -> bool:
    return [(item.product_id, item.variant_id, item.requested) for item in answered] == [
        (item.product_id, item.variant_id, item.quantity) for item in asked
    ]
