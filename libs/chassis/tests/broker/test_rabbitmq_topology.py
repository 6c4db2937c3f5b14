"""What is declared at RabbitMQ, and who may do it."""

from typing import Any
from urllib.parse import urlsplit

import aio_pika
import pytest
from aio_pika.exceptions import ChannelPreconditionFailed

from chassis.broker import NotReady, RabbitBroker, Subscription
from libs.chassis.tests.broker.factories import (
    PLACED,
    SALES,
    Listener,
    asking,
    message,
    messages,
    subscription,
    until,
    until_confirmed,
    until_ready,
)
from tests.harness.rabbitmq import RabbitMQ


async def test_what_is_sent_survives_the_broker_and_says_what_it_is(rabbit: RabbitBroker, rabbitmq_url: str) -> None:
    await (await rabbit.subscribe(subscription(), Listener())).stop()
    sent = message(traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")

    await rabbit.publish([sent])

    async with asking(rabbitmq_url) as channel:
        found = await (await channel.declare_queue("delivery.inbox.v1", passive=True)).get()
        assert found.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
        assert (found.message_id, found.type, found.content_type) == (sent.id, PLACED, "application/json")
        assert found.timestamp is not None
        assert found.headers["traceparent"] == sent.traceparent


async def test_the_queues_are_safe_ones(rabbit: RabbitBroker, rabbitmq_url: str) -> None:
    await rabbit.subscribe(subscription(), Listener())
    safe: dict[str, Any] = {"x-queue-type": "quorum", "x-overflow": "reject-publish", "x-max-length-bytes": 1024**3}
    inbox = safe | {
        "x-delivery-limit": 20,
        "x-dead-letter-exchange": "delivery.dead",
        "x-dead-letter-routing-key": "delivery.inbox.v1",
        "x-dead-letter-strategy": "at-least-once",
    }

    async with asking(rabbitmq_url) as channel:
        await channel.declare_exchange(SALES, aio_pika.ExchangeType.TOPIC, durable=True)
        await channel.declare_exchange("delivery.dead", aio_pika.ExchangeType.DIRECT, durable=True)
        await channel.declare_queue("delivery.inbox.v1", durable=True, arguments=inbox)
        await channel.declare_queue(
            "delivery.inbox.v1.dead", durable=True, arguments=safe | {"x-delivery-limit": 1_000_000}
        )
        with pytest.raises(ChannelPreconditionFailed):
            await channel.declare_queue("delivery.inbox.v1", durable=True, arguments=safe)


async def test_a_queue_with_other_arguments_is_named_until_it_is_gone(rabbit: RabbitBroker, rabbitmq_url: str) -> None:
    async with asking(rabbitmq_url) as channel:
        await channel.declare_queue("delivery.inbox.v1", durable=True, arguments={"x-queue-type": "quorum"})
    listener = Listener()

    await rabbit.subscribe(subscription(), listener)

    with pytest.raises(NotReady, match=r"delivery\.inbox\.v1: .*inequivalent arg 'x-\S+' for queue"):
        await rabbit.ready()
    async with asking(rabbitmq_url) as channel:
        await channel.queue_delete("delivery.inbox.v1")
    await until_ready(rabbit)
    await until_confirmed(rabbit, messages(1))
    await until(lambda: len(listener.heard) == 1)


async def test_a_service_needs_no_right_on_the_exchanges_of_others(
    rabbit: RabbitBroker, rabbitmq_url: str, rabbitmq_server: RabbitMQ
) -> None:
    await rabbit.publish([message()])
    parts = urlsplit(rabbitmq_url)
    vhost = parts.path[1:]
    rabbitmq_server._api("PUT", f"users/{vhost}", {"password": "secret", "tags": ""})
    rights = {
        "configure": r"^delivery\.",
        "write": r"^delivery\.",
        "read": r"^(delivery\..*|sales\.events)$",
    }
    rabbitmq_server._api("PUT", f"permissions/{vhost}/{vhost}", rights)
    restricted = RabbitBroker(f"amqp://{vhost}:secret@{parts.hostname}:{parts.port}/{vhost}")
    listener = Listener()
    try:
        await restricted.subscribe(Subscription("delivery", {PLACED: SALES}), listener)
        await restricted.ready()
        await until_confirmed(rabbit, messages(1))
        await until(lambda: len(listener.heard) == 1)
    finally:
        await restricted.close()
        rabbitmq_server._api("DELETE", f"users/{vhost}")
