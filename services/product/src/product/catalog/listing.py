"""The catalogue as a list: filtered, searched, sorted, and read page by page. One product's own page is `reading`'s.

What a page costs must depend neither on how many products there are nor on which of them the filters leave. So the
indexes begin with what is filtered by equality and go on with what is sorted by: each combination of the former is a
shelf that stands in the right order already, and a page is the best of the first few of each shelf. Words have an index
of their own, from which all that have them are taken, whatever the planner believes about how many those are.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.paging import DEFAULT_LIMIT, Cursor, Keyset, Limit, Page
from chassis.statements import BOOLEAN, ID, with_arrays
from contracts.product.catalog import ProductSummary
from contracts.text import MAX_MINOR_UNITS, Money, PlainText, ProductId
from product.categories.reading import subtree

from .words import WANTED_WORDS, WORDS


class Sort(StrEnum):
    NEWEST = "newest"
    CHEAPEST = "cheapest"
    DEAREST = "dearest"


class Wanted(BaseModel):
    """Which products, in what order, and which page of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    q: Annotated[
        PlainText | None, Field(max_length=200, description="Words, or how they begin; all must be there.")
    ] = None
    category_id: Annotated[UUID | None, Field(description="With all that stand under it.")] = None
    price_from: Money | None = None
    price_to: Money | None = None
    in_stock: Annotated[bool, Field(description="Only what can be had.")] = False
    include_inactive: Annotated[bool, Field(description="Also what is off sale; for admins.")] = False
    sort: Sort = Sort.NEWEST
    cursor: Cursor = None
    limit: Limit = DEFAULT_LIMIT


@dataclass(frozen=True)
class _Order:
    column: str
    direction: Literal["ASC", "DESC"]
    cursor: Keyset[Any]
    """Holds the name of the order: a cursor of another one leads nowhere."""

    @property
    def by(self) -> str:
        return f"{self.column} {self.direction}, id {self.direction}"

    @property
    def after(self) -> str:
        return f"({self.column}, id) {'>' if self.direction == 'ASC' else '<'} (:after, :after_id)"


# Times further out have no equivalent in UTC, where the database keeps them.
_Moment = Annotated[AwareDatetime, Field(ge=datetime(1970, 1, 1, tzinfo=UTC), le=datetime(9999, 1, 1, tzinfo=UTC))]
_Price = Annotated[int, Field(strict=True, ge=0, le=MAX_MINOR_UNITS)]
_ORDERS: Final = {
    Sort.NEWEST: _Order("created_at", "DESC", Keyset(tuple[Literal["newest"], _Moment, ProductId])),
    Sort.CHEAPEST: _Order("price", "ASC", Keyset(tuple[Literal["cheapest"], _Price, ProductId])),
    Sort.DEAREST: _Order("price", "DESC", Keyset(tuple[Literal["dearest"], _Price, ProductId])),
}


async def page_of_products(session: AsyncSession, wanted: Wanted) -> Page[ProductSummary]:
    """A product that is changed meanwhile may be met again, or be missed, only if what it is sorted by has changed."""
    order = _ORDERS[wanted.sort]
    parameters = await _parameters(session, wanted, order)
    found = (await session.execute(_statement(order, frozenset(parameters)), parameters)).all()
    page = order.cursor.page(found, wanted.limit, lambda row: (wanted.sort, getattr(row, order.column), row.product_id))
    return Page[ProductSummary].model_validate(page, from_attributes=True)


async def _parameters(session: AsyncSession, wanted: Wanted, order: _Order) -> dict[str, Any]:
    """Of what is not asked for there is none."""
    parameters: dict[str, Any] = {
        "active": [True, False] if wanted.include_inactive else [True],
        "stocked": [True] if wanted.in_stock else [True, False],
        "limit": wanted.limit + 1,
        "price_from": wanted.price_from,
        "price_to": wanted.price_to,
        "words": wanted.q or None,
    }
    if wanted.category_id is not None:
        parameters["categories"] = await subtree(session, wanted.category_id)
    if after := order.cursor.read(wanted.cursor):
        _, parameters["after"], parameters["after_id"] = after
    return {name: value for name, value in parameters.items() if value is not None}


def _statement(order: _Order, given: frozenset[str]) -> TextClause:
    found = _with_words(order, given) if "words" in given else _from_shelves(order, given)
    arrays = {"active": BOOLEAN, "stocked": BOOLEAN} | ({"categories": ID} if "categories" in given else {})
    return with_arrays(
        f"""
        SELECT product.id AS product_id, name, category_id, product.price AS unit_price, currency, in_stock,
            has_variants, is_active, found.{order.column}
        FROM ({found} ORDER BY {order.by} LIMIT :limit) AS found,
            LATERAL (SELECT * FROM products WHERE products.id = found.id OFFSET 0) AS product
        ORDER BY found.{order.column} {order.direction}, found.id {order.direction}
        """,
        **arrays,
    )


def _from_shelves(order: _Order, given: frozenset[str]) -> str:
    categories, in_category = ("", "")
    if "categories" in given:
        categories, in_category = ", unnest(:categories) AS category", "AND category_id = category"
    return f"""
        SELECT shelf.* FROM unnest(:active) AS active, unnest(:stocked) AS stocked{categories}, LATERAL (
            SELECT id, {order.column} FROM products
            WHERE is_active = active AND in_stock = stocked {in_category} {_bounds(order, given)}
            ORDER BY {order.by} LIMIT :limit
        ) AS shelf
    """


def _with_words(order: _Order, given: frozenset[str]) -> str:
    # IS TRUE keeps it a look-up in a hash: as a join it would be a loop wherever few rows are expected.
    in_category = "AND (category_id IN (SELECT unnest(:categories))) IS TRUE" if "categories" in given else ""
    # OFFSET 0 keeps the conditions apart: taken together, the planner would expect few to have the words, and read all
    # the others in order until it has met those.
    return f"""
        SELECT id, {order.column} FROM (
            SELECT id, is_active, in_stock, category_id, price, created_at FROM products
            WHERE {WORDS} @@ {WANTED_WORDS} OFFSET 0
        ) AS having_them
        WHERE is_active = ANY(:active) AND in_stock = ANY(:stocked) {in_category} {_bounds(order, given)}
    """


def _bounds(order: _Order, given: frozenset[str]) -> str:
    bounds = {"price_from": "price >= :price_from", "price_to": "price <= :price_to", "after": order.after}
    return "".join(f" AND {bound}" for name, bound in bounds.items() if name in given)
