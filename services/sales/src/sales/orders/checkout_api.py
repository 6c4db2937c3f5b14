"""Checking out over HTTP: the cart becomes an order that is paid by card."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from chassis.auth import Customer
from chassis.edge import SafeRoute, refusals
from chassis.errors import Invalid, KeyReused, Overloaded, Unauthenticated, Unavailable
from chassis.idempotency import IdempotencyKey
from chassis.service import provided
from contracts.sales.checkout import CheckOut
from contracts.sales.orders import OrderView
from sales.customers.addresses import IncompleteAddress
from sales.payments.model import PaymentFailed

from .baskets import EmailNotVerified, EmptyCart, InternationalShippingNotAvailable, RegistrationRequired
from .checkout import CheckingOut, OrderCreationFailed, TotalChanged
from .stock import InsufficientStock, VariantRequired

router = APIRouter(prefix="/api/v1/checkout", tags=["orders"], route_class=SafeRoute)


def not_a_guest(request: Request) -> None:
    """Who has a cart and no account is told what is missing, and not only that something is."""
    if "authorization" not in request.headers and "x-cart-token" in request.headers:
        raise RegistrationRequired


@router.post(
    "",
    status_code=201,
    response_model=None,
    dependencies=[Depends(not_a_guest)],
    responses={
        201: {"model": OrderView},
        **refusals(Invalid, EmptyCart, InsufficientStock, VariantRequired, IncompleteAddress),
        **refusals(InternationalShippingNotAvailable, Unauthenticated, PaymentFailed, TotalChanged, KeyReused),
        **refusals(RegistrationRequired, EmailNotVerified, OrderCreationFailed, Unavailable, Overloaded),
    },
)
async def check_out(
    body: CheckOut,
    caller: Customer,
    checking_out: Annotated[CheckingOut, Depends(provided(CheckingOut))],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    answer = await checking_out.check_out(caller.subject, body, idempotency_key)
    headers = {"Idempotency-Replayed": "true"} if answer.replayed else None
    return Response(answer.body, answer.status, headers, "application/json")
