"""Follows parcels that have left: what carriers say of them, and what the staff does. The same again is no news."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.db import wakes
from chassis.errors import NotFound
from chassis.failpoints import failpoint
from chassis.steps import step
from contracts.delivery.shipments import ConfirmDelivery, ProofOfDelivery, ReportTrouble, ShipmentStatus

from .delivering import arrive
from .model import DELIVERED, LOST, READY, RETURNED, Shipment
from .siblings import Parcels, take_tracked, take_with_siblings
from .storing import TO_DISPATCH, save
from .telling import tell_of_change

Kind: TypeAlias = Literal[ShipmentStatus.DELIVERED, ShipmentStatus.LOST, ShipmentStatus.RETURNED]

_ASTRAY: Final = {LOST: "shipment.lost", RETURNED: "shipment.returned"}


class UnknownParcel(NotFound):
    """The carrier has, or says that it has, a parcel that is not ours."""


@dataclass(frozen=True)
class ParcelNews:
    """What is said of a parcel that has left. Without a time it is now."""

    kind: Kind
    at: datetime | None = None
    location: str | None = None
    proof: ProofOfDelivery | None = None
    reason: str | None = None


async def follow(session: AsyncSession, carrier: str, tracking_number: str, news: ParcelNews, by: str) -> Shipment:
    """For those who know the parcel by its label only."""
    return await _note(session, *await _find(session, carrier, tracking_number), news, by)


@step("OrderService", "deliveryConfirmation")
async def confirm(session: AsyncSession, shipment_id: UUID, report: ConfirmDelivery, by: str) -> Shipment:
    news = ParcelNews(ShipmentStatus.DELIVERED, report.delivered_at, report.delivery_location, report.proof)
    return await _note(session, *await take_with_siblings(session, shipment_id), news, by)


async def report_trouble(
    session: AsyncSession, shipment_id: UUID, kind: Kind, report: ReportTrouble, by: str
) -> Shipment:
    news = ParcelNews(kind, reason=report.reason)
    return await _note(session, *await take_with_siblings(session, shipment_id), news, by)


async def send_again(session: AsyncSession, shipment_id: UUID, by: str) -> Shipment:
    """What has come back is ready for another dispatch."""
    shipment, _ = await take_with_siblings(session, shipment_id)
    if shipment.status == READY and shipment.shipped_at is not None:
        return shipment
    before = {"status": shipment.status, "carrier": shipment.carrier, "tracking_number": shipment.tracking_number}
    shipment.send_again()
    record(session, by, "shipment.sent_again", shipment.id, before=before, after={"status": READY})
    tell_of_change(session, shipment)
    await save(session, [shipment])
    wakes(session, TO_DISPATCH)
    return shipment


@step("OrderAggregate", "findOrderByTracking")
async def _find(session: AsyncSession, carrier: str, tracking_number: str) -> tuple[Shipment, Parcels]:
    found = await take_tracked(session, carrier, tracking_number)
    if found is None:
        raise UnknownParcel("There is no parcel of this carrier with this tracking number.")
    return found


async def _note(session: AsyncSession, shipment: Shipment, parcels: Parcels, news: ParcelNews, by: str) -> Shipment:
    if shipment.status == news.kind:
        return shipment
    if news.kind == DELIVERED:
        proof = None if news.proof is None else news.proof.model_dump(mode="json", exclude_none=True)
        arrive(session, shipment, parcels, at=news.at, location=news.location, proof=proof, by=by)
    else:
        _go_astray(session, shipment, news, by)
    await save(session, [shipment])
    await failpoint("delivery.confirm.delivered")
    return shipment


def _go_astray(session: AsyncSession, shipment: Shipment, news: ParcelNews, by: str) -> None:
    before = {"status": shipment.status}
    if news.kind == LOST:
        shipment.lose()
    else:
        shipment.come_back()
    after = {"status": shipment.status, "reason": news.reason, "at": news.at}
    said = {name: value for name, value in after.items() if value is not None}
    record(session, by, _ASTRAY[shipment.status], shipment.id, before=before, after=said)
    tell_of_change(session, shipment)
