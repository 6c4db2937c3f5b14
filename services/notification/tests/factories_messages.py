"""What the tests of messages and customers are made of: events of people and products, and calls in their name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from httpx import Response
from pydantic import SecretStr

from chassis.auth import Role
from chassis.broker import Message
from chassis.ids import uuid7
from chassis.tracing import new_traceparent
from contracts.envelope import Envelope, Event
from contracts.product.inventory import InventoryRestocked
from contracts.sales.customers import CustomerRegistered
from contracts.sales.profile import CustomerChanged, CustomerErased
from notification.customers.addressees import Addressee
from notification.messages.rendering import Rendering
from notification.settings import LinkSettings

from .factories import MAIL_SECRET, PostOffice, bearer

ADA = "customer_ada"
LINKS = LinkSettings(shop="https://shop.example.org/", api="https://mail.example.org")
NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)


@dataclass(frozen=True)
class ALetterhead:
    mail_secret: SecretStr = field(default_factory=lambda: SecretStr(MAIL_SECRET))
    sender: str = "Ada's Shop <shop@example.org>"
    links: LinkSettings = LINKS


def a_rendering() -> Rendering:
    return Rendering(ALetterhead())


def an_addressee(**told: Any) -> Addressee:
    return Addressee(**{"customer_id": ADA, "email": "ada@example.org", "name": "Ada Example", **told})


def registered(customer_id: str = ADA, **told: Any) -> CustomerRegistered:
    known = {
        "customer_id": customer_id,
        "email": "ada@example.org",
        "name": "Ada Example",
        "language": "en",
        "token_id": uuid4(),
        "expires_at": datetime.now(UTC) + timedelta(hours=1),
    }
    return CustomerRegistered.model_validate({**known, **told})


def changed(customer_id: str = ADA, **told: Any) -> CustomerChanged:
    known = {"customer_id": customer_id, "name": "Ada Lovelace", "language": "de"}
    return CustomerChanged.model_validate({**known, **told})


def erased(customer_id: str = ADA) -> CustomerErased:
    return CustomerErased(customer_id=customer_id)


def restocked(product_id: str = "mug", **told: Any) -> InventoryRestocked:
    known = {"product_id": product_id, "name": "Mug, blue", "quantity": 5, "available": 5}
    return InventoryRestocked.model_validate({**known, **told})


def told(event: Event, event_id: str | None = None, at: datetime | None = None) -> Message:
    """The event as the broker brings it; what happened some time ago says so."""
    event_id = event_id or str(uuid7())
    body = Envelope.around(event, event_id, at or datetime.now(UTC)).encode()
    return Message(event_id, event.event_type, body, event.exchange(), new_traceparent())


async def call(
    office: PostOffice, method: str, path: str, body: Any = None, *, by: str = ADA, role: Role | None = "customer"
) -> Response:
    sent = {"json": body} if body is not None else {}
    return await office.http.request(method, f"/api/v1{path}", headers=bearer(role, by), **sent)


async def asks_for(office: PostOffice, product_id: str = "mug", variant_id: object = None, by: str = ADA) -> Response:
    query = f"?variant_id={variant_id}" if variant_id else ""
    return await call(office, "PUT", f"/back-in-stock/{product_id}{query}", by=by)


async def waits_for(office: PostOffice, by: str = ADA) -> list[Mapping[str, Any]]:
    answer = await call(office, "GET", "/back-in-stock", by=by)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def turns_off(office: PostOffice, *topics: str, by: str = ADA) -> Response:
    return await call(office, "PUT", "/mail-preferences", {"unwanted": list(topics)}, by=by)


async def customer(office: PostOffice, customer_id: str = ADA) -> dict[str, Any]:
    [row] = await office.query("SELECT * FROM customers WHERE customer_id = :id", id=customer_id)
    return row


async def parked(office: PostOffice) -> list[dict[str, Any]]:
    return await office.query("SELECT event_type, error FROM parked_events")
