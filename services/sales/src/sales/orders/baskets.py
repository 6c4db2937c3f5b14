"""What a customer is about to check out: that they may, what is in the cart, and where it goes."""

from typing import Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.errors import Forbidden, Invalid
from chassis.explain import INVALID, explain
from chassis.steps import step
from contracts.sales.addresses import ShippingAddress
from contracts.sales.checkout import CheckOut, CheckoutAddress
from contracts.sales.orders import OrderItem
from sales.carts.taking import Shopper, look
from sales.customers.addresses import IncompleteAddress
from sales.customers.model import Customer
from sales.profile.model import Address, AddressNotFound

_NEEDED: Final = [name for name, field in ShippingAddress.model_fields.items() if field.is_required()]


class RegistrationRequired(Forbidden):
    code = "REGISTRATION_REQUIRED"

    def __init__(self) -> None:
        super().__init__("Please register and log in to check out.")


class EmailNotVerified(Forbidden):
    code = "EMAIL_NOT_VERIFIED"

    def __init__(self) -> None:
        super().__init__("Please verify your e-mail first: a mail says how, and can be asked for again.")


class EmptyCart(Invalid):
    code = "EMPTY_CART"

    def __init__(self) -> None:
        super().__init__("There is nothing in the cart.")


class InternationalShippingNotAvailable(Invalid):
    code = "INTERNATIONAL_SHIPPING_NOT_AVAILABLE"

    def __init__(self, home_country: str) -> None:
        message = f"We ship within {home_country} only."
        super().__init__(message, [{"field": "shipping_address.country", "message": message}])


class Basket(BaseModel):
    """As it was when the checkout began; what is put into the cart later is none of it."""

    model_config = ConfigDict(frozen=True)

    items: list[OrderItem]
    address: ShippingAddress


async def fill_basket(session: AsyncSession, customer_id: str, wanted: CheckOut, home_country: str) -> Basket:
    await _validate_customer(session, customer_id)
    items = await _get_cart(session, customer_id)
    return Basket(items=items, address=await _validate_address(session, customer_id, wanted, home_country))


@step("CustomerService", "validateCustomer")
async def _validate_customer(session: AsyncSession, customer_id: str) -> None:
    query = select(Customer.email_verified).where(Customer.id == customer_id, Customer.status == "REGISTERED")
    is_verified = await session.scalar(query)
    if is_verified is None:
        raise RegistrationRequired
    if not is_verified:
        raise EmailNotVerified


@step("CartService", "getCart")
async def _get_cart(session: AsyncSession, customer_id: str) -> list[OrderItem]:
    cart = await look(session, Shopper(customer_id))
    if cart is None or not cart.items:
        raise EmptyCart
    return [
        OrderItem(product_id=item.product_id, variant_id=item.variant_id, quantity=item.quantity) for item in cart.items
    ]


@step("OrderService", "validateShippingAddress")
async def _validate_address(
    session: AsyncSession, customer_id: str, wanted: CheckOut, home_country: str
) -> ShippingAddress:
    if wanted.shipping_address is not None:
        address = _complete(wanted.shipping_address)
    else:
        address = await _on_file(session, customer_id, wanted.address_id)
    if address.country != home_country:
        raise InternationalShippingNotAvailable(home_country)
    return address


def _complete(sent: CheckoutAddress) -> ShippingAddress:
    parts = {name: part for name, part in sent.model_dump().items() if part}
    if missing := [name for name in _NEEDED if name not in parts]:
        raise IncompleteAddress(missing)
    try:
        return ShippingAddress.model_validate(parts)
    except ValidationError as error:
        problems = [{**each, "loc": ("shipping_address", *each["loc"])} for each in error.errors(include_url=False)]
        raise Invalid(INVALID, explain(problems)) from None


async def _on_file(session: AsyncSession, customer_id: str, address_id: UUID | None) -> ShippingAddress:
    theirs = select(Address.address).where(Address.customer_id == customer_id)
    chosen = theirs.where(Address.is_default if address_id is None else Address.id == address_id)
    found = await session.scalar(chosen)
    if found is None:
        raise AddressNotFound if address_id else IncompleteAddress
    return ShippingAddress.model_validate(found)
