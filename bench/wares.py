"""What there is to be had in every contest, and the orders for it; each contestant has it in tables of these names."""

import json
from collections.abc import Sequence
from random import Random
from typing import Final

import asyncpg

from .load import ADDRESS

PRODUCTS: Final = 1000
HOT: Final = "hot"
SHORT: Final = "short"
_DIFFERENT: Final = 500

_FILL: Final = (
    """
    INSERT INTO products (id, name, price, currency)
    SELECT id, 'Product ' || id, 1000 + length(id), 'EUR'
    FROM (SELECT 'p' || n AS id FROM generate_series(0, $1 - 1) n UNION ALL VALUES ('hot'), ('short')) AS new
    """,
    "INSERT INTO stock (product_id, on_hand) SELECT id, CASE id WHEN 'short' THEN 0 ELSE 1000000000 END FROM products",
)


async def fill(database_url: str) -> None:
    """At Product."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(_FILL[0], PRODUCTS)
        await connection.execute(_FILL[1])
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


def of_many() -> list[str]:
    """Two products each, any of all."""
    return [_order(first, second) for first, second in _pairs()]


def of_one_hot() -> list[str]:
    """Two products each as well, of which one is the same for everybody."""
    return [_order(HOT, second) for _, second in _pairs()]


def a_fifth_short() -> list[str]:
    return [
        _order(SHORT if number % 5 == 0 else first, second) for number, (first, second) in enumerate(_pairs(), start=1)
    ]


def _pairs() -> Sequence[tuple[str, str]]:
    chosen = Random(10)
    pairs = (chosen.sample(range(PRODUCTS), 2) for _ in range(_DIFFERENT))
    return [(f"p{first}", f"p{second}") for first, second in pairs]


def _order(first: str, second: str) -> str:
    items = [{"product_id": first, "quantity": 1}, {"product_id": second, "quantity": 2}]
    return json.dumps({"items": items, "shipping_address": ADDRESS})
