"""What letters cost in statements and in rows: as many for a batch as for one, and none for whoever has to wait."""

import pytest

from chassis.ids import uuid7
from contracts.sales.orders import OrderDelivered
from notification.mails.writing import WRITTEN
from tests.harness.statements import statements_on

from .factories import NOW, PostOffice, a_message, numbered, numbers, to_operations
from .mail_server import MailServer

WRITE, LOOK, CLAIM, MARK = "WITH written", "SELECT pg_advisory_xact_lock", "WITH due", "WITH one_by_one"


async def hear_of(office: PostOffice, count: int, customers: int = 33) -> None:
    happened = (
        OrderDelivered(order_id=uuid7(), customer_id=f"customer-{number % customers}", delivered_at=NOW)
        for number in range(count)
    )
    await office.hear(*map(a_message, happened))


async def changed_by(office: PostOffice) -> dict[str, int]:
    """How many mails are as each transaction has left them."""
    rows = await office.query("SELECT xmin::text AS by, count(*) AS mails FROM mails GROUP BY 1")
    return {row["by"]: row["mails"] for row in rows}


@pytest.mark.parametrize("count", [1, 99])
async def test_a_batch_of_events_is_written_by_one_statement(office: PostOffice, count: int) -> None:
    with statements_on(office.database) as hearing:
        await hear_of(office, count)
        await hear_of(office, count)

    assert [each for each in hearing if "inbox" not in each] == [WRITE] * 2
    assert sorted((await changed_by(office)).values()) == [count, count]


async def test_who_has_to_wait_is_written_once_and_looked_at_by_nobody(office: PostOffice) -> None:
    await hear_of(office, 33)
    await office.run()
    office.database.woken(WRITTEN).clear()
    before = await changed_by(office)

    await hear_of(office, 99)
    with statements_on(office.database) as sending:
        await office.run()

    assert not office.database.woken(WRITTEN).is_set()
    assert sending == [LOOK]
    after = await changed_by(office)
    assert [mails for by, mails in after.items() if by not in before] == [99]
    assert before.items() <= after.items()


async def test_where_nothing_is_due_one_statement_says_so(office: PostOffice) -> None:
    with statements_on(office.database) as sending:
        await office.run()
    with statements_on(office.database) as telling:
        await office.run("tell_the_others")

    assert sending == [LOOK]
    assert len(telling) == 1


@pytest.mark.parametrize("count", [1, 20])
async def test_a_customer_s_mails_are_claimed_by_the_statements_of_one(
    office: PostOffice, server: MailServer, count: int
) -> None:
    await office.knows("ada")
    await office.write(*(numbered(number) for number in range(count)))

    with statements_on(office.database) as sending:
        await office.run()

    claimed, marked = [LOOK, CLAIM, "SELECT customer_id,"], [MARK, "UPDATE mails"]
    assert sending == [*claimed, *marked * count, LOOK]
    assert numbers(server) == list(range(count))


async def test_mails_to_operations_bring_nobody_forward(office: PostOffice, server: MailServer) -> None:
    await office.write(to_operations())

    with statements_on(office.database) as sending:
        await office.run()

    assert sending == [LOOK, CLAIM, MARK, LOOK]


async def test_only_where_the_usual_is_not_found_the_suspicious_is_looked_for(office: PostOffice) -> None:
    await office.write(to_operations())
    await office.query("UPDATE mails SET begun = 2")

    with statements_on(office.database) as sending:
        await office.run()

    assert sending == [LOOK, CLAIM, CLAIM, MARK, LOOK]
