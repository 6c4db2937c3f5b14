"""What becomes of a pick list, and what there is to carry for it. Rules only: no I/O, no clock, no framework."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from chassis.errors import Conflict
from contracts.delivery.desk import PickListStatus, PickOutcome
from contracts.delivery.shipments import ShipmentStatus
from delivery.shipments.model import READY, STOPPED, Shipment

OPEN, DONE, RELEASED = PickListStatus.OPEN, PickListStatus.DONE, PickListStatus.RELEASED

FORGOTTEN_AFTER: Final = timedelta(hours=24)
"""Longer than anybody works on one list: what is on it then goes back to the work list."""

Goods = tuple[str, str | None]
"""A product, and which variant of it."""


class NothingToPick(Conflict):
    code = "NOTHING_TO_PICK"

    def __init__(self) -> None:
        super().__init__("No parcel that waits and is on no other list is as you want it.")


@dataclass(frozen=True)
class Picked:
    shipment: Shipment
    items: Sequence[Mapping[str, Any]]
    """What was in it when the list was taken."""
    recorded: PickOutcome
    """While the list is open it is that the parcel waits, whatever has become of it."""

    @property
    def outcome(self) -> PickOutcome:
        return outcome_of(self.shipment.status) if self.recorded == PickOutcome.WAITING else self.recorded


@dataclass(frozen=True)
class PickList:
    id: UUID
    taken_by: str
    taken_at: datetime
    recorded: PickListStatus
    closed_at: datetime | None = None
    closed_by: str | None = None
    parcels: Sequence[Picked] = field(default_factory=list)

    @property
    def status(self) -> PickListStatus:
        """A list of which nothing waits any more is done, even if nobody has written that down yet."""
        waits = any(picked.outcome == PickOutcome.WAITING for picked in self.parcels)
        return DONE if self.recorded == OPEN and not waits else self.recorded


def outcome_of(status: ShipmentStatus) -> PickOutcome:
    """Of a parcel that is on the list still."""
    if status == READY:
        return PickOutcome.WAITING
    return PickOutcome.STOPPED if status == STOPPED else PickOutcome.DISPATCHED


def to_fetch(parcels: Iterable[Picked]) -> dict[Goods, dict[UUID, int]]:
    """Of each product how many for which parcels: of those that wait, as they are packed now."""
    waiting = (picked for picked in parcels if picked.outcome == PickOutcome.WAITING)
    return _by_goods((picked.shipment.id, _count(picked.shipment.items)) for picked in waiting)


def to_put_back(parcels: Iterable[Picked]) -> dict[Goods, dict[UUID, int]]:
    """What was to be fetched and goes into no parcel of the list."""
    return _by_goods((picked.shipment.id, _count(picked.items) - _needed(picked)) for picked in parcels)


def _needed(picked: Picked) -> Counter[Goods]:
    is_needed = picked.outcome in (PickOutcome.WAITING, PickOutcome.DISPATCHED)
    return _count(picked.shipment.items) if is_needed else Counter()


def _count(items: Iterable[Mapping[str, Any]]) -> Counter[Goods]:
    counted: Counter[Goods] = Counter()
    for item in items:
        counted[item["product_id"], item.get("variant_id")] += item["quantity"]
    return counted


def _by_goods(parcels: Iterable[tuple[UUID, Counter[Goods]]]) -> dict[Goods, dict[UUID, int]]:
    """In the order of their names, as shelves are."""
    found: dict[Goods, dict[UUID, int]] = {}
    for shipment_id, goods in parcels:
        for one, quantity in goods.items():
            found.setdefault(one, {})[shipment_id] = quantity
    return dict(sorted(found.items(), key=lambda each: (each[0][0], each[0][1] or "")))
