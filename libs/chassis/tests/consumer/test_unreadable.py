"""What is no event, or none of ours, is parked and disturbs nothing."""

from typing import Self

import pytest
from pydantic import model_validator

from chassis.broker import Message
from chassis.consumer import Consumer
from chassis.db import Database
from chassis.ids import uuid7
from chassis.telemetry import Telemetry
from libs.chassis.tests.consumer.factories import envelope, waiting
from libs.chassis.tests.factories import Cancelled, Noting, Placed, message, noted, placed

HOPELESS = {
    "nothing": b"",
    "no JSON": b"{",
    "no object": b"[1]",
    "another form": b'{"hello": "world"}',
    "no event_id": envelope(event_id=None),
    "a long event_id": envelope(event_id="x" * 101),
    "an event_id with NUL": envelope(event_id="a\x00b"),
    "a timestamp without zone": envelope(timestamp="2026-01-01T00:00:00"),
    "data of another form": envelope(data={"number": "many"}),
    "no data": envelope(data=None),
    "NUL in a text": envelope(data={"number": 1, "note": "a\x00b"}),
    "a lone surrogate": envelope(data={"number": 1, "note": "a\ud800b"}),
    "a raw NUL": b"\x00\x00",
    "not UTF-8": b'{"event_id": "\xff\xfe"}',
    "a megabyte": envelope(data={"number": 1, "note": "x" * 1_000_000}),
    "a megabyte of noise": b"\x93" * 1_000_000,
    "deep": b'{"data": ' + b"[" * 50_000,
    "a giant number": envelope(data={"number": 1}).replace(b"1}", b"1" * 10_000 + b".5}"),
}


@pytest.mark.parametrize("body", HOPELESS.values(), ids=HOPELESS.keys())
async def test_what_is_no_event_is_parked_for_a_person_and_does_not_disturb_the_others(
    consumer: Consumer, database: Database, body: bytes
) -> None:
    await consumer.handle([*placed(1), Message(str(uuid7()), "test.placed", body, "sales.events"), *placed(2)])

    [event] = await waiting(database)
    assert event.body == body
    assert event.error
    assert event.next_attempt_at is None
    assert await noted(database) == [1, 2]


async def test_the_same_unreadable_message_is_parked_once(consumer: Consumer, database: Database) -> None:
    for id in ("", "", "\x00"):
        await consumer.handle([Message(id, "", b"{", "")])

    assert len(await waiting(database)) == 1


async def test_what_a_message_says_beside_its_body_cannot_do_harm(consumer: Consumer, database: Database) -> None:
    await consumer.handle(
        [
            Message("a\x00\ud800" * 500, "k\x00" * 500, b"{", "x\x00", traceparent="\x00\ud800"),
            Message("b", "test.placed", envelope(event_id="b"), "sales.events", traceparent="\x00"),
        ]
    )

    [event] = await waiting(database)
    assert len(event.event_id) <= 100
    assert event.traceparent is None
    assert await noted(database) == [1]


async def test_an_event_of_an_unknown_type_is_parked_and_tried_again_by_newer_replicas(
    consumer: Consumer, database: Database, telemetry: Telemetry
) -> None:
    noting = Noting("cancelled")
    await consumer.handle([message(Cancelled(number=1))])
    [event] = await waiting(database)
    assert event.error == "nothing here reacts to test.cancelled"
    assert event.next_attempt_at is not None

    await Consumer(database, {Cancelled: noting}, telemetry).retry(event.event_id)

    assert await noted(database, "cancelled") == [1]


async def test_an_event_is_believed_only_from_its_own_producer(consumer: Consumer, database: Database) -> None:
    [honest] = placed(1)
    forged = Message(honest.id, honest.routing_key, honest.body, "product.events")

    await consumer.handle([forged])

    [event] = await waiting(database)
    assert event.error == "test.placed cannot come from product.events"
    assert event.next_attempt_at is None
    assert await noted(database) == []


async def test_a_contract_that_trips_over_a_message_holds_up_nothing(database: Database, telemetry: Telemetry) -> None:
    class Tripping(Placed):
        @model_validator(mode="after")
        def trip(self) -> Self:
            raise LookupError("what is this?")

    await Consumer(database, {Tripping: Noting()}, telemetry).handle(placed(1))

    [event] = await waiting(database)
    assert event.error == "not readable: LookupError: what is this?"
