"""What looks broken for a while and is not: each may be found so by whoever looks at a platform that works."""

from collections.abc import Mapping
from typing import Final

from .offences import an_attempt
from .offences_of_mails import queued
from .offences_of_parcels import a_report
from .offences_of_returns import ASKED, REFUNDING_ANEW, a_return, changed

UNDER_WAY: Final[Mapping[str, Mapping[str, str]]] = {
    "an attempt that has its stock and its money, and no order yet": {
        "sales": an_attempt("open", "20 seconds")
        + """
        INSERT INTO payments (id, customer_id, gateway, reference, currency, state, amount, authorised, open, captured,
            voided, refunded, kept, refunding, created_at, updated_at)
        VALUES ('{stray}', 'ada', 'elsewhere', 'r', 'EUR', 'AUTHORISED', 5, 5, 5, 0, 0, 0, 0, 0, now(), now());
        INSERT INTO payment_operations (id, payment_id, kind, cause, number, amount, state, tries, reference, asked_by,
            created_at, updated_at)
        VALUES (gen_random_uuid(), '{stray}', 'authorise', '', 1, 5, 'done', 0, 'r', 'ada', now(), now());
        """,
        "product": "INSERT INTO reservations (id, state, answer) VALUES ('{stray}', 'HELD', '[]')",
    },
    "an attempt that is being undone, whose money is being given back": {
        "sales": an_attempt("undoing", "20 seconds")
        + """
        INSERT INTO payments (id, customer_id, gateway, reference, currency, state, amount, authorised, open, captured,
            voided, refunded, kept, refunding, unwanted_at, created_at, updated_at)
        VALUES ('{stray}', 'ada', 'elsewhere', 'r', 'EUR', 'CAPTURED', 5, 5, 0, 5, 0, 0, 5, 0, now(), now(), now());
        INSERT INTO payment_operations (id, payment_id, kind, cause, number, amount, state, tries, reference, asked_by,
            created_at, updated_at)
        SELECT gen_random_uuid(), '{stray}', kind, '', 1, 5, 'done', 0, 'r', 'ada', now(), now()
        FROM unnest(ARRAY['authorise', 'capture']) AS kinds (kind);
        """,
        "product": "INSERT INTO reservations (id, state, answer) VALUES ('{stray}', 'HELD', '[]')",
    },
    "money of a cancelled order that the gateway is yet to give back": {
        "sales": """
        UPDATE payments SET state = 'AUTHORISED', voided = 0, open = authorised WHERE id = '{unpaid_cancelled_payment}';
        DELETE FROM sandbox_operations WHERE payment_id = '{unpaid_cancelled_payment}' AND kind = 'void';
        UPDATE payment_operations SET state = 'refused', reference = NULL, next_try_at = now() + interval '1 hour'
        WHERE payment_id = '{unpaid_cancelled_payment}' AND kind = 'void';
        """
    },
    "a refund that waits for a person": {
        "sales": """
        UPDATE payments SET state = 'REFUND_DUE', refunded = 0, kept = captured, refunding = captured
        WHERE id = '{paid_cancelled_payment}';
        UPDATE payment_operations SET state = 'refused', reference = NULL
        WHERE payment_id = '{paid_cancelled_payment}' AND kind = 'refund';
        INSERT INTO payment_operations (id, payment_id, kind, cause, number, amount, state, tries, asked_by, created_at,
            updated_at)
        SELECT gen_random_uuid(), payment_id, kind, cause, 2, amount, 'manual', 0, asked_by, now(), now()
        FROM payment_operations WHERE payment_id = '{paid_cancelled_payment}' AND kind = 'refund';
        UPDATE sandbox_operations SET state = 'refused', reason = 'rejected'
        WHERE payment_id = '{paid_cancelled_payment}' AND kind = 'refund';
        """
    },
    "a part of a delivered order that came back": {
        "sales": """
        UPDATE payments SET refunded = 900, kept = kept - 900 WHERE id = '{paid_delivered_payment}';
        INSERT INTO payment_operations (id, payment_id, kind, cause, number, amount, state, tries, reference, asked_by,
            completed_by, created_at, updated_at)
        VALUES ('{stray}', '{paid_delivered_payment}', 'refund', 'r', 1, 900, 'done', 0, 'by hand', 'ada', 'ada', now(),
            now());
        """
    },
    "a cancellation that is being pursued": {
        "sales": """
        INSERT INTO cancellations (order_id, reservation_id, asked_by, asked_at, state, next_look_at)
        VALUES ('{placed}', '{placed_hold}', 'ada', now(), 'asked', now() + interval '10 seconds');
        """
    },
    "a parcel that is being packed": {
        "delivery": """
        UPDATE shipments SET carrier = 'c', tracking_number = 't', dispatching_until = now() + interval '20 seconds'
        WHERE order_id = '{placed}';
        """
    },
    "news so old that they are forgotten": {
        "sales": "UPDATE order_history SET at = at - interval '8 days'; DELETE FROM outbox; DELETE FROM inbox;",
        "delivery": "DELETE FROM outbox; DELETE FROM inbox;",
        "product": "DELETE FROM outbox;",
        "notification": "UPDATE mails SET written_at = written_at - interval '30 days'; DELETE FROM inbox;",
    },
    "news that were sent hours after they were made": dict.fromkeys(
        ("sales", "product", "delivery"), "UPDATE outbox SET sent_at = sent_at + interval '3 hours'"
    ),
    "news that came long ago": {
        "delivery": "INSERT INTO inbox (event_id, event_type) VALUES "
        "('01890a5d-ac96-774b-bcce-b302099a8057', 'order.created')",
    },
    "a parcel with a label under which it has not left": {
        "delivery": """
        UPDATE shipments SET carrier = 'c', tracking_number = 't', dispatching_until = now() + interval '20 seconds'
        WHERE id = '{parted_second}';
        """
    },
    "a report of a carrier that waits for its parcel": {
        "delivery": a_report("DELIVERED", "UNMATCHED", next_try_at="now() + interval '20 seconds'")
    },
    "a report of a loss of what has arrived after all": {
        "delivery": a_report("LOST", "APPLIED", settled_at="now()", shipment_id="'{placed_delivered_shipment}'")
    },
    "a return that Product is being told of": {
        "sales": a_return(
            "sent_back",
            "REQUESTED",
            "gooseneck-kettle",
            1,
            receipt_asked_by="'clerk'",
            next_look_at="now() + interval '10 seconds'",
        )
        + "UPDATE return_items SET restock = true WHERE return_id = '{stray}'"
    },
    "a return that Product has heard of, and whose receipt is not finished": {
        "sales": changed(
            "sent_back", f"{ASKED}, receipt_asked_by = 'clerk', next_look_at = now() + interval '10 seconds'"
        )
    },
    "a return whose money the gateway has given back a moment ago": {"sales": changed("paid_back", REFUNDING_ANEW)},
    "returns that were rejected, of more than there was": {
        "sales": a_return("sent_back", "REJECTED", "gooseneck-kettle", 9, rejected_at="now()", rejection_reason="'No.'")
    },
    "mails that wait for their next try, or behind one that does": {
        "notification": queued(
            "WHERE recipient = 'customer_demo' AND message = 'order_received'",
            next_try_at="CASE about ->> 'order_id' WHEN '{placed}' THEN now() + interval '1 hour' ELSE now() END",
            last_error="'The server is away.'",
        )
    },
    "a mail that is being sent, and one that people have to see to": {
        "notification": queued(
            "WHERE message = 'parcel_in_trouble' AND about ->> 'order_id' = '{lost}'",
            leased_until="now() + interval '1 minute'",
        )
        + """
        UPDATE mails SET state = 'FAILED', last_error = 'No such mailbox.'
        WHERE message = 'order_cancelled' AND about ->> 'order_id' = '{placed_cancelled}';
        """
    },
    "somebody who registered before anybody wrote mails": {
        "sales": """
        INSERT INTO customers (id, name, email, is_introduced) VALUES ('{stray}', 'X', 'x@example.org', false)
        """
    },
    "somebody who was erased before anybody wrote mails": {
        "sales": "INSERT INTO customers (id, name, email, status) VALUES ('{stray}', '', '{stray}', 'ERASED')"
    },
    "a cart of somebody who was erased a moment ago": {
        "sales": """
        INSERT INTO carts (id, customer_id, touched_at) VALUES ('{stray}', '{erased}', now());
        INSERT INTO idempotency_keys (principal, route, key, request_hash, status, body)
        VALUES ('{erased}', 'POST /api/v1/cart/items', 'k', '', 201, '{{}}');
        """
    },
}
