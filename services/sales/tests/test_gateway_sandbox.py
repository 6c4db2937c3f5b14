"""The sandbox does what its cards say, keeps a ledger that outlives its process, and reports when it is to."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import web
from pydantic import SecretStr

from chassis.db import Database
from contracts.sales.payments import OperationKind, PaymentState
from sales.payments.gateway import Done, News, Outcome, Question, Reason, Refused, Unanswered, Unheard
from sales.payments.making import make_payments
from sales.payments.paying import Charge
from sales.payments.sandbox import SandboxGateway
from sales.payments.sandbox_webhooks import SandboxReports
from sales.settings import PaymentSettings
from services.sales.tests.till import SECRET, Till

AUTHORISE, CAPTURE, VOID, REFUND = OperationKind


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    one = Database(database_url, application_name="sandbox")
    yield one
    await one.close()


@pytest.fixture
async def sandbox(database: Database) -> SandboxGateway:
    return SandboxGateway(database, slow=timedelta(seconds=0.2))


def question(kind: OperationKind = AUTHORISE, reference: str | None = None, amount: int = 1000) -> Question:
    return Question(uuid4(), kind, UUID(int=7), amount, "USD", reference, datetime.now(UTC))


async def held(sandbox: SandboxGateway, card: str = "tok_ok") -> str:
    answer = await sandbox.authorise(question(), card)
    assert isinstance(answer, Done)
    return answer.reference


async def outcome(work: Any) -> Outcome | str:
    try:
        found: Outcome = await work
    except Unanswered as unanswered:
        return unanswered.reason
    return found


@pytest.mark.parametrize(
    ("card", "answer"),
    [
        ("tok_decline", Refused(Reason.DECLINED)),
        ("tok_insufficient_funds", Refused(Reason.INSUFFICIENT_FUNDS)),
        ("tok_", Refused(Reason.REJECTED)),
        ("tok_unheard_of", Refused(Reason.REJECTED)),
        ("4242424242424242", Refused(Reason.REJECTED)),
    ],
)
async def test_a_card_that_is_to_be_declined_is(sandbox: SandboxGateway, card: str, answer: Outcome) -> None:
    asked = question()

    assert await sandbox.authorise(asked, card) == await sandbox.authorise(asked, card) == answer
    assert await sandbox.look_up(asked) == answer


@pytest.mark.parametrize("kind", [CAPTURE, VOID, REFUND])
async def test_what_fails_a_number_of_times_succeeds_then(sandbox: SandboxGateway, kind: OperationKind) -> None:
    reference = await held(sandbox, f"tok_{kind}_fails_2")
    if kind == REFUND:
        await sandbox.capture(question(CAPTURE, reference))
    do = getattr(sandbox, kind.value)

    first = question(kind, reference)
    refused = await do(first)
    assert isinstance(refused, Refused)
    assert await do(first) == refused
    assert isinstance(await do(question(kind, reference)), Refused)
    assert isinstance(await do(question(kind, reference)), Done)


@pytest.mark.parametrize("kind", [*OperationKind])
async def test_time_outs_before_and_after_differ_in_the_ledger_only(
    sandbox: SandboxGateway, kind: OperationKind
) -> None:
    step = "" if kind == AUTHORISE else f"{kind}_"
    for when, found in (("before_1", Unheard), ("after_1", Done)):
        card = f"tok_{step}timeout_{when}"
        reference = None if kind == AUTHORISE else await held(sandbox, card)
        if kind == REFUND:
            await sandbox.capture(question(CAPTURE, reference))
        asked = Question(uuid4(), kind, uuid4(), 1000, "USD", reference, datetime.now(UTC))

        def ask(asked: Question = asked, card: str = card) -> Any:
            return sandbox.authorise(asked, card) if kind == AUTHORISE else getattr(sandbox, kind.value)(asked)

        assert isinstance(await outcome(ask()), str)
        assert isinstance(await sandbox.look_up(asked), found)
        assert isinstance(await outcome(ask()), Done)
        assert isinstance(await outcome(ask()), Done)


async def test_the_rules_of_a_gateway_hold(sandbox: SandboxGateway) -> None:
    captured, voided = await held(sandbox), await held(sandbox)
    assert await sandbox.capture(question(CAPTURE, captured, 1001)) == Refused(Reason.REJECTED)
    assert await sandbox.refund(question(REFUND, captured, 1)) == Refused(Reason.REJECTED)
    await sandbox.capture(question(CAPTURE, captured, 600))
    await sandbox.void(question(VOID, voided))

    assert await sandbox.capture(question(CAPTURE, captured)) == Refused(Reason.CAPTURED_ALREADY)
    assert await sandbox.void(question(VOID, captured)) == Refused(Reason.CAPTURED_ALREADY)
    assert await sandbox.capture(question(CAPTURE, voided)) == Refused(Reason.VOIDED_ALREADY)
    assert await sandbox.void(question(VOID, voided)) == Refused(Reason.VOIDED_ALREADY)
    assert await sandbox.refund(question(REFUND, voided, 1)) == Refused(Reason.REJECTED)
    assert await sandbox.capture(question(CAPTURE, "sbx_of_nobody")) == Refused(Reason.REJECTED)
    assert isinstance(await sandbox.refund(question(REFUND, captured, 400)), Done)
    assert await sandbox.refund(question(REFUND, captured, 201)) == Refused(Reason.REJECTED)
    assert isinstance(await sandbox.refund(question(REFUND, captured, 200)), Done)


async def test_of_a_capture_and_a_void_at_once_one_wins(sandbox: SandboxGateway) -> None:
    for _ in range(10):
        reference = await held(sandbox)

        answers = await asyncio.gather(
            sandbox.capture(question(CAPTURE, reference)), sandbox.void(question(VOID, reference))
        )

        assert sorted(type(each).__name__ for each in answers) == ["Done", "Refused"]


async def test_one_key_at_once_is_done_once(sandbox: SandboxGateway) -> None:
    asked, reference = question(), await held(sandbox)
    await sandbox.capture(question(CAPTURE, reference))
    refund = question(REFUND, reference, 300)

    assert len(set(await asyncio.gather(*(sandbox.authorise(asked, "tok_ok") for _ in range(8))))) == 1
    assert len(set(await asyncio.gather(*(sandbox.refund(refund) for _ in range(8))))) == 1


async def test_what_is_forestalled_does_not_happen_when_it_arrives(sandbox: SandboxGateway) -> None:
    asked, done = question(), question()
    await sandbox.authorise(done, "tok_ok")

    assert await sandbox.forestall(asked) == Refused(Reason.NEVER_ASKED)
    assert await sandbox.authorise(asked, "tok_ok") == Refused(Reason.NEVER_ASKED)
    assert isinstance(await sandbox.forestall(done), Done)


async def test_the_ledger_outlives_the_process(sandbox: SandboxGateway, database: Database) -> None:
    asked = question()
    answer = await sandbox.authorise(asked, "tok_capture_fails_1")
    assert isinstance(answer, Done)

    restarted = SandboxGateway(database)

    assert await restarted.look_up(asked) == await restarted.authorise(asked, "tok_ok") == answer
    assert isinstance(await restarted.capture(question(CAPTURE, answer.reference)), Refused)


async def test_it_reports_what_it_does_as_often_as_the_card_says(till: Till) -> None:
    heard: list[tuple[Mapping[str, str], bytes]] = []

    async def hear(request: web.Request) -> web.Response:
        heard.append((dict(request.headers), await request.read()))
        return web.Response(status=500)

    async with _serving(hear) as url:
        given = {"webhook_secret": f"{SECRET} whsec_YW5vdGhlciBvbmUgdGhhdCBpcyBsb25n", "sandbox_webhook_url": url}
        desk = make_payments(PaymentSettings.model_validate(given), till.database)
        wanted = Charge(uuid4(), "grace", 1000, "USD")
        await desk.payments.authorise(wanted, "tok_webhook_twice")
        await desk.payments.capture(wanted.id, "admin")
        await desk.pursuit.close()

    reports = SandboxReports(SecretStr(SECRET))
    news = [
        reports.read({name.lower(): value for name, value in headers.items()}, body, datetime.now(UTC))
        for headers, body in heard
    ]
    assert sorted((each.state, each.amount) for each in news if isinstance(each, News)) == [
        (PaymentState.AUTHORISED, 1000),
        (PaymentState.AUTHORISED, 1000),
        (PaymentState.CAPTURED, 1000),
        (PaymentState.CAPTURED, 1000),
    ]
    assert len({each.event_id for each in news}) == 2
    assert "tok_" not in json.dumps([body.decode() for _, body in heard])


async def test_a_report_that_nobody_hears_harms_nobody(till: Till) -> None:
    given = {"webhook_secret": SECRET, "sandbox_webhook_url": "http://127.0.0.1:1/"}
    desk = make_payments(PaymentSettings.model_validate(given), till.database)
    wanted = Charge(uuid4(), "grace", 1000, "USD")

    await desk.payments.authorise(wanted, "tok_ok")
    await desk.pursuit.close()

    assert await till.state(wanted.id) == "AUTHORISED"


class _serving:  # noqa: N801
    def __init__(self, hear: Any) -> None:
        app = web.Application()
        app.router.add_post("/", hear)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)

    async def __aenter__(self) -> str:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/"

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
