"""What customers see and say of themselves: who they are, where their orders go, and that they want to be forgotten."""

from datetime import datetime
from uuid import UUID

from contracts.text import Body, Line, Text, View

from .addresses import ShippingAddress
from .customers import CustomerStatus, Language, Password, PersonName
from .orders import SalesEvent


class CustomerView(View):
    customer_id: str
    email: str
    name: str
    language: Language
    status: CustomerStatus
    email_verified: bool
    created_at: datetime


class ChangeProfile(Body):
    """What is left out stays as it is."""

    name: PersonName | None = None
    language: Language | None = None


class AddAddress(ShippingAddress):
    """The first one is the default, whether it says so or not."""

    is_default: bool = False


class AddressView(View):
    address_id: UUID
    name: str
    line1: str
    line2: str | None = None
    city: str
    state: str | None = None
    postal_code: str
    country: str
    is_default: bool
    """Orders go there when they do not say where."""
    created_at: datetime


class EraseMe(Body):
    """A token alone is not enough for what cannot be undone."""

    password: Password


class EraseCustomer(Body):
    """`reason` stays in the audit log for ever: it must not name the customer."""

    reason: Line


class CustomerChanged(SalesEvent):
    """The customer goes by this name now, and wants mails in this language, at this address where it is said."""

    event_type = "customer.changed"
    domain_name = "CustomerChanged"
    heard_by = frozenset({"notification"})

    customer_id: Text
    name: Text
    language: Language
    email: Text | None = None
    """Told where it may not have been heard of."""


class CustomerErased(SalesEvent):
    """The customer is forgotten here; copies elsewhere are still to be. Orders stay, with where they went."""

    event_type = "customer.erased"
    domain_name = "CustomerErased"
    heard_by = frozenset({"notification"})

    customer_id: Text
