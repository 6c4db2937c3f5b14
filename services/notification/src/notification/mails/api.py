"""Mails over HTTP: what admins see of them, and how they have one sent again."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from chassis.auth import Admin
from chassis.db import Transaction
from chassis.edge import SafeRoute, refusals
from chassis.errors import Forbidden, Invalid, NotFound, Unauthenticated
from chassis.paging import DEFAULT_LIMIT, Cursor, Limit, Page
from contracts.notification.mails import MailState, MailView, MessageName

from .commands import send_again
from .model import InvalidStatusTransition
from .reading import Filter, one_mail, page_of_mails, view

router = APIRouter(prefix="/api/v1/mails", tags=["mails"], route_class=SafeRoute)

_NOT_ALLOWED = (Unauthenticated, Forbidden)


@router.get(
    "",
    response_model=Page[MailView],
    response_model_exclude_none=True,
    responses=refusals(Invalid, *_NOT_ALLOWED),
)
async def list_mails(
    _: Admin,
    session: Transaction,
    state: MailState | None = None,
    message: MessageName | None = None,
    recipient: Annotated[str | None, Query(min_length=1, max_length=100)] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> dict[str, Any]:
    return await page_of_mails(session, Filter(state, message, recipient), cursor, limit)


@router.get(
    "/{mail_id}",
    response_model=MailView,
    response_model_exclude_none=True,
    responses=refusals(Invalid, NotFound, *_NOT_ALLOWED),
)
async def get_mail(mail_id: UUID, _: Admin, session: Transaction) -> MailView:
    return await one_mail(session, mail_id)


@router.post(
    "/{mail_id}/sending",
    response_model=MailView,
    response_model_exclude_none=True,
    responses=refusals(Invalid, NotFound, InvalidStatusTransition, *_NOT_ALLOWED),
)
async def send(mail_id: UUID, caller: Admin, session: Transaction) -> MailView:
    return view(await send_again(session, mail_id, by=caller.subject))
