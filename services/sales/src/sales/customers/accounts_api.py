"""Accounts over HTTP: registering, proving the e-mail, choosing another password."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from chassis.auth import Customer
from chassis.db import Transaction
from chassis.edge import SafeRoute, refusals
from chassis.errors import Forbidden, Invalid, KeyReused, Overloaded, TooMany, Unauthenticated
from chassis.idempotency import Once
from chassis.service import provided
from contracts.mail_tokens import MailPurpose
from contracts.sales.customers import (
    AccountView,
    AskForMail,
    ChangePassword,
    MailAskedFor,
    Register,
    ResetPassword,
    VerifyEmail,
)

from .changing_passwords import PasswordChanges
from .known_addresses import ClientAddress
from .log_in import InvalidCredentials
from .mail_requests import ask_for_mail
from .mail_tokens import InvalidToken
from .registration import EmailAlreadyRegistered, Registration
from .strength import WeakPassword
from .verification import verify_email

router = APIRouter(prefix="/api/v1/customers", tags=["accounts"], route_class=SafeRoute)

Changes = Annotated[PasswordChanges, Depends(provided(PasswordChanges))]


@router.post(
    "",
    status_code=201,
    response_model=None,
    responses={
        201: {"model": AccountView},
        **refusals(Invalid, WeakPassword, EmailAlreadyRegistered, KeyReused, Overloaded),
    },
)
async def register(
    body: Register,
    registration: Annotated[Registration, Depends(provided(Registration))],
    session: Transaction,
    once: Once,
) -> Response:
    hash = await registration.hash(body.password)
    return await once(registration.submit(session, body, hash))


@router.post("/verifications", response_model=AccountView, responses=refusals(Invalid, InvalidToken))
async def verify(body: VerifyEmail, session: Transaction) -> AccountView:
    return await verify_email(session, body)


@router.post(
    "/verification-requests", status_code=202, response_model=MailAskedFor, responses=refusals(Invalid, TooMany)
)
async def ask_for_verification(body: AskForMail, session: Transaction, address: ClientAddress) -> MailAskedFor:
    return await ask_for_mail(session, MailPurpose.VERIFICATION, body.email, address)


@router.post(
    "/password-reset-requests", status_code=202, response_model=MailAskedFor, responses=refusals(Invalid, TooMany)
)
async def ask_for_reset(body: AskForMail, session: Transaction, address: ClientAddress) -> MailAskedFor:
    return await ask_for_mail(session, MailPurpose.PASSWORD_RESET, body.email, address)


@router.post("/password-resets", status_code=204, responses=refusals(Invalid, InvalidToken, WeakPassword, Overloaded))
async def reset_password(body: ResetPassword, changes: Changes, address: ClientAddress) -> None:
    await changes.reset(body, address)


@router.put(
    "/me/password",
    status_code=204,
    responses=refusals(Invalid, WeakPassword, Unauthenticated, InvalidCredentials, Forbidden, TooMany, Overloaded),
)
async def change_password(body: ChangePassword, caller: Customer, changes: Changes, address: ClientAddress) -> None:
    await changes.change(caller.subject, body, address)
