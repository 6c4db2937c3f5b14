"""Tracking over HTTP: customers see where their parcels are."""

from uuid import UUID

from fastapi import APIRouter

from chassis.auth import CustomerOrAdmin
from chassis.db import Transaction
from chassis.edge import SafeRoute, refusals
from chassis.errors import NotFound
from contracts.sales.orders import OrderTracking

from .reading import tracking_of

tracking_of_orders = APIRouter(
    prefix="/api/v1/orders/{order_id}/tracking", tags=["orders"], route_class=SafeRoute, responses=refusals(NotFound)
)


@tracking_of_orders.get("", response_model=OrderTracking)
async def get_tracking(order_id: UUID, caller: CustomerOrAdmin, session: Transaction) -> OrderTracking:
    return await tracking_of(session, order_id, None if caller.is_admin else caller.subject)
