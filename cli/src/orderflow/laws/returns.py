"""Laws of returns: no more comes back than was delivered, and goods and money each go back once."""

from collections.abc import Sequence
from typing import Final

from .holds import LISTED
from .law import Between, Law, Row, Subject, Within, by_ids
from .stock import NO_VARIANT

RETURNS: Final = Subject("sales", "returns")
RETURNED: Final = Subject("sales", "returns", "order_id")
UNDER_WAY: Final = Subject("sales", "returns", only="next_look_at IS NOT NULL")

_ITEMS: Final = """
    WITH sent_back AS (
        SELECT order_id, product_id, variant_id, sum(quantity) AS quantity
        FROM returns JOIN return_items ON return_id = returns.id
        WHERE order_id = ANY(:ids) AND state <> 'REJECTED' GROUP BY 1, 2, 3
    )
    SELECT order_id AS key, string_agg(format('%s x %s come back; %s were ordered, and the order is %s',
        sent_back.quantity, concat(product_id, '/' || variant_id), coalesce(ordered.quantity, 0),
        coalesce(status, 'unknown')), '; ' ORDER BY product_id, variant_id) AS stands
    FROM sent_back LEFT JOIN orders ON orders.id = order_id CROSS JOIN LATERAL (
        SELECT sum(quantity) AS quantity FROM order_items
        WHERE order_items.order_id = sent_back.order_id AND order_items.product_id = sent_back.product_id
            AND order_items.variant_id IS NOT DISTINCT FROM sent_back.variant_id
    ) AS ordered
    WHERE sent_back.quantity > coalesce(ordered.quantity, 0) OR status IS DISTINCT FROM 'DELIVERED'
    GROUP BY order_id
"""
# What is being refunded may be done at the gateway a moment before it is done here.
_REFUNDED: Final = """
    SELECT returns.id AS key, format('it is %s, with %s %s to go back %s; its payment has given back %s', state,
        coalesce(refund_amount, 0), currency, coalesce('by ' || refund_way, 'in no way'), coalesce(given_back, 0))
            AS stands
    FROM returns CROSS JOIN LATERAL (
        SELECT sum(payment_operations.amount) AS given_back
        FROM payments JOIN payment_operations ON payment_id = payments.id
        WHERE payments.order_id = returns.order_id AND kind = 'refund' AND cause = returns.id::text
            AND payment_operations.state = 'done'
    ) AS refund
    WHERE returns.id = ANY(:ids) AND CASE
        WHEN refund_way = 'card' THEN
            given_back IS DISTINCT FROM refund_amount AND (state = 'REFUNDED' OR given_back IS NOT NULL)
        ELSE given_back IS NOT NULL
    END
"""
_DUE: Final = """
    SELECT id AS key, format('is %s, and was to be looked at again at %s', state, next_look_at) AS stands
    FROM returns WHERE id = ANY(:ids) AND next_look_at < now()
"""
_SHELVED: Final = f"""
    SELECT returns.id AS key, returns.id AS other, state, items
    FROM returns CROSS JOIN LATERAL (
        SELECT {LISTED} AS items FROM (
            SELECT product_id, variant_id::text, sum(quantity) AS quantity FROM return_items
            WHERE return_id = returns.id AND restock GROUP BY 1, 2
        ) AS goods
    ) AS shelf
    WHERE returns.id = ANY(:ids)
"""
_RECEIVED: Final = by_ids(
    "product",
    f"""
    SELECT cause AS other, {LISTED} AS items
    FROM (
        SELECT cause, product_id, nullif(variant_id, '{NO_VARIANT}')::text AS variant_id,
            sum(on_hand_change) AS quantity
        FROM stock_movements WHERE cause = ANY(:ids) AND kind = 'received' GROUP BY 1, 2, 3
    ) AS movements GROUP BY cause
    """,
)


def _is_on_the_shelf(one: Row, received: Sequence[Row]) -> str | None:
    there = received[0]["items"] if received else None
    is_under_way = one["state"] == "REQUESTED" and there is None
    if there == one["items"] or is_under_way:
        return None
    return f"it is {one['state']}, for the shelf: {one['items'] or 'nothing'}; Product has {there or 'nothing'} of it"


SENT_BACK: Final = (
    Law("returns.items", "No more comes back of an order than was delivered", RETURNED, Within(_ITEMS)),
    Law("returns.refunded", "The money for a return goes back once, and with the return", RETURNS, Within(_REFUNDED)),
    Law(
        "returns.shelf",
        "What came back and is any good is on the shelf again, once",
        RETURNS,
        Between(_SHELVED, "product", _RECEIVED, _is_on_the_shelf),
    ),
    Law("returns.finished", "A return that is under way is pursued", UNDER_WAY, Within(_DUE)),
)
