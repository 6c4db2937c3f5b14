"""Whatever staff and customers send to the routes of returns that exist, the answer is one that is documented."""

import asyncio
import socket
from collections.abc import AsyncIterator
from itertools import product
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from services.sales.tests.factories import Sales, token
from services.sales.tests.returning import asked, delivered, received

KEPT = [not_a_server_error, status_code_conformance, response_schema_conformance]


@pytest.fixture
async def url(sales: Sales) -> AsyncIterator[str]:
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(sales.app, lifespan="off", log_config=None, http="httptools", ws="none"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    await serving


async def test_whatever_is_sent_the_answer_is_a_documented_one(sales: Sales, url: str) -> None:
    order = await delivered(sales, ("lamp", 100))
    ids = {"order_id": order["order_id"], "return_id": await asked(sales, order)}
    await received(sales, order)
    schema = schemathesis.openapi.from_dict(sales.app.openapi())
    everybody = {"Authorization": f"Bearer {token('grace', 'customer', 'warehouse', 'admin')}"}
    statuses: set[int] = set()

    def fuzz(operation: Any, mode: GenerationMode) -> None:
        @settings(
            max_examples=25,
            derandomize=True,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def one(case: Any) -> None:
            case.path_parameters = {name: ids[name] for name in case.path_parameters}
            answer = case.call(base_url=url, headers=everybody)
            statuses.add(answer.status_code)
            case.validate_response(answer, checks=KEPT)

        one()

    for path in (each for each in schema if "/returns" in each):
        for method, mode in product(schema[path], GenerationMode):
            await asyncio.to_thread(fuzz, schema[path][method], mode)

    assert {200, 400} <= statuses
