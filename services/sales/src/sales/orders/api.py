"""Orders over HTTP: placing and cancelling one, and what its customer and the staff may see."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from chassis.auth import Admin, Customer, CustomerOrAdmin, needs
from chassis.db import Transaction
from chassis.edge import SafeRoute, read_json, refusals
from chassis.errors import (
    Forbidden,
    Invalid,
    KeyReused,
    NotFound,
    Overloaded,
    Refused,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnsupportedMedia,
)
from chassis.idempotency import IdempotencyKey, key_of
from chassis.openapi import body_of
from chassis.paging import DEFAULT_LIMIT, Cursor, Limit, Moment, Page
from chassis.service import provided
from contracts.sales.orders import CancelOrder, OrderStatus, OrderView, PlaceOrder, Timeline
from sales.customers.addresses import IncompleteAddress

from .cancelling import Asker, Cancelling
from .confirming import Confirming
from .model import CancellationNotAllowed, InvalidStatusTransition
from .placing import Placing
from .reading import Filter, one_order, page_of_orders, timeline_of
from .stock import InsufficientStock, VariantRequired

PATH: Final = "/api/v1/orders"
_CUSTOMER: Final = needs("customer")

router = APIRouter(prefix=PATH, tags=["orders"], route_class=SafeRoute)


@router.post(
    "",
    status_code=201,
    response_model=None,
    responses={
        201: {"model": OrderView},
        **refusals(Invalid, InsufficientStock, VariantRequired, IncompleteAddress, Unauthenticated, Forbidden),
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


async def place_order_directly(request: Request) -> Response | None:
    """What most requests are: who may order does, with a key or without one."""
    try:
        caller, key = _CUSTOMER.check(request), key_of(request)
    except Refused:
        return None
    return await place_order(request, caller, request.app.state.provided[Placing], key)


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


@router.post(
    "/{order_id}/cancellation",
    response_model=OrderView,
    responses=refusals(Invalid, NotFound, CancellationNotAllowed, Unavailable),
)
async def cancel_order(
    order_id: UUID,
    caller: CustomerOrAdmin,
    cancelling: Annotated[Cancelling, Depends(provided(Cancelling))],
    body: CancelOrder | None = None,
) -> OrderView:
    reason = body.reason if body else None
    return await cancelling.cancel(order_id, reason, Asker(caller.subject, _whose(caller)))


@router.post(
    "/{order_id}/confirmation",
    response_model=OrderView,
    responses=refusals(NotFound, InvalidStatusTransition, Unavailable),
)
async def confirm_order(
    order_id: UUID, caller: Admin, confirming: Annotated[Confirming, Depends(provided(Confirming))]
) -> OrderView:
    return await confirming.confirm(order_id, caller.subject)


def _whose(caller: CustomerOrAdmin) -> str | None:
    return None if caller.is_admin else caller.subject
