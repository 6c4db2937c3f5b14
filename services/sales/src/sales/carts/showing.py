"""How a cart is shown: from what is stored, or with what Product says of its items now, and what has changed since."""

from collections.abc import Mapping, Sequence

from contracts.product.inventory import Unavailable as Reason
from contracts.sales.carts import CartItemView, CartNote, CartTotal, CartView, NoteCode

from .model import Cart, CartItem, Offer, sums

EMPTY = CartView(items=[], totals=[], refreshed=True)


def as_stored(cart: Cart, totals: Mapping[str, int]) -> CartView:
    """At the names and prices that each item had when it was last changed."""
    items = [_item(item, item.name, item.unit_price, item.currency, item.subtotal) for item in cart.items]
    return _view(cart, items, totals, refreshed=False)


def as_offered(cart: Cart, offers: Sequence[Offer | Reason]) -> CartView:
    """At the names and prices of this moment; what cannot be had costs nothing, and not even names a currency."""
    items, costs = [], []
    for item, offer in zip(cart.items, offers, strict=True):
        if isinstance(offer, Reason):
            note = CartNote(code=NoteCode.NOT_AVAILABLE)
            items.append(_item(item, item.name, item.unit_price, item.currency, 0, note))
            continue
        pieces = min(item.quantity, offer.available)
        cost = pieces * offer.unit_price
        items.append(_item(item, offer.name, offer.unit_price, offer.currency, cost, *_notes(item, offer)))
        if pieces:
            costs.append((offer.currency, cost))
    return _view(cart, items, sums(costs), refreshed=True)


def _notes(item: CartItem, offer: Offer) -> list[CartNote]:
    notes = []
    if (item.unit_price, item.currency) != (offer.unit_price, offer.currency):
        code = NoteCode.PRICE_CHANGED
        notes.append(CartNote(code=code, previous_price=item.unit_price, previous_currency=item.currency))
    if offer.available < 1:
        notes.append(CartNote(code=NoteCode.OUT_OF_STOCK, available=0))
    elif offer.available < item.quantity:
        notes.append(CartNote(code=NoteCode.QUANTITY_EXCEEDS_STOCK, available=offer.available))
    return notes


def _item(item: CartItem, name: str, unit_price: int, currency: str, subtotal: int, *notes: CartNote) -> CartItemView:
    return CartItemView(
        item_id=item.id,
        product_id=item.product_id,
        variant_id=item.variant_id,
        name=name,
        quantity=item.quantity,
        unit_price=unit_price,
        currency=currency,
        subtotal=subtotal,
        notes=notes,
    )


def _view(cart: Cart, items: Sequence[CartItemView], totals: Mapping[str, int], *, refreshed: bool) -> CartView:
    each = [CartTotal(currency=currency, total=total) for currency, total in totals.items()]
    only = each[0] if len(each) == 1 else None
    return CartView(
        cart_id=cart.id,
        items=items,
        total=only.total if only else None,
        currency=only.currency if only else None,
        totals=each,
        refreshed=refreshed,
    )
