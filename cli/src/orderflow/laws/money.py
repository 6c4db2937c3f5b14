"""Laws of money: nobody pays without an order, no order goes out unpaid, and the gateway's books say the same."""

from typing import Final

from .holds import ORDERS
from .law import Law, Subject, Within

PAYMENTS: Final = Subject("sales", "payments")
OPERATIONS: Final = Subject("sales", "payment_operations")
DUE: Final = Subject("sales", "payment_operations", only="next_try_at IS NOT NULL")
SANDBOX: Final = Subject("sales", "sandbox_operations", "key")

_AMOUNTS: Final = """
    SELECT id AS key,
        format('authorised %s, captured %s, voided %s, open %s, refunded %s, kept %s, owed %s', authorised, captured,
            voided, open, refunded, kept, refunding) AS stands
    FROM payments
    WHERE id = ANY(:ids) AND NOT (
        authorised = captured + voided + open AND captured = refunded + kept AND refunding <= kept
        AND least(authorised, captured, voided, open, refunded, kept, refunding) >= 0
    )
"""
# What is owed is the last try of each refund, as long as that is not done.
_JOURNAL: Final = """
    SELECT payments.id AS key,
        format('authorised %s, captured %s, voided %s, refunded %s, owed %s; the journal: %s, %s, %s, %s, %s',
            payments.authorised, payments.captured, payments.voided, payments.refunded, refunding,
            done.authorised, done.captured, done.voided, done.refunded, done.owed) AS stands
    FROM payments JOIN LATERAL (
        SELECT coalesce(sum(amount) FILTER (WHERE kind = 'authorise' AND state = 'done'), 0) AS authorised,
            coalesce(sum(amount) FILTER (WHERE kind = 'capture' AND state = 'done'), 0) AS captured,
            coalesce(sum(amount) FILTER (WHERE kind = 'refund' AND state = 'done'), 0) AS refunded,
            coalesce(sum(amount) FILTER (WHERE kind = 'refund' AND state <> 'done' AND is_last), 0) AS owed,
            CASE WHEN bool_or(kind = 'capture' AND state = 'done')
                THEN coalesce(sum(amount) FILTER (WHERE kind = 'authorise' AND state = 'done'), 0)
                    - sum(amount) FILTER (WHERE kind = 'capture' AND state = 'done')
                ELSE coalesce(sum(amount) FILTER (WHERE kind = 'void' AND state = 'done'), 0)
            END AS voided
        FROM (
            SELECT *, number = max(number) OVER (PARTITION BY kind, cause) AS is_last
            FROM payment_operations WHERE payment_id = payments.id
        ) AS journal
    ) AS done ON true
    WHERE payments.id = ANY(:ids)
        AND (payments.authorised, payments.captured, payments.voided, payments.refunded, refunding)
            <> (done.authorised, done.captured, done.voided, done.refunded, done.owed)
"""
_ORDER: Final = """
    SELECT payments.id AS key,
        CASE WHEN orders.id IS NULL THEN format('it is for order %s, which there is not', order_id)
            ELSE format('it is of %s for an order of %s, which has attempt %s', payments.customer_id,
                orders.customer_id, reservation_id) END AS stands
    FROM payments LEFT JOIN orders ON orders.id = order_id
    WHERE payments.id = ANY(:ids) AND order_id IS NOT NULL
        AND (reservation_id, orders.customer_id) IS DISTINCT FROM (payments.id, payments.customer_id)
"""
# Goods that were delivered may come back, and their money go: that leaves the order as it is.
_KEPT: Final = """
    SELECT payments.id AS key,
        format('%s %s are kept; its order is %s, its attempt %s', kept - refunding, payments.currency,
            coalesce(status, 'unknown'), coalesce(attempts.state, 'forgotten')) AS stands
    FROM payments LEFT JOIN orders ON orders.id = payments.order_id LEFT JOIN attempts ON attempts.id = payments.id
    WHERE payments.id = ANY(:ids) AND kept > refunding
        AND coalesce(status, '') NOT IN ('CONFIRMED', 'SHIPPED', 'DELIVERED')
        AND NOT (payments.order_id IS NULL AND coalesce(attempts.state, '') IN ('open', 'undoing'))
"""
_OPEN: Final = """
    SELECT payments.id AS key,
        format('%s %s are held, and nobody gives them back; its order is %s, its attempt %s', open, payments.currency,
            coalesce(status, 'unknown'), coalesce(attempts.state, 'forgotten')) AS stands
    FROM payments LEFT JOIN orders ON orders.id = payments.order_id LEFT JOIN attempts ON attempts.id = payments.id
    WHERE payments.id = ANY(:ids) AND open > 0
        AND CASE WHEN payments.order_id IS NULL THEN coalesce(attempts.state, '') NOT IN ('open', 'undoing')
            ELSE status = 'CANCELLED' END
        AND NOT EXISTS (
            SELECT FROM payment_operations WHERE payment_id = payments.id AND next_try_at IS NOT NULL
        )
"""
_PAID: Final = """
    SELECT orders.id AS key,
        format('%s over %s %s; ', status, total, orders.currency) || CASE
            WHEN payments.id IS NULL THEN 'there is no payment'
            ELSE format('%s, %s of %s %s are captured', payments.state, captured, amount, payments.currency)
                || CASE WHEN unwanted_at IS NULL THEN '' ELSE ', and to be given back' END
        END AS stands
    FROM orders LEFT JOIN payments ON payments.order_id = orders.id
    WHERE orders.id = ANY(:ids) AND status <> 'CANCELLED'
        AND (
            EXISTS (
                SELECT FROM order_history WHERE order_id = orders.id AND kind = 'changed' AND from_status IS NULL
                    AND to_status = 'PENDING'
            )
            OR payments.id IS NOT NULL AND NOT EXISTS (SELECT FROM order_history WHERE order_id = orders.id)
        )
        AND (
            (payments.amount, payments.currency) IS DISTINCT FROM (total, orders.currency)
            OR status <> 'PENDING' AND (captured <> total OR unwanted_at IS NOT NULL)
        )
"""
_DUE: Final = """
    SELECT id AS key, format('%s of %s is %s, to be tried again at %s', kind, payment_id, state, next_try_at) AS stands
    FROM payment_operations WHERE id = ANY(:ids) AND next_try_at < now()
"""
# What was done by hand, there or here, has no key in common, but what was done and how much of it.
_LEDGER: Final = """
    SELECT ours.id AS key,
        format('%s of %s for payment %s is done; the gateway has %s', ours.kind, ours.amount, ours.payment_id,
            coalesce(theirs.kind || ' of ' || theirs.amount || ', ' || theirs.state, 'nothing of it')) AS stands
    FROM payment_operations AS ours JOIN payments ON payments.id = ours.payment_id AND gateway = 'sandbox'
        LEFT JOIN sandbox_operations AS theirs ON theirs.key = ours.id
    WHERE ours.id = ANY(:ids) AND ours.state = 'done' AND completed_by IS NULL
        AND (theirs.kind, theirs.amount, theirs.payment_id, theirs.state)
            IS DISTINCT FROM (ours.kind, ours.amount, ours.payment_id, 'done')
        AND NOT EXISTS (
            SELECT FROM sandbox_operations AS other
            WHERE payment_reference = payments.reference AND other.payment_id = payments.id AND other.state = 'done'
                AND other.kind = ours.kind AND other.amount = ours.amount
                AND (ours.cause LIKE 'gateway:%' OR ours.reference = other.reference)
        )
"""
_GATEWAY: Final = """
    SELECT key, format('%s of %s for payment %s is %s there; here it is %s', theirs.kind, theirs.amount,
            theirs.payment_id, theirs.state,
            coalesce(ours.kind || ' of ' || ours.amount || ', ' || ours.state, 'unknown')) AS stands
    FROM sandbox_operations AS theirs LEFT JOIN payment_operations AS ours ON ours.id = theirs.key
    WHERE key = ANY(:ids) AND CASE theirs.state
        WHEN 'done' THEN NOT coalesce(
                (ours.kind, ours.amount, ours.payment_id) = (theirs.kind, theirs.amount, theirs.payment_id)
                    AND ours.state IN ('done', 'asked', 'unknown'), false)
            AND NOT EXISTS (
                SELECT FROM payment_operations AS other
                WHERE other.payment_id = theirs.payment_id AND other.kind = theirs.kind AND other.state = 'done'
                    AND other.amount = theirs.amount
                    AND (other.cause LIKE 'gateway:%' OR other.reference = theirs.reference)
            )
        ELSE coalesce(ours.state = 'done' AND ours.reference = theirs.reference, false)
    END
"""

MONEY: Final = (
    Law(
        "money.amounts",
        "What was authorised is captured, given up or open; what was captured is kept or refunded",
        PAYMENTS,
        Within(_AMOUNTS),
    ),
    Law("money.journal", "What a payment has come to is what was done for it", PAYMENTS, Within(_JOURNAL)),
    Law("money.order", "A payment that has an order is that order's", PAYMENTS, Within(_ORDER)),
    Law("money.kept", "Money that is kept was paid for an order that stands", PAYMENTS, Within(_KEPT)),
    Law(
        "money.open",
        "Nothing stays held for an order that is cancelled, or that never came about",
        PAYMENTS,
        Within(_OPEN),
    ),
    Law(
        "money.paid", "An order that was checked out has its payment, and goes out paid in full", ORDERS, Within(_PAID)
    ),
    Law("money.due", "What is to be asked of the gateway is asked", DUE, Within(_DUE)),
    Law("money.ledger", "What our books have as done, the gateway's have, too", OPERATIONS, Within(_LEDGER)),
    Law("money.gateway", "What the gateway's books have as done, ours have, too", SANDBOX, Within(_GATEWAY)),
)
