"""Says to whoever supervises the process whether it lives, and whether it can do its work."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from fastapi import APIRouter

from .errors import Unavailable

_WITHIN = 5.0
_FRESH = 1.0

Check = Callable[[], Awaitable[None]]


def health(checks: Sequence[Check]) -> APIRouter:
    """Live is the process that answers at all; ready is one whose every check raises nothing."""
    router = APIRouter(tags=["health"])
    good_until = 0.0

    @router.get("/livez")
    async def live() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz")
    async def ready() -> dict[str, str]:
        nonlocal good_until
        # Probes come from many sides; one answer a second is fresh enough.
        if time.monotonic() >= good_until:
            await _pass(checks)
            good_until = time.monotonic() + _FRESH
        return {"status": "ok"}

    return router


async def _pass(checks: Sequence[Check]) -> None:
    try:
        async with asyncio.timeout(_WITHIN):
            for check in checks:
                await check()
    except TimeoutError:
        raise Unavailable("Something that is needed does not answer.") from None
