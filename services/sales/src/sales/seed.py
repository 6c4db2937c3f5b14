"""The demo customer, who has an address on file, and can log in with a password that everybody can read here."""

from datetime import UTC, datetime
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.outbox import publish

from .customers.accounts import account_of
from .customers.model import Customer
from .customers.passwords import Passwords
from .profile.model import Address
from .profile.people import known_as

DEMO_CUSTOMER = "customer_demo"
DEMO_EMAIL = "ada@example.org"
DEMO_PASSWORD = "notes on the difference engine"  # noqa: S105 (no secret: only a seeded demo has it)
_HOME = UUID("01890a5d-ac96-774b-bcce-b302099a8057")


async def seed(session: AsyncSession) -> None:
    ada = {
        "id": DEMO_CUSTOMER,
        "name": "Ada Example",
        "email": DEMO_EMAIL,
    }
    home = {
        "name": "Ada Example",
        "line1": "12 Analytical Row",
        "city": "Springfield",
        "state": "IL",
        "postal_code": "62701",
        "country": "US",
    }
    new = await session.scalar(insert(Customer).values(ada).on_conflict_do_nothing().returning(Customer))
    # Only with her: what has become of her and her addresses meanwhile stays as it is.
    if new is not None:
        publish(session, known_as(new))
        address = {"id": _HOME, "customer_id": DEMO_CUSTOMER, "address": home, "is_default": True}
        await session.execute(insert(Address).values(address))
    await _let_in(session)


async def _let_in(session: AsyncSession) -> None:
    ada = await account_of(session, DEMO_CUSTOMER, lock=True)
    if ada is None or ada.password_hash is not None:
        return
    passwords = Passwords()
    ada.password_hash = await passwords.hash(SecretStr(DEMO_PASSWORD))
    ada.password_set_at, ada.email_verified = datetime.now(UTC), True
    await passwords.close()
