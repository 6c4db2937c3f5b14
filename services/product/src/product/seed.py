"""The demo catalogue and its stock."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from .catalog.model import Product, Variant
from .categories.model import Category, key_of
from .inventory.stocking import Opening, open_stocks

CATEGORIES = {
    "Coffee": UUID("0198c0de-0000-7000-8000-00000000c001"),
    "Brewing": UUID("0198c0de-0000-7000-8000-00000000c002"),
    "Cups and mugs": UUID("0198c0de-0000-7000-8000-00000000c003"),
    "Accessories": UUID("0198c0de-0000-7000-8000-00000000c004"),
}

# id, name, category, price in cents, weight in grams, in stock
DEMO = [
    ("product_456", "Pour-over coffee set", "Brewing", 34_90, 900, 150),
    ("product_789", "Burr grinder, hand-cranked", "Brewing", 79_00, 650, 50),
    ("espresso-house-blend", "House blend espresso, 1 kg", "Coffee", 22_50, 1_000, 400),
    ("gooseneck-kettle", "Gooseneck kettle, 1 l", "Brewing", 64_95, 1_150, 80),
    ("stoneware-mug", "Stoneware mug, 30 cl", "Cups and mugs", 14_00, 380, 600),
    ("paper-filters-100", "Paper filters, box of 100", "Accessories", 5_80, 160, 1_000),
    ("roaster-sampler", "Roaster's sampler, limited", "Coffee", 48_00, 800, 3),
    ("barista-apron", "Barista apron", "Accessories", 39_00, 420, 0),
]

DESCRIPTIONS = {
    "product_456": "A glass carafe for 60 cl, a porcelain dripper, and forty filters to begin with.",
    "product_789": "Steel burrs, thirty settings from Turkish to French press. Takes 25 g of beans.",
    "espresso-house-blend": "Whole beans from Brazil and Ethiopia, roasted on Mondays. Hazelnut, cocoa, some orange.",
    "gooseneck-kettle": "Pours where it is pointed. Stainless steel, for gas and induction.",
    "stoneware-mug": "Thrown by hand, glazed inside and out, safe in the dishwasher.",
    "paper-filters-100": "Unbleached, for drippers of sizes 02 and 04.",
    "roaster-sampler": "Four lots of 200 g that will not come again.",
    "barista-apron": "Waxed cotton, leather straps, a pocket for the thermometer.",
}

# id, product, SKU, size, color, price in cents where it has its own, in stock
DEMO_VARIANTS = [
    (UUID("0198c0de-0000-7000-8000-00000000a001"), "barista-apron", "APRON-S-OLIVE", "S", "olive", None, 20),
    (UUID("0198c0de-0000-7000-8000-00000000a002"), "barista-apron", "APRON-M-OLIVE", "M", "olive", None, 40),
    (UUID("0198c0de-0000-7000-8000-00000000a003"), "barista-apron", "APRON-M-BLACK", "M", "black", None, 40),
    (UUID("0198c0de-0000-7000-8000-00000000a004"), "barista-apron", "APRON-L-BLACK", "L", "black", 42_00, 15),
]

_BY = "seed"


async def seed(session: AsyncSession) -> None:
    """What is there already stays as it is."""
    new = await _products(session, await _categories(session))
    await _variants(session, new)
    # Statistics of the empty tables would make the planner scan them.
    await session.execute(text("ANALYZE categories, products, variants, stock, stock_movements"))


async def _categories(session: AsyncSession) -> dict[str, UUID]:
    """The id of each by the name that it has here: somebody may have renamed it, or have made one of that name."""
    rows = [{"id": id, "name": name, "name_key": key_of(name), "depth": 1} for name, id in CATEGORIES.items()]
    await session.execute(insert(Category).values(rows).on_conflict_do_nothing())
    theirs = or_(Category.id.in_(CATEGORIES.values()), Category.name_key.in_(map(key_of, CATEGORIES)))
    there = (await session.scalars(select(Category).where(theirs))).all()
    by_key = {category.name_key: category.id for category in there}
    known = {category.id for category in there}
    return {name: id if id in known else by_key[key_of(name)] for name, id in CATEGORIES.items()}


async def _products(session: AsyncSession, categories: dict[str, UUID]) -> set[str]:
    """Those that were not there."""
    rows = [
        {
            "id": id,
            "name": name,
            "description": DESCRIPTIONS[id],
            "category_id": categories[category],
            "price": price,
            "currency": "EUR",
            "weight_grams": weight,
            "has_variants": any(id == variant[1] for variant in DEMO_VARIANTS),
        }
        for id, name, category, price, weight, _ in DEMO
    ]
    new = set(await session.scalars(insert(Product).values(rows).on_conflict_do_nothing().returning(Product.id)))
    await open_stocks(session, [Opening(id, None, on_hand) for id, *_, on_hand in DEMO if id in new], _BY)
    return new


async def _variants(session: AsyncSession, products: Collection[str]) -> None:
    rows = [
        {"id": id, "product_id": product_id, "sku": sku, "size": size, "color": color, "price": price}
        for id, product_id, sku, size, color, price, _ in DEMO_VARIANTS
        if product_id in products
    ]
    if not rows:
        return
    new = set(await session.scalars(insert(Variant).values(rows).on_conflict_do_nothing().returning(Variant.id)))
    opened = [Opening(row[1], row[0], row[-1]) for row in DEMO_VARIANTS if row[0] in new]
    await open_stocks(session, opened, _BY)
