"""A Stripe for the tests: its keys, intents, refunds and searches are as its documents say, its moods are scripted."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

SECRET_KEY = "sk_test_of_the_tests"
Do = Callable[[], Awaitable[web.Response]]
Trouble = Callable[[web.Request, Do], Awaitable[web.StreamResponse]]

DECLINES = {
    "pm_declined": ("card_error", "card_declined", "generic_decline"),
    "pm_insufficient": ("card_error", "card_declined", "insufficient_funds"),
    "pm_needs_customer": ("card_error", "authentication_required", "authentication_required"),
}
Answer = tuple[int, dict[str, Any]]


def error(status: int, kind: str, code: str = "", **more: Any) -> Answer:
    return status, {"error": {"type": kind, "code": code, "message": "Ada's card 4242 says no.", **more}}


class FakeStripe:
    def __init__(self) -> None:
        self.intents: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str, dict[str, str], Mapping[str, str]]] = []
        self.is_indexed = True
        """Whether the search has seen what was made."""
        self._kept: dict[str, tuple[str, Answer]] = {}
        self._busy: set[str] = set()
        self._mood: Trouble | None = None
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @contextmanager
    def having(self, trouble: Trouble) -> Iterator[None]:
        self._mood = trouble
        try:
            yield
        finally:
            self._mood = None

    def forget_keys(self) -> None:
        """A day has passed."""
        self._kept.clear()

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._hear)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _hear(self, request: web.Request) -> web.StreamResponse:
        body = (await request.read()).decode()

        async def really() -> web.Response:
            status, said = await self._answer(request, body)
            return web.json_response(said, status=status)

        return await (really() if self._mood is None else self._mood(request, really))

    async def _answer(self, request: web.Request, body: str) -> Answer:
        form = dict(parse_qsl(body, keep_blank_values=True))
        self.requests.append((request.method, request.path, form, dict(request.headers)))
        if request.headers.get("Authorization") != f"Bearer {SECRET_KEY}":
            return error(401, "invalid_request_error")
        if request.method == "GET":
            return self._get(request.path, dict(request.query))
        assert request.content_type == "application/x-www-form-urlencoded" or not body
        key, asked = request.headers["Idempotency-Key"], json.dumps([request.path, sorted(form.items())])
        if key in self._busy:
            return error(409, "idempotency_error", "idempotency_key_in_use")
        if key in self._kept:
            before, answer = self._kept[key]
            return answer if before == asked else error(400, "idempotency_error")
        self._busy.add(key)
        try:
            await asyncio.sleep(0)
            answer = self._post(request.path, form)
        finally:
            self._busy.discard(key)
        if answer[1].get("error", {}).get("code") not in ("parameter_invalid_integer", "resource_missing"):
            self._kept[key] = asked, answer
        return answer

    def _get(self, path: str, query: dict[str, str]) -> Answer:
        if path == "/v1/payment_intents/search":
            wanted = query["query"].split("'")[3]
            found = [each for each in self.intents.values() if each["metadata"].get("operation") == wanted]
            return 200, {"object": "search_result", "data": found if self.is_indexed else [], "has_more": False}
        if path == "/v1/refunds":
            found = [each for each in self.refunds.values() if each["payment_intent"] == query["payment_intent"]][::-1]
            after = query.get("starting_after")
            start = [each["id"] for each in found].index(after) + 1 if after else 0
            page = found[start : start + 2]
            return 200, {"object": "list", "data": page, "has_more": start + 2 < len(found)}
        intent = self.intents.get(path.rpartition("/")[2])
        return (200, intent) if intent else error(404, "invalid_request_error", "resource_missing")

    def _post(self, path: str, form: dict[str, str]) -> Answer:
        if path == "/v1/payment_intents":
            return self._create(form)
        if path == "/v1/refunds":
            return self._refund(form)
        _, _, _, intent_id, action = path.split("/")
        if intent_id not in self.intents:
            return error(404, "invalid_request_error", "resource_missing")
        return self._capture(intent_id, form) if action == "capture" else self._cancel(intent_id)

    def _create(self, form: dict[str, str]) -> Answer:
        card = form.get("payment_method")
        if int(form["amount"]) < 50:
            return error(400, "invalid_request_error", "amount_too_small")
        if card is not None and not card.startswith("pm_"):
            return error(400, "invalid_request_error", "resource_missing", param="payment_method")
        intent: dict[str, Any] = {
            "id": f"pi_{len(self.intents)}",
            "object": "payment_intent",
            "amount": int(form["amount"]),
            "amount_capturable": 0,
            "amount_received": 0,
            "currency": form["currency"],
            "status": "requires_payment_method",
            "metadata": {name[9:-1]: value for name, value in form.items() if name.startswith("metadata[")},
            "last_payment_error": None,
            "client_secret": "pi_secret_of_the_customer",
        }
        self.intents[intent["id"]] = intent
        if form.get("confirm") == "true":
            assert (form["capture_method"], form["error_on_requires_action"]) == ("manual", "true")
            if card in DECLINES:
                kind, code, decline = DECLINES[card]
                intent["last_payment_error"] = {"type": kind, "code": code, "decline_code": decline}
                return error(402, kind, code, decline_code=decline, payment_intent=dict(intent))
            intent |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
        return 200, dict(intent)

    def _capture(self, intent_id: str, form: dict[str, str]) -> Answer:
        intent = self.intents[intent_id]
        if intent["status"] != "requires_capture":
            code = "payment_intent_unexpected_state"
            return error(400, "invalid_request_error", code, payment_intent=dict(intent))
        received = int(form["amount_to_capture"])
        if received > intent["amount_capturable"]:
            return error(400, "invalid_request_error", "amount_too_large")
        intent |= {"status": "succeeded", "amount_received": received, "amount_capturable": 0}
        return 200, dict(intent)

    def _cancel(self, intent_id: str) -> Answer:
        intent = self.intents[intent_id]
        if intent["status"] in ("succeeded", "canceled"):
            return error(400, "invalid_request_error", "payment_intent_unexpected_state")
        intent |= {"status": "canceled", "amount_capturable": 0}
        return 200, dict(intent)

    def _refund(self, form: dict[str, str]) -> Answer:
        intent = self.intents[form["payment_intent"]]
        given = sum(each["amount"] for each in self.refunds.values() if each["payment_intent"] == intent["id"])
        if int(form["amount"]) > intent["amount_received"] - given:
            return error(400, "invalid_request_error", "charge_already_refunded")
        refund = {
            "id": f"re_{len(self.refunds)}",
            "object": "refund",
            "amount": int(form["amount"]),
            "currency": intent["currency"],
            "payment_intent": intent["id"],
            "status": "succeeded",
            "metadata": {name[9:-1]: value for name, value in form.items() if name.startswith("metadata[")},
        }
        self.refunds[refund["id"]] = refund
        return 200, dict(refund)


def says(status: int, body: bytes | Mapping[str, Any] = b"{}", **headers: str) -> Trouble:
    """Answers this, whatever was asked, and does nothing."""

    async def trouble(_: web.Request, __: Do) -> web.Response:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        return web.Response(status=status, body=sent, headers={"Content-Type": "application/json", **headers})

    return trouble


async def loses_the_answer(request: web.Request, do: Do) -> web.Response:
    answer = await do()
    assert request.transport is not None
    request.transport.close()
    return answer


async def does_it_and_fails(_: web.Request, do: Do) -> web.Response:
    await do()
    return web.json_response({"error": {"type": "api_error"}}, status=500)


async def hangs_up(request: web.Request, _: Do) -> web.Response:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def drips(request: web.Request, do: Do) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": "application/json"})
    await answer.prepare(request)
    for byte in bytes((await do()).body or b"") * 100:  # type: ignore[arg-type]
        await answer.write(bytes([byte]))
        await asyncio.sleep(0.05)
    return answer


async def never_ends(request: web.Request, _: Do) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": "application/json"})
    await answer.prepare(request)
    while True:
        await answer.write(b" " * 65536)


async def pads(_: web.Request, do: Do) -> web.Response:
    """It would be an answer, if it were not so long."""
    answer = await do()
    return web.Response(body=bytes(answer.body or b"") + b" " * 2_000_000, content_type="application/json")  # type: ignore[arg-type]


async def sends_elsewhere(request: web.Request, do: Do) -> web.Response:
    """To where the same request would be done."""
    if "again" in request.query:
        return await do()
    return web.Response(status=307, headers={"Location": f"{request.path}?again=1"})


def does_it_but(change: Callable[[dict[str, Any]], object]) -> Trouble:
    """Does it, and answers something else than it did."""

    async def trouble(_: web.Request, do: Do) -> web.Response:
        said = json.loads((await do()).text or "{}")
        change(said)
        return web.json_response(said)

    return trouble
