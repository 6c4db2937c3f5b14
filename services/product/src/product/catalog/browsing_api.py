"""The catalogue as it is browsed: open to all, and good for a moment in anybody's cache."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from chassis.auth import needs
from chassis.caching import cacheable
from chassis.db import Transaction
from chassis.edge import SafeRoute, refusals
from chassis.errors import Forbidden, Invalid, Unauthenticated
from chassis.paging import Page
from contracts.product.catalog import ProductSummary, ProductView
from contracts.text import ProductId
from product.categories.model import InvalidCategory
from product.inventory.counting import ProductNotFound
from product.settings import Settings

from .listing import Wanted, page_of_products
from .reading import show_product

browsing = APIRouter(prefix="/api/v1/products", tags=["catalogue"], route_class=SafeRoute)

_for_admins = needs("admin")


def _answers(model: Any) -> dict[int | str, dict[str, Any]]:
    return {200: {"model": model}, 304: {"description": "It is as the ETag in If-None-Match says"}}


async def _wanted(request: Request, wanted: Annotated[Wanted, Query()]) -> Wanted:
    if wanted.include_inactive:
        await _for_admins(request)
    return wanted


@browsing.get(
    "",
    response_model=None,
    responses=_answers(Page[ProductSummary]) | refusals(Invalid, InvalidCategory, Unauthenticated, Forbidden),
)
async def list_products(
    request: Request, wanted: Annotated[Wanted, Depends(_wanted)], session: Transaction, settings: Settings
) -> Response:
    page = await page_of_products(session, wanted)
    if wanted.include_inactive:
        return Response(page.model_dump_json(), media_type="application/json")
    return cacheable(request, page, max_age=settings.catalogue_max_age)


@browsing.get(
    "/{product_id}",
    response_model=None,
    responses=_answers(ProductView) | refusals(ProductNotFound),
)
async def read_product(request: Request, product_id: ProductId, session: Transaction, settings: Settings) -> Response:
    return cacheable(request, await show_product(session, product_id), max_age=settings.catalogue_max_age)
