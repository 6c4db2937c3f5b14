"""Shipments over HTTP: what the warehouse sees and does."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from chassis.auth import Warehouse
from chassis.db import Transaction
from chassis.edge import SafeRoute, refusals
from chassis.errors import Invalid, KeyReused, NotFound, Unavailable
from chassis.idempotency import Once
from chassis.paging import DEFAULT_LIMIT, Cursor, Limit, Page
from chassis.service import provided
from contracts.delivery.shipments import (
    ConfirmDelivery,
    Dispatch,
    ReportTrouble,
    ShipmentStatus,
    ShipmentTimeline,
    ShipmentView,
    SplitShipment,
)

from .contents import InvalidSplit
from .dispatching import Dispatching
from .following import confirm, report_trouble, send_again
from .labelling import DuplicateTrackingNumber, TrackingNumberRequired
from .model import InvalidStatusTransition, TooManyParcels
from .reading import Filter, one_shipment, page_of_shipments, view
from .shipping import ReservationReleased
from .splitting import split
from .timeline import timeline_of

router = APIRouter(prefix="/api/v1/shipments", tags=["shipments"], route_class=SafeRoute)

_ONE: Final[dict[str, Any]] = {"response_model": ShipmentView, "response_model_exclude_none": True}


@router.get("", response_model=Page[ShipmentView], response_model_exclude_none=True, responses=refusals(Invalid))
async def list_shipments(
    _: Warehouse,
    session: Transaction,
    order_id: UUID | None = None,
    status: ShipmentStatus | None = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> dict[str, Any]:
    return await page_of_shipments(session, Filter(order_id, status), cursor, limit)


@router.get("/{shipment_id}", **_ONE, responses=refusals(NotFound))
async def get_shipment(shipment_id: UUID, _: Warehouse, session: Transaction) -> ShipmentView:
    return await one_shipment(session, shipment_id)


@router.get(
    "/{shipment_id}/timeline",
    response_model=ShipmentTimeline,
    response_model_exclude_none=True,
    responses=refusals(NotFound),
)
async def get_timeline(shipment_id: UUID, _: Warehouse, session: Transaction) -> ShipmentTimeline:
    return await timeline_of(session, shipment_id)


@router.post(
    "/{shipment_id}/split",
    status_code=201,
    response_model=None,
    responses={
        201: {"model": ShipmentView, "description": "The new parcel."},
        **refusals(Invalid, InvalidSplit, NotFound, InvalidStatusTransition, TooManyParcels, KeyReused),
    },
)
async def split_shipment(
    shipment_id: UUID, wanted: SplitShipment, caller: Warehouse, session: Transaction, once: Once
) -> Response:
    return await once(split(session, shipment_id, wanted, by=caller.subject), exclude_none=True)


@router.post(
    "/{shipment_id}/dispatch",
    **_ONE,
    responses=refusals(
        Invalid,
        TrackingNumberRequired,
        NotFound,
        InvalidStatusTransition,
        ReservationReleased,
        DuplicateTrackingNumber,
        Unavailable,
    ),
)
async def dispatch(
    shipment_id: UUID,
    caller: Warehouse,
    dispatching: Annotated[Dispatching, Depends(provided(Dispatching))],
    wanted: Dispatch | None = None,
) -> ShipmentView:
    return view(await dispatching.dispatch(shipment_id, wanted or Dispatch(), by=caller.subject))


@router.post("/{shipment_id}/delivery", **_ONE, responses=refusals(Invalid, NotFound, InvalidStatusTransition))
async def confirm_delivery(
    shipment_id: UUID, caller: Warehouse, session: Transaction, report: ConfirmDelivery | None = None
) -> ShipmentView:
    return view(await confirm(session, shipment_id, report or ConfirmDelivery(), by=caller.subject))


@router.post("/{shipment_id}/loss", **_ONE, responses=refusals(Invalid, NotFound, InvalidStatusTransition))
async def report_loss(
    shipment_id: UUID, caller: Warehouse, session: Transaction, report: ReportTrouble
) -> ShipmentView:
    return view(await report_trouble(session, shipment_id, ShipmentStatus.LOST, report, by=caller.subject))


@router.post("/{shipment_id}/return", **_ONE, responses=refusals(Invalid, NotFound, InvalidStatusTransition))
async def report_return(
    shipment_id: UUID, caller: Warehouse, session: Transaction, report: ReportTrouble
) -> ShipmentView:
    return view(await report_trouble(session, shipment_id, ShipmentStatus.RETURNED, report, by=caller.subject))


@router.post("/{shipment_id}/sending-again", **_ONE, responses=refusals(NotFound, InvalidStatusTransition))
async def send_shipment_again(shipment_id: UUID, caller: Warehouse, session: Transaction) -> ShipmentView:
    return view(await send_again(session, shipment_id, by=caller.subject))
