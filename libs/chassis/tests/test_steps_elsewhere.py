"""Whoever has a step done knows it as theirs, over HTTP and the broker too."""

import asyncio
from collections.abc import Sequence

import httpx
from fastapi import FastAPI

from chassis import tracing
from chassis.auth import Auth, KeyRing, ServiceCredential, Signer
from chassis.coalescer import Coalescer
from chassis.edge import install
from chassis.steps import record, step
from chassis.telemetry import Telemetry
from chassis.tracing import continue_trace, outgoing, traceparent
from libs.chassis.tests.auth.factories import JWKS, SALES_PRIVATE
from libs.chassis.tests.ordering import (
    arrows,
    reserve,
)


def _product() -> FastAPI:
    app = FastAPI()
    app.state.auth = Auth(KeyRing(JWKS), "product")
    install(app, telemetry=Telemetry("product"))

    @app.post("/reservations")
    async def reservations() -> None:
        await reserve()

    return app


@step("OrderService", "placeOrder")
async def place_over_http(app: FastAPI) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://product") as client:
        headers = {**outgoing(), "authorization": ServiceCredential(Signer(SALES_PRIVATE), "sales").header("product")}
        # The other side is another process: nothing of this context goes there but the headers.
        context = tracing.batch_context([tracing.new_traceparent()])
        await asyncio.create_task(client.post("/reservations", headers=headers), context=context)


async def test_a_step_behind_an_http_call_knows_its_caller() -> None:
    with record() as recording:
        await place_over_http(_product())

    assert arrows(recording) == [
        "None -> OrderService: placeOrder",
        "OrderService -> InventoryService: reserveInventory",
    ]
    assert len({each.trace_id for each in recording.steps}) == 1


async def test_a_step_behind_one_call_for_a_whole_batch_belongs_to_each_of_it() -> None:
    app = _product()

    async def run(items: Sequence[int]) -> Sequence[int | Exception]:
        await place_over_http(app)
        return items

    placing = Coalescer(run)

    @step("Customer", "order")
    async def order(item: int) -> None:
        await placing(item)

    with record() as recording:
        await asyncio.gather(order(1), order(2))

    traces = {each.trace_id for each in recording.steps}
    assert len(traces) == 2
    for trace in traces:
        assert [each.caller for each in recording.of(trace)] == [None, "Customer", "OrderService"]


async def test_a_step_behind_the_broker_knows_its_caller() -> None:
    sent: list[str | None] = []

    @step("OrderService", "placeOrder")
    async def publishing() -> None:
        sent.append(traceparent.get())

    with record() as recording:
        await publishing()
        with continue_trace(sent[0]):
            await reserve()

    assert arrows(recording) == [
        "None -> OrderService: placeOrder",
        "OrderService -> InventoryService: reserveInventory",
    ]
