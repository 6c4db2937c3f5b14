"""The inventory over HTTP for those who sell: availability for all, reservations for the services that own them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from chassis.auth import ServicePeer, needs
from chassis.db import Transaction
from chassis.edge import SafeRoute, refusals
from chassis.errors import Forbidden, NotFound, Overloaded, Unauthenticated, Unavailable
from chassis.service import provided
from contracts.product.inventory import (
    Availability,
    CheckAvailability,
    Quote,
    Reservations,
    ReservationView,
    Reserve,
    ReturnedStock,
    ReturnedStockView,
    Settle,
    Settlements,
)

from . import reading
from .counting import ProductNotFound
from .desk import Desk
from .model import ReservationMismatch
from .returning import ReturnMismatch, take_back

availability = APIRouter(prefix="/api/v1/products", tags=["inventory"], route_class=SafeRoute)
reservations = APIRouter(
    prefix="/api/v1/reservations",
    tags=["inventory"],
    route_class=SafeRoute,
    responses=refusals(Unauthenticated, Forbidden, Unavailable, Overloaded),
)
returned_stock = APIRouter(
    prefix="/api/v1/returned-stock",
    tags=["inventory"],
    route_class=SafeRoute,
    responses=refusals(Unauthenticated, Forbidden, Unavailable),
)

AtDesk = Annotated[Desk, Depends(provided(Desk))]


@availability.post("/check-availability", response_model=Availability, response_model_exclude_none=True)
async def check_availability(body: CheckAvailability, session: Transaction) -> Availability:
    return await reading.check_availability(session, body.items)


@availability.post("/quotes", response_model=Quote, response_model_exclude_none=True)
async def quote(body: CheckAvailability, session: Transaction) -> Quote:
    return await reading.quote(session, body.items)


@reservations.post(
    "",
    response_model=Reservations,
    response_model_exclude_none=True,
    responses=refusals(ReservationMismatch),
)
async def reserve(caller: ServicePeer, body: Reserve, desk: AtDesk) -> Reservations:
    return await desk.reserve(body, by=caller.subject)


@reservations.post("/releases", response_model=Settlements)
async def release(caller: ServicePeer, body: Settle, desk: AtDesk) -> Settlements:
    return await desk.release(body, by=caller.subject)


@reservations.post("/deductions", response_model=Settlements)
async def deduct(caller: ServicePeer, body: Settle, desk: AtDesk) -> Settlements:
    return await desk.deduct(body, by=caller.subject)


@reservations.get(
    "/{reservation_id}",
    response_model=ReservationView,
    response_model_exclude_none=True,
    responses=refusals(NotFound),
    dependencies=[Depends(needs("service", "admin"))],
)
async def show_reservation(reservation_id: UUID, session: Transaction) -> ReservationView:
    return await reading.show_reservation(session, reservation_id)


@returned_stock.post(
    "",
    response_model=ReturnedStockView,
    response_model_exclude_none=True,
    responses=refusals(ProductNotFound, ReturnMismatch),
)
async def take_back_stock(caller: ServicePeer, body: ReturnedStock, session: Transaction) -> ReturnedStockView:
    return await take_back(session, body, by=caller.subject)
