"""What a customer says to buy what is in the cart: where it goes, and with which card it is paid."""

from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints

from contracts.text import Body, Money, Note, PlainText

from .payments import CardToken

Part = Annotated[PlainText, StringConstraints(max_length=200)]


class CheckoutAddress(Body):
    """Half filled in it is understood, too, and refused with the fields that are missing."""

    name: Part | None = None
    line1: Part | None = None
    line2: Part | None = None
    city: Part | None = None
    state: Part | None = None
    postal_code: Part | None = None
    country: Part | None = None


class CheckOut(Body):
    """Without an address it goes to the one on file. What is bought, and at which prices, is not for the client to say.

    With `expected_total` nothing is charged if it comes to another sum than the customer has seen.
    """

    card_token: CardToken
    shipping_address: CheckoutAddress | None = None
    address_id: UUID | None = None
    expected_total: Money | None = None
    note: Note | None = None
