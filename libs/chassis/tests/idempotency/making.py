"""Routes that make something once, whose answers tell how often it was."""

from collections.abc import Mapping
from typing import Any

import httpx
from fastapi import APIRouter, Response
from pydantic import BaseModel, SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.auth import CustomerOrAdmin
from chassis.db import Database, Transaction
from chassis.edge import SafeRoute, refusals
from chassis.errors import Conflict, KeyReused
from chassis.idempotency import Once
from chassis.outbox import publish
from libs.chassis.tests.factories import Placed, column, note
from libs.chassis.tests.web import as_person

ADA, BEA = as_person("ada"), as_person("bea")

UUID_KEY = "0198c5d0-0000-7000-8000-000000000001"

router = APIRouter(prefix="/api/v1/things", route_class=SafeRoute)


class MakeThing(BaseModel):
    number: int
    label: str | None = None
    tags: dict[str, str] = {}
    password: SecretStr = SecretStr("")


class ThingView(BaseModel):
    number: int
    label: str | None
    nth: int


async def make_thing(session: AsyncSession, body: MakeThing) -> ThingView:
    """The answer tells how often it was done."""
    await note(session, "made", body.number)
    publish(session, Placed(number=body.number))
    if body.label == "too big":
        raise Conflict("There is no room for it.")
    if body.label == "cursed":
        raise ZeroDivisionError
    nth = await session.scalar(text("SELECT count(*) FROM effects"))
    return ThingView(number=body.number, label=body.label, nth=nth or 0)


@router.post("", status_code=201, response_model=None, responses={201: {"model": ThingView}, **refusals(KeyReused)})
async def post_thing(body: MakeThing, _: CustomerOrAdmin, session: Transaction, once: Once) -> Response:
    return await once(make_thing(session, body))


@router.post("/{number}/copies", response_model=None)
async def copy_thing(number: int, _: CustomerOrAdmin, session: Transaction, once: Once, label: str = "") -> Response:
    command = make_thing(session, MakeThing(number=number, label=label or None))
    return await once(command, status=202, exclude_none=True)


@router.post("/anonymous", response_model=None)
async def post_anonymously(body: MakeThing, session: Transaction, once: Once, cart: str | None = None) -> Response:
    return await once(make_thing(session, body), principal=cart)


@router.post("/journeys", response_model=None)
async def post_after_asking(body: MakeThing, _: CustomerOrAdmin, session: Transaction, once: Once) -> Response:
    """The journey has somebody else to ask before the transaction begins."""
    if answered := await once.answered():
        return answered
    asked.append(body.number)
    return await once(make_thing(session, body))


asked: list[int] = []


async def make(
    client: httpx.AsyncClient,
    key: str | None = "key",
    *,
    at: str = "",
    who: Mapping[str, str] = ADA,
    **body: Any,
) -> httpx.Response:
    headers = {**who} if key is None else {**who, "Idempotency-Key": key}
    return await client.post(f"/api/v1/things{at}", json={"number": 1} | body, headers=headers)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def stored(database: Database) -> list[Any]:
    return await column(database, "SELECT key FROM idempotency_keys ORDER BY key")
