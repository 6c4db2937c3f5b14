"""Stock as Sales sees it: held and given back at Product, many attempts in one call."""

from collections.abc import Sequence
from uuid import UUID

from chassis.coalescer import Coalescer
from chassis.errors import Unavailable
from chassis.peer import Peer, PeerRefused
from chassis.telemetry import logger
from contracts.product import Reservation, Reservations, ReservationState, ReservationView, Reserve, Settle, Settlements

log = logger("stock")


class Stock:
    def __init__(self, product: Peer) -> None:
        self._product = product
        self.reserve: Coalescer[Reservation, ReservationView] = Coalescer(self._reserve)
        """Holds all items of an attempt, or none; asked again it answers as the first time."""

    async def release(self, reservation_ids: Sequence[UUID]) -> dict[UUID, ReservationState | None]:
        """Gives back what is held, also for an attempt whose hold has yet to arrive; tells what each is now."""
        answer = await self._ask("/api/v1/reservations/releases", Settle(reservation_ids=list(reservation_ids)))
        return {one.reservation_id: one.state for one in Settlements.model_validate(answer).reservations}

    async def close(self) -> None:
        await self.reserve.close()
        await self._product.close()

    async def _reserve(self, wanted: Sequence[Reservation]) -> list[ReservationView]:
        answer = await self._ask("/api/v1/reservations", Reserve(reservations=list(wanted)))
        held = {one.reservation_id: one for one in Reservations.model_validate(answer).reservations}
        return [held[one.reservation_id] for one in wanted]

    async def _ask(self, path: str, body: Reserve | Settle) -> object:
        try:
            return await self._product.post(path, body)
        except PeerRefused as refused:
            # Our own call was wrong: nothing that the customer could mend, and everything that we should hear of.
            log.exception(
                "product_refused", path=path, status=refused.status, code=refused.code, reason=refused.message
            )
            raise Unavailable("Stock cannot be checked at the moment. Please try again.") from refused
