"""The catalogue becomes a file: as it is at one moment, in batches, whatever its size."""

import csv
from collections.abc import Sequence
from typing import Final, TextIO

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.db import Database

from .category_paths import paths_of
from .csv_form import COLUMNS, cells_of_product, cells_of_variant, escaped
from .model import Product, Variant

BATCH: Final = 500


async def export_catalogue(database: Database, file: TextIO) -> int:
    """Each product with its variants behind it. How many of them there are is no part of the catalogue, and not in it.

    Tells how many lines it wrote.
    """
    # With "\r\n" between the lines (its default) the writer puts a cell that holds either of them in quotation marks.
    writer = csv.DictWriter(file, COLUMNS, restval="")
    writer.writeheader()
    written, last = 0, ""
    async with database.begin() as session:
        await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        while products := await _products_after(session, last):
            lines = await _lines(session, products)
            writer.writerows({name: escaped(cell) for name, cell in line.items()} for line in lines)
            written, last = written + len(lines), products[-1].id
            session.expunge_all()
    return written


async def _products_after(session: AsyncSession, last: str) -> Sequence[Product]:
    return (await session.scalars(select(Product).where(Product.id > last).order_by(Product.id).limit(BATCH))).all()


async def _lines(session: AsyncSession, products: Sequence[Product]) -> list[dict[str, str]]:
    ids = [product.id for product in products]
    paths = await paths_of(session, {product.category_id for product in products if product.category_id})
    variants: dict[str, list[Variant]] = {}
    for variant in await session.scalars(select(Variant).where(Variant.product_id.in_(ids)).order_by(Variant.id)):
        variants.setdefault(variant.product_id, []).append(variant)
    lines = []
    for product in products:
        lines.append(cells_of_product(product, paths.get(product.category_id, "") if product.category_id else ""))
        lines += map(cells_of_variant, variants.get(product.id, ()))
    return lines
