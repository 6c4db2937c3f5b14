"""An application of routes that go wrong, its log, and a client."""

import io
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from fastapi import FastAPI

from chassis.edge import install
from chassis.telemetry import Telemetry, configure_logging
from libs.chassis.tests.edge.things import router


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    configure_logging(stream=stream)
    yield stream
    configure_logging("CRITICAL")


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry("things")


@pytest.fixture
def app(telemetry: Telemetry) -> FastAPI:
    app = FastAPI()
    install(app, telemetry=telemetry)
    app.include_router(router, prefix="/api/v1")
    return app


@pytest.fixture
async def client(app: FastAPI, log: io.StringIO) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test/api/v1/things") as client:
        yield client
