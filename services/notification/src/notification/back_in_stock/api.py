"""Back in stock over HTTP: what a customer waits for."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path

from chassis.auth import Customer
from chassis.db import Transaction
from chassis.edge import SafeRoute, refusals
from chassis.errors import Forbidden, Invalid
from chassis.paging import DEFAULT_LIMIT, Cursor, Limit, Page
from contracts.notification.preferences import WishView
from contracts.text import ProductId
from notification.customers.preferences import NoLongerCustomer

from . import wishing
from .wishing import TooManyWishes, TopicTurnedOff

router = APIRouter(prefix="/api/v1/back-in-stock", tags=["back in stock"], route_class=SafeRoute)

Product = Annotated[ProductId, Path()]


@router.get(
    "",
    response_model=Page[WishView],
    response_model_exclude_none=True,
    responses=refusals(Invalid, NoLongerCustomer, Forbidden),
)
async def list_wishes(
    caller: Customer, session: Transaction, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> dict[str, Any]:
    return await wishing.page(session, caller.subject, cursor, limit)


@router.put(
    "/{product_id}",
    response_model=WishView,
    response_model_exclude_none=True,
    responses=refusals(Invalid, NoLongerCustomer, Forbidden, TooManyWishes, TopicTurnedOff),
)
async def wish(product_id: Product, caller: Customer, session: Transaction, variant_id: UUID | None = None) -> WishView:
    """Any variant will do, unless one is named. Asking again changes nothing."""
    return await wishing.ask(session, caller.subject, product_id, variant_id)


@router.delete("/{product_id}", status_code=204, responses=refusals(Invalid, NoLongerCustomer, Forbidden))
async def withdraw(product_id: Product, caller: Customer, session: Transaction, variant_id: UUID | None = None) -> None:
    await wishing.withdraw(session, caller.subject, product_id, variant_id)
