"""When a walk is over: all that it told has been heard and due mails have left; nothing comes too late to be seen."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import wraps
from typing import Any, Final

from sqlalchemy import text

from tests.harness.in_process import InProcess
from tests.harness.platform import until

from .cast import Cast

# A mail server that is away in a walk keeps its mails due.
_AT_MOST: Final = 5.0
_EVERY: Final = 0.02
_TOLD = text("SELECT event_id::text, event_type FROM outbox")
_HANDLED = text("SELECT event_id FROM inbox UNION SELECT event_id FROM parked_events")
_DUE = text("SELECT count(*) FROM mails WHERE state = 'QUEUED' AND NOT behind AND next_try_at <= now()")

Test = Callable[..., Awaitable[None]]


def to_its_end(walk: Test) -> Test:
    @wraps(walk)
    async def whole_walk(*args: Any, cast: Cast, **fixtures: Any) -> None:
        try:
            await walk(*args, cast=cast, **fixtures)
        finally:
            await _settles(cast.platform)

    return whole_walk


async def _settles(platform: InProcess) -> None:
    with suppress(AssertionError):
        await until(lambda: _has_settled(platform), _AT_MOST, _EVERY)


async def _has_settled(platform: InProcess) -> bool:
    told = {row.event_id: row.event_type for name in platform.services for row in await _rows(platform, name, _TOLD)}
    for name, service in platform.services.items():
        handled = {row.event_id for row in await _rows(platform, name, _HANDLED)}
        heard = service.subscription.bindings
        if any(event_type in heard and event_id not in handled for event_id, event_type in told.items()):
            return False
    [(due,)] = await _rows(platform, "notification", _DUE)
    return not due


async def _rows(platform: InProcess, service: str, statement: Any) -> list[Any]:
    async with platform.services[service].database.begin() as session:
        return list(await session.execute(statement))
