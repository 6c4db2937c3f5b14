"""What the processes have cost so far, in seconds and in bytes, and what the servers have counted."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import psutil

from .contestant import SERVICES, Contestant
from .machine import Machine

POSTGRES: Final = "PostgreSQL"
RABBITMQ: Final = "RabbitMQ"
_SERVER: Final = "SELECT sum(xact_commit)::bigint, sum(tup_inserted + tup_updated)::bigint FROM pg_stat_database"


@dataclass(frozen=True)
class Trees:
    """Process trees by name: those of a contestant, and the servers that all share."""

    pids: Mapping[str, int]

    def seconds(self) -> dict[str, float]:
        return {name: _seconds(pid) for name, pid in self.pids.items()}

    def megabytes(self) -> dict[str, float]:
        """What nobody else has as well, where the system tells."""
        return {name: _bytes(pid) / 2**20 for name, pid in self.pids.items()}


async def trees_of(contestant: Contestant, machine: Machine) -> Trees:
    broker = machine.broker_pid()
    servers = {POSTGRES: await machine.server_pid()} | ({RABBITMQ: broker} if broker else {})
    return Trees({**contestant.pids, **servers})


@dataclass(frozen=True)
class Counted:
    """Since there is a contestant."""

    published: int
    delivered: int
    transactions: int
    rows: int
    """Inserted and updated."""

    def since(self, before: "Counted") -> "Counted":
        return Counted(
            self.published - before.published,
            self.delivered - before.delivered,
            self.transactions - before.transactions,
            self.rows - before.rows,
        )


async def count(contestant: Contestant, machine: Machine) -> Counted:
    """RabbitMQ tells what was five seconds ago, and PostgreSQL what was one."""
    told = machine.rabbitmq.overview(contestant.vhost).get("message_stats", {})
    transactions = rows = 0
    for service in SERVICES:
        [found] = await contestant.query(service, f"{_SERVER} WHERE datname = current_database()")
        transactions, rows = transactions + int(found[0]), rows + int(found[1])
    return Counted(told.get("publish", 0), told.get("deliver_get", 0), transactions, rows)


async def message_bytes(contestant: Contestant) -> float:
    """The bodies of all that one order sends."""
    total = 0.0
    orders = await contestant.value("sales", "SELECT count(*) FROM orders")
    for service in ("sales", "product", "delivery"):
        total += float(await contestant.value(service, "SELECT coalesce(sum(octet_length(body)), 0) FROM outbox"))
    return total / max(1, int(orders))


def _seconds(pid: int) -> float:
    """Of what has ended its parent knows the sum."""
    root = psutil.Process(pid)
    own = root.cpu_times()
    total: float = own.user + own.system + own.children_user + own.children_system
    for child in root.children(recursive=True):
        try:
            spent = child.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += spent.user + spent.system
    return total


def _bytes(pid: int) -> int:
    root = psutil.Process(pid)
    return sum(_own_bytes(each) for each in [root, *root.children(recursive=True)])


def _own_bytes(process: psutil.Process) -> int:
    """What is shared counts in parts, where the system tells; none, if it has ended meanwhile."""
    try:
        return int(process.memory_full_info().pss)
    except psutil.NoSuchProcess:
        return 0
    except (psutil.Error, AttributeError):
        with suppress(psutil.NoSuchProcess):
            return int(process.memory_info().rss)
        return 0
