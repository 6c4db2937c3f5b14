"""Carts over HTTP: a customer's own, or the one that a guest has the token of."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import APIKeyHeader, HTTPBearer

from chassis.auth import needs
from chassis.db import Transaction
from chassis.edge import SafeRoute, refusals
from chassis.errors import Forbidden, Invalid, KeyReused, Overloaded, Unauthenticated, Unavailable
from chassis.idempotency import Once
from chassis.service import provided
from contracts.sales.carts import AddItem, CartView, ChangeQuantity, GuestCartView

from .commands import open_guest_cart as open_cart
from .model import ItemNotFound, OutOfStock, QuantityExceedsStock
from .offers import ProductNotAvailable, VariantRequired
from .shopping import Shopping
from .taking import NoSuchCart, Shopper, guest
from .viewing import Viewing

router = APIRouter(
    prefix="/api/v1/cart",
    tags=["carts"],
    route_class=SafeRoute,
    responses=refusals(Unauthenticated, Forbidden, NoSuchCart, Unavailable),
)
guest_carts = APIRouter(prefix="/api/v1/guest-carts", tags=["carts"], route_class=SafeRoute)

_customers = needs("customer")
CartToken = APIKeyHeader(
    name="X-Cart-Token", scheme_name="cartToken", description="Of a guest's cart.", auto_error=False
)
AccessToken = HTTPBearer(scheme_name="accessToken", bearerFormat="JWT", auto_error=False)
_no_item = refusals(NoSuchCart, ItemNotFound)
_stock = refusals(OutOfStock, QuantityExceedsStock, VariantRequired, ProductNotAvailable, Invalid)


async def find_shopper(
    request: Request,
    cart_token: Annotated[str | None, Depends(CartToken)],
    _: Annotated[Any, Depends(AccessToken)],
) -> Shopper:
    """Who logs in leaves the guest behind: beside an access token the cart's does not count."""
    if "authorization" in request.headers:
        return Shopper(customer_id=(await _customers(request)).subject)
    if cart_token:
        return guest(cart_token)
    raise Unauthenticated("Log in, or send the token of a guest's cart as X-Cart-Token.")


ForShopper = Annotated[Shopper, Depends(find_shopper)]
AtShop = Annotated[Shopping, Depends(provided(Shopping))]


@guest_carts.post("", status_code=201, response_model=GuestCartView, responses=refusals(Unavailable))
async def open_guest_cart(session: Transaction) -> GuestCartView:
    # Without Idempotency-Key: whoever hit upon another guest's key would be given that one's cart.
    return await open_cart(session)


@router.get("", response_model=CartView)
async def show_cart(shopper: ForShopper, viewing: Annotated[Viewing, Depends(provided(Viewing))]) -> CartView:
    return await viewing.show(shopper)


@router.post(
    "/items",
    status_code=201,
    response_model=None,
    responses={201: {"model": CartView}, **_stock, **refusals(KeyReused), **refusals(Unavailable, Overloaded)},
)
async def add_to_cart(
    wanted: AddItem, shopper: ForShopper, shopping: AtShop, session: Transaction, once: Once
) -> Response:
    return await shopping.add_to_cart(session, shopper, wanted, once)


@router.put("/items/{item_id}", response_model=CartView, responses={**_stock, **_no_item})
async def update_quantity(item_id: UUID, wanted: ChangeQuantity, shopper: ForShopper, shopping: AtShop) -> CartView:
    return await shopping.update_quantity(shopper, item_id, wanted.quantity)


@router.delete("/items/{item_id}", response_model=CartView, responses=_no_item)
async def remove_item(item_id: UUID, shopper: ForShopper, shopping: AtShop) -> CartView:
    return await shopping.remove_item(shopper, item_id)


@router.delete("", response_model=CartView)
async def clear_cart(shopper: ForShopper, shopping: AtShop) -> CartView:
    return await shopping.clear_cart(shopper)
