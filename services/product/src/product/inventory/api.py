"""The inventory over HTTP: availability for all, reservations for the services that own them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from chassis.auth import ServicePeer, needs
from chassis.db import Transaction
from chassis.edge import SafeRoute, refusals
from chassis.errors import Forbidden, NotFound, Overloaded, Unauthenticated, Unavailable
from chassis.service import provided
from contracts.product import (
    Availability,
    CheckAvailability,
    Reservations,
    ReservationView,
    Reserve,
    Settle,
    Settlements,
)

from . import commands
from .desk import Desk
from .model import ReservationMismatch

availability = APIRouter(prefix="/api/v1/products", tags=["inventory"], route_class=SafeRoute)
reservations = APIRouter(
    prefix="/api/v1/reservations",
    tags=["inventory"],
    route_class=SafeRoute,
    responses=refusals(Unauthenticated, Forbidden, Unavailable, Overloaded),
)

AtDesk = Annotated[Desk, Depends(provided(Desk))]


@availability.post("/check-availability", response_model=Availability, response_model_exclude_none=True)
async def check_availability(body: CheckAvailability, session: Transaction) -> Availability:
    return await commands.check_availability(session, body.items)


@reservations.post(
    "",
    response_model=Reservations,
    response_model_exclude_none=True,
    responses=refusals(ReservationMismatch),
)
async def reserve(_: ServicePeer, body: Reserve, desk: AtDesk) -> Reservations:
    return await desk.reserve(body)


@reservations.post("/releases", response_model=Settlements)
async def release(_: ServicePeer, body: Settle, desk: AtDesk) -> Settlements:
    return await desk.release(body)


@reservations.post("/deductions", response_model=Settlements)
async def deduct(_: ServicePeer, body: Settle, desk: AtDesk) -> Settlements:
    return await desk.deduct(body)


@reservations.get(
    "/{reservation_id}",
    response_model=ReservationView,
    response_model_exclude_none=True,
    responses=refusals(NotFound),
    dependencies=[Depends(needs("service", "admin"))],
)
async def show_reservation(reservation_id: UUID, session: Transaction) -> ReservationView:
    return await commands.show_reservation(session, reservation_id)
