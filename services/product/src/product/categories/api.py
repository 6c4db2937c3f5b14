"""Categories over HTTP: admins make and rename them, all may read."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from chassis.auth import Admin
from chassis.db import Transaction
from chassis.edge import SafeRoute, refusals
from chassis.errors import Forbidden, Invalid, KeyReused, Unauthenticated
from chassis.idempotency import Once
from chassis.paging import DEFAULT_LIMIT, Cursor, Limit, Page
from contracts.product.catalog import CategoryView, CreateCategory, RenameCategory
from product.settings import Settings

from . import commands, reading
from .model import CategoryDepthExceeded, CategoryNotFound, DuplicateCategoryName, ParentCategoryNotFound

router = APIRouter(prefix="/api/v1/categories", tags=["categories"], route_class=SafeRoute)

Depth = Annotated[int | None, Query(ge=1, le=100, description="1 finds those at the top.")]


@router.post(
    "",
    status_code=201,
    response_model=None,
    responses={
        201: {"model": CategoryView},
        **refusals(
            Invalid,
            ParentCategoryNotFound,
            CategoryDepthExceeded,
            Unauthenticated,
            Forbidden,
            DuplicateCategoryName,
            KeyReused,
        ),
    },
)
async def create_category(
    body: CreateCategory, caller: Admin, session: Transaction, once: Once, settings: Settings
) -> Response:
    return await once(commands.create_category(session, body, by=caller.subject, deepest=settings.category_depth))


@router.get("", response_model=Page[CategoryView], responses=refusals(Invalid))
async def list_categories(
    session: Transaction,
    parent_id: UUID | None = None,
    depth: Depth = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> dict[str, Any]:
    return await reading.page_of_categories(session, reading.Filter(parent_id, depth), cursor, limit)


@router.get("/{category_id}", response_model=CategoryView, responses=refusals(CategoryNotFound))
async def show_category(category_id: UUID, session: Transaction) -> CategoryView:
    return await reading.show_category(session, category_id)


@router.patch(
    "/{category_id}",
    response_model=CategoryView,
    responses=refusals(Invalid, Unauthenticated, Forbidden, CategoryNotFound, DuplicateCategoryName),
)
async def rename_category(category_id: UUID, body: RenameCategory, caller: Admin, session: Transaction) -> CategoryView:
    return await commands.rename_category(session, category_id, body, by=caller.subject)
