"""A shortcut answers as its route does, and leaves to it what it does not take."""

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request, Response

from chassis.auth import Customer, needs
from chassis.edge import install, read_json
from chassis.errors import Conflict, Refused
from chassis.idempotency import IdempotencyKey, key_of
from chassis.telemetry import Telemetry
from contracts.text import Body
from libs.chassis.tests.web import as_person, auth, calling

_CUSTOMER = needs("customer")

router = APIRouter()


class Thing(Body):
    number: int


@router.post("/api/v1/things", response_model=None)
async def make_thing(request: Request, caller: Customer, idempotency_key: IdempotencyKey = None) -> Response:
    thing = await read_json(request, Thing)
    if thing.number == 13:
        raise Conflict("Not this one.")
    if thing.number == 0:
        raise ZeroDivisionError
    return Response(f"{caller.subject} {idempotency_key} {thing.number}", 201)


async def make_thing_directly(request: Request) -> Response | None:
    try:
        caller, key = _CUSTOMER.check(request), key_of(request)
    except Refused:
        return None
    made = await make_thing(request, caller, key)
    made.headers["way"] = "direct"
    return made


def application(*, with_shortcut: bool) -> FastAPI:
    app = FastAPI(redirect_slashes=False, telemetry={"tracing": False, "metrics": False, "logs": False})
    app.state.auth, app.state.telemetry = auth(), Telemetry("test")
    shortcuts = {("POST", "/api/v1/things"): make_thing_directly} if with_shortcut else None
    install(app, telemetry=app.state.telemetry, shortcuts=shortcuts)
    app.include_router(router)
    return app


ADA = as_person("ada")
JSON = {"Content-Type": "application/json"}
KEY = {"Idempotency-Key": "k"}
REQUESTS = {
    "as it should be": ({**ADA, **JSON, **KEY}, b'{"number": 1}'),
    "without a key": ({**ADA, **JSON}, b'{"number": 1}'),
    "refused": ({**ADA, **JSON}, b'{"number": 13}'),
    "failing": ({**ADA, **JSON}, b'{"number": 0}'),
    "nobody": (JSON, b'{"number": 1}'),
    "a liar": ({**JSON, "Authorization": "Bearer x.y.z"}, b'{"number": 1}'),
    "somebody else": ({**as_person("bob", "warehouse"), **JSON}, b'{"number": 1}'),
    "an empty key": ({**ADA, **JSON, "Idempotency-Key": ""}, b'{"number": 1}'),
    "a key with a space": ({**ADA, **JSON, "Idempotency-Key": "a b"}, b'{"number": 1}'),
    "a key with a line end": ({**ADA, **JSON, "Idempotency-Key": "a\u0085"}, b'{"number": 1}'),
    "a long key": ({**ADA, **JSON, "Idempotency-Key": "k" * 201}, b'{"number": 1}'),
    "no JSON": ({**ADA, **JSON}, b"{"),
    "other JSON": ({**ADA, **JSON}, b'{"number": "one"}'),
    "no body": ({**ADA, **JSON}, b""),
    "another type": ({**ADA, "Content-Type": "text/plain"}, b'{"number": 1}'),
    "too large": ({**ADA, **JSON}, b" " * 70_000),
}


async def ask(client: httpx.AsyncClient, name: str, method: str = "POST") -> httpx.Response:
    headers, body = REQUESTS[name]
    return await client.request(
        method,
        "/api/v1/things",
        headers=[(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
        content=body,
    )


@pytest.mark.parametrize("name", REQUESTS)
async def test_an_answer_is_the_same_on_either_way(name: str) -> None:
    answers = []
    for with_shortcut in (True, False):
        async with calling(application(with_shortcut=with_shortcut)) as client:
            answer = await ask(client, name)
        about = {name: value for name, value in answer.headers.items() if name not in ("x-trace-id", "way")}
        told = answer.text.replace(answer.headers["x-trace-id"], "a trace")
        answers.append((answer.status_code, told, about))

    assert answers[0] == answers[1]


async def test_what_it_takes_goes_the_short_way_and_everything_else_the_long_one() -> None:
    async with calling(application(with_shortcut=True)) as client:
        direct = await ask(client, "as it should be")
        other_method = await ask(client, "as it should be", "PUT")
        elsewhere = await client.post("/api/v1/things/", headers=ADA, json={"number": 1})

    assert (direct.status_code, direct.headers["way"]) == (201, "direct")
    assert (other_method.status_code, other_method.headers["allow"]) == (405, "POST")
    assert elsewhere.status_code == 404


async def test_both_ways_count_as_the_same_route() -> None:
    app = application(with_shortcut=True)
    async with calling(app) as client:
        for name in ("as it should be", "nobody", "refused"):
            await ask(client, name)

    told = app.state.telemetry.exposition().decode()

    for status in (201, 401, 409):
        assert f'http_requests_total{{method="POST",route="/api/v1/things",status="{status}"}} 1.0' in told
