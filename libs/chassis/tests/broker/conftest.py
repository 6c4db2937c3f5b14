"""What waits at either broker; and the promise that nothing fails unheard while they work."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from chassis.broker import Broker, RabbitBroker
from libs.chassis.tests.broker.factories import asking, until_it_holds


@pytest.fixture(autouse=True)
async def nothing_fails_unheard() -> AsyncIterator[None]:
    unheard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))

    yield

    gc.collect()
    await asyncio.sleep(0)
    assert not unheard


@pytest.fixture
def all_is_handed_out(request: pytest.FixtureRequest, broker: Broker) -> Callable[[], Awaitable[None]]:
    """Waits until nothing is left at the broker itself that it could still give to a consumer."""

    async def nothing_waits() -> None:
        if isinstance(broker, RabbitBroker):
            async with asking(request.getfixturevalue("rabbitmq_url")) as channel:
                await until_it_holds(await channel.declare_queue("delivery.inbox.v1", passive=True), 0)

    return nothing_waits


@pytest.fixture
async def rabbit(rabbitmq_url: str) -> AsyncIterator[RabbitBroker]:
    broker = RabbitBroker(rabbitmq_url)
    yield broker
    await broker.close()
