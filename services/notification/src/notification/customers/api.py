"""Mail preferences over HTTP: for customers who are logged in, and for whoever holds a mail with the link in it."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse

from chassis.auth import Customer
from chassis.db import Transaction
from chassis.edge import SafeRoute, refusals
from chassis.errors import Forbidden, Invalid
from chassis.service import provided
from contracts.notification.preferences import ChangePreferences, PreferencesView

from . import preferences
from .preferences import NoLongerCustomer
from .unsubscribing import InvalidToken, Unsubscribing

router = APIRouter(prefix="/api/v1", tags=["preferences"], route_class=SafeRoute)

_PAGE: Final[dict[str, Any]] = {"description": "A page.", "content": {"text/html": {"schema": {"type": "string"}}}}

TheUnsubscribing = Annotated[Unsubscribing, Depends(provided(Unsubscribing))]


@router.get("/mail-preferences", response_model=PreferencesView, responses=refusals(NoLongerCustomer, Forbidden))
async def show_preferences(caller: Customer, session: Transaction) -> PreferencesView:
    return await preferences.show(session, caller.subject)


@router.put(
    "/mail-preferences", response_model=PreferencesView, responses=refusals(Invalid, NoLongerCustomer, Forbidden)
)
async def change_preferences(body: ChangePreferences, caller: Customer, session: Transaction) -> PreferencesView:
    return await preferences.change(session, caller.subject, body)


@router.get("/unsubscribe", response_model=None, responses={200: _PAGE, **refusals(InvalidToken)})
async def ask_whether_to_unsubscribe(
    session: Transaction, unsubscribing: TheUnsubscribing, token: str = ""
) -> HTMLResponse:
    """A page with a button. It changes nothing: mail programs and scanners follow every link."""
    return await unsubscribing.ask(session, token)


@router.post("/unsubscribe", response_model=None, responses={200: _PAGE, **refusals(InvalidToken)})
async def unsubscribe(session: Transaction, unsubscribing: TheUnsubscribing, token: str = "") -> HTMLResponse:
    """By the page's button, or by the mail program's own (RFC 8058). Repeating it changes nothing."""
    return await unsubscribing.do(session, token)
