"""Each route opens to the roles that it names, and to no one else."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from chassis.auth import (
    Admin,
    Auth,
    Customer,
    CustomerOrAdmin,
    KeyRing,
    ServiceCredential,
    ServicePeer,
    Signer,
    Warehouse,
)
from chassis.edge import install
from chassis.steps import record
from chassis.telemetry import Telemetry
from chassis.tracing import BATCH_HEADER, new_traceparent, traceparents
from libs.chassis.tests.auth.factories import PEOPLE_PRIVATE, SALES_PRIVATE


def _app(keyring: KeyRing) -> FastAPI:
    app = FastAPI()
    app.state.auth = Auth(keyring, "product")
    install(app, telemetry=Telemetry("product"))

    @app.get("/customer")
    async def customer(caller: Customer) -> str:
        return caller.subject

    @app.get("/warehouse")
    async def warehouse(caller: Warehouse) -> str:
        return caller.subject

    @app.get("/admin")
    async def admin(caller: Admin) -> str:
        return caller.subject

    @app.get("/either")
    async def either(caller: CustomerOrAdmin) -> str:
        return caller.subject

    @app.get("/peer")
    async def peer(caller: ServicePeer) -> str:
        return caller.subject

    @app.get("/open")
    async def open_to_all() -> int:
        return len(traceparents())

    return app


Get = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
def get(keyring: KeyRing) -> Get:
    app = _app(keyring)

    async def ask(path: str, authorization: str | None = None, **headers: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.get(
                path, headers={**headers, **({"authorization": authorization} if authorization else {})}
            )

    return ask


ALLOWED = {
    "/customer": {"customer"},
    "/warehouse": {"warehouse", "admin"},
    "/admin": {"admin"},
    "/either": {"customer", "admin"},
    "/peer": {"service"},
}


@pytest.mark.parametrize("path", ALLOWED)
@pytest.mark.parametrize("role", ["customer", "warehouse", "admin", "service"])
async def test_each_door_opens_to_its_roles_and_no_other(get: Get, path: str, role: str) -> None:
    if role == "service":
        authorization = ServiceCredential(Signer(SALES_PRIVATE), "sales").header("product")
    else:
        authorization = f"Bearer {Signer(PEOPLE_PRIVATE).token('ann', [role])}"

    answer = await get(path, authorization)

    if role in ALLOWED[path]:
        assert answer.status_code == 200
    else:
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "FORBIDDEN"


@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer ", "Bearer x", "Basic YTpi", "bearerx"])
async def test_who_does_not_say_who_they_are_is_asked_for_it(get: Get, authorization: str | None) -> None:
    answer = await get("/customer", authorization)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["error"]["code"] == "UNAUTHENTICATED"


async def test_a_token_is_taken_as_a_bearer_token_only(get: Get) -> None:
    answer = await get("/customer", f"Basic {Signer(PEOPLE_PRIVATE).token('ann', ['customer'])}")

    assert answer.status_code == 401


async def test_the_word_bearer_may_be_written_in_any_case(get: Get) -> None:
    answer = await get("/customer", f"bEARER {Signer(PEOPLE_PRIVATE).token('ann', ['customer'])}")

    assert answer.json() == "ann"


@pytest.mark.parametrize(
    ("authorization", "traces"),
    [
        (f"Bearer {Signer(SALES_PRIVATE).token('sales', ['service'], 'product', timedelta(days=1))}", 2),
        (f"Bearer {Signer(PEOPLE_PRIVATE).token('ann', ['admin'], lives=timedelta(days=1))}", 1),
        ("Bearer x", 1),
        (None, 1),
    ],
    ids=["a service", "a person", "a forger", "nobody"],
)
async def test_only_ours_may_work_for_several_traces_at_once(get: Get, authorization: str | None, traces: int) -> None:
    batch = ",".join(new_traceparent() for _ in range(2))

    with record():
        answer = await get("/open", authorization, **{BATCH_HEADER: batch})

    assert answer.json() == traces


def test_the_api_document_says_that_a_token_is_needed(keyring: KeyRing) -> None:
    described = _app(keyring).openapi()

    assert described["paths"]["/customer"]["get"]["security"] == [{"accessToken": []}]
    scheme = described["components"]["securitySchemes"]["accessToken"]
    assert scheme == {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
