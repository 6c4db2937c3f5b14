"""A parcel is split while somebody else does something with it: one is first, and nothing of the order is forgotten."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import pytest

from chassis.broker import Message
from chassis.consumer import Received
from chassis.tracing import new_traceparent, working_for
from contracts.delivery.shipments import SplitShipment
from contracts.envelope import Envelope, Event
from contracts.sales.orders import OrderCancelled, OrderConfirmed, OrderCreated, OrderStatus
from delivery.shipments.reactions import release_shipments, stop_shipments
from delivery.shipments.splitting import split as split_off

from .factories import TRACKED, Desk, cancelled, code, paid
from .factories_parcels import (
    A,
    B,
    a_large_order,
    content,
    in_parcels,
    order_statuses,
    parcels_of,
    some,
    split,
    told_of,
    until_somebody_waits,
)

E = TypeVar("E", bound=Event)
WHOLE = Counter({A: 6, B: 3})
TWO = SplitShipment.model_validate(some(product_456=2))


def received(kind: type[E], message: Message) -> Received[E]:
    event = kind.model_validate(Envelope.model_validate_json(message.body).data)
    return Received(event, message.id, datetime.now(UTC), None)


@asynccontextmanager
async def a_split_that_takes_its_time(desk: Desk, shipment: dict[str, Any]) -> AsyncIterator[None]:
    """Split, and not committed until the end of the block."""
    async with desk.database.begin() as session:
        await split_off(session, UUID(shipment["shipment_id"]), TWO, by="slow")
        yield


async def test_two_splits_at_once_are_two_splits(desk: Desk, second_desk: Desk) -> None:
    ready = await desk.ready(a_large_order())

    async with a_split_that_takes_its_time(desk, ready):
        second = asyncio.create_task(split(second_desk, ready, some(product_456=4)))
        await until_somebody_waits(desk)
    answer = await second

    assert answer.status_code == 201
    parcels = await parcels_of(desk, ready)
    assert [(parcel["number"], content([parcel])) for parcel in parcels] == [
        (1, Counter({B: 3})),
        (2, Counter({A: 2})),
        (3, Counter({A: 4})),
    ]


@pytest.mark.rule("BR-PARC-001")
async def test_two_splits_at_once_cannot_have_the_same_pieces(desk: Desk, second_desk: Desk) -> None:
    ready = await desk.ready(a_large_order())

    async with a_split_that_takes_its_time(desk, ready):
        second = asyncio.create_task(split(second_desk, ready, some(product_456=5)))
        await until_somebody_waits(desk)
    answer = await second

    assert (answer.status_code, code(answer)) == (400, "INVALID_SPLIT")
    assert [detail["available"] for detail in answer.json()["error"]["details"]] == [4]
    assert content(await parcels_of(desk, ready)) == WHOLE


async def test_of_many_splits_at_once_none_loses_a_piece_and_the_limit_holds(desk: Desk, second_desk: Desk) -> None:
    ready = await desk.ready(a_large_order(items=[{"product_id": A, "quantity": 100, "unit_price": "1.00"}]))

    answers = await asyncio.gather(
        *(split(each, ready, some(product_456=1)) for _ in range(12) for each in (desk, second_desk))
    )

    assert Counter(answer.status_code for answer in answers) == {201: 19, 409: 5}
    parcels = await parcels_of(desk, ready)
    assert [parcel["number"] for parcel in parcels] == list(range(1, 21))
    assert content(parcels) == Counter({A: 100})
    versions = Counter((each["shipment_id"], each["version"]) for each in await told_of(desk, "shipment.updated"))
    assert set(versions.values()) == {1}


@pytest.mark.parametrize(
    ("news", "order", "becomes"),
    [
        (cancelled, a_large_order(), "STOPPED"),
        (cancelled, a_large_order(status=OrderStatus.PENDING), "STOPPED"),
        (paid, a_large_order(status=OrderStatus.PENDING), "READY"),
    ],
    ids=["cancelled", "cancelled on hold", "paid"],
)
async def test_what_happens_to_the_order_during_a_split_happens_to_both_parcels(
    desk: Desk, second_desk: Desk, news: Callable[[OrderCreated], Message], order: OrderCreated, becomes: str
) -> None:
    ready = await desk.ready(order)

    async with a_split_that_takes_its_time(desk, ready):
        heard = asyncio.create_task(second_desk.hear(news(order)))
        await until_somebody_waits(desk)
    await heard

    parcels = await parcels_of(desk, ready)
    assert [parcel["status"] for parcel in parcels] == [becomes, becomes]
    assert content(parcels) == WHOLE


async def test_a_split_that_waited_for_the_end_of_the_order_finds_it_stopped(desk: Desk, second_desk: Desk) -> None:
    order = a_large_order()
    ready = await desk.ready(order)

    async with desk.database.begin() as session:
        with working_for([new_traceparent()]):
            await stop_shipments(session, [received(OrderCancelled, cancelled(order))])
        splitting = asyncio.create_task(split(second_desk, ready, some(product_456=2)))
        await until_somebody_waits(desk)
    answer = await splitting

    assert (answer.status_code, code(answer)) == (409, "INVALID_STATUS_TRANSITION")
    assert [parcel["status"] for parcel in await parcels_of(desk, ready)] == ["STOPPED"]


async def test_a_split_that_waited_for_the_end_of_a_hold_makes_a_parcel_that_is_ready(
    desk: Desk, second_desk: Desk
) -> None:
    order = a_large_order(status=OrderStatus.PENDING)
    ready = await desk.ready(order)

    async with desk.database.begin() as session:
        with working_for([new_traceparent()]):
            await release_shipments(session, [received(OrderConfirmed, paid(order))])
        splitting = asyncio.create_task(split(second_desk, ready, some(product_456=2)))
        await until_somebody_waits(desk)

    assert (await splitting).json()["status"] == "READY"
    assert [parcel["status"] for parcel in await parcels_of(desk, ready)] == ["READY", "READY"]


async def test_what_is_being_dispatched_cannot_be_split(desk: Desk) -> None:
    ready = await desk.ready(a_large_order())
    desk.product.open.clear()
    dispatching = asyncio.create_task(desk.dispatch(ready, TRACKED))
    await desk.product.arrived.acquire()

    during = await split(desk, ready, some(product_456=2))
    await desk.end_leases()
    abandoned = await split(desk, ready, some(product_456=2))
    desk.product.open.set()
    await dispatching

    assert (during.status_code, code(during)) == (409, "INVALID_STATUS_TRANSITION")
    assert "being dispatched" in during.json()["error"]["message"]
    assert (abandoned.status_code, code(abandoned)) == (409, "INVALID_STATUS_TRANSITION")
    assert content(await parcels_of(desk, ready)) == content([await desk.again(ready)]) == WHOLE


async def test_a_dispatch_that_waited_for_a_split_ships_what_is_left(desk: Desk, second_desk: Desk) -> None:
    ready = await desk.ready(a_large_order())

    async with a_split_that_takes_its_time(desk, ready):
        dispatching = asyncio.create_task(second_desk.dispatch(ready, TRACKED))
        await until_somebody_waits(desk)
    shipped = (await dispatching).json()

    assert (shipped["status"], content([shipped])) == ("SHIPPED", Counter({A: 4, B: 3}))
    assert [parcel["status"] for parcel in await parcels_of(desk, ready)] == ["SHIPPED", "READY"]
    assert await order_statuses(desk) == ["SHIPPED"]


async def test_one_parcel_may_leave_while_another_is_split(
    desk: Desk, second_desk: Desk, lingers_at: Callable[[str], None]
) -> None:
    first, second = await in_parcels(desk, 3)
    lingers_at("delivery.dispatch.shipping")

    dispatched, *answers = await asyncio.gather(
        desk.dispatch(first, TRACKED), *(split(second_desk, second, some(product_456=1)) for _ in range(2))
    )

    assert [dispatched.status_code, *(answer.status_code for answer in answers)] == [200, 201, 201]
    parcels = await parcels_of(desk, first)
    assert [parcel["status"] for parcel in parcels] == ["SHIPPED", "READY", "READY", "READY"]
    assert content(parcels) == WHOLE
    assert await desk.query("SELECT DISTINCT parcels FROM shipments") == [{"parcels": 4}]


async def test_an_order_that_is_split_while_its_last_parcel_arrives_has_not_arrived(
    desk: Desk, second_desk: Desk
) -> None:
    first, second = await in_parcels(desk, 3)
    await desk.dispatch(first, TRACKED)

    async with a_split_that_takes_its_time(desk, second):
        arriving = asyncio.create_task(second_desk.confirm(first))
        await until_somebody_waits(desk)
    assert (await arriving).status_code == 200

    assert await order_statuses(desk) == ["SHIPPED"]
    assert len(await parcels_of(desk, first)) == 3
