"""The exchanges and queues at RabbitMQ, and how they come to be; who publishes and consumes there is theirs."""

from typing import Any, Final

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelNotFoundEntity

from .link import ANSWER_WITHIN, Link
from .protocol import Subscription

_GIGABYTE: Final = 1024**3

# A queue's arguments are for ever: another value needs another version in the queue's name.
_QUORUM: Final[dict[str, Any]] = {
    "x-queue-type": "quorum",
    "x-overflow": "reject-publish",
    "x-max-length-bytes": _GIGABYTE,
}


async def ensure_events_exchange(link: Link, name: str) -> None:
    """Asks before it declares: who may not configure an exchange may still publish to it or bind to it."""
    try:
        async with link.passing_channel() as channel:
            await channel.declare_exchange(name, passive=True)
    except ChannelNotFoundEntity:
        async with link.passing_channel() as channel:
            await channel.declare_exchange(name, ExchangeType.TOPIC, durable=True)


async def ensure_inbox(link: Link, channel: AbstractChannel, subscription: Subscription) -> None:
    """The service's queue, bound to all that it hears, and the queue beside it for what kills its consumers."""
    await _ensure_dead_letters(channel, subscription)
    inbox = await channel.declare_queue(
        subscription.queue,
        durable=True,
        arguments=_QUORUM
        | {
            "x-delivery-limit": 20,
            "x-dead-letter-exchange": _dead_letters(subscription),
            "x-dead-letter-routing-key": subscription.queue,
            "x-dead-letter-strategy": "at-least-once",
        },
        timeout=ANSWER_WITHIN,
    )
    for exchange in set(subscription.bindings.values()):
        await ensure_events_exchange(link, exchange)
    for routing_key, exchange in subscription.bindings.items():
        await inbox.bind(exchange, routing_key, timeout=ANSWER_WITHIN)


async def _ensure_dead_letters(channel: AbstractChannel, subscription: Subscription) -> None:
    exchange = await channel.declare_exchange(
        _dead_letters(subscription), ExchangeType.DIRECT, durable=True, timeout=ANSWER_WITHIN
    )
    dead = await channel.declare_queue(
        f"{subscription.queue}.dead",
        durable=True,
        # Without a limit of its own RabbitMQ 4 drops what was looked at twenty times.
        arguments=_QUORUM | {"x-delivery-limit": 1_000_000},
        timeout=ANSWER_WITHIN,
    )
    await dead.bind(exchange, subscription.queue, timeout=ANSWER_WITHIN)


def _dead_letters(subscription: Subscription) -> str:
    return f"{subscription.service}.dead"
