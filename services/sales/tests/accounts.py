"""Accounts for the tests: registering, logging in, and reading the mail."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any
from uuid import UUID

import httpx

from chassis.telemetry import configure_logging
from contracts.mail_tokens import MailPurpose, mail_token

from .factories import MAIL_SECRET, Sales

GRACE = "grace@example.org"
PASSWORD = "Nanoseconds are 30 cm of wire"
ANOTHER = "A ship in port is not what ships are for"
HOME, ELSEWHERE = "198.51.100.7", "203.0.113.9"

PURPOSES = {
    "customer.registered": MailPurpose.VERIFICATION,
    "customer.verification_requested": MailPurpose.VERIFICATION,
    "customer.password_reset_requested": MailPurpose.PASSWORD_RESET,
}


def form(**other: Any) -> dict[str, Any]:
    return {"email": GRACE, "password": PASSWORD, "name": "Grace Example", **other}


async def send(
    sales: Sales, method: str, path: str, body: Any = None, *, address: str = HOME, token: str = "", key: str = ""
) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    headers |= {"Idempotency-Key": key} if key else {}
    # Written with escapes, so that what no encoding has can be sent, too.
    content = None if body is None else json.dumps(body)
    headers |= {} if content is None else {"Content-Type": "application/json"}
    transport = httpx.ASGITransport(sales.app, client=(address, 40_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://sales", headers=headers) as client:
        return await client.request(method, f"/api/v1{path}", content=content)


async def register(sales: Sales, *, key: str = "", **other: Any) -> httpx.Response:
    return await send(sales, "POST", "/customers", form(**other), key=key)


async def log_in(
    sales: Sales, password: str = PASSWORD, *, email: str = GRACE, address: str = HOME, **more: Any
) -> httpx.Response:
    body = {"email": email, "password": password, **more}
    return await send(sales, "POST", "/sessions", body, address=address)


async def session(sales: Sales, password: str = PASSWORD, **more: Any) -> dict[str, Any]:
    """Logged in."""
    answer = await log_in(sales, password, **more)
    assert answer.status_code == 200, answer.text
    tokens: dict[str, Any] = answer.json()
    return tokens


async def renew(sales: Sales, refresh_token: str) -> httpx.Response:
    return await send(sales, "POST", "/sessions/renewal", {"refresh_token": refresh_token})


async def ask(sales: Sales, path: str, email: str = GRACE, address: str = HOME) -> httpx.Response:
    return await send(sales, "POST", f"/customers/{path}", {"email": email}, address=address)


async def reset_token(sales: Sales, email: str = GRACE) -> str:
    """Asked for, and read in the mail."""
    assert (await ask(sales, "password-reset-requests", email)).status_code == 202
    await sales.run("answer_mail_requests")
    return (await mailed(sales, "customer.password_reset_requested"))[-1]


async def mailed(sales: Sales, event_type: str) -> list[str]:
    """The tokens in the mails of this kind, made as Notification makes them."""
    told = [event["data"] for event in await sales.published(event_type)]
    return [mail_token(MAIL_SECRET, PURPOSES[event_type], UUID(each["token_id"])) for each in told]


@contextmanager
def listening() -> Iterator[StringIO]:
    """To all that is logged."""
    log = StringIO()
    configure_logging(stream=log)
    yield log
    configure_logging()


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]
