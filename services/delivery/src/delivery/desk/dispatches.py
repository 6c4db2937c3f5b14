"""Dispatches many at once: what can leave leaves, and of each of the others it is said why not."""

from collections.abc import Sequence
from uuid import UUID

from chassis.db import Database
from chassis.errors import Refused
from contracts.delivery.desk import (
    DispatchOne,
    DispatchOutcome,
    DispatchOutcomes,
    DispatchRefusal,
    DispatchResult,
)
from contracts.errors import ErrorDetail
from delivery.shipments.dispatching import Dispatching
from delivery.shipments.model import DELIVERED, LOST, SHIPPED, InvalidStatusTransition, Shipment
from delivery.shipments.reading import view

from .reading import shipments_by_id


class Dispatches:
    def __init__(self, database: Database, dispatching: Dispatching) -> None:
        self._database = database
        self._dispatching = dispatching

    async def dispatch(self, wanted: Sequence[DispatchOne], by: str) -> DispatchOutcomes:
        """While Product does not answer nothing is done. To send the same again does no harm."""
        outcomes = await self._dispatching.dispatch_many([(one.shipment_id, one) for one in wanted], by)
        left = await self._left_before(wanted, outcomes)
        return DispatchOutcomes(
            outcomes=[_outcome(one, each, left) for one, each in zip(wanted, outcomes, strict=True)]
        )

    async def _left_before(
        self, wanted: Sequence[DispatchOne], outcomes: Sequence[Shipment | Refused]
    ) -> dict[UUID, Shipment]:
        refused = [
            one.shipment_id
            for one, outcome in zip(wanted, outcomes, strict=True)
            if isinstance(outcome, InvalidStatusTransition)
        ]
        if not refused:
            return {}
        async with self._database.begin() as session:
            return await shipments_by_id(session, refused)


def _outcome(wanted: DispatchOne, outcome: Shipment | Refused, left: dict[UUID, Shipment]) -> DispatchOutcome:
    if isinstance(outcome, Shipment):
        return DispatchOutcome(shipment_id=wanted.shipment_id, result=DispatchResult.DISPATCHED, shipment=view(outcome))
    before = left.get(wanted.shipment_id)
    if before is not None and _left_as(before, wanted):
        return DispatchOutcome(
            shipment_id=wanted.shipment_id, result=DispatchResult.ALREADY_DISPATCHED, shipment=view(before)
        )
    details = [ErrorDetail.model_validate(detail) for detail in outcome.details]
    error = DispatchRefusal(code=outcome.code, message=outcome.message, details=details)
    return DispatchOutcome(shipment_id=wanted.shipment_id, result=DispatchResult.REFUSED, error=error)


def _left_as(shipment: Shipment, wanted: DispatchOne) -> bool:
    """What was not said then, carrier or tracking number, is as it came to be."""
    # Not one that came back: whoever dispatches that wants to send it once more.
    if shipment.status not in (SHIPPED, DELIVERED, LOST):
        return False
    is_carrier = wanted.carrier is None or wanted.carrier.lower() == (shipment.carrier or "").lower()
    return is_carrier and wanted.tracking_number in (None, shipment.tracking_number)
