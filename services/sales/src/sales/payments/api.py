"""Payments over HTTP: what admins see and do, and where gateways report; those have no token, but sign."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime, StringConstraints

from chassis.auth import Admin
from chassis.db import Transaction
from chassis.edge import SafeRoute, refusals
from chassis.errors import Forbidden, Invalid, NotFound, TooLarge, Unauthenticated, Unavailable
from chassis.paging import DEFAULT_LIMIT, Cursor, Limit, Page
from chassis.service import provided
from chassis.signature import NotVerified
from contracts.sales.payments import (
    CompleteRefund,
    OperationState,
    OperationView,
    PaymentDetail,
    PaymentState,
    PaymentView,
    WebhookAnswer,
)
from contracts.text import Line

from .completing import NotManual, complete_refund
from .hearing import Hearing
from .model import InvalidStatusTransition
from .paying import Payments
from .reading import Filter, one_payment, page_of_payments, page_of_refunds
from .settling import Rules

router = APIRouter(prefix="/api/v1", tags=["payments"], route_class=SafeRoute)

Moment = Annotated[
    AwareDatetime | None, Query(ge=datetime(1970, 1, 1, tzinfo=UTC), le=datetime(9999, 1, 1, tzinfo=UTC))
]
GatewayName = Annotated[str, StringConstraints(pattern=r"^[a-z]{1,40}$")]
_WHO = (Unauthenticated, Forbidden)


@router.get("/payments", response_model=Page[PaymentView], responses=refusals(Invalid, *_WHO))
async def list_payments(
    _: Admin,
    session: Transaction,
    state: PaymentState | None = None,
    order_id: UUID | None = None,
    customer_id: Annotated[Line | None, Query()] = None,
    created_from: Moment = None,
    created_before: Moment = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> dict[str, Any]:
    wanted = Filter(state, order_id, customer_id, created_from, created_before)
    return await page_of_payments(session, wanted, cursor, limit)


@router.get("/payments/{payment_id}", response_model=PaymentDetail, responses=refusals(NotFound, *_WHO))
async def get_payment(payment_id: UUID, _: Admin, session: Transaction) -> PaymentDetail:
    return await one_payment(session, payment_id)


@router.post(
    "/payments/{payment_id}/capture",
    response_model=PaymentView,
    responses={
        202: {"model": PaymentView, "description": "Not captured yet: it is tried again by itself."},
        **refusals(NotFound, InvalidStatusTransition, Unavailable, *_WHO),
    },
)
async def capture_payment(
    payment_id: UUID, caller: Admin, payments: Annotated[Payments, Depends(provided(Payments))], response: Response
) -> PaymentView:
    payment = await payments.capture(payment_id, caller.subject)
    response.status_code = 200 if payment.captured else 202
    return PaymentView.model_validate(payment)


@router.get("/refunds", response_model=Page[OperationView], responses=refusals(Invalid, *_WHO))
async def list_refunds(
    _: Admin,
    session: Transaction,
    state: OperationState | None = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> dict[str, Any]:
    return await page_of_refunds(session, state, cursor, limit)


@router.post(
    "/refunds/{refund_id}/completion",
    response_model=OperationView,
    responses=refusals(Invalid, NotFound, NotManual, *_WHO),
)
async def complete(
    refund_id: UUID,
    body: CompleteRefund,
    caller: Admin,
    session: Transaction,
    rules: Annotated[Rules, Depends(provided(Rules))],
) -> OperationView:
    return await complete_refund(session, rules, refund_id, body.reference, caller.subject)


@router.post(
    "/payment-webhooks/{gateway}",
    response_model=WebhookAnswer,
    responses={
        202: {"model": WebhookAnswer, "description": "There is nothing to do about this report."},
        **refusals(Invalid, NotVerified, NotFound, TooLarge),
    },
)
async def hear(
    gateway: GatewayName,
    hearing: Annotated[Hearing, Depends(provided(Hearing))],
    session: Transaction,
    request: Request,
    response: Response,
) -> WebhookAnswer:
    answer = await hearing.hear(session, gateway, request.headers, await request.body())
    response.status_code = 202 if answer.result == "ignored" else 200
    return answer
