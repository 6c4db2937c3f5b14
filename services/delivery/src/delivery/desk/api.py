"""The warehouse's desk over HTTP."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from chassis.auth import Warehouse
from chassis.db import Transaction
from chassis.edge import SafeRoute, refusals
from chassis.errors import Forbidden, Invalid, KeyReused, NotFound, Unauthenticated, Unavailable
from chassis.idempotency import Once
from chassis.paging import DEFAULT_LIMIT, Cursor, Limit, Page
from chassis.service import provided
from contracts.delivery.desk import (
    DispatchMany,
    DispatchOutcomes,
    PickListStatus,
    PickListSummary,
    PickListView,
    TakePickList,
    WaitingParcel,
)

from . import picking
from .dispatches import Dispatches
from .model import NothingToPick
from .reading import Filter, one_pick_list, page_of_pick_lists
from .work_list import Wanted, page_of_work

router = APIRouter(
    prefix="/api/v1", tags=["desk"], route_class=SafeRoute, responses=refusals(Invalid, Unauthenticated, Forbidden)
)


@router.get("/work-list", response_model=Page[WaitingParcel], response_model_exclude_none=True)
async def list_work(_: Warehouse, session: Transaction, wanted: Annotated[Wanted, Query()]) -> dict[str, Any]:
    return await page_of_work(session, wanted)


@router.post(
    "/pick-lists",
    status_code=201,
    response_model=None,
    responses={201: {"model": PickListView}, **refusals(NothingToPick, KeyReused)},
)
async def take_pick_list(body: TakePickList, caller: Warehouse, session: Transaction, once: Once) -> Response:
    return await once(picking.take_pick_list(session, body, by=caller.subject), exclude_none=True)


@router.get("/pick-lists", response_model=Page[PickListSummary], response_model_exclude_none=True)
async def list_pick_lists(
    caller: Warehouse,
    session: Transaction,
    status: PickListStatus | None = None,
    mine: bool = False,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> dict[str, Any]:
    return await page_of_pick_lists(session, Filter(status, caller.subject if mine else None), cursor, limit)


@router.get(
    "/pick-lists/{pick_list_id}",
    response_model=PickListView,
    response_model_exclude_none=True,
    responses=refusals(NotFound),
)
async def get_pick_list(pick_list_id: UUID, _: Warehouse, session: Transaction) -> PickListView:
    return await one_pick_list(session, pick_list_id)


@router.post(
    "/pick-lists/{pick_list_id}/release",
    response_model=PickListView,
    response_model_exclude_none=True,
    responses=refusals(NotFound),
)
async def release_pick_list(pick_list_id: UUID, caller: Warehouse, session: Transaction) -> PickListView:
    return await picking.release_pick_list(session, pick_list_id, by=caller.subject)


@router.post(
    "/shipments/dispatches",
    response_model=DispatchOutcomes,
    response_model_exclude_none=True,
    responses=refusals(Unavailable),
)
async def dispatch_many(
    body: DispatchMany, caller: Warehouse, dispatches: Annotated[Dispatches, Depends(provided(Dispatches))]
) -> DispatchOutcomes:
    """Each has its own outcome; what was dispatched before just as it is asked for now counts as done."""
    return await dispatches.dispatch(body.shipments, by=caller.subject)
