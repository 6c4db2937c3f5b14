"""The catalogue over HTTP for admins, who change it. How all others see it is `browsing_api`'s."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from chassis.auth import Admin
from chassis.db import Transaction
from chassis.edge import SafeRoute, refusals
from chassis.errors import Forbidden, Invalid, KeyReused, Unauthenticated
from chassis.idempotency import Once
from chassis.paging import DEFAULT_LIMIT, Cursor, Limit, Page
from contracts.product.catalog import (
    AddVariant,
    ChangePrice,
    ChangeProduct,
    ChangeVariantPrice,
    CreateProduct,
    PriceChange,
    ProductView,
    VariantView,
)
from contracts.text import ProductId
from product.categories.model import InvalidCategory
from product.inventory.counting import InvalidQuantity, ProductNotFound
from product.settings import Settings

from . import changing, creating, pricing, reading, variants
from .rules import (
    DescriptionTooLong,
    DuplicateProductId,
    DuplicateSku,
    InvalidPrice,
    InvalidProductName,
    VariantAttributeRequired,
)

products = APIRouter(prefix="/api/v1/products", tags=["catalogue"], route_class=SafeRoute)

_FOR_ADMINS = (Invalid, Unauthenticated, Forbidden)


@products.post(
    "",
    status_code=201,
    response_model=None,
    responses={
        201: {"model": ProductView},
        **refusals(
            *_FOR_ADMINS,
            InvalidProductName,
            DescriptionTooLong,
            InvalidPrice,
            InvalidCategory,
            InvalidQuantity,
            DuplicateProductId,
            KeyReused,
        ),
    },
)
async def create_product(
    body: CreateProduct, caller: Admin, session: Transaction, once: Once, settings: Settings
) -> Response:
    return await once(creating.create_product(session, body, by=caller.subject, currency=settings.currency))


@products.patch(
    "/{product_id}",
    response_model=ProductView,
    responses=refusals(*_FOR_ADMINS, InvalidProductName, DescriptionTooLong, InvalidCategory, ProductNotFound),
)
async def change_product(
    product_id: ProductId, body: ChangeProduct, caller: Admin, session: Transaction
) -> ProductView:
    return await changing.change_product(session, product_id, body, by=caller.subject)


@products.post(
    "/{product_id}/deactivation", response_model=ProductView, responses=refusals(*_FOR_ADMINS, ProductNotFound)
)
async def deactivate_product(product_id: ProductId, caller: Admin, session: Transaction) -> ProductView:
    return await changing.deactivate_product(session, product_id, by=caller.subject)


@products.post(
    "/{product_id}/activation", response_model=ProductView, responses=refusals(*_FOR_ADMINS, ProductNotFound)
)
async def activate_product(product_id: ProductId, caller: Admin, session: Transaction) -> ProductView:
    return await changing.activate_product(session, product_id, by=caller.subject)


@products.put(
    "/{product_id}/price",
    response_model=ProductView,
    responses=refusals(*_FOR_ADMINS, InvalidPrice, ProductNotFound),
)
async def change_price(product_id: ProductId, body: ChangePrice, caller: Admin, session: Transaction) -> ProductView:
    return await pricing.change_price(session, product_id, body, by=caller.subject)


@products.get(
    "/{product_id}/price-history",
    response_model=Page[PriceChange],
    responses=refusals(*_FOR_ADMINS, ProductNotFound),
)
async def list_price_changes(
    product_id: ProductId,
    _: Admin,
    session: Transaction,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> dict[str, Any]:
    return await reading.page_of_price_changes(session, product_id, cursor, limit)


@products.post(
    "/{product_id}/variants",
    status_code=201,
    response_model=None,
    responses={
        201: {"model": VariantView},
        **refusals(
            *_FOR_ADMINS,
            VariantAttributeRequired,
            InvalidPrice,
            InvalidQuantity,
            ProductNotFound,
            DuplicateSku,
            KeyReused,
        ),
    },
)
async def add_variant(
    product_id: ProductId, body: AddVariant, caller: Admin, session: Transaction, once: Once
) -> Response:
    return await once(variants.add_variant(session, product_id, body, by=caller.subject))


@products.put(
    "/{product_id}/variants/{variant_id}/price",
    response_model=ProductView,
    responses=refusals(*_FOR_ADMINS, InvalidPrice, ProductNotFound),
)
async def change_variant_price(
    product_id: ProductId, variant_id: UUID, body: ChangeVariantPrice, caller: Admin, session: Transaction
) -> ProductView:
    return await pricing.change_variant_price(session, product_id, variant_id, body, by=caller.subject)
