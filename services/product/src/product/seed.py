"""The demo catalogue and its stock."""

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from .catalog.model import Product
from .inventory.model import StockRow

# id, name, price in cents, in stock
DEMO = [
    ("product_456", "Pour-over coffee set", 34_90, 150),
    ("product_789", "Burr grinder, hand-cranked", 79_00, 50),
    ("espresso-house-blend", "House blend espresso, 1 kg", 22_50, 400),
    ("gooseneck-kettle", "Gooseneck kettle, 1 l", 64_95, 80),
    ("stoneware-mug", "Stoneware mug, 30 cl", 14_00, 600),
    ("paper-filters-100", "Paper filters, box of 100", 5_80, 1_000),
    ("roaster-sampler", "Roaster's sampler, limited", 48_00, 3),
]


async def seed(session: AsyncSession) -> None:
    """What is there already stays as it is."""
    products = [{"id": id, "name": name, "price": price, "currency": "EUR"} for id, name, price, _ in DEMO]
    stock = [{"product_id": id, "on_hand": on_hand} for id, _, _, on_hand in DEMO]
    await session.execute(insert(Product).values(products).on_conflict_do_nothing())
    await session.execute(insert(StockRow).values(stock).on_conflict_do_nothing())
    # Statistics of the empty tables would make the planner scan them.
    await session.execute(text("ANALYZE products, stock"))
