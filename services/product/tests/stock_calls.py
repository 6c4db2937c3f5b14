"""All that can be asked of the inventory, drawn by chance."""

from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from sqlalchemy import text

from chassis.db import Database
from services.product.tests.factories import item, put_on_sale
from services.product.tests.stock_model import ARTICLES, STOCK, VARIANTS

IDS = [UUID(int=number + 1) for number in range(8)]

Call = tuple[str, Any]

# So little of so few things that they run out and are there again all the time.
items = st.lists(
    st.builds(
        lambda article, quantity: item(article[0], quantity, article[1]),
        st.sampled_from([*ARTICLES * 3, ("unheard-of", None), ("beans", VARIANTS[0])]),
        st.sampled_from([1, 1, 2, 2, 3, 4]),
    ),
    min_size=1,
    max_size=2,
)
# One wish per id, so that a repetition is one.
wishes = st.lists(items, min_size=len(IDS), max_size=len(IDS))
some_ids = st.lists(st.sampled_from(IDS), min_size=1, max_size=3)
counts = st.tuples(st.sampled_from(ARTICLES), st.sampled_from([-4, -3, -2, -1, 0, 1, 2]))
ABOUT: dict[str, st.SearchStrategy[Any]] = {
    "reserve": some_ids,
    "release": some_ids,
    "deduct": some_ids,
    "restock": counts,
    "correct": counts,
    "activate": st.sampled_from([*STOCK]),
    "deactivate": st.sampled_from([*STOCK]),
    "add_variant": st.tuples(st.sampled_from(VARIANTS), st.integers(0, 2)),
}
# What is asked most, most often: alternatives of `one_of` would all be as likely.
OFTEN = ["reserve"] * 6 + ["release"] * 3 + ["correct"] * 2 + ["activate"] * 2 + [*ABOUT]


@st.composite
def calls(draw: st.DrawFn) -> Call:
    what = draw(st.sampled_from(OFTEN))
    return what, draw(ABOUT[what])


async def start_again(database: Database) -> None:
    emptied = ["outbox", "audit_log", "reservation_lines", "reservations", "stock_movements", "stock", "variants"]
    async with database.begin() as session:
        for table in [*emptied, "products"]:
            await session.execute(text(f"DELETE FROM {table}"))
    for product_id, on_hand in STOCK.items():
        await put_on_sale(database, product_id, on_hand)
