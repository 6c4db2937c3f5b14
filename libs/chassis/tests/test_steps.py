"""A recorded run says who did what for whom, in which trace, over tasks and batches."""

import asyncio
import inspect
from collections.abc import Sequence

import pytest

from chassis import tracing
from chassis.coalescer import Coalescer
from chassis.steps import Step, note_event, note_refusal, record, step, traceparent_around
from chassis.tracing import continue_trace, new_traceparent, span, traceparent, traceparents, working_for
from libs.chassis.tests.ordering import (
    OutOfStock,
    arrows,
    break_order,
    cancel_order,
    compute_total,
    place_order,
    reserve,
)


async def test_unrecorded_a_step_is_its_function() -> None:
    assert await place_order() == "placed for 6"
    assert traceparent.get() is None
    assert not tracing.active


async def test_a_step_looks_like_its_function() -> None:
    assert inspect.iscoroutinefunction(place_order)
    assert not inspect.iscoroutinefunction(compute_total)
    assert list(inspect.signature(compute_total).parameters) == ["quantity"]
    assert compute_total.__name__ == "compute_total"


async def test_steps_are_recorded_in_the_order_of_their_start_with_caller_and_events() -> None:
    with record() as recording:
        assert await place_order() == "placed for 6"

    placing, reserving, computing = recording.steps
    assert arrows(recording) == [
        "None -> OrderService: placeOrder",
        "OrderService -> InventoryService: reserveInventory",
        "OrderService -> OrderService: computeTotal",
    ]
    assert (placing.emits, reserving.emits, computing.emits) == (("OrderPlaced",), ("InventoryReserved",), ())
    assert {each.trace_id for each in recording.steps} == {placing.trace_id}
    assert reserving.parent_id == computing.parent_id == placing.span_id
    assert placing.parent_id is None
    assert {each.error for each in recording.steps} == {None}
    assert not tracing.active


@pytest.mark.parametrize(("failing", "error"), [("cancel_order", "OUT_OF_STOCK"), ("break_order", "ZeroDivisionError")])
async def test_what_leaves_a_step_is_recorded_and_goes_on(failing: str, error: str) -> None:
    with record() as recording, pytest.raises((OutOfStock, ZeroDivisionError)):
        break_order() if failing == "break_order" else await cancel_order()

    assert [each.error for each in recording.steps] == [error]
    assert traceparent.get() is None


async def test_an_event_outside_of_any_step_is_nobodys() -> None:
    with record() as recording:
        note_event("OrderPlaced")
        await reserve()

    assert [each.emits for each in recording.steps] == [("InventoryReserved",)]


async def test_steps_in_other_tasks_know_their_caller() -> None:
    @step("Sales", "fanOut")
    async def fan_out() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(reserve())

    with record() as recording:
        await fan_out()

    assert arrows(recording) == ["None -> Sales: fanOut"] + ["Sales -> InventoryService: reserveInventory"] * 2


async def test_a_step_in_a_batch_belongs_to_each_callers_trace() -> None:
    @step("InventoryService", "reserveInventory")
    async def reserve_all(items: Sequence[int]) -> list[int | Exception]:
        await write_all()
        for parent in traceparents()[1:]:
            note_event("InventoryReserved", parent)
        return [OutOfStock("None left."), *items[1:]]

    @step("InventoryService", "write")
    async def write_all() -> None:
        note_event("Written")

    reserving = Coalescer(reserve_all)

    @step("OrderService", "placeOrder")
    async def place(item: int) -> int:
        return await reserving(item)

    with record() as recording:
        await asyncio.gather(*map(place, range(3)), return_exceptions=True)

    traces = [each.trace_id for each in recording.steps if each.action == "placeOrder"]
    assert len(set(traces)) == 3
    for number, trace in enumerate(traces):
        placing, reservation, writing = recording.of(trace)
        assert (placing.caller, reservation.caller, writing.caller) == (None, "OrderService", "InventoryService")
        assert reservation.parent_id == placing.span_id
        assert writing.parent_id == reservation.span_id
        assert writing.emits == ("Written",)
        assert reservation.emits == (() if number == 0 else ("InventoryReserved",))
        assert (reservation.error, placing.error) == (("OUT_OF_STOCK",) * 2 if number == 0 else (None, None))


async def test_a_refusal_that_is_an_answer_is_noted_on_its_step() -> None:
    @step("InventoryService", "reserveInventory")
    async def reserve_all(items: Sequence[int]) -> list[str]:
        with span("inner"):
            note_refusal("OUT_OF_STOCK", traceparents()[0])
        return ["refused", *("held" for _ in items[1:])]

    reserving = Coalescer(reserve_all)

    with record() as recording:
        await asyncio.gather(reserving(1), reserving(2))

    assert sorted(str(each.error) for each in recording.steps) == ["None", "OUT_OF_STOCK"]


async def test_what_is_done_later_of_a_step_belongs_to_whoever_asked_for_it() -> None:
    kept: list[str | None] = []

    @step("PaymentService", "capturePayment")
    async def capture() -> None:
        with span("inner"):
            kept.append(traceparent_around("PaymentService"))

    @step("OrderService", "placeOrder")
    async def place() -> None:
        kept.append(traceparent_around("PaymentService"))
        await capture()

    with record() as recording:
        with working_for([new_traceparent()]):
            await place()
            await capture()
        await place()
        with working_for([new_traceparent(), new_traceparent()]):
            assert traceparent_around("PaymentService") is None

    placing = [each for each in recording.steps if each.action == "placeOrder"]
    within = [f"00-{each.trace_id}-{each.span_id}-00" for each in placing]
    root = f"00-{placing[0].trace_id}-{placing[0].trace_id[:16]}-00"
    assert kept == [within[0]] * 2 + [root] + [within[1]] * 2


async def test_unrecorded_it_belongs_to_the_request() -> None:
    with working_for([new_traceparent()]):
        assert traceparent_around("PaymentService") == traceparent.get()
    assert traceparent_around("PaymentService") is None


async def test_a_batch_of_one_notes_its_refusal_too() -> None:
    @step("InventoryService", "reserveInventory")
    async def reserve_all(items: Sequence[int]) -> list[int | Exception]:
        return [OutOfStock("None left.") for _ in items]

    with record() as recording, pytest.raises(OutOfStock):
        await Coalescer(reserve_all)(1)

    assert [each.error for each in recording.steps] == ["OUT_OF_STOCK"]


async def test_two_items_of_one_caller_are_one_step() -> None:
    @step("InventoryService", "reserveInventory")
    async def reserve_all(items: Sequence[int]) -> Sequence[int | Exception]:
        return items

    reserving = Coalescer(reserve_all)

    @step("OrderService", "placeOrder")
    async def place() -> None:
        await asyncio.gather(reserving(1), reserving(2))

    with record() as recording:
        await place()

    assert arrows(recording) == [
        "None -> OrderService: placeOrder",
        "OrderService -> InventoryService: reserveInventory",
    ]


async def test_spans_between_two_steps_hide_neither() -> None:
    @step("OrderService", "placeOrder")
    async def placing() -> None:
        with span("http.client", peer="product"):
            note_event("OrderPlaced")
            await reserve()

    with record() as recording:
        await placing()

    assert arrows(recording) == [
        "None -> OrderService: placeOrder",
        "OrderService -> InventoryService: reserveInventory",
    ]
    assert recording.steps[0].emits == ("OrderPlaced",)


async def test_a_step_whose_caller_was_not_recorded_has_none() -> None:
    with continue_trace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), record() as recording:
        await reserve()

    assert recording.steps == [
        Step(
            participant="InventoryService",
            action="reserveInventory",
            caller=None,
            emits=("InventoryReserved",),
            trace_id="0af7651916cd43dd8448eb211c80319c",
            span_id=recording.steps[0].span_id,
            parent_id="b7ad6b7169203331",
        )
    ]


async def test_recordings_may_overlap() -> None:
    with record() as outer:
        await reserve()
        with record() as inner:
            await reserve()
        assert tracing.active

    assert (len(outer.steps), len(inner.steps)) == (2, 1)
    assert not tracing.active
