"""What others see of customers: how they register and log in, and the events of their accounts."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from contracts.text import Body, Line, Text, View

from .orders import SalesEvent

LONGEST_EMAIL: Final = 254
_LONGEST_LOCAL_PART: Final = 64
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# Also what turns the direction of writing around: mails refuse it in their headers.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_EMAIL: Final = rf"^{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+[A-Za-z](?:[A-Za-z0-9-]{{0,61}}[A-Za-z0-9])$"


def _deliverable(email: str) -> str:
    if email.index("@") > _LONGEST_LOCAL_PART:
        raise ValueError(f"must have at most {_LONGEST_LOCAL_PART} characters before the @")
    return email


def _on_one_line(name: str) -> str:
    # A line break would end a header of the mail that greets its bearer, and begin another.
    if _CONTROL.search(name):
        raise ValueError("must not contain line breaks or other control characters")
    return name


Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_lower=True, max_length=LONGEST_EMAIL, pattern=_EMAIL),
    AfterValidator(_deliverable),
]
"""As RFC 5321 has it, without quotes, comments and addresses of machines; other alphabets' domains as xn--…"""
PersonName = Annotated[Line, AfterValidator(_on_one_line)]
Password = Annotated[SecretStr, Field(min_length=1, max_length=1024)]
Token = Annotated[SecretStr, Field(min_length=1, max_length=200)]
Language = Literal["en", "de"]


class CustomerStatus(StrEnum):
    REGISTERED = "REGISTERED"
    ERASED = "ERASED"


class Register(Body):
    email: Email
    password: Password
    name: PersonName
    language: Language = "en"
    """In which mails are written."""


class AccountView(View):
    customer_id: str
    status: CustomerStatus
    email_verified: bool


class VerifyEmail(Body):
    token: Token


class AskForMail(Body):
    email: Email


class MailAskedFor(View):
    """The same, whether there is such an account or not."""

    message: str = "If there is an account with this e-mail, a mail is on its way."


class ResetPassword(Body):
    token: Token
    new_password: Password


class ChangePassword(Body):
    password: Password
    new_password: Password
    refresh_token: Token | None = None
    """Of the session that goes on; without it all of them end."""


class LogIn(Body):
    email: Email
    password: Password
    cart_token: Token | None = None
    """Of the cart that was filled before: what is in it becomes the customer's."""


class RefreshToken(Body):
    refresh_token: Token


class SessionView(View):
    """The refresh token is good for one renewal, which gives the next one; whoever uses an old one ends the session."""

    customer_id: str
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 (a kind of token)
    expires_in: int
    """Seconds until the access token ends."""
    refresh_token: str
    refresh_expires_at: datetime


class MailedToken(SalesEvent):
    """A mail with a token is due: `contracts.mail_tokens` makes it of `token_id`, for whoever shares the secret."""

    heard_by = frozenset({"notification"})

    customer_id: Text
    email: Text
    name: Text
    language: Language
    token_id: UUID
    expires_at: datetime


class CustomerRegistered(MailedToken):
    """There is a new account, with an empty cart; whether its e-mail is its owner's is not yet known.

    For the notification service: `token_id` and `expires_at` are those of the token that verifies the e-mail.
    """

    event_type = "customer.registered"
    domain_name = "CustomerRegistered"


class VerificationRequested(MailedToken):
    """A customer wants to verify the e-mail, which is not done yet; earlier tokens for it are void.

    For the notification service.
    """

    event_type = "customer.verification_requested"
    domain_name = "VerificationRequested"


class PasswordResetRequested(MailedToken):
    """Somebody, the customer or not, wants a new password for this account; the old one still holds.

    For the notification service. Earlier tokens for it are void.
    """

    event_type = "customer.password_reset_requested"
    domain_name = "PasswordResetRequested"
