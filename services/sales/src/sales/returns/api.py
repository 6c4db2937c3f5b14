"""Returns over HTTP: customers ask for them, the warehouse receives them, admins refund them."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from chassis.auth import Admin, Caller, CustomerOrAdmin, Warehouse, needs
from chassis.db import Transaction
from chassis.edge import SafeRoute, refusals
from chassis.errors import Conflict, Forbidden, Invalid, KeyReused, NotFound, Unauthenticated, Unavailable
from chassis.idempotency import Once
from chassis.paging import DEFAULT_LIMIT, Cursor, Limit, Page
from chassis.service import provided
from contracts.sales.returns import ReceiveReturn, RefundReturn, RejectReturn, RequestReturn, ReturnState, ReturnView

from . import reading
from .model import InvalidStatusTransition, QuantityExceedsOrder, RefundExceedsReturn, ReturnNotAllowed
from .receiving import Receiving
from .refunding import Refunding
from .rejecting import reject_return
from .requesting import Asker, request_return

returns_of_orders = APIRouter(
    prefix="/api/v1/orders/{order_id}/returns",
    tags=["returns"],
    route_class=SafeRoute,
    responses=refusals(Unauthenticated, Forbidden, NotFound),
)
router = APIRouter(
    prefix="/api/v1/returns",
    tags=["returns"],
    route_class=SafeRoute,
    responses=refusals(Unauthenticated, Forbidden),
)

CustomerOrStaff = Annotated[Caller, Depends(needs("customer", "warehouse", "admin"))]


@dataclass(frozen=True, slots=True)
class ReturnPolicy:
    within: timedelta
    """Of its delivery."""


@returns_of_orders.post(
    "",
    status_code=201,
    response_model=None,
    responses={
        201: {"model": ReturnView},
        **refusals(Invalid, QuantityExceedsOrder, ReturnNotAllowed, KeyReused),
    },
)
async def ask_for_return(
    order_id: UUID,
    body: RequestReturn,
    caller: CustomerOrAdmin,
    policy: Annotated[ReturnPolicy, Depends(provided(ReturnPolicy))],
    session: Transaction,
    once: Once,
) -> Response:
    asker = Asker(caller.subject, None if caller.is_admin else caller.subject)
    return await once(request_return(session, order_id, body, asker, within=policy.within))


@returns_of_orders.get("", response_model=Page[ReturnView], responses=refusals(Invalid))
async def list_returns_of_order(
    order_id: UUID, caller: CustomerOrAdmin, session: Transaction, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> dict[str, Any]:
    whose = None if caller.is_admin else caller.subject
    return await reading.page_of_order(session, order_id, whose, cursor, limit)


@router.get("", response_model=Page[ReturnView], responses=refusals(Invalid))
async def list_returns(
    _: Warehouse,
    session: Transaction,
    state: ReturnState | None = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> dict[str, Any]:
    return await reading.page_of_returns(session, state, cursor, limit)


@router.get("/{return_id}", response_model=ReturnView, responses=refusals(NotFound))
async def get_return(return_id: UUID, caller: CustomerOrStaff, session: Transaction) -> ReturnView:
    is_staff = caller.is_admin or caller.is_warehouse
    return await reading.one_return(session, return_id, None if is_staff else caller.subject)


@router.post(
    "/{return_id}/receipt",
    response_model=ReturnView,
    responses=refusals(Invalid, NotFound, InvalidStatusTransition, Conflict, Unavailable),
)
async def receive(
    return_id: UUID,
    body: ReceiveReturn,
    caller: Warehouse,
    receiving: Annotated[Receiving, Depends(provided(Receiving))],
) -> ReturnView:
    return await receiving.receive(return_id, body, caller.subject)


@router.post(
    "/{return_id}/refund",
    response_model=ReturnView,
    responses=refusals(Invalid, RefundExceedsReturn, NotFound, InvalidStatusTransition, Conflict),
)
async def refund(
    return_id: UUID,
    caller: Admin,
    refunding: Annotated[Refunding, Depends(provided(Refunding))],
    body: RefundReturn | None = None,
) -> ReturnView:
    return await refunding.refund(return_id, body or RefundReturn(), caller.subject)


@router.post(
    "/{return_id}/rejection",
    response_model=ReturnView,
    responses=refusals(Invalid, NotFound, InvalidStatusTransition, Conflict),
)
async def reject(return_id: UUID, body: RejectReturn, caller: Warehouse, session: Transaction) -> ReturnView:
    return await reject_return(session, return_id, body, caller.subject)
