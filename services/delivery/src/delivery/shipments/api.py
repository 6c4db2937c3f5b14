"""Shipments over HTTP: what the warehouse sees and does."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends

from chassis.auth import Warehouse
from chassis.db import Transaction
from chassis.edge import SafeRoute, refusals
from chassis.errors import Invalid, NotFound, Unavailable
from chassis.paging import DEFAULT_LIMIT, Cursor, Limit, Page
from chassis.service import provided
from contracts.delivery import ConfirmDelivery, Dispatch, ShipmentStatus, ShipmentView

from .confirming import confirm
from .dispatching import Dispatching, DuplicateTrackingNumber
from .model import InvalidStatusTransition
from .reading import Filter, one_shipment, page_of_shipments, view
from .shipping import ReservationReleased

router = APIRouter(prefix="/api/v1/shipments", tags=["shipments"], route_class=SafeRoute)


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


@router.get(
    "/{shipment_id}", response_model=ShipmentView, response_model_exclude_none=True, responses=refusals(NotFound)
)
async def get_shipment(shipment_id: UUID, _: Warehouse, session: Transaction) -> ShipmentView:
    return await one_shipment(session, shipment_id)


@router.post(
    "/{shipment_id}/dispatch",
    response_model=ShipmentView,
    response_model_exclude_none=True,
    responses=refusals(
        Invalid, NotFound, InvalidStatusTransition, ReservationReleased, DuplicateTrackingNumber, Unavailable
    ),
)
async def dispatch(
    shipment_id: UUID,
    caller: Warehouse,
    dispatching: Annotated[Dispatching, Depends(provided(Dispatching))],
    wanted: Dispatch | None = None,
) -> ShipmentView:
    return view(await dispatching.dispatch(shipment_id, wanted or Dispatch(), by=caller.subject))


@router.post(
    "/{shipment_id}/delivery",
    response_model=ShipmentView,
    response_model_exclude_none=True,
    responses=refusals(Invalid, NotFound, InvalidStatusTransition),
)
async def confirm_delivery(
    shipment_id: UUID, caller: Warehouse, session: Transaction, report: ConfirmDelivery | None = None
) -> ShipmentView:
    return view(await confirm(session, shipment_id, report or ConfirmDelivery(), by=caller.subject))
