"""Stock as Delivery sees it: deducted at Product before a parcel leaves, many in one call."""

from collections.abc import Sequence
from uuid import UUID

from pydantic import ValidationError

from chassis.errors import Unavailable
from chassis.peer import Peer, PeerRefused
from chassis.telemetry import logger
from contracts.product.inventory import ReservationState, Settle, Settlements

log = logger("stock")


class Stock:
    def __init__(self, product: Peer) -> None:
        self._product = product

    async def deduct(self, reservation_ids: Sequence[UUID]) -> dict[UUID, ReservationState | None]:
        """What each reservation is now; asked again it answers as the first time."""
        try:
            answer = await self._product.post(
                "/api/v1/reservations/deductions", Settle(reservation_ids=list(reservation_ids))
            )
            settled = Settlements.model_validate(answer)
        except PeerRefused as refused:
            # Our own call was wrong: nothing that the staff could mend, and everything that we should hear of.
            log.exception("product_refused", status=refused.status, code=refused.code, reason=refused.message)
            raise _not_deducted() from refused
        except ValidationError as error:
            log.exception("product_answers_strangely", errors=error.error_count())
            raise _not_deducted() from error
        return {one.reservation_id: one.state for one in settled.reservations}

    async def close(self) -> None:
        await self._product.close()


def _not_deducted() -> Unavailable:
    return Unavailable("Stock cannot be deducted at the moment. The shipment waits; please try again.")
