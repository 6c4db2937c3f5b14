"""Shows categories: one, or a page of them in the order of their names."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.paging import Keyset
from contracts.product.catalog import CategoryView

from .commands import view
from .model import Category, CategoryNotFound, InvalidCategory

# The name itself may be longer than a cursor can be.
_by_name = Keyset(UUID)

_SUBTREE = text(
    """
    WITH RECURSIVE subtree AS (
        SELECT id FROM categories WHERE id = :category_id
        UNION ALL SELECT categories.id FROM categories JOIN subtree ON categories.parent_id = subtree.id
    )
    SELECT id FROM subtree
    """
)


@dataclass(frozen=True)
class Filter:
    parent_id: UUID | None = None
    depth: int | None = None


async def show_category(session: AsyncSession, category_id: UUID) -> CategoryView:
    category = await session.get(Category, category_id)
    if category is None:
        raise CategoryNotFound
    return view(category)


async def page_of_categories(session: AsyncSession, wanted: Filter, cursor: str | None, limit: int) -> dict[str, Any]:
    query = select(Category).order_by(Category.name_key).limit(limit + 1)
    if wanted.parent_id is not None:
        query = query.where(Category.parent_id == wanted.parent_id)
    if wanted.depth is not None:
        query = query.where(Category.depth == wanted.depth)
    if (after := _by_name.read(cursor)) is not None:
        last = select(Category.name_key).where(Category.id == after).scalar_subquery()
        query = query.where(Category.name_key > last)
    found = (await session.scalars(query)).all()
    page = _by_name.page(found, limit, lambda category: category.id)
    return {**page, "items": [view(category) for category in page["items"]]}


async def subtree(session: AsyncSession, category_id: UUID) -> list[UUID]:
    """The category itself and all that stand under it."""
    ids = (await session.scalars(_SUBTREE, {"category_id": category_id})).all()
    if not ids:
        raise InvalidCategory
    return list(ids)
