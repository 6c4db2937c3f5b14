"""Both brokers, behind one fixture; and the promise that nothing fails unheard while they work."""

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chassis.broker import Broker, InProcessBroker, RabbitBroker


@pytest.fixture(autouse=True)
async def nothing_fails_unheard() -> AsyncIterator[None]:
    unheard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))

    yield

    gc.collect()
    await asyncio.sleep(0)
    assert not unheard


@pytest.fixture(params=["in process", pytest.param("RabbitMQ", marks=pytest.mark.rabbitmq)])
async def broker(request: pytest.FixtureRequest) -> AsyncIterator[Broker]:
    broker: Broker = (
        InProcessBroker() if request.param == "in process" else RabbitBroker(request.getfixturevalue("rabbitmq_url"))
    )
    yield broker
    await broker.close()


@pytest.fixture
async def rabbit(rabbitmq_url: str) -> AsyncIterator[RabbitBroker]:
    broker = RabbitBroker(rabbitmq_url)
    yield broker
    await broker.close()
