"""Orders over HTTP: placing one, and what its customer and the staff may see."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import AwareDatetime

from chassis.auth import Customer, CustomerOrAdmin
from chassis.db import Transaction
from chassis.edge import SafeRoute, read_json, refusals
from chassis.errors import (
    Forbidden,
    Invalid,
    KeyReused,
    NotFound,
    Overloaded,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnsupportedMedia,
)
from chassis.openapi import body_of
from chassis.paging import DEFAULT_LIMIT, Cursor, Limit, Page
from chassis.service import provided
from contracts.sales import OrderStatus, OrderView, PlaceOrder, Timeline
from sales.customers.addresses import IncompleteAddress

from .placing import Placing
from .reading import Filter, one_order, page_of_orders, timeline_of
from .stock import InsufficientStock

router = APIRouter(prefix="/api/v1/orders", tags=["orders"], route_class=SafeRoute)

IdempotencyKey = Annotated[
    str | None,
    Header(pattern=r"^[\x21-\x7e]{1,200}$", description="The same key and body get the first answer again."),
]

# Times further out have no equivalent in UTC, where the database keeps them.
Moment = Annotated[
    AwareDatetime | None, Query(ge=datetime(1970, 1, 1, tzinfo=UTC), le=datetime(9999, 1, 1, tzinfo=UTC))
]


@router.post(
    "",
    status_code=201,
    response_model=None,
    responses={
        201: {"model": OrderView},
        **refusals(Invalid, InsufficientStock, IncompleteAddress, Unauthenticated, Forbidden),
        **refusals(TooLarge, UnsupportedMedia, KeyReused, Unavailable, Overloaded),
    },
    openapi_extra=body_of(PlaceOrder),
)
async def place_order(
    request: Request,
    caller: Customer,
    placing: Annotated[Placing, Depends(provided(Placing))],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    # Read here and not by a declared parameter: that would cost the hot path a fifth of its requests.
    order = await read_json(request, PlaceOrder)
    answer = await placing.place(caller.subject, order, idempotency_key)
    headers = {"Idempotency-Replayed": "true"} if answer.replayed else None
    return Response(answer.body, answer.status, headers, "application/json")


@router.get("", response_model=Page[OrderView], responses=refusals(Invalid))
async def list_orders(
    caller: CustomerOrAdmin,
    session: Transaction,
    status: OrderStatus | None = None,
    created_from: Moment = None,
    created_before: Moment = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> dict[str, Any]:
    return await page_of_orders(session, Filter(_whose(caller), status, created_from, created_before), cursor, limit)


@router.get("/{order_id}", response_model=OrderView, responses=refusals(NotFound))
async def get_order(order_id: UUID, caller: CustomerOrAdmin, session: Transaction) -> OrderView:
    return await one_order(session, order_id, _whose(caller))


@router.get("/{order_id}/timeline", response_model=Timeline, responses=refusals(NotFound))
async def get_timeline(order_id: UUID, caller: CustomerOrAdmin, session: Transaction) -> Timeline:
    return await timeline_of(session, order_id, _whose(caller))


def _whose(caller: CustomerOrAdmin) -> str | None:
    return None if caller.is_admin else caller.subject
