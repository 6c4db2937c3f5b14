"""Stock as Sales sees it: held and given back at Product, many attempts in one call."""

import asyncio
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Final, TypeVar
from uuid import UUID

from pydantic import BaseModel, ValidationError

from chassis import tracing
from chassis.coalescer import Coalescer
from chassis.errors import Away, Invalid, Unavailable
from chassis.explain import explain
from chassis.peer import Peer, PeerRefused
from chassis.telemetry import logger
from contracts.product.inventory import (
    QuotedItem,
    Reservation,
    Reservations,
    ReservationState,
    ReservationView,
    Reserve,
    Settle,
    Settlements,
)
from contracts.product.inventory import Unavailable as Reason
from contracts.sales.orders import OrderItem
from contracts.text import Currency, Line, Money

M = TypeVar("M", bound=BaseModel)
Asked = tuple[Reservation, str]
"""With the trace of the one who asks."""

# The longest line is 151 bytes of JSON: this many of them, for 64 attempts, stay within the 64 kB of a body.
_MOST_LINES: Final = 400
# Who we are and where we ask is the same for all.
_OF_ALL: Final = {401, 403, 404, 405}

log = logger("stock")


class InsufficientStock(Invalid):
    """Product's answer, told in the lines of the request that it belongs to."""

    code = "INSUFFICIENT_STOCK"

    def __init__(self, asked: Sequence[OrderItem], answered: Sequence[QuotedItem]) -> None:
        super().__init__(
            "Not all items are available; no order was made.",
            [
                {
                    "field": f"items.{_line_of(short, asked)}.quantity",
                    "message": f"{short.available} available, {short.requested} asked for.",
                    **short.model_dump(mode="json", include=_SHOWN, exclude_none=True),
                }
                for short in answered
                if not short.is_available
            ],
        )


class VariantRequired(Invalid):
    """How many of these there are is not the question."""

    code = "VARIANT_REQUIRED"

    def __init__(self, asked: Sequence[OrderItem], vague: Sequence[QuotedItem]) -> None:
        message = "The product comes in variants; choose one."
        super().__init__(
            "Some products come in variants, and none was chosen; no order was made.",
            [
                {
                    "field": f"items.{_line_of(item, asked)}.variant_id",
                    "message": message,
                    "product_id": item.product_id,
                }
                for item in vague
            ],
        )


def why_short(asked: Sequence[OrderItem], answered: Sequence[QuotedItem]) -> InsufficientStock | VariantRequired:
    vague = [item for item in answered if item.reason is Reason.VARIANT_REQUIRED]
    return VariantRequired(asked, vague) if vague else InsufficientStock(asked, answered)


def _line_of(answered: QuotedItem, asked: Sequence[OrderItem]) -> int:
    """Where the request names it first."""
    product = answered.product_id, answered.variant_id
    return next((number for number, item in enumerate(asked) if (item.product_id, item.variant_id) == product), 0)


_SHOWN: Final = {"product_id", "variant_id", "requested", "available", "is_available"}


class PromisedItem(QuotedItem):
    """What is held, with all that an order line is made of."""

    name: Line
    unit_price: Money
    currency: Currency


@dataclass(frozen=True, slots=True)
class Held:
    """All that was asked for, at the names and prices of the moment when it was asked for first."""

    reservation_id: UUID
    items: Sequence[PromisedItem]


@dataclass(frozen=True, slots=True)
class Short:
    """Nothing is held, because not everything could be."""

    items: Sequence[QuotedItem]


@dataclass(frozen=True, slots=True)
class GivenBack:
    """What was held is not any more, and will not be again."""


Promise = Held | Short | GivenBack


class Stock:
    def __init__(self, product: Peer) -> None:
        self._product = product
        self.reserve: Coalescer[Reservation, Promise] = Coalescer(self._reserve)
        """Holds all items of an attempt, or none; asked again it answers as the first time."""

    async def release(self, reservation_ids: Sequence[UUID]) -> dict[UUID, ReservationState]:
        """Gives back what is held, also for an attempt whose hold has yet to arrive; tells what each is now."""
        try:
            settled = await self._ask("/releases", Settle(reservation_ids=list(reservation_ids)), Settlements)
        except PeerRefused as refused:
            raise _our_fault(refused) from refused
        states = {one.reservation_id: one.state for one in settled.reservations if one.state is not None}
        if not states.keys() >= set(reservation_ids):
            raise _not_understood("A reservation was left out.")
        return states

    async def close(self) -> None:
        await self.reserve.close()
        await self._product.close()

    async def _reserve(self, wanted: Sequence[Reservation]) -> list[Promise | Exception]:
        asked = list(zip(wanted, tracing.traceparents(), strict=True))
        answers = await asyncio.gather(*(self._hold(bite) for bite in _bites(asked)))
        return [answer for each in answers for answer in each]

    async def _hold(self, bite: Sequence[Asked]) -> list[Promise | Exception]:
        wanted = [one for one, _ in bite]
        try:
            with tracing.working_for([trace for _, trace in bite]):
                answer = await self._ask("", Reserve(reservations=wanted), Reservations)
        except Away as away:
            return [copy(away) for _ in bite]
        except (PeerRefused, Unavailable) as error:
            reason = _our_fault(error) if isinstance(error, PeerRefused) else error
            if len(bite) == 1 or (isinstance(error, PeerRefused) and error.status in _OF_ALL):
                return [copy(reason) for _ in bite]
            # It may be the fault of one of them, that the others should not pay for.
            alone = await asyncio.gather(*(self._hold([one]) for one in bite))
            return [answer for each in alone for answer in each]
        held = {one.reservation_id: one for one in answer.reservations}
        return [_understood(one, held.get(one.reservation_id)) for one in wanted]

    async def _ask(self, path: str, body: Reserve | Settle, form: type[M]) -> M:
        try:
            return form.model_validate(await self._product.post(f"/api/v1/reservations{path}", body))
        except ValidationError as error:
            raise _not_understood(explain(error.errors(include_input=False))[:5]) from None


def _bites(asked: Sequence[Asked]) -> Iterator[list[Asked]]:
    """As many at once as fit into one body."""
    bite: list[Asked] = []
    lines = 0
    for one in asked:
        if bite and lines + len(one[0].items) > _MOST_LINES:
            yield bite
            bite, lines = [], 0
        bite.append(one)
        lines += len(one[0].items)
    yield bite


def _understood(wanted: Reservation, answered: ReservationView | None) -> Promise | Unavailable:
    """An answer to something else, or without prices, is none: it would become somebody's order."""
    if answered is None:
        return _not_understood("A reservation was left out.")
    if answered.state not in (ReservationState.HELD, ReservationState.REFUSED):
        return GivenBack()
    said = [(item.product_id, item.variant_id, item.requested) for item in answered.items]
    if said != [(item.product_id, item.variant_id, item.quantity) for item in wanted.items]:
        return _not_understood("The items are others.")
    if any(item.is_available and item.reason for item in answered.items):
        return _not_understood("Available and not to be had at the same time.")
    if all(item.is_available for item in answered.items) != (answered.state == ReservationState.HELD):
        return _not_understood("Held and refused at the same time.")
    if answered.state == ReservationState.REFUSED:
        return Short(answered.items)
    try:
        return Held(answered.reservation_id, [PromisedItem.model_validate(item) for item in answered.items])
    except ValidationError as error:
        return _not_understood(explain(error.errors(include_input=False))[:5])


def _our_fault(refused: PeerRefused) -> Unavailable:
    # Nothing that the customer could mend, and everything that we should hear of.
    log.error("product_refused", status=refused.status, code=refused.code, reason=refused.message)
    return _unavailable()


def _not_understood(reason: object) -> Unavailable:
    log.error("product_not_understood", reason=reason)
    return _unavailable()


def _unavailable() -> Unavailable:
    return Unavailable("Stock cannot be checked at the moment. Please try again.")
