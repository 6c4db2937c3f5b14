"""What is known of customers: the newest that was said, in whatever order it came, and nothing of the erased."""

import asyncio
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import text

from chassis.broker import Message
from contracts.sales.customers import PasswordResetRequested
from notification.customers.addressees import Addressee, find

from .factories import PostOffice
from .factories_messages import ADA, NOON, asks_for, changed, customer, erased, parked, registered, told, turns_off

KNOWN = ("email", "name", "language")


async def found(office: PostOffice, *customer_ids: str) -> dict[str, Addressee]:
    async with office.database.begin() as session:
        return await find(session, customer_ids)


def life() -> list[Message]:
    """Of one customer, in the order in which it happened."""
    reset = registered(email="lovelace@example.org", name="Ada King", language="de").model_dump()
    return [
        told(registered(), at=NOON),
        told(changed(name="Ada Lovelace", language="de"), at=NOON + timedelta(hours=1)),
        told(changed(name="Ada Byron", language="en", email="lovelace@example.org"), at=NOON + timedelta(hours=2)),
        told(PasswordResetRequested(**reset), at=NOON + timedelta(hours=3)),
    ]


async def test_a_registered_customer_can_be_written_to(office: PostOffice) -> None:
    await office.hear(told(registered(language="de")))

    assert await found(office, ADA, "somebody else") == {
        ADA: Addressee(ADA, "ada@example.org", "Ada Example", "de", frozenset())
    }


async def test_who_changes_name_and_language_keeps_the_address(office: PostOffice) -> None:
    await office.hear(told(registered()))

    await office.hear(told(changed()))

    row = await customer(office)
    assert [row[known] for known in KNOWN] == ["ada@example.org", "Ada Lovelace", "de"]


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
async def test_in_whatever_order_it_is_told_the_newest_holds(office: PostOffice, order: tuple[int, ...]) -> None:
    happened = life()

    for number in order:
        await office.hear(happened[number])

    row = await customer(office)
    assert [row[known] for known in KNOWN] == ["lovelace@example.org", "Ada King", "de"]


async def test_in_one_batch_too_the_newest_holds(office: PostOffice) -> None:
    await office.hear(*reversed(life()))

    row = await customer(office)
    assert [row[known] for known in KNOWN] == ["lovelace@example.org", "Ada King", "de"]


async def test_of_two_changes_in_one_batch_the_newer_holds(office: PostOffice) -> None:
    registration, first, second, _ = life()

    await office.hear(registration, second, first)

    row = await customer(office)
    assert [row[known] for known in KNOWN] == ["lovelace@example.org", "Ada Byron", "en"]


async def test_a_change_that_comes_before_the_registration_waits_for_an_address(office: PostOffice) -> None:
    await office.hear(told(changed(), at=NOON + timedelta(hours=1)))
    before = await found(office, ADA)

    await office.hear(told(registered(), at=NOON))

    assert before == {}
    assert (await found(office, ADA))[ADA] == Addressee(ADA, "ada@example.org", "Ada Lovelace", "de", frozenset())


async def test_many_customers_at_once_are_each_themselves(office: PostOffice) -> None:
    everybody = [registered(f"customer_{n}", email=f"c{n}@example.org", name=f"Customer {n}") for n in range(300)]

    await office.hear(*map(told, everybody))

    known = await found(office, *(each.customer_id for each in everybody))
    assert {one.customer_id: (one.email, one.name) for one in known.values()} == {
        each.customer_id: (each.email, each.name) for each in everybody
    }
    assert len(await office.mails()) == 300


async def test_of_an_erased_customer_nothing_is_left_but_that(office: PostOffice) -> None:
    await office.hear(told(registered()))
    await turns_off(office, "order_progress")
    await asks_for(office)

    await office.hear(told(erased()))

    row = await customer(office)
    assert row.pop("erased_at") is not None
    assert row == {
        "customer_id": ADA, "email": None, "email_told_at": None, "name": None, "language": None,
        "profile_told_at": None, "unwanted_topics": [],
    }  # fmt: skip
    assert (await found(office, ADA))[ADA] == Addressee(ADA, "", is_erased=True)
    assert await office.query("SELECT * FROM back_in_stock_wishes") == []


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
async def test_erased_wins_over_everything_however_late_it_is_told(office: PostOffice, order: tuple[int, ...]) -> None:
    happened = [told(registered()), told(changed(email="new@example.org")), told(erased())]

    for number in order:
        await office.hear(happened[number])
    await office.hear(told(registered(name="Back Again"), at=NOON + timedelta(days=3650)))

    row = await customer(office)
    assert row["erased_at"] is not None
    assert [row[known] for known in KNOWN] == [None, None, None]
    assert await parked(office) == []


async def test_erased_and_told_again_in_one_batch_is_erased(office: PostOffice) -> None:
    await office.hear(
        *(told(each) for each in (erased(), registered(), changed(), erased(), erased("somebody unknown")))
    )

    assert {one.is_erased for one in (await found(office, ADA, "somebody unknown")).values()} == {True}
    assert (await customer(office))["email"] is None


async def test_being_erased_twice_keeps_the_first_moment(office: PostOffice) -> None:
    await office.hear(told(erased()))
    first = await customer(office)

    await office.hear(told(erased()))

    assert await customer(office) == first


async def test_only_what_an_erased_customer_had_is_forgotten(office: PostOffice) -> None:
    await office.hear(told(registered()), told(registered("customer_bob", email="bob@example.org")))
    await asks_for(office, by="customer_bob")

    await office.hear(told(erased()))

    assert (await customer(office, "customer_bob"))["email"] == "bob@example.org"
    assert len(await office.query("SELECT * FROM back_in_stock_wishes")) == 1


async def test_replicas_that_hear_of_the_same_customers_at_once_lose_nothing(
    office: PostOffice, second_office: PostOffice
) -> None:
    customers = [registered(f"customer_{n}") for n in range(50)]
    changes = [changed(f"customer_{n}") for n in range(50)]

    await asyncio.gather(
        office.hear(*(told(each, at=NOON) for each in customers)),
        second_office.hear(*(told(each, at=NOON + timedelta(hours=1)) for each in reversed(changes))),
    )

    rows = await office.query("SELECT DISTINCT email, name, language FROM customers")
    assert rows == [{"email": "ada@example.org", "name": "Ada Lovelace", "language": "de"}]


@pytest.mark.parametrize(
    "kept",
    [{"email": "a@example.org", "email_told_at": NOON}, {"unwanted_topics": ["order_progress"]}],
    ids=["address", "preferences"],
)
async def test_the_database_itself_keeps_nothing_of_the_erased(office: PostOffice, kept: dict[str, Any]) -> None:
    await office.hear(told(erased()))
    columns = ", ".join(f"{name} = :{name}" for name in kept)

    with pytest.raises(Exception, match="ck_customers_erased"):
        async with office.database.begin() as session:
            await session.execute(text(f"UPDATE customers SET {columns}"), kept)
