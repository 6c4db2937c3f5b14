"""Tokens that a customer gets by mail: one at a time for each purpose, for one use, and here only as a hash."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import CheckConstraint, ColumnElement, Index, LargeBinary, Text, and_, select, update
from sqlalchemy.dialects.postgresql import TIMESTAMP, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from chassis.errors import Invalid
from chassis.ids import uuid7
from contracts.mail_tokens import MailPurpose, mail_token
from sales.db import SalesTable

from .accounts import account_of
from .model import Customer


class InvalidToken(Invalid):
    code = "INVALID_TOKEN"

    def __init__(self) -> None:
        super().__init__(
            "This token was used before, has expired, or never was one.",
            [{"field": "token", "message": "Please ask for a new one."}],
        )


class MailToken(SalesTable):
    """The key is what makes a newer token supersede the older one."""

    __tablename__ = "mail_tokens"

    customer_id: Mapped[str] = mapped_column(Text, primary_key=True)
    purpose: Mapped[str] = mapped_column(Text, primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    used_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))

    __table_args__ = (
        CheckConstraint("purpose IN ('verification', 'password-reset')", name="purpose"),
        Index("uq_mail_tokens_token_hash", "token_hash", unique=True),
        Index("ix_mail_tokens_expires_at", "expires_at"),
    )


@dataclass(frozen=True, slots=True)
class Issued:
    """What an event may tell of a token."""

    token_id: UUID
    expires_at: datetime


class MailTokens:
    def __init__(self, secret: SecretStr, lives: Mapping[MailPurpose, timedelta]) -> None:
        self._secret = secret
        self._lives = dict(lives)

    async def issue(self, session: AsyncSession, purpose: MailPurpose, customer_id: str) -> Issued:
        issued = Issued(uuid7(), datetime.now(UTC) + self._lives[purpose])
        token = mail_token(self._secret.get_secret_value(), purpose, issued.token_id)
        fresh = {"token_hash": _hash(token), "expires_at": issued.expires_at, "used_at": None}
        row = insert(MailToken).values(customer_id=customer_id, purpose=purpose, **fresh)
        key = [MailToken.customer_id, MailToken.purpose]
        await session.execute(row.on_conflict_do_update(index_elements=key, set_=fresh))
        return issued


def mail_about(customer: Customer, issued: Issued) -> dict[str, Any]:
    """What whoever writes the mail has to know."""
    return {
        "customer_id": customer.id,
        "email": customer.email,
        "name": customer.name,
        "language": customer.language,
        "token_id": issued.token_id,
        "expires_at": issued.expires_at,
    }


async def whose(session: AsyncSession, purpose: MailPurpose, token: SecretStr) -> Customer:
    """The customer whose token it is; it stays good."""
    return await _account(session, purpose, token, lock=False)


async def redeem(session: AsyncSession, purpose: MailPurpose, token: SecretStr) -> Customer:
    """The customer whose token it was, locked: of two who come with it at once one gets it."""
    customer = await _account(session, purpose, token, lock=True)
    used = update(MailToken).where(_is_good(purpose, token)).values(used_at=datetime.now(UTC))
    if await session.scalar(used.returning(MailToken.customer_id)) is None:
        raise InvalidToken
    return customer


async def _account(session: AsyncSession, purpose: MailPurpose, token: SecretStr, *, lock: bool) -> Customer:
    customer_id = await session.scalar(select(MailToken.customer_id).where(_is_good(purpose, token)))
    customer = await account_of(session, customer_id, lock=lock) if customer_id is not None else None
    if customer is None:
        raise InvalidToken
    return customer


def _is_good(purpose: MailPurpose, token: SecretStr) -> ColumnElement[bool]:
    return and_(
        MailToken.token_hash == _hash(token.get_secret_value()),
        MailToken.purpose == purpose,
        MailToken.used_at.is_(None),
        MailToken.expires_at > datetime.now(UTC),
    )


def _hash(token: str) -> bytes:
    # As random as a key, it needs no slow hash.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
