"""Every law against something that breaks it: `orderflow check` finds it, says where, and says nothing else."""

import json

import pytest

from notification.messages.catalogue import MESSAGES, VERIFICATION
from notification.messages.message import Audience
from orderflow.laws import LAWS
from orderflow.laws.mails import MAILED, TO_OPERATIONS, WISHED
from orderflow.laws.orders import WAYS
from orderflow.laws.stock import NO_VARIANT
from product.inventory import tables
from sales.orders.model import NEXT
from tests.harness.postgres import PostgresServer

from .factories import called
from .offences import HOLDS, ORDERS, STOCK, Offence
from .offences_of_mails import MAILS, TOLD
from .offences_of_money import EVENTFUL, MONEY, PEOPLE
from .offences_of_parcels import REPORTS, SHIPMENTS, TRACKING
from .offences_of_returns import RETURNS
from .trade import Trade

OFFENCES = [
    *STOCK,
    *HOLDS,
    *ORDERS,
    *SHIPMENTS,
    *TRACKING,
    *REPORTS,
    *MONEY,
    *RETURNS,
    *EVENTFUL,
    *MAILS,
    *PEOPLE,
    *TOLD,
]


@pytest.mark.parametrize("offence", OFFENCES, ids=[f"{each.law}-{number}" for number, each in enumerate(OFFENCES)])
async def test_whoever_breaks_a_law_is_found(traded: Trade, postgres_server: PostgresServer, offence: Offence) -> None:
    planted = offence.filled(traded.ids)
    scripts = {planted.service: planted.script, **planted.elsewhere}
    async with traded.copied(postgres_server, scripts) as copy:
        for service, script in scripts.items():
            await copy.run(service, script)

        result = await called("check", "--patience", "0s", "--json", environment=copy.environment)

    found = json.loads(result.stdout)["offences"]
    told = {(each["law"], each["id"]): each["stands"] for each in found}
    ours = [id for law, id in told if law == offence.law]
    assert result.exit_code == 1
    assert ours == [planted.by or ours[0]], found
    assert planted.stands in told[offence.law, ours[0]], found
    assert {law for law, _ in told} - {offence.law} == offence.also, found


def test_the_ways_that_orders_can_go_are_those_of_sales() -> None:
    assert {before: set(ways) for before, ways in WAYS.items() if before} == {
        str(before): set(map(str, after)) for before, after in NEXT.items() if after
    }
    assert str(NO_VARIANT) == str(tables.NO_VARIANT)


def test_what_is_mailed_to_whom_is_what_notification_says() -> None:
    told = {(message.example.event_type, message.name) for message in MESSAGES.values()}
    to_operations = {message.name for message in MESSAGES.values() if message.audience == Audience.OPERATIONS}

    # Such a mail can be due twice over.
    assert {*MAILED.items(), WISHED} - told == {("customer.verification_requested", VERIFICATION.name)}
    assert told <= {*MAILED.items(), WISHED}
    assert to_operations == TO_OPERATIONS


def test_no_law_is_without_somebody_who_breaks_it() -> None:
    assert {law.name for law in LAWS} - {offence.law for offence in OFFENCES} == set()
