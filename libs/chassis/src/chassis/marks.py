"""Writes down what was sent: a moment later and all that has come together, as nobody waits for it.

Until then the rows are kept from other relays (`handover`). What a process has not marked when it dies is sent again.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

from sqlalchemy import text

from .broker.patience import happens
from .db import Database
from .telemetry import logger

MARK_SENT: Final = text("UPDATE outbox SET sent_at = now() WHERE id = ANY(:ids)")

# Seconds; rows are kept for much longer.
_GATHERED_FOR: Final = 0.1
_RETRY_AFTER: Final = 1.0

log = logger("relay")


class Marks:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._ids: list[int] = []
        self._writing: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def add(self, ids: Iterable[int]) -> None:
        """Rows of the outbox that the broker has confirmed."""
        self._ids += ids
        if self._writing is None:
            self._writing = asyncio.create_task(self._write(), name="marks")

    async def close(self) -> None:
        """What was added is written, if it can be at once."""
        self._closing.set()
        if self._writing is not None:
            await self._writing

    async def _write(self) -> None:
        within = _GATHERED_FOR
        while self._ids:
            await happens(self._closing, within=within)
            ids, self._ids = self._ids, []
            within = _GATHERED_FOR if await self._is_written(ids) else _RETRY_AFTER
        self._writing = None

    async def _is_written(self, ids: list[int]) -> bool:
        try:
            await self._database.run_alone(MARK_SENT, {"ids": ids})
        except Exception as error:
            log.warning("marks_wait", count=len(ids), reason=f"{type(error).__name__}: {error}")
            if not self._closing.is_set():
                self._ids = [*ids, *self._ids]
            return False
        return True
