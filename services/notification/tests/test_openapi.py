"""What the OpenAPI document promises is kept, whatever is sent: no request gets a 500 or an undocumented answer."""

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
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from .factories import PostOffice, bearer
from .factories_messages import ADA, registered, told

KEPT = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture
async def url(office: PostOffice) -> AsyncIterator[str]:
    app = office.service.app()
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, http="httptools", ws="none"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    await serving


async def test_whatever_is_sent_the_answer_is_a_documented_one(office: PostOffice, url: str) -> None:
    await office.hear(told(registered()))
    schema = schemathesis.openapi.from_dict(office.service.app().openapi())
    statuses: set[int] = set()

    def fuzz(operation: Any, mode: GenerationMode) -> None:
        who = bearer("admin") if "/mails" in operation.path or "/audit" in operation.path else bearer("customer", ADA)

        @settings(
            max_examples=15,
            derandomize=True,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def one(case: Any) -> None:
            answer = case.call(base_url=url, headers=who)
            statuses.add(answer.status_code)
            case.validate_response(answer, checks=KEPT)

        one()

    for path in (each for each in schema if each.startswith("/api/")):
        for method, mode in product(schema[path], GenerationMode):
            operation = schema[path][method]
            # What takes nothing cannot be asked wrongly.
            if mode is GenerationMode.POSITIVE or list(operation.iter_parameters()) or list(operation.body):
                await asyncio.to_thread(fuzz, operation, mode)

    assert {200, 204, 400, 404} <= statuses
