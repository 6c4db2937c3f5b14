"""Who is logged in: each session is a family of refresh tokens, of which the youngest alone is good, and only once.

A refresh token is `family.secret`, both random. The table holds one row per session, with the hashes of its family and
of the youngest secret: a token of a known family with another secret was retired before, so two have it, and one of
them is not the customer. The session ends for both.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import ColumnElement, Index, LargeBinary, Text, delete, select
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from chassis.audit import record
from chassis.errors import Unauthenticated
from chassis.ids import uuid7
from chassis.telemetry import logger
from sales.db import SalesTable

_FAMILY_BYTES: Final = 16
_SECRET_BYTES: Final = 32

log = logger("sessions")


class SessionEnded(Unauthenticated):
    def __init__(self) -> None:
        super().__init__("The session has ended. Please log in again.")


class OpenSession(SalesTable):
    __tablename__ = "sessions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    customer_id: Mapped[str] = mapped_column(Text)
    family_hash: Mapped[bytes] = mapped_column(LargeBinary)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary)
    started_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))

    __table_args__ = (
        Index("uq_sessions_family_hash", "family_hash", unique=True),
        Index("ix_sessions_customer_id", "customer_id"),
        Index("ix_sessions_expires_at", "expires_at"),
    )


@dataclass(frozen=True, slots=True)
class Refresh:
    """What is given out: the token itself is known to nobody else."""

    customer_id: str
    token: str
    expires_at: datetime


async def start_session(session: AsyncSession, customer_id: str, lives: timedelta) -> Refresh:
    family, now = secrets.token_urlsafe(_FAMILY_BYTES), datetime.now(UTC)
    refresh = _next(customer_id, family, now + lives)
    session.add(
        OpenSession(
            customer_id=customer_id,
            family_hash=_hash(family),
            token_hash=_hash(refresh.token),
            started_at=now,
            expires_at=refresh.expires_at,
        )
    )
    return refresh


async def renew(session: AsyncSession, token: SecretStr, lives: timedelta) -> Refresh | None:
    """The next token. None: the session is over, or is from now on, which the caller must not undo."""
    found = await session.scalar(select(OpenSession).where(_of_its_family(token)).with_for_update())
    now = datetime.now(UTC)
    if found is None or found.expires_at <= now:
        return None
    if not hmac.compare_digest(found.token_hash, _hash(token.get_secret_value())):
        await session.delete(found)
        record(session, "sales", "session.reused", found.id, before={"customer_id": found.customer_id})
        log.warning("refresh_reused", session_id=str(found.id), customer_id=found.customer_id)
        return None
    refresh = _next(found.customer_id, _family(token), now + lives)
    found.token_hash, found.expires_at = _hash(refresh.token), refresh.expires_at
    return refresh


async def end_session(session: AsyncSession, token: SecretStr) -> None:
    """Whichever of its tokens comes: who has one may end it."""
    await session.execute(delete(OpenSession).where(_of_its_family(token)))


async def end_sessions(session: AsyncSession, customer_id: str, *, but: SecretStr | None = None) -> int:
    """How many; their access tokens live on until they expire."""
    theirs = delete(OpenSession).where(OpenSession.customer_id == customer_id)
    if but is not None:
        theirs = theirs.where(OpenSession.token_hash != _hash(but.get_secret_value()))
    return len((await session.scalars(theirs.returning(OpenSession.id))).all())


def _next(customer_id: str, family: str, expires_at: datetime) -> Refresh:
    return Refresh(customer_id, f"{family}.{secrets.token_urlsafe(_SECRET_BYTES)}", expires_at)


def _of_its_family(token: SecretStr) -> ColumnElement[bool]:
    return OpenSession.family_hash == _hash(_family(token))


def _family(token: SecretStr) -> str:
    return token.get_secret_value().partition(".")[0]


def _hash(text: str) -> bytes:
    # As random as a key, it needs no slow hash.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
