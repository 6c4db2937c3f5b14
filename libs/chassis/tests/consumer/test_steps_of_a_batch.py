"""Steps that a reaction takes for a whole batch: each knows whose event brought it about, and who heard it."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.broker import Message
from chassis.consumer import Consumer, Received
from chassis.db import Database
from chassis.steps import note_event, record, step
from chassis.telemetry import Telemetry
from chassis.tracing import service_name, traceparent, traceparents, working_for
from libs.chassis.tests.factories import Cancelled, Placed, message


@step("OrderService", "placeOrder")
def place(*numbers: int) -> list[Message]:
    return [message(Placed(number=number), traceparent=traceparent.get()) for number in numbers]


@step("ShipmentAggregate", "prepare")
async def prepare(_: Sequence[Received[Placed]]) -> None:
    note_event("Prepared")


@step("ShipmentAggregate", "refuse")
async def refuse() -> None: ...


async def reaction(_: AsyncSession, received: Sequence[Received[Placed]]) -> None:
    await prepare(received)
    for one, trace in zip(received, traceparents(), strict=True):
        if one.event.number > 1:
            with working_for([trace]):
                await refuse()


async def test_each_step_of_a_batch_is_inside_of_the_one_whose_event_it_was(database: Database) -> None:
    consumer = Consumer(database, {Placed: reaction}, Telemetry("test"))
    with record() as recording:
        messages = [*place(1), *place(2), *place(3, 4)]
        service_name.set("delivery")
        await consumer.handle(messages)

    first, second, both = (each for each in recording.steps if each.action == "placeOrder")
    heard = [(each.action, each.outer_id) for each in recording.steps if each.heard_in == "delivery"]
    assert heard == [
        ("prepare", first.span_id),
        ("prepare", second.span_id),
        ("prepare", both.span_id),
        ("refuse", second.span_id),
        ("refuse", both.span_id),
        ("refuse", both.span_id),
    ]


async def test_what_a_reaction_emits_is_not_the_word_of_whoever_it_has_heard(database: Database) -> None:
    async def answer(_: AsyncSession, __: Sequence[Received[Cancelled]]) -> None:
        note_event("Answered")

    @step("OrderService", "cancelOrder")
    async def cancel() -> None:
        letter = message(Cancelled(number=1), traceparent=traceparent.get())
        mine = service_name.set("delivery")
        await Consumer(database, {Cancelled: answer}, Telemetry("test")).handle([letter])
        service_name.reset(mine)

    with record() as recording:
        await cancel()

    assert [(each.action, each.emits) for each in recording.steps] == [("cancelOrder", ())]
