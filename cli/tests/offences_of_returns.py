"""What breaks the laws of returns; see `offences`."""

from typing import Final

from .offences import Offence


def a_return(order: str, state: str, product: str, quantity: int, **more: str) -> str:
    """Of an order of the demo's customer."""
    values = {
        "id": "'{stray}'",
        "order_id": f"'{{{order}}}'",
        "customer_id": "'customer_demo'",
        "state": f"'{state}'",
        "currency": "'EUR'",
        "created_at": "now()",
        "updated_at": "now()",
        **more,
    }
    return f"""
        INSERT INTO returns ({", ".join(values)}) VALUES ({", ".join(values.values())});
        INSERT INTO return_items (return_id, line, product_id, name, quantity, unit_price)
        VALUES ('{{stray}}', 1, '{product}', 'Something', {quantity}, 1);
    """


def changed(order: str, change: str) -> str:
    return f"UPDATE returns SET {change} WHERE id = '{{{order}_return}}';"


REFUNDING_ANEW: Final = "state = 'RECEIVED', refunded_at = NULL, next_look_at = now() + interval '1 hour'"
ASKED: Final = """
    state = 'REQUESTED', received_at = NULL, refunded_at = NULL, refund_amount = NULL, refund_way = NULL,
    refund_asked_by = NULL
"""

RETURNS: Final = [
    Offence(
        "returns.items",
        "sales",
        a_return("sent_back", "REQUESTED", "gooseneck-kettle", 2),
        "{sent_back}",
        "3 x gooseneck-kettle come back; 2 were ordered",
    ),
    Offence(
        "returns.items",
        "sales",
        a_return("sent_back", "REQUESTED", "stoneware-mug", 1),
        "{sent_back}",
        "1 x stoneware-mug come back; 0 were ordered",
    ),
    Offence(
        "returns.items",
        "sales",
        a_return("paid_shipped", "REQUESTED", "product_789", 1),
        "{paid_shipped}",
        "the order is SHIPPED",
    ),
    Offence(
        "returns.refunded",
        "sales",
        changed("paid_back", "refund_amount = refund_amount - 1"),
        "{paid_back_return}",
        "with 7899 EUR to go back by card; its payment has given back 7900",
    ),
    Offence(
        "returns.refunded",
        "sales",
        changed("paid_back", f"{REFUNDING_ANEW}, refund_amount = 1"),
        "{paid_back_return}",
        "it is RECEIVED, with 1 EUR to go back by card",
    ),
    Offence(
        "returns.refunded",
        "sales",
        "UPDATE payment_operations SET cause = 'another' WHERE cause = '{paid_back_return}'",
        "{paid_back_return}",
        "its payment has given back 0",
    ),
    Offence(
        "returns.refunded",
        "sales",
        changed("paid_back", "refund_way = 'outside'"),
        "{paid_back_return}",
        "by outside; its payment has given back 7900",
    ),
    Offence(
        "returns.shelf",
        "product",
        "UPDATE stock_movements SET cause = gen_random_uuid() WHERE cause = '{sent_back_return}'",
        "{sent_back_return}",
        "for the shelf: 1 x gooseneck-kettle; Product has nothing of it",
    ),
    Offence(
        "returns.shelf",
        "sales",
        "UPDATE return_items SET restock = false WHERE return_id = '{sent_back_return}'",
        "{sent_back_return}",
        "for the shelf: nothing; Product has 1 x gooseneck-kettle of it",
    ),
    Offence(
        "returns.shelf",
        "sales",
        changed("sent_back", f"{ASKED}, receipt_asked_by = NULL")
        + "UPDATE return_items SET restock = NULL WHERE return_id = '{sent_back_return}'",
        "{sent_back_return}",
        "it is REQUESTED",
    ),
    Offence(
        "returns.finished",
        "sales",
        changed("sent_back", "state = 'RECEIVED', refunded_at = NULL, next_look_at = now() - interval '1 second'"),
        "{sent_back_return}",
        "is RECEIVED, and was to be looked at again",
    ),
    Offence(
        "returns.finished",
        "sales",
        a_return(
            "sent_back",
            "REQUESTED",
            "gooseneck-kettle",
            1,
            receipt_asked_by="'clerk'",
            next_look_at="now() - interval '1 second'",
        ),
        "{stray}",
        "is REQUESTED, and was to be looked at again",
    ),
]
