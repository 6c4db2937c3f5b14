"""An application as ours are, made of a test's own routes, and the people who call it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import cache

import httpx
from fastapi import APIRouter, FastAPI

from chassis.auth import Auth, KeyRing, Role, Signer, new_keypair
from chassis.db import Database
from chassis.edge import install
from chassis.telemetry import Telemetry


@cache
def _people() -> tuple[Signer, KeyRing]:
    private, public = new_keypair("people", ["customer", "warehouse", "admin"])
    return Signer(private), KeyRing({"keys": [public]})


def auth() -> Auth:
    return Auth(_people()[1], audience="test")


def as_person(name: str, role: Role = "customer") -> dict[str, str]:
    """Some tests ask for it when they are collected, and come late in a long run."""
    token = _people()[0].token(name, [role], lives=timedelta(days=1))
    return {"Authorization": f"Bearer {token}"}


def application(database: Database, *routers: APIRouter) -> FastAPI:
    app = FastAPI(telemetry={"tracing": False, "metrics": False, "logs": False})
    app.state.database, app.state.auth = database, auth()
    install(app, telemetry=Telemetry("test"))
    for router in routers:
        app.include_router(router)
    return app


@asynccontextmanager
async def calling(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client
