"""What the harness promises about the broker."""

import asyncio
import os
from contextlib import suppress

import aio_pika
import psutil
import pytest

from tests.harness import rabbitmq, rabbitmq_node
from tests.harness.rabbitmq import RabbitMQ
from tests.harness.rabbitmq_node import private_node


async def leave(url: str, queue: str, body: bytes) -> None:
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        await channel.declare_queue(queue, durable=True, arguments={"x-queue-type": "quorum"})
        message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, routing_key=queue)


async def find(url: str, queue: str) -> bytes | None:
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        with suppress(aio_pika.exceptions.ChannelNotFoundEntity):
            message = await (await channel.declare_queue(queue, passive=True)).get(timeout=5)
            return message.body
    return None


async def test_every_virtual_host_is_empty(rabbitmq_server: RabbitMQ) -> None:
    with rabbitmq_server.vhost() as one, rabbitmq_server.vhost() as other:
        await leave(one, "inbox", b"hello")

        assert await find(one, "inbox") == b"hello"
        assert await find(other, "inbox") is None


async def test_what_is_in_a_queue_outlives_an_outage(rabbitmq_server: RabbitMQ, rabbitmq_url: str) -> None:
    await leave(rabbitmq_url, "inbox", b"kept")

    async with rabbitmq_server.down():
        with pytest.raises(ConnectionError):
            await find(rabbitmq_url, "inbox")

    assert await find(rabbitmq_url, "inbox") == b"kept"


async def test_a_frozen_broker_answers_nothing_and_goes_on_later(rabbitmq_server: RabbitMQ, rabbitmq_url: str) -> None:
    await leave(rabbitmq_url, "inbox", b"kept")

    with rabbitmq_server.frozen(), pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await find(rabbitmq_url, "inbox")

    assert await find(rabbitmq_url, "inbox") == b"kept"


async def test_a_broker_of_somebody_else_lends_virtual_hosts_and_is_never_stopped(rabbitmq_server: RabbitMQ) -> None:
    theirs = rabbitmq.given(f"{rabbitmq_server.url}/", rabbitmq_server.management)

    with theirs.vhost() as url:
        await leave(url, "inbox", b"hello")
        assert await find(url, "inbox") == b"hello"
    with pytest.raises(pytest.skip.Exception, match="not ours to stop"):
        async with theirs.down():
            pass


@pytest.mark.rabbitmq
def test_a_private_node_leaves_nothing_behind() -> None:
    with private_node() as node:
        broker = RabbitMQ(node.url, node.management, node)
        broker.start()
        folder = node.folder
        family = [
            child for child in psutil.Process().children(recursive=True) if str(folder) in child.environ().values()
        ]
        assert len(family) >= 3

    psutil.wait_procs(family, timeout=10)
    assert not [process for process in family if process.is_running()]
    assert not folder.exists()


def test_without_a_broker_the_tests_fail_and_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RABBITMQ_URL", raising=False)
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    monkeypatch.setattr(rabbitmq_node, "_program", lambda: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with (
        pytest.raises(pytest.fail.Exception, match=r"(?s)no container.*not installed.*test-embedded"),
        rabbitmq.provided(),
    ):
        pass


def test_a_given_broker_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:1")

    with pytest.raises(pytest.fail.Exception, match="RABBITMQ_URL"), rabbitmq.provided():
        pass
