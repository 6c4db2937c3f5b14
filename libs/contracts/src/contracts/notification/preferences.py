"""What customers say of the mail that they get: what they do not want, and what they want to be told of."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from contracts.sales.customers import Language
from contracts.text import Body, View


class Topic(StrEnum):
    """What a customer can turn off. What is not listed here is essential: what they have to know, or have asked for."""

    ORDER_PROGRESS = "order_progress"
    """The parcel has left, the parcel has arrived."""
    RETURN_PROGRESS = "return_progress"
    """A return was announced, and has arrived; how it ended is essential."""
    BACK_IN_STOCK = "back_in_stock"


class ChangePreferences(Body):
    """Replaces what was said before: what is not named here is wanted."""

    unwanted: Annotated[list[Topic], Field(max_length=20)]


class PreferencesView(View):
    """`language` is that of the customer's profile, and is changed there."""

    unwanted: list[Topic]
    topics: list[Topic]
    """All that can be turned off."""
    language: Language


class WishView(View):
    """The customer is told once, by mail, when there is some of it again."""

    product_id: str
    variant_id: UUID | None = None
    """Without it: any variant will do."""
    asked_at: datetime
