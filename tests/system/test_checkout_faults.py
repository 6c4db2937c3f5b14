"""Sales dies by SIGKILL between any two effects of checking out, being paid, cancelling and paying back.

Whatever was under way then: started again it makes one paid order of it, or gives everything back, and all laws hold.
"""

import asyncio
import json
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from typer.testing import CliRunner

import sales
from orderflow.main import app
from tests.harness.fixtures import databases_on
from tests.harness.laws import broken
from tests.harness.platform import Platform, running, until
from tests.harness.postgres import PostgresServer
from tests.harness.rabbitmq import RabbitMQ

from .buying import Buyer, Outcome, comes_to_rest, leases_end, registered, time_passes, what_stands

SOURCES = ("orders/checkout.py", "orders/cancelling.py", "orders/undoing.py", "payments/pursuing.py")
KINDS = ("authorise", "capture", "void", "refund")
# Nobody takes anything up because the machine is slow: only when the test says that the time has come.
PATIENT = {
    "SALES_PAYMENTS__LEASE": "PT10M",
    "SALES_PAYMENTS__FIRST_RETRY": "PT10M",
    "SALES_UNDO_ATTEMPTS_AFTER": "PT10M",
}


@dataclass(frozen=True)
class Case:
    """`before` are points at which something fails first, so that the work goes on the way that leads here."""

    comes_about: bool
    """Whether there is an order though the customer never asks again."""
    card: str = "tok_ok"
    before: tuple[str, ...] = ()
    cancels_when: str = ""
    """The customer cancels the order, once it has this status."""
    answers: tuple[int, ...] = (201,)
    """What a customer may hear who asks again."""


_PAID_LATER = Case(comes_about=True)
_UNDONE = Case(comes_about=False)
_GIVEN_UP = Case(comes_about=False, before=("sales.checkout.authorised",))
_CANCELLED = Case(comes_about=False, cancels_when="CONFIRMED", answers=(200,))

CASES = {
    **{f"sales.checkout.{point}": _UNDONE for point in ("attempted", "reserved", "authorised", "creating")},
    **{f"sales.checkout.{point}": _PAID_LATER for point in ("created", "answered")},
    "sales.checkout.released": Case(comes_about=False, card="tok_decline", answers=(402,)),
    **{f"sales.attempts.{point}": _GIVEN_UP for point in ("undoing", "released", "given_back")},
    **{f"sales.cancel.{point}": _CANCELLED for point in ("asked", "released", "finishing", "finished")},
    **{f"sales.payment.authorise.{point}": _UNDONE for point in ("written", "answered", "settling", "settled")},
    # Nobody has the card any more: the attempt is refused, or undone and made anew.
    "sales.payment.authorise.unheard": Case(
        comes_about=False, before=("sales.payment.authorise.written",), answers=(201, 402)
    ),
    **{f"sales.payment.capture.{point}": _PAID_LATER for point in ("written", "answered", "settling", "settled")},
    "sales.payment.capture.unheard": Case(comes_about=True, before=("sales.payment.capture.written",)),
    **{f"sales.payment.void.{point}": _GIVEN_UP for point in ("written", "answered", "settling", "settled")},
    "sales.payment.void.unheard": Case(
        comes_about=False, before=("sales.checkout.authorised", "sales.payment.void.written")
    ),
    **{f"sales.payment.refund.{point}": _CANCELLED for point in ("unheard", "answered", "settling", "settled")},
    "sales.payment.refund.written": Case(
        comes_about=False, card="tok_refund_fails_1", cancels_when="CONFIRMED", answers=(200,)
    ),
}


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    """One for all: the platform outlives its tests."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def mortal(
    loop: asyncio.Runner,
    postgres_server: PostgresServer,
    rabbitmq_server: RabbitMQ,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator["Mortal"]:
    with rabbitmq_server.vhost() as url:
        databases = databases_on(postgres_server)
        fresh = loop.run(databases.__aenter__())
        platform = running(fresh, url, tmp_path_factory.mktemp("mortal"), autopilot=False, settings=PATIENT)
        try:
            yield loop.run(_open(loop.run(platform.__aenter__())))
        finally:
            loop.run(platform.__aexit__(None, None, None))
            loop.run(databases.__aexit__(None, None, None))


@dataclass
class Mortal:
    """A platform whose Sales can be told where to die."""

    platform: Platform
    customer_id: str

    async def reborn(self, failpoints: str = "") -> None:
        sales = self.platform.replicas["sales"][0]
        if sales.died():
            await sales.forgotten()
        else:
            sales.kill()
        sales.start(FAILPOINTS=failpoints)
        await sales.ready()

    async def dies(self) -> None:
        """There is one point only at which it can."""
        sales = self.platform.replicas["sales"][0]
        # Where the request itself has led there, no time may pass: it would also pass for what was under way.
        while await sales.answers():
            await time_passes(self.platform)
            await asyncio.sleep(0.2)
        assert await sales.forgotten() == -signal.SIGKILL


async def _open(platform: Platform) -> Mortal:
    await platform.stock("lamp", on_hand=1000)
    return Mortal(platform, await registered(platform))


@pytest.mark.parametrize(("point", "asks_again"), [(point, number % 2 == 0) for number, point in enumerate(CASES)])
def test_whatever_it_dies_at_all_laws_hold_afterwards(
    loop: asyncio.Runner, mortal: Mortal, point: str, asks_again: bool
) -> None:
    loop.run(_dies_and_recovers(mortal, point, CASES[point], asks_again))


async def _dies_and_recovers(mortal: Mortal, point: str, case: Case, asks_again: bool) -> None:
    async with aiohttp.ClientSession() as client, asyncio.timeout(90):
        buyer, before = Buyer(mortal.platform, client, mortal.customer_id), await what_stands(mortal.platform)

        await mortal.reborn(";".join([*(f"{each}=raise*1" for each in case.before), f"{point}=kill"]))
        await buyer.fills_the_cart()
        order_id = await _trades(mortal, buyer, case, key=point)
        await mortal.dies()
        await mortal.reborn()
        if asks_again:
            await leases_end(mortal.platform)
            assert await _asks_again(buyer, case, point, order_id) in case.answers
        await comes_to_rest(mortal.platform)

        assert await broken(mortal.platform) == {}
        _agrees(case, before, await what_stands(mortal.platform), asks_again=asks_again)


async def _trades(mortal: Mortal, buyer: Buyer, case: Case, key: str) -> str:
    """As far as it goes; the order, if one comes about before Sales dies."""
    status, text = await buyer.checks_out(case.card, key)
    if not case.cancels_when:
        return ""
    assert status == 201, text
    order_id = str(json.loads(text)["order_id"])

    async def is_there() -> bool:
        return await buyer.has_status(order_id) == case.cancels_when

    await until(is_there, within=30)
    await buyer.cancels(order_id)
    return order_id


async def _asks_again(buyer: Buyer, case: Case, key: str, order_id: str) -> int:
    """With the same key, until there is an answer that counts."""
    while True:
        status, _ = await (buyer.cancels(order_id) if case.cancels_when else buyer.checks_out(case.card, key))
        if 0 < status < 500:
            return status
        await asyncio.sleep(0.2)


def _agrees(case: Case, before: Outcome, after: Outcome, *, asks_again: bool) -> None:
    """One order for each capture that is kept, one hold for each order, and no others."""
    live = after.live - before.live
    assert after.paid - before.paid == live
    assert after.held - before.held == live
    assert after.cancelled - before.cancelled == bool(case.cancels_when)
    if asks_again and 201 in case.answers and case.answers != (201,):
        assert len(live) <= 1
    else:
        assert len(live) == (case.comes_about or (asks_again and case.answers == (201,)))


def test_after_all_of_this_the_check_has_nothing_to_say(mortal: Mortal) -> None:
    databases = {f"{name.upper()}_DATABASE_URL": url for name, url in mortal.platform.databases.items()}

    result = CliRunner().invoke(app, ["check", "--patience", "10s"], env=databases)

    assert result.exit_code == 0, result.stdout


def test_there_is_no_point_of_these_journeys_at_which_it_has_not_died() -> None:
    found: set[str] = set()
    for source in SOURCES:
        text = (Path(str(sales.__file__)).parent / source).read_text()
        for point in re.findall(r'failpoint\(f?"([^"]+)"\)', text):
            found |= {re.sub(r"\{[^}]*\}", kind, point) for kind in KINDS}
        assert text.count("failpoint(") == len(re.findall(r'failpoint\(f?"', text)), source

    assert found == CASES.keys()
