"""Looking into a cart: as things are now, or as they were, when Product does not say so in time."""

from datetime import timedelta
from typing import Final

from chassis.db import Database
from chassis.errors import Unavailable
from contracts.product.inventory import RequestedItem
from contracts.sales.carts import CartView

from .offers import Offers
from .showing import EMPTY, as_offered, as_stored
from .taking import Shopper, look

PATIENCE: Final = timedelta(seconds=0.5)
"""So long, and no longer, does whoever looks wait for the prices of this moment."""


class Viewing:
    """With a peer of its own, whose breaker knows whether Product answers as soon as is needed here."""

    def __init__(self, database: Database, offers: Offers) -> None:
        self._database = database
        self._offers = offers

    async def show(self, shopper: Shopper) -> CartView:
        async with self._database.begin() as session:
            cart = await look(session, shopper)
        if cart is None:
            return EMPTY
        if not cart.items:
            return as_offered(cart, [])
        wanted = [
            RequestedItem(product_id=item.product_id, variant_id=item.variant_id, quantity=item.quantity)
            for item in cart.items
        ]
        try:
            return as_offered(cart, await self._offers.offers_for(wanted))
        except Unavailable:
            return as_stored(cart, cart.totals)

    async def close(self) -> None:
        await self._offers.close()
