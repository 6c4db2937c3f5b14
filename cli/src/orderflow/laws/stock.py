"""Laws of the stock: never sold twice, and every piece accounted for."""

from typing import Final

from chassis.statements import TEXT

from .law import Law, Subject, Whole, Within

NO_VARIANT: Final = "00000000-0000-0000-0000-000000000000"
"""Stands in Product's tables for the product itself."""
PRODUCTS: Final = Subject("product", "products", kind=TEXT)

_ARTICLE: Final = f"concat(product_id, '/' || nullif(variant_id, '{NO_VARIANT}')::text)"

_BOUNDS: Final = f"""
    SELECT product_id AS key, {_ARTICLE} AS id, format('on hand %s, reserved %s', on_hand, reserved) AS stands
    FROM stock WHERE product_id = ANY(:ids) AND NOT (reserved >= 0 AND reserved <= on_hand)
"""
_RESERVED: Final = f"""
    SELECT product_id AS key, {_ARTICLE} AS id,
        format('reserved %s, held by orders and attempts %s', coalesce(reserved::text, 'nowhere'), coalesce(held, 0))
            AS stands
    FROM stock FULL JOIN (
        SELECT product_id, variant_id, sum(quantity) AS held
        FROM reservations JOIN reservation_lines ON reservation_id = reservations.id
        WHERE state = 'HELD' GROUP BY product_id, variant_id
    ) AS holds USING (product_id, variant_id)
    WHERE coalesce(reserved, 0) <> coalesce(held, 0) AND (CAST(:ids AS text[]) IS NULL OR product_id = ANY(:ids))
"""
_MOVEMENTS: Final = f"""
    SELECT product_id AS key, {_ARTICLE} AS id,
        format('on hand %s, reserved %s; its movements come to %s and %s', on_hand, reserved,
            coalesce(moved_on_hand, 0), coalesce(moved_reserved, 0)) AS stands
    FROM (SELECT * FROM stock WHERE product_id = ANY(:ids)) AS stock FULL JOIN (
        SELECT product_id, variant_id, sum(on_hand_change) AS moved_on_hand, sum(reserved_change) AS moved_reserved
        FROM stock_movements WHERE product_id = ANY(:ids) GROUP BY product_id, variant_id
    ) AS movements USING (product_id, variant_id)
    WHERE (on_hand, reserved) IS DISTINCT FROM (coalesce(moved_on_hand, 0), coalesce(moved_reserved, 0))
"""
_IN_STOCK: Final = f"""
    SELECT products.id AS key, format('in stock: %s; something can be had: %s', in_stock, to_be_had) AS stands
    FROM products CROSS JOIN LATERAL (
        SELECT EXISTS (
            SELECT FROM stock WHERE stock.product_id = products.id AND on_hand > reserved
                AND (variant_id = '{NO_VARIANT}') <> products.has_variants
        ) AS to_be_had
    ) AS shelf
    WHERE products.id = ANY(:ids) AND in_stock <> to_be_had
"""

STOCK: Final = (
    Law("stock.bounds", "Nothing is negative, and no more is reserved than is on hand", PRODUCTS, Within(_BOUNDS)),
    Law("stock.reserved", "What is reserved of something is what is held of it", PRODUCTS, Whole(_RESERVED)),
    Law("stock.movements", "The movements of something add up to its stock", PRODUCTS, Within(_MOVEMENTS)),
    Law("stock.in_stock", "A product is in stock exactly if something of it can be had", PRODUCTS, Within(_IN_STOCK)),
)
