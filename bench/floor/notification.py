"""Notification at the floor: what is heard becomes mails that wait; none is sent, here as in the other contestants."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime

from pydantic_core import to_json

from chassis.ids import uuid7

from .messages import Heard, broker, columns, subscribe
from .process import Connections, Given, Routes, connected, running

_MESSAGES = {"order.created": "order_received", "order.shipped": "order_shipped", "order.delivered": "order_delivered"}
_WRITE = """
    WITH fresh AS (
        INSERT INTO inbox (event_id, event_type) SELECT * FROM unnest($1::text[], $2::text[])
        ON CONFLICT DO NOTHING RETURNING event_id
    )
    INSERT INTO mails (event_id, id, message, recipient, about, at)
    SELECT event_id, id, message, recipient, about::jsonb, at
    FROM unnest($1::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])
        AS new (event_id, id, message, recipient, about, at) JOIN fresh USING (event_id)
    ON CONFLICT DO NOTHING
"""


class Notification:
    def __init__(self, database: Connections) -> None:
        self._database = database

    async def write(self, heard: Sequence[Heard]) -> None:
        rows = [
            (
                each.id,
                each.type,
                uuid7(),
                _MESSAGES[each.type],
                each.data["customer_id"],
                to_json(each.data).decode(),
                datetime.fromisoformat(each.timestamp),
            )
            for each in heard
        ]
        async with self._database.one() as connection:
            await connection.execute(_WRITE, *columns(rows))


async def start(given: Given, stack: AsyncExitStack) -> Routes:
    database = await stack.enter_async_context(connected(given.database_url, 1))
    connection = await stack.enter_async_context(broker(given.rabbitmq_url))
    bindings = dict.fromkeys(_MESSAGES, "sales.events")
    notification = Notification(database)
    await stack.enter_async_context(running(await subscribe(connection, "notification", bindings, notification.write)))
    return {}
