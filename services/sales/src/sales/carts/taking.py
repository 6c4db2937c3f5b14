"""Finds the cart that somebody may use: to look into it, or to change it while nobody else can."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from chassis.errors import NotFound
from chassis.ids import uuid7

from .model import Cart, ItemNotFound

_RANDOM_BYTES: Final = 32


class NoSuchCart(NotFound):
    """The token was never one, or its cart has expired or was merged into a customer's."""

    def __init__(self) -> None:
        super().__init__("There is no such cart; it may have expired.")


@dataclass(frozen=True, slots=True)
class Shopper:
    """Whose cart it is: a customer's, or that of the guest who has its token."""

    customer_id: str | None = None
    token_hash: bytes | None = None

    @property
    def principal(self) -> str | None:
        """Under which an Idempotency-Key is theirs, where no access token says whose it is."""
        return None if self.token_hash is None else self.token_hash.hex()

    @property
    def theirs(self) -> ColumnElement[bool]:
        if self.customer_id is not None:
            return Cart.customer_id == self.customer_id
        return Cart.token_hash == self.token_hash


def guest(cart_token: str) -> Shopper:
    # As random as a key, it needs no slow hash; and what is stored opens nothing.
    return Shopper(token_hash=hashlib.sha256(cart_token.encode("utf-8", "surrogatepass")).digest())


def new_token() -> str:
    return secrets.token_urlsafe(_RANDOM_BYTES)


async def look(session: AsyncSession, shopper: Shopper) -> Cart | None:
    """The cart as it is; a customer may have none yet."""
    cart = await session.scalar(select(Cart).where(shopper.theirs).options(selectinload(Cart.items)))
    if cart is None and shopper.customer_id is None:
        raise NoSuchCart
    return cart


async def product_of(session: AsyncSession, shopper: Shopper, item_id: UUID) -> tuple[str, UUID | None]:
    cart = await look(session, shopper)
    if cart is None:
        raise ItemNotFound
    return cart.item(item_id).product


async def take(session: AsyncSession, shopper: Shopper) -> Cart:
    """The cart, touched, and locked until the transaction ends; a customer who has none gets one."""
    cart_id = await (_open(session, shopper.customer_id) if shopper.customer_id else _touch(session, shopper))
    # Read after the lock was got, and anew if it was looked at before: what the one before us has done is in it.
    whole = select(Cart).where(Cart.id == cart_id).options(selectinload(Cart.items))
    return (await session.scalars(whole.execution_options(populate_existing=True))).one()


async def _open(session: AsyncSession, customer_id: str) -> UUID:
    new = insert(Cart).values(id=uuid7(), customer_id=customer_id, touched_at=datetime.now(UTC))
    touched = new.on_conflict_do_update(
        index_elements=[Cart.customer_id], set_={"touched_at": new.excluded.touched_at}
    ).returning(Cart.id)
    return (await session.scalars(touched)).one()


async def _touch(session: AsyncSession, shopper: Shopper) -> UUID:
    touched = update(Cart).where(shopper.theirs).values(touched_at=datetime.now(UTC)).returning(Cart.id)
    cart_id = await session.scalar(touched)
    if cart_id is None:
        raise NoSuchCart
    return cart_id
