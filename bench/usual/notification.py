"""Notification in the usual way: a mail that waits for each message; none is sent, here as in the other contestants."""

from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from . import tables
from .process import Given, Process, consume, running, service

_MESSAGES = {"order.created": "order_received", "order.shipped": "order_shipped", "order.delivered": "order_delivered"}


def application(given: Given) -> FastAPI:
    return service(given, _start)


async def _start(process: Process, stack: AsyncExitStack) -> None:
    bindings = dict.fromkeys(_MESSAGES, "sales.events")
    consuming = consume(process, "notification", tables.NotificationInbox, bindings, _write)
    await stack.enter_async_context(running(consuming))


async def _write(session: AsyncSession, heard: dict[str, Any]) -> None:
    session.add(
        tables.Mail(
            event_id=heard["event_id"],
            message=_MESSAGES[heard["event_type"]],
            recipient=heard["data"]["customer_id"],
            about=heard["data"],
            at=datetime.fromisoformat(heard["timestamp"]),
        )
    )
