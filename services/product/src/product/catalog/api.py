"""The catalogue over HTTP, open to all."""

from fastapi import APIRouter

from chassis.db import Transaction
from chassis.edge import SafeRoute, refusals
from chassis.errors import NotFound
from contracts.product import ProductView
from contracts.text import ProductId

from . import commands

products = APIRouter(prefix="/api/v1/products", tags=["catalogue"], route_class=SafeRoute)


@products.get("/{product_id}", response_model=ProductView, responses=refusals(NotFound))
async def show_product(product_id: ProductId, session: Transaction) -> ProductView:
    return await commands.show_product(session, product_id)
