"""The inventory over HTTP for those who keep it: what is there, how it came to be so, receipts and corrections."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from chassis.auth import Warehouse
from chassis.db import Transaction
from chassis.edge import SafeRoute, refusals
from chassis.errors import Forbidden, KeyReused, Unauthenticated
from chassis.idempotency import Once
from chassis.paging import DEFAULT_LIMIT, Cursor, Limit, Page
from contracts.product.inventory import CorrectStock, Movement, Restock, Stock, StockView
from contracts.text import ProductId

from . import reading, warehousing
from .counting import InvalidQuantity, ProductNotFound, StockReserved, VariantRequired

warehouse = APIRouter(
    prefix="/api/v1/products/{product_id}",
    tags=["inventory"],
    route_class=SafeRoute,
    responses=refusals(Unauthenticated, Forbidden, ProductNotFound),
)


@warehouse.post(
    "/restocks",
    status_code=201,
    response_model=None,
    responses={201: {"model": StockView}, **refusals(InvalidQuantity, VariantRequired, KeyReused)},
)
async def restock(
    product_id: ProductId, body: Restock, caller: Warehouse, session: Transaction, once: Once
) -> Response:
    return await once(warehousing.restock(session, product_id, body, by=caller.subject))


@warehouse.post(
    "/stock-corrections",
    status_code=201,
    response_model=None,
    responses={201: {"model": StockView}, **refusals(InvalidQuantity, VariantRequired, StockReserved, KeyReused)},
)
async def correct_stock(
    product_id: ProductId, body: CorrectStock, caller: Warehouse, session: Transaction, once: Once
) -> Response:
    return await once(warehousing.correct_stock(session, product_id, body, by=caller.subject))


@warehouse.get("/stock", response_model=Stock)
async def show_stock(product_id: ProductId, _: Warehouse, session: Transaction) -> Stock:
    return await reading.show_stock(session, product_id)


@warehouse.get("/stock/movements", response_model=Page[Movement])
async def list_movements(
    product_id: ProductId,
    _: Warehouse,
    session: Transaction,
    variant_id: UUID | None = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> dict[str, Any]:
    return await reading.page_of_movements(session, product_id, variant_id, cursor, limit)
