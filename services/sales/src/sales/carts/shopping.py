"""Filling a cart: Product is asked first, while no transaction is open, and then one transaction decides."""

from uuid import UUID

from fastapi import Response
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.db import Database
from chassis.idempotency import Once
from chassis.steps import step
from contracts.product.inventory import RequestedItem
from contracts.sales.carts import AddItem, CartView

from . import commands
from .model import Cart, Offer
from .offers import Offers
from .showing import as_stored
from .taking import Shopper, look, product_of


class Shopping:
    def __init__(self, database: Database, offers: Offers) -> None:
        self._database = database
        self._offers = offers

    @step("CartService", "addToCart")
    async def add_to_cart(self, session: AsyncSession, shopper: Shopper, wanted: AddItem, once: Once) -> Response:
        """`session` is the request's own: its transaction begins with the first statement, after Product's answer."""
        if answered := await once.answered(principal=shopper.principal):
            return answered
        async with self._database.begin() as looking:
            # A token that opens nothing is not worth asking Product.
            await look(looking, shopper)
        offer = await self._offers.offer_for(RequestedItem.model_validate(wanted.model_dump()))
        return await once(_add(session, shopper, offer, wanted.quantity), principal=shopper.principal)

    @step("CartService", "updateQuantity")
    async def update_quantity(self, shopper: Shopper, item_id: UUID, quantity: int) -> CartView:
        """Zero takes it out, which nobody has to be asked for."""
        if quantity == 0:
            async with self._database.begin() as session:
                return _stored(await commands.remove_item(session, shopper, item_id))
        async with self._database.begin() as session:
            product_id, variant_id = await product_of(session, shopper, item_id)
        wanted = RequestedItem(product_id=product_id, variant_id=variant_id, quantity=quantity)
        offer = await self._offers.offer_for(wanted)
        async with self._database.begin() as session:
            return _stored(await commands.update_quantity(session, shopper, item_id, offer, quantity))

    @step("CartService", "removeItem")
    async def remove_item(self, shopper: Shopper, item_id: UUID) -> CartView:
        async with self._database.begin() as session:
            return _stored(await commands.remove_item(session, shopper, item_id))

    @step("CartService", "clearCart")
    async def clear_cart(self, shopper: Shopper) -> CartView:
        async with self._database.begin() as session:
            return _stored(await commands.clear_cart(session, shopper))


async def _add(session: AsyncSession, shopper: Shopper, offer: Offer, quantity: int) -> CartView:
    cart = await commands.add_item(session, shopper, offer, quantity)
    return as_stored(cart, commands.recalculate_total(cart))


def _stored(cart: Cart) -> CartView:
    return as_stored(cart, cart.totals)
