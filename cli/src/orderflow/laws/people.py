"""Laws of people: one cart each, the same name everywhere, and nothing left of those who were erased."""

from collections.abc import Sequence
from typing import Final

from chassis.statements import TEXT

from .law import Between, Law, Row, Subject, Within, by_ids

CARTS: Final = Subject("sales", "carts", "customer_id", TEXT)
ERASED: Final = Subject("sales", "customers", kind=TEXT, only="status = 'ERASED'")
# Of the others a job is about to tell.
INTRODUCED: Final = Subject("sales", "customers", kind=TEXT, only="status <> 'ERASED' AND is_introduced")

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
_INTRODUCED: Final = """
    SELECT id AS key, id AS other, email, name, language FROM customers
    WHERE id = ANY(:ids) AND status <> 'ERASED' AND is_introduced
"""
_FORGOTTEN: Final = "SELECT id AS key, id AS other FROM customers WHERE id = ANY(:ids) AND status = 'ERASED'"
_KNOWN: Final = by_ids(
    "notification",
    """
    SELECT customer_id AS other, email, name, language, erased_at IS NOT NULL AS is_erased,
        EXISTS (SELECT FROM back_in_stock_wishes WHERE customer_id = customers.customer_id) AS has_wishes
    FROM customers WHERE customer_id = ANY(:ids)
    """,
    TEXT,
)


def _is_known(customer: Row, known: Sequence[Row]) -> str | None:
    """Without saying what it is: this is printed."""
    if not known:
        return "Notification has never heard of them"
    if known[0]["is_erased"]:
        return "Notification was told to forget them"
    other = [name for name in ("email", "name", "language") if known[0][name] != customer[name]]
    return f"Notification knows another {', '.join(other)}" if other else None


def _is_forgotten(_: Row, known: Sequence[Row]) -> str | None:
    if known and (known[0]["has_wishes"] or not known[0]["is_erased"]):
        return "Notification still knows them"
    return None


PEOPLE: Final = (
    Law("people.carts", "Nobody has two carts", CARTS, Within(_CARTS)),
    Law(
        "people.erased",
        "Nothing is left of whoever was erased",
        ERASED,
        Within(f"SELECT * FROM ({_ERASED}) AS erased WHERE stands <> 'there is still: '"),
    ),
    Law(
        "people.told",
        "Who writes to a customer knows who they are",
        INTRODUCED,
        Between(_INTRODUCED, "notification", _KNOWN, _is_known),
    ),
    Law(
        "people.forgotten",
        "Who writes to customers has forgotten whoever was erased",
        ERASED,
        Between(_FORGOTTEN, "notification", _KNOWN, _is_forgotten),
    ),
)
