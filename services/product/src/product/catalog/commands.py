"""What can be asked of the catalogue."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.errors import NotFound
from contracts.product import ProductView
from product.inventory.model import StockRow

from .model import Product


async def show_product(session: AsyncSession, product_id: str) -> ProductView:
    """Also one that is off sale, because it stands in old orders; of that nothing can be had."""
    found = await session.execute(
        select(Product, StockRow.on_hand - StockRow.reserved)
        .outerjoin(StockRow, StockRow.product_id == Product.id)
        .where(Product.id == product_id)
    )
    row = found.one_or_none()
    if row is None:
        raise NotFound("There is no such product.")
    product, available = row
    return ProductView(
        product_id=product.id,
        name=product.name,
        unit_price=product.price,
        currency=product.currency,
        available=available or 0 if product.is_active else 0,
        is_active=product.is_active,
    )
