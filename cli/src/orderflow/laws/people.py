"""Laws of people: one cart each, and nothing left of those who were erased."""

from typing import Final

from chassis.statements import TEXT

from .law import Law, Subject, Within

CARTS: Final = Subject("sales", "carts", "customer_id", TEXT)
ERASED: Final = Subject("sales", "customers", kind=TEXT, only="status = 'ERASED'")

_CARTS: Final = """
    SELECT customer_id AS key, format('has %s carts', count(*)) AS stands
    FROM carts WHERE customer_id = ANY(:ids) GROUP BY customer_id HAVING count(*) > 1
"""
# What stays, and why, is said in docs/adr/0010: their orders, and a cart that they fill while their token lives.
_ERASED: Final = """
    SELECT customers.id AS key, 'there is still: ' || concat_ws(', ',
        CASE WHEN name <> '' OR email <> id OR password_hash IS NOT NULL THEN 'who they were' END,
        CASE WHEN EXISTS (SELECT FROM addresses WHERE customer_id = customers.id) THEN 'an address' END,
        CASE WHEN EXISTS (SELECT FROM sessions WHERE customer_id = customers.id) THEN 'a session' END,
        CASE WHEN EXISTS (SELECT FROM mail_tokens WHERE customer_id = customers.id) THEN 'a token' END,
        CASE WHEN EXISTS (SELECT FROM known_addresses WHERE customer_id = customers.id)
            THEN 'where they logged in from' END,
        CASE WHEN EXISTS (
            SELECT FROM idempotency_keys WHERE principal = customers.id AND route NOT LIKE '%/cart%'
        ) THEN 'an answer' END,
        CASE WHEN EXISTS (
            SELECT FROM attempts WHERE customer_id = customers.id
                AND (state = 'placed' OR wanted <> '{}' OR answer IS NOT NULL AND idempotency_key IS NOT NULL)
        ) THEN 'an attempt' END
    ) AS stands
    FROM customers
    WHERE id = ANY(:ids) AND status = 'ERASED'
"""

PEOPLE: Final = (
    Law("people.carts", "Nobody has two carts", CARTS, Within(_CARTS)),
    Law(
        "people.erased",
        "Nothing is left of whoever was erased",
        ERASED,
        Within(f"SELECT * FROM ({_ERASED}) AS erased WHERE stands <> 'there is still: '"),
    ),
)
