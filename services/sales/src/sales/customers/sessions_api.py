"""Logging in and out over HTTP. The answers hold tokens and are stored nowhere: no Idempotency-Key repeats them."""

from typing import Annotated

from fastapi import APIRouter, Depends

from chassis.auth import Customer
from chassis.db import Transaction
from chassis.edge import SafeRoute, refusals
from chassis.errors import Forbidden, Invalid, Overloaded, TooMany, Unauthenticated
from chassis.service import provided
from contracts.sales.customers import LogIn, RefreshToken, SessionView

from .known_addresses import ClientAddress
from .log_in import InvalidCredentials, LogIns
from .sessions import SessionEnded, end_sessions

router = APIRouter(prefix="/api/v1/sessions", tags=["sessions"], route_class=SafeRoute)

Desk = Annotated[LogIns, Depends(provided(LogIns))]


@router.post("", response_model=SessionView, responses=refusals(Invalid, InvalidCredentials, TooMany, Overloaded))
async def log_in(body: LogIn, desk: Desk, address: ClientAddress) -> SessionView:
    return await desk.log_in(body, address)


@router.post("/renewal", response_model=SessionView, responses=refusals(Invalid, SessionEnded))
async def renew(body: RefreshToken, desk: Desk) -> SessionView:
    return await desk.renew(body)


@router.post("/logout", status_code=204, responses=refusals(Invalid))
async def log_out(body: RefreshToken, desk: Desk) -> None:
    """Also for those who are logged out already."""
    await desk.log_out(body)


@router.delete("", status_code=204, responses=refusals(Unauthenticated, Forbidden))
async def log_out_everywhere(caller: Customer, session: Transaction) -> None:
    await end_sessions(session, caller.subject)
