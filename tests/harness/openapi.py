"""A service's OpenAPI document, held against what is answered to whatever is sent: no 500, nothing undocumented."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from itertools import product
from typing import Any, Final

import schemathesis
import uvicorn
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

_KEPT: Final = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


async def answers(
    app: FastAPI,
    *,
    headers: Callable[[str], Mapping[str, str]],
    examples: int,
    wanted: Callable[[Any], bool] = lambda _: True,
    ids: Mapping[str, str] | None = None,
) -> set[int]:
    """Asks every operation that is `wanted`, as the one whose `headers` they are on that path; gives the statuses.

    `ids` stand in paths instead of what is drawn, so that what is asked of is there.
    """
    statuses: set[int] = set()

    def fuzz(operation: Any, mode: GenerationMode, url: str) -> None:
        @settings(
            max_examples=examples,
            derandomize=True,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def one(case: Any) -> None:
            if ids is not None:
                case.path_parameters = {name: ids[name] for name in case.path_parameters}
            answer = case.call(base_url=url, headers=headers(operation.path))
            statuses.add(answer.status_code)
            case.validate_response(answer, checks=_KEPT)

        one()

    schema = schemathesis.openapi.from_dict(app.openapi())
    async with _served(app) as url:
        for path in (each for each in schema if each.startswith("/api/")):
            for method, mode in product(schema[path], GenerationMode):
                operation = schema[path][method]
                if wanted(operation) and (mode is GenerationMode.POSITIVE or _takes_something(operation)):
                    await asyncio.to_thread(fuzz, operation, mode, url)
    return statuses


def _takes_something(operation: Any) -> bool:
    """What takes nothing cannot be asked wrongly."""
    return bool(list(operation.iter_parameters()) or list(operation.body))


@asynccontextmanager
async def _served(app: FastAPI) -> AsyncIterator[str]:
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, http="httptools", ws="none"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
