"""Dispatches what a file names, some lines at a time. To do it again does no harm: what has left just so is done."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from contracts.delivery.desk import DispatchOne, DispatchOutcomes, DispatchResult
from contracts.delivery.shipments import ShipmentStatus, ShipmentView

from .client import Client, Refusal
from .dispatch_form import BadLine, Line, Wanted
from .failure import Failure

DISPATCHED, ALREADY, REFUSED = (
    DispatchResult.DISPATCHED,
    DispatchResult.ALREADY_DISPATCHED,
    DispatchResult.REFUSED,
)
_BATCH: Final = 100
_AT_ONCE: Final = 8
_AGAIN_AFTER: Final = 1.0
_LEFT: Final = {ShipmentStatus.SHIPPED, ShipmentStatus.DELIVERED, ShipmentStatus.LOST, ShipmentStatus.RETURNED}

Tally = Counter[DispatchResult]


@dataclass(frozen=True)
class Manner:
    dry_run: bool
    patience: timedelta
    """With a Product, or a Delivery, that is away."""


class Dispatching:
    def __init__(self, delivery: Client, manner: Manner, on_bad: Callable[[BadLine], None]) -> None:
        self._delivery = delivery
        self._manner = manner
        self._on_bad = on_bad
        self._few = asyncio.Semaphore(_AT_ONCE)

    async def dispatch(self, lines: Sequence[Line | BadLine], on_batch: Callable[[int], None]) -> Tally:
        tally: Tally = Counter()
        for start in range(0, len(lines), _BATCH):
            batch = lines[start : start + _BATCH]
            try:
                tally += await self._batch(batch)
            except Failure as failure:
                left = len(lines) - start
                raise Failure(
                    f"{failure} {left:,} lines are left. Do it again: what has left counts as done."
                ) from None
            on_batch(len(batch))
        return tally

    async def _batch(self, batch: Sequence[Line | BadLine]) -> Tally:
        found = await asyncio.gather(*(self._find(line) for line in batch))
        results = Counter(self._refuse(each) for each in found if isinstance(each, BadLine))
        parcels = [each for each in found if not isinstance(each, BadLine)]
        if self._manner.dry_run:
            results.update(self._foresee(*each) for each in parcels)
        elif parcels:
            results.update(await self._send(parcels))
        return results

    async def _send(self, parcels: Sequence[tuple[Line, UUID, ShipmentView | None]]) -> list[DispatchResult]:
        entries = [_entry(line.wanted, shipment_id) for line, shipment_id, _ in parcels]
        answer = await self._patiently("/api/v1/shipments/dispatches", {"shipments": entries})
        outcomes = DispatchOutcomes.model_validate(answer).outcomes
        for (line, _, _), outcome in zip(parcels, outcomes, strict=True):
            if outcome.error is not None:
                field = next((detail.field for detail in outcome.error.details if detail.field), "")
                self._on_bad(BadLine(line.number, field, outcome.error.code, outcome.error.message))
        return [outcome.result for outcome in outcomes]

    async def _patiently(self, path: str, body: dict[str, Any]) -> Any:
        until = asyncio.get_running_loop().time() + self._manner.patience.total_seconds()
        while True:
            try:
                return await self._delivery.post(path, body)
            except Refusal as refusal:
                is_late = asyncio.get_running_loop().time() + _AGAIN_AFTER > until
                if refusal.status != HTTPStatus.SERVICE_UNAVAILABLE or is_late:
                    raise
            await asyncio.sleep(_AGAIN_AFTER)

    async def _find(self, line: Line | BadLine) -> tuple[Line, UUID, ShipmentView | None] | BadLine:
        """Which parcel a line means, looked at where that is needed."""
        if isinstance(line, BadLine):
            return line
        wanted = line.wanted
        if wanted.shipment_id is None:
            parcels = await self._parcels_of(wanted.order_id)
            parcel = choose(parcels, wanted)
            if parcel is None:
                return BadLine(line.number, "order_id", *_why_none(parcels))
            return line, parcel.shipment_id, parcel
        if not self._manner.dry_run:
            return line, wanted.shipment_id, None
        parcel = await self._look_at(wanted.shipment_id)
        if parcel is None:
            return BadLine(line.number, "shipment_id", "NOT_FOUND", "There is no such shipment.")
        return line, wanted.shipment_id, parcel

    async def _parcels_of(self, order_id: UUID | None) -> list[ShipmentView]:
        async with self._few:
            page = await self._delivery.get("/api/v1/shipments", {"order_id": str(order_id), "limit": "100"})
        return [ShipmentView.model_validate(item) for item in page["items"]]

    async def _look_at(self, shipment_id: UUID) -> ShipmentView | None:
        try:
            async with self._few:
                return ShipmentView.model_validate(await self._delivery.get(f"/api/v1/shipments/{shipment_id}"))
        except Refusal as refusal:
            if refusal.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def _foresee(self, line: Line, _: UUID, parcel: ShipmentView | None) -> DispatchResult:
        assert parcel is not None
        if parcel.status == ShipmentStatus.READY:
            return DISPATCHED
        if _left_as(parcel, line.wanted):
            return ALREADY
        message = f"The parcel is {parcel.status}; it cannot be dispatched."
        return self._refuse(BadLine(line.number, "", "INVALID_STATUS_TRANSITION", message))

    def _refuse(self, line: BadLine) -> DispatchResult:
        self._on_bad(line)
        return REFUSED


def choose(parcels: Sequence[ShipmentView], wanted: Wanted) -> ShipmentView | None:
    """The one parcel that can be meant, or none: the next may not leave because this one has left before."""
    packed = [parcel for parcel in parcels if parcel.status != ShipmentStatus.STOPPED] or parcels
    if wanted.tracking_number is not None:
        for parcel in packed:
            if _left_as(parcel, wanted):
                return parcel
    elif len(packed) > 1 and any(parcel.status in _LEFT for parcel in packed):
        return None
    ready = [parcel for parcel in packed if parcel.status == ShipmentStatus.READY]
    if len(ready) == 1:
        return ready[0]
    return packed[0] if len(packed) == 1 else None


def _why_none(parcels: Sequence[ShipmentView]) -> tuple[str, str]:
    if not parcels:
        return "NOT_FOUND", "There is no parcel of this order."
    return "VALIDATION_ERROR", "Several parcels of this order can be meant; name the one by its shipment_id."


def _left_as(parcel: ShipmentView, wanted: Wanted) -> bool:
    if parcel.status not in _LEFT - {ShipmentStatus.RETURNED}:
        return False
    is_carrier = wanted.carrier is None or wanted.carrier.lower() == (parcel.carrier or "").lower()
    return is_carrier and wanted.tracking_number in (None, parcel.tracking_number)


def _entry(wanted: Wanted, shipment_id: UUID) -> dict[str, Any]:
    one = DispatchOne(shipment_id=shipment_id, carrier=wanted.carrier, tracking_number=wanted.tracking_number)
    return one.model_dump(mode="json", exclude_none=True)
