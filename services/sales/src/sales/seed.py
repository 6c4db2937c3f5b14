"""The demo customer, who has an address on file."""

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from .customers.model import Customer

DEMO_CUSTOMER = "customer_demo"


async def seed(session: AsyncSession) -> None:
    ada = {
        "id": DEMO_CUSTOMER,
        "name": "Ada Example",
        "email": "ada@example.org",
        "shipping_address": {
            "name": "Ada Example",
            "line1": "12 Analytical Row",
            "city": "Springfield",
            "state": "IL",
            "postal_code": "62701",
            "country": "US",
        },
    }
    await session.execute(insert(Customer).values(ada).on_conflict_do_nothing())
