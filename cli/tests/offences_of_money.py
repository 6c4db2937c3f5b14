"""What breaks the laws of money, of events and of people; see `offences`."""

from typing import Final

from contracts.events import EVENTS
from orderflow.laws.mails import MAILED

from .offences import Offence, unchecked


def _operation(kind: str, state: str, **more: str) -> str:
    """Of the payment of the order `paid_delivered`."""
    values = {
        "id": "'{stray}'",
        "payment_id": "'{paid_delivered_payment}'",
        "kind": f"'{kind}'",
        "cause": "'test'",
        "number": "1",
        "amount": "1",
        "state": f"'{state}'",
        "tries": "0",
        "asked_by": "'test'",
        "created_at": "now()",
        "updated_at": "now()",
        **more,
    }
    return f"INSERT INTO payment_operations ({', '.join(values)}) VALUES ({', '.join(values.values())});"


def _at_the_gateway(kind: str, amount: str = "1") -> str:
    return f"""
        INSERT INTO sandbox_operations
            (key, kind, reference, payment_id, payment_reference, amount, currency, state, at)
        SELECT '{{stray}}', '{kind}', 'by hand', id, reference, {amount}, currency, 'done', now()
        FROM payments WHERE id = '{{paid_delivered_payment}}';
    """


def _forgotten(kind: str, payment: str) -> str:
    return f"""
        DELETE FROM payment_operations WHERE payment_id = '{{{payment}}}' AND kind = '{kind}';
        DELETE FROM sandbox_operations WHERE payment_id = '{{{payment}}}' AND kind = '{kind}';
    """


_CAPTURED_LESS: Final = """
    UPDATE payment_operations SET amount = amount - 1 WHERE payment_id = '{paid_payment}' AND kind = 'capture';
    UPDATE sandbox_operations SET amount = amount - 1 WHERE payment_id = '{paid_payment}' AND kind = 'capture';
    UPDATE payments SET captured = captured - 1, kept = kept - 1, voided = 1 WHERE id = '{paid_payment}';
"""
_NOT_REFUNDED: Final = _forgotten("refund", "paid_cancelled_payment") + (
    "UPDATE payments SET state = 'CAPTURED', refunded = 0, kept = captured WHERE id = '{paid_cancelled_payment}';"
)
_NOT_VOIDED: Final = _forgotten("void", "unpaid_cancelled_payment") + (
    "UPDATE payments SET state = 'AUTHORISED', voided = 0, open = authorised WHERE id = '{unpaid_cancelled_payment}';"
)

MONEY: Final = [
    Offence(
        "money.amounts",
        "sales",
        unchecked("payments") + "UPDATE payments SET kept = kept + 1 WHERE id = '{paid_delivered_payment}'",
        "{paid_delivered_payment}",
        "captured 7900, voided 0, open 0, refunded 0, kept 7901",
    ),
    Offence(
        "money.amounts",
        "sales",
        unchecked("payments") + "UPDATE payments SET open = 1 WHERE id = '{paid_delivered_payment}'",
        "{paid_delivered_payment}",
    ),
    Offence(
        "money.journal",
        "sales",
        _operation("refund", "done", reference="'r'", completed_by="'test'"),
        "{paid_delivered_payment}",
        "the journal: 7900, 7900, 0, 1, 0",
    ),
    Offence(
        "money.journal",
        "sales",
        _operation("refund", "manual"),
        "{paid_delivered_payment}",
        "the journal: 7900, 7900, 0, 0, 1",
    ),
    Offence(
        "money.journal",
        "sales",
        _forgotten("authorise", "unpaid_cancelled_payment"),
        "{unpaid_cancelled_payment}",
        "the journal: 0, 0, 7900, 0, 0",
    ),
    Offence(
        "money.order",
        "sales",
        "UPDATE payments SET order_id = '{stray}' WHERE id = '{unpaid_cancelled_payment}'",
        "{unpaid_cancelled_payment}",
        "which there is not",
    ),
    Offence(
        "money.order",
        "sales",
        "UPDATE payments SET customer_id = 'somebody' WHERE id = '{paid_payment}'",
        "{paid_payment}",
        "it is of somebody for an order of customer_demo",
    ),
    Offence(
        "money.kept", "sales", _NOT_REFUNDED, "{paid_cancelled_payment}", "7900 EUR are kept; its order is CANCELLED"
    ),
    Offence(
        "money.kept",
        "sales",
        _NOT_REFUNDED
        + """
        UPDATE payments SET order_id = NULL WHERE id = '{paid_cancelled_payment}';
        UPDATE attempts SET state = 'undone', order_id = NULL WHERE id = '{paid_cancelled_payment}';
        """,
        "{paid_cancelled_payment}",
        "its order is unknown, its attempt undone",
    ),
    Offence("money.open", "sales", _NOT_VOIDED, "{unpaid_cancelled_payment}", "its order is CANCELLED"),
    Offence(
        "money.open",
        "sales",
        _NOT_VOIDED
        + """
        UPDATE payments SET order_id = NULL WHERE id = '{unpaid_cancelled_payment}';
        UPDATE attempts SET state = 'undone', order_id = NULL WHERE id = '{unpaid_cancelled_payment}';
        """,
        "{unpaid_cancelled_payment}",
        "its order is unknown, its attempt undone",
    ),
    Offence("money.paid", "sales", _CAPTURED_LESS, "{paid}", "CAPTURED, 7899 of 7900 EUR are captured"),
    Offence(
        "money.paid",
        "sales",
        "UPDATE payments SET unwanted_at = now() WHERE id = '{paid_shipped_payment}'",
        "{paid_shipped}",
        "to be given back",
    ),
    Offence(
        "money.paid",
        "sales",
        "UPDATE payments SET order_id = NULL WHERE id = '{unpaid_payment}'",
        "{unpaid}",
        "there is no payment",
        also=frozenset({"money.open"}),
    ),
    Offence(
        "money.due",
        "sales",
        _operation("capture", "refused", next_try_at="now() - interval '1 second'"),
        "{stray}",
    ),
    Offence(
        "money.ledger",
        "sales",
        "DELETE FROM sandbox_operations WHERE payment_id = '{paid_payment}' AND kind = 'capture'",
        "",
        "the gateway has nothing of it",
    ),
    Offence(
        "money.ledger",
        "sales",
        "UPDATE sandbox_operations SET amount = 1 WHERE payment_id = '{paid_payment}' AND kind = 'capture'",
        "",
        "the gateway has capture of 1, done",
        also=frozenset({"money.gateway"}),
    ),
    Offence(
        "money.ledger",
        "sales",
        "UPDATE sandbox_operations SET state = 'refused' WHERE payment_id = '{paid_payment}' AND kind = 'capture'",
        "",
        "the gateway has capture of 7900, refused",
        also=frozenset({"money.gateway"}),
    ),
    Offence("money.gateway", "sales", _at_the_gateway("refund"), "{stray}", "here it is unknown"),
    Offence(
        "money.gateway",
        "sales",
        _at_the_gateway("refund") + _operation("refund", "refused"),
        "{stray}",
        "here it is refund of 1, refused",
        also=frozenset({"money.journal"}),
    ),
]


def _outbox(service: str, event_type: str, sent_at: str) -> str:
    return f"""
        INSERT INTO outbox (event_id, event_type, exchange, mandatory, body, sent_at)
        VALUES ('{{stray}}', '{event_type}', '{service}.events', false, '{{{{}}}}', {sent_at});
    """


def _inbox(event_type: str, event_id: str = "{stray}") -> str:
    return f"INSERT INTO inbox (event_id, event_type) VALUES ('{event_id}', '{event_type}');"


_QUIET: Final = {
    "sales": "cart.cleared",
    "product": "product.updated",
    "delivery": "order.status_updated",
    "notification": "mail.imagined",
}
_MAILED: Final = frozenset({"mails.written"})
# Of the many that Notification hears those that are planted here stand for the others.
_HEARD: Final = [
    (event.producer(), listener, event_type)
    for event_type, event in EVENTS.items()
    for listener in sorted(event.heard_by)
    if listener != "notification" or event_type in ("customer.changed", "inventory.restocked", "shipment.updated")
]
_TOLD_AGAIN: Final = """
    INSERT INTO outbox (event_id, event_type, exchange, mandatory, body, sent_at)
    SELECT '{stray}', event_type, exchange, mandatory, body, now() FROM outbox
    WHERE event_type = 'order.delivered' AND body LIKE '%{paid_delivered}%'
"""
_AGAIN: Final = frozenset({"events.heard", "mails.written"})

EVENTFUL: Final = [
    *(
        Offence("events.sent", service, _outbox(service, event_type, "NULL"), "{stray}", f"{event_type} waits since")
        for service, event_type in _QUIET.items()
    ),
    *(
        Offence(
            "events.handled",
            service,
            "INSERT INTO parked_events (event_id, event_type, body, error, attempts) VALUES ('e', 't', '', 'why', 1)",
            "e",
            "why",
        )
        for service in _QUIET
    ),
    *(
        Offence(
            "events.heard",
            producer,
            _outbox(producer, event_type, "now()"),
            "{stray}",
            f"{event_type} was sent",
            also=_MAILED if event_type in MAILED and event_type != "shipment.updated" else frozenset(),
        )
        for producer, event_type in sorted({(producer, event_type) for producer, _, event_type in _HEARD})
    ),
    *(
        Offence("events.known", listener, _inbox(event_type), "{stray}", f"{event_type} came, and nobody has sent it")
        for _, listener, event_type in _HEARD
    ),
    Offence("events.known", "sales", _inbox("inventory.released", "forged"), "forged"),
    Offence(
        "events.told",
        "sales",
        _TOLD_AGAIN,
        "{paid_delivered}",
        "order.delivered is told 2 times, and true",
        also=_AGAIN,
    ),
    Offence(
        "events.told",
        "sales",
        "DELETE FROM outbox WHERE event_type = 'order.shipped' AND body LIKE '%{paid_shipped}%'",
        "{paid_shipped}",
        "order.shipped is told 0 times, and true",
        also=frozenset({"events.known"}),
    ),
    Offence(
        "events.told",
        "sales",
        _TOLD_AGAIN.replace("body, now()", "replace(body, '{paid_delivered}', '{paid}'), now()"),
        "{paid}",
        "order.delivered is told 1 times, and not true",
        also=_AGAIN,
    ),
]

_CARTS: Final = """
    DROP INDEX uq_carts_customer_id;
    INSERT INTO carts (id, customer_id, touched_at) VALUES (gen_random_uuid(), 'ada', now());
    INSERT INTO carts (id, customer_id, touched_at) VALUES (gen_random_uuid(), 'ada', now());
"""
_LEFT: Final = {
    "who they were": unchecked("customers") + "UPDATE customers SET name = 'Grace' WHERE id = '{erased}'",
    "an address": "INSERT INTO addresses (id, customer_id, address, is_default) "
    "VALUES ('{stray}', '{erased}', '{{}}', true)",
    "an answer": "INSERT INTO idempotency_keys (principal, route, key, request_hash, status, body) "
    "VALUES ('{erased}', 'POST /api/v1/customers/me/addresses', 'k', '', 201, '{{}}')",
    "an attempt": "INSERT INTO attempts (id, customer_id, idempotency_key, request_hash, state, lease_until, "
    "answer_status, answer) VALUES ('{stray}', '{erased}', 'k', '', 'refused', now(), 400, '{{}}')",
}

PEOPLE: Final = [
    Offence("people.carts", "sales", _CARTS, "ada", "has 2 carts"),
    *(
        Offence("people.erased", "sales", script, "{erased}", f"there is still: {what}")
        for what, script in _LEFT.items()
    ),
]
