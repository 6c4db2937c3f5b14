"""What holds of the stock whenever anybody looks, whatever is going on at the moment."""

from typing import Final

from sqlalchemy import text

from chassis.db import Database

# One statement, so that all of it is seen as it was at one moment.
_BROKEN: Final = text(
    """
    WITH moved AS (
        SELECT product_id, variant_id, sum(on_hand_change) AS on_hand, sum(reserved_change) AS reserved
        FROM stock_movements GROUP BY 1, 2
    ), held AS (
        SELECT product_id, variant_id, sum(quantity) AS reserved
        FROM reservation_lines JOIN reservations ON reservations.id = reservation_id AND state = 'HELD' GROUP BY 1, 2
    ), sellable AS (
        SELECT products.id, products.in_stock, bool_or(stock.on_hand > stock.reserved) AS is_there
        FROM products JOIN stock ON stock.product_id = products.id
        WHERE (NOT has_variants AND variant_id = '00000000-0000-0000-0000-000000000000')
            OR (has_variants AND variant_id <> '00000000-0000-0000-0000-000000000000')
        GROUP BY 1, 2
    )
    SELECT 'never less than nothing' AS law, product_id, variant_id::text FROM stock
        WHERE on_hand < 0 OR reserved < 0 OR reserved > on_hand
    UNION ALL
    SELECT 'movements add up to the stock', product_id, variant_id::text
        FROM stock FULL JOIN moved USING (product_id, variant_id)
        WHERE coalesce(stock.on_hand, -1) <> coalesce(moved.on_hand, 0)
            OR coalesce(stock.reserved, -1) <> coalesce(moved.reserved, 0)
    UNION ALL
    SELECT 'what is reserved is what is held', product_id, variant_id::text
        FROM stock FULL JOIN held USING (product_id, variant_id)
        WHERE coalesce(stock.reserved, -1) <> coalesce(held.reserved, 0)
    UNION ALL
    SELECT 'a product is in stock when some of it can be had', id, NULL FROM sellable WHERE in_stock <> is_there
    """
)


async def broken_laws(database: Database) -> list[tuple[str, str, str | None]]:
    """Each law that does not hold, with the product and variant that it does not hold for."""
    async with database.begin() as session:
        return [(row.law, row.product_id, row.variant_id) for row in await session.execute(_BROKEN)]
