"""Gives events to the broker in Delivery's name; also run by itself, where only a container can reach the broker."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import aio_pika


async def send(url: str, events: Sequence[Mapping[str, Any]]) -> None:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        exchange = await channel.get_exchange("delivery.events")
        for event in events:
            message = aio_pika.Message(json.dumps(event).encode(), message_id=event["event_id"], delivery_mode=2)
            await exchange.publish(message, routing_key=event["event_type"], mandatory=True)


if __name__ == "__main__":
    asyncio.run(send(os.environ["RABBITMQ_URL"], json.loads(sys.argv[1])))
