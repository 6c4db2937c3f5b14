"""What can be asked of the tree of categories: another one, another name for one, and whether one exists."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.audit import record
from chassis.ids import uuid7
from chassis.outbox import publish
from chassis.steps import step
from contracts.product.catalog import CategoryCreated, CategoryView, CreateCategory, RenameCategory

from .model import (
    Category,
    CategoryDepthExceeded,
    CategoryNotFound,
    DuplicateCategoryName,
    InvalidCategory,
    ParentCategoryNotFound,
    key_of,
)


@step("CategoryService", "createCategory")
async def create_category(session: AsyncSession, body: CreateCategory, *, by: str, deepest: int) -> CategoryView:
    """`deepest` is how many categories may stand one under the other."""
    await _validate_unique_name(session, body.name)
    depth = await _validate_hierarchy_depth(session, body.parent_id, deepest)
    category = await _create(session, body, depth)
    after = {"name": category.name, "parent_id": category.parent_id}
    record(session, by, "category.created", category.category_id, after=after)
    return category


@step("CategoryService", "renameCategory")
async def rename_category(session: AsyncSession, category_id: UUID, body: RenameCategory, *, by: str) -> CategoryView:
    """To the same name: nothing happens. Products and the place in the tree stay as they are."""
    category = await session.get(Category, category_id, with_for_update=True)
    if category is None:
        raise CategoryNotFound
    if category.name != body.name:
        before = category.name
        await _rename(session, category, body.name)
        record(session, by, "category.renamed", category.id, before={"name": before}, after={"name": category.name})
    return view(category)


@step("CategoryService", "validateCategory")
async def validate_category(session: AsyncSession, category_id: UUID) -> None:
    """Nothing to lock: categories are never deleted."""
    if await session.scalar(select(Category.id).where(Category.id == category_id)) is None:
        raise InvalidCategory


def view(category: Category) -> CategoryView:
    return CategoryView(category_id=category.id, name=category.name, parent_id=category.parent_id, depth=category.depth)


@step("CategoryAggregate", "validateUniqueName")
async def _validate_unique_name(session: AsyncSession, name: str) -> None:
    if await session.scalar(select(Category.id).where(Category.name_key == key_of(name))) is not None:
        raise DuplicateCategoryName


@step("CategoryService", "validateHierarchyDepth")
async def _validate_hierarchy_depth(session: AsyncSession, parent_id: UUID | None, deepest: int) -> int:
    """How deep it would stand. What stands somewhere stays there, so this cannot change meanwhile."""
    if parent_id is None:
        return 1
    depth = await session.scalar(select(Category.depth).where(Category.id == parent_id))
    if depth is None:
        raise ParentCategoryNotFound
    if depth >= deepest:
        raise CategoryDepthExceeded(deepest)
    return depth + 1


@step("CategoryAggregate", "create")
async def _create(session: AsyncSession, body: CreateCategory, depth: int) -> CategoryView:
    new = {
        "id": uuid7(),
        "name": body.name,
        "name_key": key_of(body.name),
        "parent_id": body.parent_id,
        "depth": depth,
    }
    # Two at once found the name free: whoever writes it second waits here for the first, and then gets nothing.
    written = insert(Category).values(new).on_conflict_do_nothing().returning(Category)
    category = (await session.scalars(written)).one_or_none()
    if category is None:
        raise DuplicateCategoryName
    publish(session, CategoryCreated(category_id=category.id, name=category.name, parent_id=category.parent_id))
    return view(category)


async def _rename(session: AsyncSession, category: Category, name: str) -> None:
    category.name = name
    try:
        await session.flush()
    except IntegrityError as error:
        if "uq_categories_name_key" in str(error.orig):
            raise DuplicateCategoryName from None
        raise
