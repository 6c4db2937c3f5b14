"""What breaks the laws of mail, and of what is known of those who get it; see `offences`."""

from typing import Final

from .offences import Offence

_OF_THE_CANCELLED: Final = "WHERE message = 'order_cancelled' AND about ->> 'order_id' = '{placed_cancelled}'"
_OUTBOX: Final = """
    INSERT INTO outbox (event_id, event_type, exchange, mandatory, body, sent_at)
    VALUES ('{stray}', 'inventory.out_of_stock', 'product.events', false, '{{}}', now());
"""
_INBOX: Final = "INSERT INTO inbox (event_id, event_type) VALUES ('{stray}', 'inventory.out_of_stock');"
_FORGOTTEN: Final = """
    UPDATE customers SET email = NULL, email_told_at = NULL, name = NULL, language = NULL, profile_told_at = NULL,
        erased_at = now() WHERE customer_id = 'customer_demo'
"""


def queued(where: str, **more: str) -> str:
    """As if it had yet to be sent."""
    changes = {"state": "'QUEUED'", "ended_at": "NULL", "next_try_at": "now() - interval '1 second'", **more}
    return f"UPDATE mails SET {', '.join(f'{name} = {value}' for name, value in changes.items())} {where};"


MAILS: Final = [
    Offence(
        "mails.written",
        "notification",
        f"DELETE FROM mails {_OF_THE_CANCELLED}",
        "",
        "order.cancelled was sent; wanted: order_cancelled to customer_demo; there: no mail",
    ),
    Offence(
        "mails.written",
        "notification",
        f"UPDATE mails SET recipient = 'grace' {_OF_THE_CANCELLED}",
        "",
        "there: order_cancelled to grace",
    ),
    Offence(
        "mails.written",
        "notification",
        f"UPDATE mails SET message = 'order_confirmed' {_OF_THE_CANCELLED}",
        "",
        "there: order_confirmed to customer_demo",
        also=frozenset({"mails.known"}),
    ),
    Offence(
        "mails.written",
        "notification",
        "DELETE FROM mails WHERE message = 'parcel_in_trouble' AND about ->> 'order_id' = '{lost}'",
        "",
        "wanted: parcel_in_trouble to operations; there: no mail",
    ),
    Offence(
        "mails.written",
        "product",
        _OUTBOX,
        "{stray}",
        "wanted: out_of_stock to operations; there: no mail",
        {"notification": _INBOX},
    ),
    Offence(
        "mails.known",
        "notification",
        """
        INSERT INTO mails (id, event_id, message, recipient, about, at, state, ended_at)
        VALUES ('{stray}', 'imagined', 'order_shipped', 'customer_demo', '{{}}', now(), 'SENT', now())
        """,
        "{stray}",
        "which nobody has told",
    ),
    Offence(
        "mails.known",
        "notification",
        _INBOX
        + """
        INSERT INTO mails (id, event_id, message, recipient, about, at, state, ended_at)
        VALUES ('{stray}', '{stray}', 'order_shipped', 'customer_demo', '{{}}', now(), 'SENT', now());
        """,
        "{stray}",
        "which is inventory.out_of_stock",
        {"product": _OUTBOX},
        also=frozenset({"mails.written"}),
    ),
    Offence("mails.due", "notification", queued(_OF_THE_CANCELLED), "", "order_cancelled is due since"),
    Offence(
        "mails.due",
        "notification",
        queued(_OF_THE_CANCELLED, leased_until="now() - interval '1 second'", last_error="'Greylisted.'"),
        "",
        "Greylisted.",
    ),
    Offence(
        "mails.due",
        "notification",
        queued(
            "WHERE message = 'parcel_in_trouble' AND about ->> 'order_id' = '{lost}'",
            at="now()",
        ),
        "",
        "parcel_in_trouble is due since",
    ),
]

TOLD: Final = [
    *(
        Offence(
            "people.told",
            "notification",
            f"UPDATE customers SET {name} = {value} WHERE customer_id = 'customer_demo'",
            "customer_demo",
            f"Notification knows another {name}",
        )
        for name, value in (("email", "'ada@example.com'"), ("name", "'Augusta'"), ("language", "'de'"))
    ),
    Offence(
        "people.told",
        "notification",
        "DELETE FROM customers WHERE customer_id = 'customer_demo'",
        "customer_demo",
        "has never heard of them",
    ),
    Offence("people.told", "notification", _FORGOTTEN, "customer_demo", "was told to forget them"),
    Offence(
        "people.forgotten",
        "notification",
        "UPDATE customers SET erased_at = NULL WHERE customer_id = '{erased}'",
        "{erased}",
        "still knows them",
    ),
    Offence(
        "people.forgotten",
        "notification",
        "INSERT INTO back_in_stock_wishes (id, customer_id, product_id, asked_at) "
        "VALUES ('{stray}', '{erased}', 'roaster-sampler', now())",
        "{erased}",
        "still knows them",
    ),
]
