"""What is done to a cart, each in one transaction that has it to itself; Product was asked before."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from chassis.ids import uuid7
from chassis.outbox import publish
from chassis.steps import step
from contracts.sales.carts import (
    CartCleared,
    CartEvent,
    CartQuantityUpdated,
    GuestCartView,
    ItemAddedToCart,
    ItemRemovedFromCart,
)

from .model import Cart, CartItem, Offer, Product
from .taking import Shopper, guest, new_token, take


async def open_cart(session: AsyncSession, customer_id: str) -> None:
    """Who has a cart keeps it."""
    new = insert(Cart).values(id=uuid7(), customer_id=customer_id, touched_at=datetime.now(UTC))
    await session.execute(new.on_conflict_do_nothing())


async def open_guest_cart(session: AsyncSession) -> GuestCartView:
    """The token is known to nobody after this but to whoever gets it."""
    token = new_token()
    cart = Cart(id=uuid7(), token_hash=guest(token).token_hash, touched_at=datetime.now(UTC))
    session.add(cart)
    return GuestCartView(cart_id=cart.id, cart_token=token)


async def merge_guest_cart(session: AsyncSession, customer_id: str, cart_token: str) -> None:
    """What the guest had is the customer's, as far as it fits, and the guest's cart is gone: once.

    The guest's cart is locked first, whoever's it is to become, so that no two merges wait for each other in a ring.
    """
    its_rows = select(Cart).where(guest(cart_token).theirs).options(selectinload(Cart.items)).with_for_update()
    guests = await session.scalar(its_rows)
    if guests is None:
        return
    if guests.items:
        cart = await take(session, Shopper(customer_id))
        for item in guests.items:
            if taken := cart.take_over(item):
                _tell_added(session, cart, *taken)
    await session.delete(guests)


async def discard_cart(session: AsyncSession, customer_id: str) -> None:
    """Nothing of it is left, and nobody is told."""
    await session.execute(delete(Cart).where(Cart.customer_id == customer_id))


@step("CartAggregate", "addItem")
async def add_item(session: AsyncSession, shopper: Shopper, offer: Offer, quantity: int) -> Cart:
    cart = await take(session, shopper)
    item = cart.add(offer, quantity)
    _tell_added(session, cart, item, quantity)
    return cart


@step("CartAggregate", "recalculateTotal")
def recalculate_total(cart: Cart) -> dict[str, int]:
    return cart.totals


@step("CartAggregate", "updateQuantity")
async def update_quantity(session: AsyncSession, shopper: Shopper, item_id: UUID, offer: Offer, quantity: int) -> Cart:
    cart = await take(session, shopper)
    item = cart.item(item_id)
    previous = item.quantity
    if cart.change(item, offer, quantity):
        publish(session, _updated(cart, item, previous))
    return cart


@step("CartAggregate", "removeItem")
async def remove_item(session: AsyncSession, shopper: Shopper, item_id: UUID) -> Cart:
    cart = await take(session, shopper)
    item = cart.item(item_id)
    cart.remove(item)
    publish(session, ItemRemovedFromCart(**_of(cart, item), quantity=item.quantity))
    return cart


@step("CartAggregate", "clearCart")
async def clear_cart(session: AsyncSession, shopper: Shopper) -> Cart:
    """An empty cart stays as it is, and nobody is told."""
    cart = await take(session, shopper)
    if gone := cart.clear():
        publish(session, CartCleared(cart_id=cart.id, customer_id=cart.customer_id, item_count=len(gone)))
    return cart


@step("CartService", "clearCart")
async def take_out_ordered(session: AsyncSession, customer_id: str, ordered: Mapping[Product, int]) -> None:
    """What was put in while the order was on its way stays."""
    cart = await take(session, Shopper(customer_id))
    touched = [item for item in cart.items if item.product in ordered]
    events: list[CartEvent] = []
    for item in touched:
        previous = item.quantity
        if cart.reduce(item, ordered[item.product]):
            events.append(_updated(cart, item, previous))
        else:
            events.append(ItemRemovedFromCart(**_of(cart, item), quantity=previous))
    if touched and not cart.items:
        events = [CartCleared(cart_id=cart.id, customer_id=cart.customer_id, item_count=len(touched))]
    for event in events:
        publish(session, event)


def _updated(cart: Cart, item: CartItem, previous: int) -> CartQuantityUpdated:
    return CartQuantityUpdated(
        **_of(cart, item),
        previous_quantity=previous,
        quantity=item.quantity,
        unit_price=item.unit_price,
        currency=item.currency,
    )


def _tell_added(session: AsyncSession, cart: Cart, item: CartItem, added: int) -> None:
    told = ItemAddedToCart(
        **_of(cart, item), added=added, quantity=item.quantity, unit_price=item.unit_price, currency=item.currency
    )
    publish(session, told)


def _of(cart: Cart, item: CartItem) -> dict[str, Any]:
    return {
        "cart_id": cart.id,
        "customer_id": cart.customer_id,
        "item_id": item.id,
        "product_id": item.product_id,
        "variant_id": item.variant_id,
    }
