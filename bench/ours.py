"""orderflow as shipped: the command that anyone starts, a process per service, with traces kept or not."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from tests.harness.fixtures import databases_on
from tests.harness.platform import Platform, running
from tests.harness.program import Command

from . import old, wares
from .contestant import SERVICES, Contestant
from .machine import Machine, plain

CUSTOMERS: Final = 200
_SETTINGS: Final = {
    "LOG_LEVEL": "WARNING",
    "DELIVERY_DISPATCH_AFTER": "PT0S",
    "DELIVERY_DELIVER_AFTER": "PT0S",
    # Nobody's address is known, so mails are written and none is sent: each customer's first is tried once.
    "NOTIFICATION_RETRY__QUICK": '["PT5H"]',
}


@asynccontextmanager
async def orderflow(name: str, machine: Machine, old_orders: int = 0, **settings: str) -> AsyncIterator[Contestant]:
    folder = machine.folder / name.replace(" ", "-")
    folder.mkdir()
    async with databases_on(machine.postgres) as create:
        databases = {service: await create(service) for service in SERVICES}
        await old.fill({service: plain(url) for service, url in databases.items()}, old_orders)

        async def made(service: str) -> str:
            return databases[service]

        with machine.vhost() as vhost:
            given = _SETTINGS | settings
            async with running(made, vhost, folder, settings=given, program=Command) as platform:
                await wares.fill(plain(platform.databases["product"]))
                yield _contestant(name, vhost, platform)


without_traces = partial(orderflow, "orderflow")
with_traces = partial(orderflow, "orderflow, traced", RECORD_STEPS="1")


def _contestant(name: str, vhost: str, platform: Platform) -> Contestant:
    databases: Mapping[str, str] = {service: plain(url) for service, url in platform.databases.items()}
    pids = {replica.service: replica.pid for replica in platform.each()}
    tokens = [platform.token("customer", f"customer-{number}") for number in range(CUSTOMERS)]
    return Contestant(name, platform.url("sales"), databases, vhost, pids, tokens)
