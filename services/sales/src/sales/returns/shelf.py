"""Product's shelf as returns see it: goods go back on it, once for each return."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from pydantic import ValidationError

from chassis.errors import Conflict, Unavailable
from chassis.explain import explain
from chassis.peer import Peer, PeerRefused
from chassis.telemetry import logger
from contracts.product.inventory import RequestedItem, ReturnedStock, ReturnedStockView

from .model import ReturnItem

# It was understood, and nothing of it was done; everything else says nothing about the goods.
_NOT_TAKEN: Final = {"PRODUCT_NOT_FOUND", "RETURN_MISMATCH"}

log = logger("returns")


class NotTakenBack(Conflict):
    def __init__(self) -> None:
        super().__init__("These goods are none that the shelf takes; receive them without restocking.")


class Shelf:
    def __init__(self, product: Peer) -> None:
        self._product = product

    async def take_back(self, return_id: UUID, goods: Sequence[ReturnItem]) -> None:
        items = [
            RequestedItem(product_id=item.product_id, variant_id=item.variant_id, quantity=item.quantity)
            for item in goods
        ]
        body = ReturnedStock(return_id=return_id, items=items)
        try:
            answer = ReturnedStockView.model_validate(await self._product.post("/api/v1/returned-stock", body))
        except PeerRefused as refused:
            raise _why(refused) from refused
        except ValidationError as error:
            raise _not_understood(explain(error.errors(include_input=False))[:5]) from None
        said = {(item.product_id, item.variant_id): item.quantity for item in answer.items}
        if answer.return_id != return_id or said != {item.article: item.quantity for item in goods}:
            raise _not_understood("The goods are others.")


def _why(refused: PeerRefused) -> NotTakenBack | Unavailable:
    log.error("product_refused", status=refused.status, code=refused.code, reason=refused.message)
    return NotTakenBack() if refused.code in _NOT_TAKEN else _unavailable()


def _not_understood(reason: object) -> Unavailable:
    log.error("product_not_understood", reason=reason)
    return _unavailable()


def _unavailable() -> Unavailable:
    return Unavailable("The goods could not be put on the shelf yet. Please try again.")
