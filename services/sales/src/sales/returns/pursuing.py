"""Takes up returns that stopped half-way: whoever had begun is gone, or what was asked has not answered yet."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from chassis.db import Database
from contracts.sales.returns import ReturnState

from .model import Return
from .storing import take, take_up


async def pursue_stopped(
    database: Database, state: ReturnState, patience: timedelta, pursue: Callable[[Return], Awaitable[bool]]
) -> int:
    """Those whose time has come, until there are none; tells how many ended. `patience` is until another may try."""
    finished = 0
    while True:
        async with database.begin() as session:
            due = await take_up(session, state, patience)
            taken = [await take(session, return_id) for return_id in sorted(due)]
        for one in taken:
            finished += await pursue(one)
        if not taken:
            return finished
