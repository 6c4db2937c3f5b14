"""Statements, counted in the server's log. All is slower meanwhile: no time is taken of what is counted here."""

import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from tests.harness.platform import until

from .machine import WATCHING, Machine

_LOGGED: Final = {
    "log_statement": "all",
    "log_line_prefix": "[%a|%d] ",
    "log_parameter_max_length": "0",
    "lc_messages": "C",
}
# A statement's other lines begin with a tab.
_STATEMENT: Final = re.compile(r"^\[([^|]*)\|([^\]]*)\] LOG:  (?:statement|execute [^:]*): ", re.MULTILINE)
_HEARD_WITHIN: Final = 10.0
_LEVEL: Final = "SHOW log_statement"
# Where a server of ours writes, if it has no file of its own for this.
_FILE: Final = "SELECT coalesce(pg_current_logfile(), 'log')"
_SIZE: Final = "SELECT (pg_stat_file($1, true)).size"
_PART: Final = "SELECT pg_read_binary_file($1, $2, $3)"


class NotShown(Exception):
    """The server's log is elsewhere, as in a container."""


@asynccontextmanager
async def counted(machine: Machine) -> AsyncIterator[Callable[[], Awaitable[Counter[str]]]]:
    """Asked, it tells how many there were from here on in each database, BEGIN and COMMIT included."""
    file, before = await machine.value(_FILE), await machine.value(_LEVEL)
    if await machine.value(_SIZE, file) is None:
        raise NotShown
    await _alter(machine, [f"SET {name} = '{value}'" for name, value in _LOGGED.items()], "all")
    start = await machine.value(_SIZE, file)

    async def so_far() -> Counter[str]:
        written = await machine.value(_PART, file, start, await machine.value(_SIZE, file) - start)
        return _count(written.decode(errors="replace"))

    try:
        yield so_far
    finally:
        await _alter(machine, [f"RESET {name}" for name in _LOGGED], before)


def _count(log: str) -> Counter[str]:
    """By database; what asks on behalf of the measurement is nobody's."""
    return Counter(database for who, database in _STATEMENT.findall(log) if who != WATCHING)


async def _alter(machine: Machine, changes: Sequence[str], level: str) -> None:
    """Connections of later have it then, those that are there a moment before or after."""
    await machine.execute(*(f"ALTER SYSTEM {change}" for change in changes), "SELECT pg_reload_conf()")

    async def is_set() -> bool:
        return bool(await machine.value(_LEVEL) == level)

    await until(is_set, _HEARD_WITHIN)
