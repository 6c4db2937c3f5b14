"""What Product says of the things in a cart at this moment: asked for all at once, and believed only if it fits."""

from collections.abc import Sequence
from typing import Final

from pydantic import ValidationError

from chassis.errors import Invalid, Unavailable
from chassis.explain import explain
from chassis.peer import Peer, PeerRefused
from chassis.telemetry import logger
from contracts.product.inventory import CheckAvailability, Quote, QuotedItem, RequestedItem
from contracts.product.inventory import Unavailable as Reason
from contracts.text import Currency, Line, Money

from .model import Offer

_PATH: Final = "/api/v1/products/quotes"

log = logger("offers")


class ProductNotAvailable(Invalid):
    code = "PRODUCT_NOT_AVAILABLE"

    def __init__(self) -> None:
        message = "The product is not sold any more, or never was."
        super().__init__(message, [{"field": "product_id", "message": message}])


class VariantRequired(Invalid):
    code = "VARIANT_REQUIRED"

    def __init__(self) -> None:
        message = "The product comes in variants; choose one."
        super().__init__(message, [{"field": "variant_id", "message": message}])


class OfferedItem(QuotedItem):
    """What can be had, with all that a cart shows of it."""

    name: Line
    unit_price: Money
    currency: Currency


class Offers:
    def __init__(self, product: Peer) -> None:
        self._product = product

    async def offer_for(self, wanted: RequestedItem) -> Offer:
        [said] = await self.offers_for([wanted])
        if said is Reason.VARIANT_REQUIRED:
            raise VariantRequired
        if isinstance(said, Reason):
            raise ProductNotAvailable
        return said

    async def offers_for(self, wanted: Sequence[RequestedItem]) -> list[Offer | Reason]:
        """In the order of what is asked: what it costs and how many there are, or why it cannot be had at all."""
        try:
            answer = await self._product.post(_PATH, CheckAvailability(items=list(wanted)))
            return _understood(wanted, Quote.model_validate(answer).items)
        except ValidationError as error:
            raise _not_understood(explain(error.errors(include_input=False))[:5]) from None
        except PeerRefused as refused:
            raise _our_fault(refused) from refused

    async def close(self) -> None:
        await self._product.close()


def _understood(wanted: Sequence[RequestedItem], answered: Sequence[QuotedItem]) -> list[Offer | Reason]:
    """An answer to something else, or one that contradicts itself, is none."""
    said = [(item.product_id, item.variant_id, item.requested) for item in answered]
    if said != [(item.product_id, item.variant_id, item.quantity) for item in wanted]:
        raise _not_understood("The items are others.")
    if any(item.is_available != (item.reason is None and item.requested <= item.available) for item in answered):
        raise _not_understood("Available and not available at the same time.")
    return [item.reason or _offer(OfferedItem.model_validate(item)) for item in answered]


def _offer(item: OfferedItem) -> Offer:
    return Offer(item.product_id, item.variant_id, item.name, item.unit_price, item.currency, max(item.available, 0))


def _our_fault(refused: PeerRefused) -> Unavailable:
    # Nothing that the customer could mend, and everything that we should hear of.
    log.error("product_refused", status=refused.status, code=refused.code, reason=refused.message)
    return _unavailable()


def _not_understood(reason: object) -> Unavailable:
    log.error("product_not_understood", reason=reason)
    return _unavailable()


def _unavailable() -> Unavailable:
    return Unavailable("Products cannot be looked up at the moment. Please try again.")
