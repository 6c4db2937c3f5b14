"""What the OpenAPI document promises of the catalogue is kept, whatever an admin sends."""

import asyncio
import socket
from collections.abc import AsyncIterator
from itertools import product as pairs
from typing import Any

import pytest
import schemathesis
import uvicorn
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as drawn
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from chassis.broker import InProcessBroker
from product.app import build
from product.seed import seed
from services.product.tests.factories import as_person, settings

KEPT = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
OURS = {"categories", "catalogue"}


@pytest.fixture
async def app(url: str) -> AsyncIterator[FastAPI]:
    service = build(settings(url), InProcessBroker())
    async with service.database.begin() as session:
        await seed(session)
    yield service.app()
    await service.database.close()


@pytest.fixture
async def served(app: FastAPI) -> AsyncIterator[str]:
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, http="httptools", ws="none"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    await serving


async def test_whatever_is_sent_the_answer_is_a_documented_one(app: FastAPI, served: str) -> None:
    schema = schemathesis.openapi.from_dict(app.openapi())
    statuses: set[int] = set()

    def fuzz(operation: Any, mode: GenerationMode) -> None:
        @drawn(
            max_examples=30,
            derandomize=True,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def one(case: Any) -> None:
            answer = case.call(base_url=served, headers=as_person("admin"))
            statuses.add(answer.status_code)
            case.validate_response(answer, checks=KEPT)

        one()

    for path in (each for each in schema if each.startswith("/api/")):
        for method, mode in pairs(schema[path], GenerationMode):
            if OURS & set(schema[path][method].definition.raw.get("tags", ())):
                await asyncio.to_thread(fuzz, schema[path][method], mode)

    assert {200, 201, 400, 404} <= statuses
