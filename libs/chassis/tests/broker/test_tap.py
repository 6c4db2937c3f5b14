"""What is taken off the stream, whole and in order, and what aiormq still gets to read."""

import asyncio
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from aiormq import spec
from aiormq.abc import AbstractChannel, ChannelFrame
from hypothesis import given
from hypothesis import strategies as some
from pamqp.body import ContentBody
from pamqp.header import ContentHeader
from pamqp.heartbeat import Heartbeat

from chassis.broker import Message
from chassis.broker.arrival import Arrival, Arrivals, Confirmed, Delivered, Returned
from chassis.broker.tap import Tap, TappedReader

TAPPED, FOREIGN = 3, 4
HEARTBEAT = ChannelFrame.marshall(0, [Heartbeat()]).payload

texts = some.text(some.characters(exclude_categories=["Cs"]), max_size=40)
exchanges = some.text("abcXYZ0189-_.:", max_size=127)
names = some.text("abcxyz-", min_size=1, max_size=20)
times = some.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(microsecond=0, tzinfo=UTC))  # noqa: DTZ001
values = some.recursive(
    some.one_of(
        some.none(), some.booleans(), texts, some.binary(max_size=9).map(bytearray), times, some.floats(width=32)
    )
    | some.integers(-(2**63), 2**63 - 1)
    | some.decimals(-1000, 1000, places=2),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
traces = some.fixed_dictionaries({}, optional={"traceparent": texts, "x-delivery-count": some.integers(0, 2**40)})
headers = some.builds(lambda any_of, ours: any_of | ours, some.dictionaries(names, values, max_size=3), traces)
properties = some.fixed_dictionaries(
    {},
    optional={
        "content_type": texts,
        "content_encoding": texts,
        "headers": headers,
        "delivery_mode": some.integers(1, 2),
        "priority": some.integers(0, 255),
        "correlation_id": texts,
        "reply_to": texts,
        "expiration": texts,
        "message_id": texts,
        "timestamp": times,
        "message_type": texts,
        "user_id": texts,
        "app_id": texts,
    },
)
bodies = some.binary(max_size=50) | some.integers(0, 9000).map(lambda size: b"\x01\xce" * size)


def frames(channel: int, *parts: Any) -> bytes:
    return ChannelFrame.marshall(channel, parts).payload


def content(method: Any, body: bytes = b"{}", *, channel: int = TAPPED, largest: int = 4096, **said: Any) -> bytes:
    header = ContentHeader(properties=spec.Basic.Properties(**said), body_size=len(body))
    pieces = [ContentBody(body[start : start + largest]) for start in range(0, len(body), largest)]
    return frames(channel, method, header, *pieces)


def delivery(tag: int = 1, body: bytes = b"{}", *, channel: int = TAPPED, **said: Any) -> bytes:
    return content(
        spec.Basic.Deliver("ctag3.x", tag, False, "sales.events", "order.created"), body, channel=channel, **said
    )


class Tapped:
    """A stream of which one channel is tapped: what was taken, and what is left for aiormq."""

    def __init__(self, shows_life_every: float = 60) -> None:
        self.taken: list[Arrival] = []
        self.reader = TappedReader({TAPPED: Arrivals(self.taken.append)}, shows_life_every)

    async def left(self) -> bytes:
        self.reader.feed_eof()
        return await self.reader.read()


def left_of(pieces: Sequence[bytes]) -> tuple[list[Arrival], bytes]:
    async def read() -> tuple[list[Arrival], bytes]:
        tapped = Tapped()
        for piece in pieces:
            tapped.reader.feed_data(piece)
        return tapped.taken, await tapped.left()

    return asyncio.run(read())


def cut(stream: bytes, size: int) -> list[bytes]:
    return [stream[start : start + size] for start in range(0, len(stream), size)]


@given(exchanges, texts, some.integers(1, 2**63 - 1), bodies, properties, some.integers(1, 5000))
def test_any_delivery_is_read_as_it_was_written_however_it_is_cut(
    exchange: str, routing_key: str, tag: int, body: bytes, said: dict[str, Any], size: int
) -> None:
    deliver = spec.Basic.Deliver("ctag", tag, True, exchange, routing_key)

    taken, left = left_of(cut(content(deliver, body, **said), size))

    told = said.get("headers") or {}
    message = Message(
        id=said.get("message_id", ""),
        routing_key=routing_key,
        body=body,
        exchange=exchange,
        traceparent=told.get("traceparent"),
        redelivered=told.get("x-delivery-count", 0),
    )
    assert taken == [Delivered(tag, message)]
    assert left == b""


OTHERS = [
    frames(0, Heartbeat()),
    frames(TAPPED, spec.Basic.ConsumeOk("ctag3.x")),
    frames(TAPPED, spec.Basic.Cancel("ctag3.x")),
    content(spec.Basic.GetOk(1, False, "sales.events", "order.created", 0), b"got"),
    frames(FOREIGN, spec.Basic.Ack(7)),
    delivery(9, b"foreign" * 900, channel=FOREIGN),
]


@given(some.lists(some.sampled_from(OTHERS) | some.integers(0, 2), max_size=12), some.integers(1, 9000))
def test_all_else_goes_on_to_the_driver_as_it_came(mixed: list[bytes | int], size: int) -> None:
    ours = [delivery(5, b"x" * 9000), frames(TAPPED, spec.Basic.Ack(8, True)), frames(TAPPED, spec.Basic.Nack(9))]
    seen = [
        Delivered(5, Message("", "order.created", b"x" * 9000, "sales.events")),
        *(Confirmed(8, True, False), Confirmed(9, False, True)),
    ]

    taken, left = left_of(cut(b"".join(ours[each] if isinstance(each, int) else each for each in mixed), size))

    assert taken == [seen[each] for each in mixed if isinstance(each, int)]
    assert left == b"".join(each for each in mixed if isinstance(each, bytes))


def test_the_frames_of_another_channel_may_come_between_those_of_a_message() -> None:
    whole = delivery(1, b"x" * 4096 + b"y" * 900)
    method, last = len(frames(TAPPED, spec.Basic.Deliver("ctag3.x", 1, False, "sales.events", "order.created"))), 908

    taken, left = left_of([whole[:method], OTHERS[5], whole[method:-last], OTHERS[0], whole[-last:]])

    assert [each.message.body for each in taken if isinstance(each, Delivered)] == [b"x" * 4096 + b"y" * 900]
    assert left == OTHERS[5] + OTHERS[0]


def test_what_is_returned_is_known_by_its_id() -> None:
    unroutable = spec.Basic.Return(312, "NO_ROUTE", "sales.events", "order.created")

    taken, left = left_of([content(unroutable, message_id="one"), content(unroutable, b"", message_id="two")])

    assert taken == [Returned("one"), Returned("two")]
    assert left == b""


@pytest.mark.parametrize(
    ("told", "traceparent", "redelivered"),
    [
        ({"a": {"traceparent": "inner", "x-delivery-count": 4}}, None, 0),
        ({"traceparent": 7, "x-delivery-count": "many"}, None, 0),
        ({"x-death": [{"count": 3, "reason": "expired"}], "x-delivery-count": 3}, None, 3),
        ({"x-delivery-count": -1}, None, -1),
    ],
)
def test_only_what_a_header_says_of_this_message_counts(
    told: dict[str, Any], traceparent: str | None, redelivered: int
) -> None:
    taken, _ = left_of([delivery(1, headers=told)])

    assert taken == [Delivered(1, Message("", "order.created", b"{}", "sales.events", traceparent, False, redelivered))]


def test_an_id_that_is_no_text_is_read_nevertheless() -> None:
    taken, left = left_of([delivery(1, message_id="id").replace(b"\x02id", b"\x02\xff\xfe")])

    assert [each.message.id for each in taken if isinstance(each, Delivered)] == ["\ufffd\ufffd"]
    assert left == b""


@pytest.mark.parametrize(
    "strange", [b"AMQP\x00\x00\x09\x01", delivery()[:-1] + b"\x00", delivery()[:-5], OTHERS[0][:3]]
)
def test_what_is_no_whole_frame_is_left_for_the_driver_to_complain_of(strange: bytes) -> None:
    taken, left = left_of([frames(TAPPED, spec.Basic.Ack(1)), strange])

    assert taken == [Confirmed(1, False, False)]
    assert strange.endswith(left)
    assert left


async def test_a_frame_that_cannot_be_read_ends_the_stream_with_the_reason() -> None:
    tapped = Tapped()
    empty = struct.pack(">BHI4sB", 1, TAPPED, 4, b"\x00\x3c\x00\x3c", 0xCE)

    tapped.reader.feed_data(empty + frames(TAPPED, ContentHeader()))
    tapped.reader.feed_data(delivery())

    assert not tapped.taken
    with pytest.raises(IndexError):
        await tapped.reader.readexactly(1)


async def test_the_driver_sees_that_the_connection_lives_while_all_that_comes_is_taken() -> None:
    tapped, quiet = Tapped(shows_life_every=0), Tapped(shows_life_every=60)

    for each in (tapped, quiet):
        each.reader.feed_data(OTHERS[1])
        each.reader.feed_data(delivery())
        each.reader.feed_data(delivery()[:20])

    assert await tapped.left() == OTHERS[1] + HEARTBEAT + delivery()[:20]
    assert await quiet.left() == OTHERS[1] + delivery()[:20]


async def test_a_heartbeat_never_comes_before_the_connection_is_made() -> None:
    tapped = Tapped(shows_life_every=0)

    for octet in cut(OTHERS[4], 1):
        tapped.reader.feed_data(octet)

    assert await tapped.left() == OTHERS[4]


@dataclass(eq=False)
class Channel:
    number: int
    closing: "asyncio.Future[None]"


async def test_a_channel_that_ends_late_takes_nothing_from_the_one_that_has_its_number() -> None:
    tap, loop = Tap(), asyncio.get_running_loop()
    former, present = (Channel(TAPPED, loop.create_future()) for _ in range(2))
    for_former: list[Arrival] = []
    for_present: list[Arrival] = []
    reader = tap.reader()
    tap.divert(cast(AbstractChannel, former), for_former.append)
    reader.feed_data(delivery()[:50])
    tap.divert(cast(AbstractChannel, present), for_present.append)

    former.closing.set_result(None)
    await asyncio.sleep(0)
    reader.feed_data(delivery()[50:] + delivery(2))
    present.closing.set_result(None)
    await asyncio.sleep(0)
    reader.feed_data(delivery(3))
    reader.feed_eof()

    assert not for_former
    assert [each.tag for each in for_present if isinstance(each, Delivered)] == [1, 2]
    assert await reader.read() == delivery(3)
