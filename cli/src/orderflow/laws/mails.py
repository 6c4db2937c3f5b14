"""Laws of mail: of whatever customers or operations are to hear there is one mail each, and it goes out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from chassis.retention import KEEP_HANDLED
from chassis.statements import BIGINT, TEXT
from contracts.events import EVENTS
from orderflow import fleet

from .law import Between, Law, Row, Subject, Within, by_ids

OPERATIONS: Final = "operations"
MAILED: Final[Mapping[str, str]] = {
    "customer.registered": "verification",
    "customer.verification_requested": "verification",
    "customer.password_reset_requested": "password_reset",
    "order.created": "order_received",
    "order.confirmed": "order_confirmed",
    "order.shipped": "order_shipped",
    "order.parcel_shipped": "parcel_shipped",
    "order.delivered": "order_delivered",
    "order.cancelled": "order_cancelled",
    "payment.refund_delayed": "refund_delayed",
    "payment.capture_failed": "capture_failed",
    "order.return_requested": "return_requested",
    "order.return_received": "return_received",
    "order.return_refunded": "return_refunded",
    "order.return_rejected": "return_rejected",
    "inventory.out_of_stock": "out_of_stock",
    "delivery.unmatched_tracking": "unmatched_tracking",
    "shipment.updated": "parcel_in_trouble",
}
"""Said once more: who checks takes no other's word. Who waits for something to be back nobody else knows."""
TO_OPERATIONS: Final = {"capture_failed", "out_of_stock", "unmatched_tracking", "parcel_in_trouble"}
_IN_TROUBLE: Final = {"LOST", "RETURNED"}
WISHED: Final = ("inventory.restocked", "back_in_stock")

QUEUED: Final = Subject("notification", "mails", only="state = 'QUEUED'")
MAILS: Final = Subject("notification", "mails")

_SENT: Final = """
    SELECT id AS key, event_id::text AS id, event_id::text AS other, event_type,
        body::jsonb #>> '{data,customer_id}' AS customer_id, body::jsonb #>> '{data,status}' AS status
    FROM outbox WHERE id = ANY(:ids) AND sent_at IS NOT NULL
"""
_MAILS: Final = by_ids(
    "notification", "SELECT event_id AS other, message, recipient FROM mails WHERE event_id = ANY(:ids)", TEXT
)
# Handled long ago, an event is forgotten, and its mail not yet.
_HEARD: Final = f"""
    SELECT mails.id AS key,
        format('%s of event %s, which %s', message, mails.event_id, coalesce('is ' || event_type, 'nobody has told'))
            AS stands
    FROM mails LEFT JOIN inbox ON inbox.event_id = mails.event_id
    WHERE mails.id = ANY(:ids) AND written_at > now() - interval '{KEEP_HANDLED.total_seconds() - 3600:.0f} seconds'
        AND (event_type IS NULL OR (event_type, message) NOT IN ({", ".join(map(str, [*MAILED.items(), WISHED]))}))
"""
# One that waits for another of the same customer's, or for its next try, waits for a reason.
_DUE: Final = f"""
    SELECT id AS key, format('%s is due since %s, tried %s times%s', message, next_try_at, tries, ': ' || last_error)
        AS stands
    FROM mails AS mail
    WHERE id = ANY(:ids) AND state = 'QUEUED' AND next_try_at < now() AND coalesce(leased_until < now(), true)
        AND (recipient = '{OPERATIONS}' OR NOT EXISTS (
            SELECT FROM mails AS older WHERE older.state = 'QUEUED' AND older.recipient = mail.recipient
                AND (older.at, older.id) < (mail.at, mail.id)
        ))
"""


def _is_written(event: Row, mails: Sequence[Row]) -> str | None:
    wanted = _wanted(event)
    there = [(mail["message"], mail["recipient"]) for mail in mails]
    if there == wanted:
        return None
    return f"{event['event_type']} was sent; wanted: {_listed(wanted)}; there: {_listed(there)}"


def _wanted(event: Row) -> list[tuple[str, str]]:
    message = MAILED[event["event_type"]]
    if event["event_type"] == "shipment.updated" and event["status"] not in _IN_TROUBLE:
        return []
    return [(message, OPERATIONS if message in TO_OPERATIONS else event["customer_id"])]


def _listed(mails: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{message} to {recipient}" for message, recipient in mails) or "no mail"


def _written(producer: fleet.Name) -> Law:
    its = [event_type for event_type in MAILED if EVENTS[event_type].producer() == producer]
    only = f"sent_at IS NOT NULL AND event_type IN ({', '.join(map(repr, its))})"
    return Law(
        "mails.written",
        "Of what somebody is to hear by mail there is one mail for each",
        Subject(producer, "outbox", kind=BIGINT, only=only),
        Between(_SENT, "notification", _MAILS, _is_written),
    )


MAILED_OUT: Final = (
    *(_written(producer) for producer in ("sales", "product", "delivery")),
    Law("mails.known", "A mail tells of something that was heard", MAILS, Within(_HEARD)),
    Law("mails.due", "A mail that is due is sent", QUEUED, Within(_DUE)),
)
