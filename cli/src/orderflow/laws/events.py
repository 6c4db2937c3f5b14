"""Laws of events: what was said is heard by whom it concerns, nothing else is, and nothing is said twice."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from chassis.retention import KEEP_SENT
from chassis.statements import BIGINT, ID, TEXT, with_arrays
from contracts.events import EVENTS
from orderflow import fleet

from .books import Books
from .holds import ORDERS
from .law import Between, Law, Lookup, Row, Subject, Whole, Within, by_ids
from .moments import made_at

# What was sent so long ago is about to be forgotten, or is already.
_KNOWN_FOR: Final = KEEP_SENT - timedelta(hours=1)
_SOON: Final = timedelta(minutes=10)
_EVER: Final = datetime(2000, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)

_WAITING: Final = """
    SELECT id AS key, event_id::text AS id, format('%s waits since %s', event_type, created_at) AS stands
    FROM outbox WHERE id = ANY(:ids) AND sent_at IS NULL
"""
_PARKED: Final = """
    SELECT event_id AS key, format('%s is parked since %s: %s', event_type, parked_at, error) AS stands
    FROM parked_events WHERE event_id = ANY(:ids) AND resolved_at IS NULL
"""
_INBOX: Final = "SELECT event_id AS other FROM inbox WHERE event_id = ANY(:ids)"
_SENT: Final = """
    SELECT id AS key, event_id::text AS id, event_id::text AS other, event_type
    FROM outbox WHERE id = ANY(:ids) AND sent_at IS NOT NULL
"""
_HEARD: Final = "SELECT event_id AS key, event_id AS other, event_type FROM inbox WHERE event_id = ANY(:ids)"
_OUTBOX: Final = with_arrays(
    """
    SELECT event_id::text AS other FROM outbox JOIN unnest(:ids) AS asked (id) ON asked.id = event_id
    WHERE sent_at IS NULL OR sent_at BETWEEN :first AND :last
    """,
    ids=ID,
)
_TRUE_OF: Final = {
    "PENDING": "order.created",
    "PENDING_SHIPMENT": "order.created",
    "CONFIRMED": "order.confirmed",
    "SHIPPED": "order.shipped",
    "DELIVERED": "order.delivered",
    "CANCELLED": "order.cancelled",
}
_TOLD: Final = f"""
    WITH told AS (
        SELECT (body::jsonb #>> '{{data,order_id}}')::uuid AS order_id, event_type, count(*) AS times
        FROM outbox WHERE event_type IN ({", ".join(map(repr, sorted(set(_TRUE_OF.values()))))})
            AND body::jsonb #>> '{{data,order_id}}' IS NOT NULL
        GROUP BY 1, 2
    ), steps (status, event_type) AS (
        VALUES {", ".join(map(repr, _TRUE_OF.items()))}
    ), news AS (
        SELECT order_id, event_type FROM order_history JOIN steps ON status = to_status
        WHERE kind = 'changed' AND at > now() - interval '{_KNOWN_FOR.total_seconds():.0f} seconds'
            AND (CAST(:ids AS uuid[]) IS NULL OR order_id = ANY(:ids))
    )
    SELECT order_id AS key,
        string_agg(format('%s is told %s times, %s', event_type, coalesce(times, 0),
            CASE WHEN is_true THEN 'and true' ELSE 'and not true' END), '; ' ORDER BY event_type) AS stands
    FROM told FULL JOIN news USING (order_id, event_type) CROSS JOIN LATERAL (
        SELECT news.order_id IS NOT NULL OR EXISTS (
            SELECT FROM order_history JOIN steps ON status = to_status
            WHERE order_history.order_id = told.order_id AND kind = 'changed' AND steps.event_type = told.event_type
        ) AS is_true
    ) AS books
    WHERE (coalesce(times, 0) <> 1 OR NOT is_true) AND (CAST(:ids AS uuid[]) IS NULL OR order_id = ANY(:ids))
    GROUP BY order_id LIMIT 1000
"""


def _heard(event: Row, inbox: Sequence[Row]) -> str | None:
    return None if inbox else f"{event['event_type']} was sent, and never came"


def _known(event: Row, outbox: Sequence[Row]) -> str | None:
    return None if outbox else f"{event['event_type']} came, and nobody has sent it"


def _outbox_of(producer: fleet.Name) -> Lookup:
    """No index leads there from an event's id; but it says when the event was made, and it was sent soon after."""

    async def look_up(books: Books, event_ids: Sequence[str]) -> Iterable[Row]:
        now = datetime.now(UTC)
        ids = {event_id: _uuid(event_id) for event_id in event_ids}
        found = [{"other": event_id} for event_id, id in ids.items() if id and made_at(id) < now - _KNOWN_FOR]
        young = {id for id in ids.values() if id and made_at(id) >= now - _KNOWN_FOR}
        if young:
            soon = {"first": made_at(min(young)) - _SOON, "last": made_at(max(young)) + _SOON}
            found += await books.rows(producer, _OUTBOX, ids=list(young), **soon)
        if rest := young - {UUID(row["other"]) for row in found}:
            found += await books.rows(producer, _OUTBOX, ids=list(rest), first=_EVER[0], last=_EVER[1])
        return found

    return look_up


def _uuid(event_id: str) -> UUID | None:
    try:
        return UUID(event_id)
    except ValueError:
        return None


def _types(producer: fleet.Name, listener: fleet.Name | None = None) -> list[str]:
    return sorted(
        event_type
        for event_type, event in EVENTS.items()
        if event.producer() == producer and (listener is None or listener in event.heard_by)
    )


def _one_of(types: Iterable[str]) -> str:
    return f"event_type IN ({', '.join(map(repr, types))})"


def _of_one_service(service: fleet.Name) -> Iterator[Law]:
    waiting = Subject(service, "outbox", kind=BIGINT, only="sent_at IS NULL")
    parked = Subject(service, "parked_events", "event_id", TEXT, only="resolved_at IS NULL")
    yield Law("events.sent", "No event waits to be sent", waiting, Within(_WAITING))
    yield Law("events.handled", "No event waits to be handled", parked, Within(_PARKED))


def _between(producer: fleet.Name, listener: fleet.Name) -> Iterator[Law]:
    heard = _types(producer, listener)
    if not heard:
        return
    sent = Subject(producer, "outbox", kind=BIGINT, only=f"sent_at IS NOT NULL AND {_one_of(heard)}")
    came = Subject(listener, "inbox", "event_id", TEXT, only=_one_of(_types(producer)))
    yield Law(
        "events.heard",
        "What was sent has come to each whom it concerns",
        sent,
        Between(_SENT, listener, by_ids(listener, _INBOX, TEXT), _heard),
    )
    yield Law(
        "events.known",
        "What came was sent",
        came,
        Between(_HEARD, producer, _outbox_of(producer), _known),
    )


EVENTFUL: Final = (
    *(law for service in fleet.NAMES for law in _of_one_service(service)),
    *(law for producer in fleet.NAMES for listener in fleet.NAMES for law in _between(producer, listener)),
    Law("events.told", "What became of an order is told, once, and nothing else of it", ORDERS, Whole(_TOLD)),
)
