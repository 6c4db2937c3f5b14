"""What is written by hand is, octet for octet, what the driver would write."""

from datetime import UTC, datetime

import pytest
from aiormq import spec
from aiormq.abc import ChannelFrame
from hypothesis import given
from hypothesis import strategies as some
from pamqp.body import ContentBody
from pamqp.header import ContentHeader

from chassis.broker import Message
from chassis.broker.publication import publication

FRAME_MAX = 4096
NOW = 1_790_000_000

texts = some.text(some.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
bodies = some.one_of(
    some.binary(max_size=200),
    some.integers(-2, 2).flatmap(lambda more: some.just(b"x" * (FRAME_MAX - 8 + more))),
    some.integers(0, 4 * FRAME_MAX).map(lambda size: b"\xce" * size),
)
sent = some.builds(
    Message,
    id=texts,
    routing_key=texts,
    body=bodies,
    exchange=some.text("abcXYZ0189-_.:", max_size=127),
    traceparent=some.none() | texts,
    mandatory=some.booleans(),
)


@given(sent, some.integers(1, 65535), some.sampled_from([0, FRAME_MAX, 131072]))
def test_any_message_is_written_as_the_driver_writes_it(message: Message, channel: int, frame_max: int) -> None:
    assert publication(message, channel, frame_max, NOW) == _by_the_driver(message, channel, frame_max)


@pytest.mark.parametrize(
    "unspeakable",
    [
        Message("i" * 256, "order.created", b"", "sales.events"),
        Message("\ud800", "order.created", b"", "sales.events"),
        Message("id", "k" * 256, b"", "sales.events"),
        Message("id", "order.created", b"", "e" * 256),
    ],
)
def test_what_cannot_be_said_is_refused(unspeakable: Message) -> None:
    with pytest.raises((ValueError, TypeError)):
        publication(unspeakable, 1, FRAME_MAX, NOW)


def _by_the_driver(message: Message, channel: int, frame_max: int) -> bytes:
    properties = spec.Basic.Properties(
        message_id=message.id,
        message_type=message.routing_key,
        content_type="application/json",
        delivery_mode=2,
        timestamp=datetime.fromtimestamp(NOW, UTC),
        headers={"traceparent": message.traceparent} if message.traceparent else None,
    )
    most = frame_max - 8 if frame_max else len(message.body)
    pieces = [message.body[start : start + most] for start in range(0, len(message.body), most or 1)]
    return ChannelFrame.marshall(
        channel,
        [
            spec.Basic.Publish(exchange=message.exchange, routing_key=message.routing_key, mandatory=message.mandatory),
            ContentHeader(properties=properties, body_size=len(message.body)),
            *map(ContentBody, pieces),
        ],
    ).payload
