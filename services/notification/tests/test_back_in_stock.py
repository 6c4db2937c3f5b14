"""Who waits for a product is told once when there is some of it again."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy import text

from notification.back_in_stock.granting import AT_ONCE, LEFT

from .factories import PostOffice
from .factories_messages import (
    ADA,
    asks_for,
    erased,
    parked,
    restocked,
    told,
    turns_off,
    waits_for,
)

BOB = "customer_bob"
WAITING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def told_to(office: PostOffice) -> list[tuple[str, str]]:
    return [(mail["recipient"], mail["about"]["product_id"]) for mail in await office.mails()]


async def test_who_asks_is_told_when_it_comes_in(office: PostOffice) -> None:
    small = uuid4()
    await asks_for(office, "shirt", small)

    await office.hear(event := told(restocked("shirt", variant_id=small, name="Shirt, S")))

    [mail] = await office.mails()
    assert (mail["message"], mail["recipient"], mail["event_id"]) == ("back_in_stock", ADA, event.id)
    assert mail["about"] == {"product_id": "shirt", "variant_id": str(small), "name": "Shirt, S"}
    assert mail["traceparent"] == event.traceparent
    assert await waits_for(office) == []


async def test_who_was_told_is_not_told_again_but_may_ask_again(office: PostOffice) -> None:
    await asks_for(office)
    await office.hear(told(restocked()))
    await office.hear(told(restocked()))
    once = await told_to(office)

    await asks_for(office)
    await office.hear(told(restocked()))

    assert once == [(ADA, "mug")]
    assert await told_to(office) == [(ADA, "mug"), (ADA, "mug")]


async def test_only_those_who_wait_for_it_are_told(office: PostOffice) -> None:
    await asks_for(office, "mug")
    await asks_for(office, "bowl", by=BOB)

    await office.hear(told(restocked("mug")))

    assert await told_to(office) == [(ADA, "mug")]
    assert [wish["product_id"] for wish in await waits_for(office, BOB)] == ["bowl"]


async def test_nobody_is_told_while_all_that_came_in_is_held_for_others(office: PostOffice) -> None:
    await asks_for(office)

    await office.hear(told(restocked(available=0)))

    assert await told_to(office) == []
    assert len(await waits_for(office)) == 1


async def test_who_named_a_variant_waits_for_that_one_and_who_named_none_for_any(office: PostOffice) -> None:
    small, large = uuid4(), uuid4()
    await asks_for(office, "shirt", small)
    await asks_for(office, "shirt", by=BOB)

    await office.hear(told(restocked("shirt", variant_id=large)))

    assert await told_to(office) == [(BOB, "shirt")]
    assert [wish["variant_id"] for wish in await waits_for(office)] == [str(small)]


async def test_a_delivery_without_variants_does_not_bring_one(office: PostOffice) -> None:
    await asks_for(office, "shirt", uuid4())

    await office.hear(told(restocked("shirt")))

    assert await told_to(office) == []


async def test_who_waits_for_it_in_two_ways_is_told_once(office: PostOffice) -> None:
    small = uuid4()
    await asks_for(office, "shirt", small)
    await asks_for(office, "shirt")

    await office.hear(told(restocked("shirt", variant_id=small)))

    assert await told_to(office) == [(ADA, "shirt")]
    assert await waits_for(office) == []


async def test_of_several_deliveries_at_once_the_first_counts(office: PostOffice) -> None:
    await asks_for(office)
    soon = datetime.now(UTC) + timedelta(minutes=1)
    later, first = told(restocked(), at=soon + timedelta(minutes=1)), told(restocked(), at=soon)

    await office.hear(later, first)

    assert [mail["event_id"] for mail in await office.mails()] == [first.id]


async def test_what_came_in_before_somebody_asked_is_no_news_to_them(office: PostOffice) -> None:
    """It came, was sold out again, and is heard of late."""
    before = told(restocked(), at=datetime.now(UTC) - timedelta(hours=1))
    await asks_for(office)

    await office.hear(before)

    assert await told_to(office) == []
    assert len(await waits_for(office)) == 1


async def test_a_delivery_that_is_heard_of_twice_is_told_once(office: PostOffice) -> None:
    await asks_for(office)
    event = told(restocked())
    await office.hear(event)
    await asks_for(office)
    await office.query("DELETE FROM inbox")

    await office.hear(event)

    assert len(await told_to(office)) == 1
    assert len(await waits_for(office)) == 1


async def test_who_has_turned_these_mails_off_is_not_told_and_goes_on_waiting(office: PostOffice) -> None:
    await asks_for(office)
    await turns_off(office, "back_in_stock")

    await office.hear(told(restocked()))
    silent = await told_to(office)
    await turns_off(office)
    await office.hear(told(restocked()))

    assert silent == []
    assert await told_to(office) == [(ADA, "mug")]


async def test_the_erased_are_not_told(office: PostOffice) -> None:
    await asks_for(office)

    await office.hear(told(erased()), told(restocked()))

    assert await told_to(office) == []


async def everybody_waits(office: PostOffice, count: int, product_id: str = "mug") -> None:
    await office.query(
        """
        WITH people AS (
            INSERT INTO customers (customer_id) SELECT 'customer_' || n FROM generate_series(1, :count) AS n
            RETURNING customer_id
        )
        INSERT INTO back_in_stock_wishes (id, customer_id, product_id, asked_at)
        SELECT gen_random_uuid(), customer_id, :product_id, now() - interval '1 day' FROM people
        """,
        count=count,
        product_id=product_id,
    )


async def test_thousands_who_wait_are_told_together_each_once(office: PostOffice) -> None:
    await everybody_waits(office, AT_ONCE - 1)

    await office.hear(told(restocked()), told(restocked()), told(restocked("bowl")))

    letters = await told_to(office)
    assert (len(letters), len(set(letters))) == (AT_ONCE - 1, AT_ONCE - 1)
    assert await office.query("SELECT 1 FROM back_in_stock_wishes") == []
    assert await office.query("SELECT 1 FROM back_in_stock_arrivals") == []
    assert not office.database.woken(LEFT).is_set()


async def test_more_than_can_be_told_at_once_are_told_bit_by_bit(office: PostOffice, second_office: PostOffice) -> None:
    await everybody_waits(office, AT_ONCE + 100)
    event = told(restocked())

    await office.hear(event)
    at_once = len(await told_to(office))
    assert office.database.woken(LEFT).is_set()
    late = await asks_for(office)
    others = await asyncio.gather(office.run("tell_the_others"), second_office.run("tell_the_others"))

    letters = await office.mails()
    assert (at_once, sum(others)) == (AT_ONCE, 100)
    assert len({mail["recipient"] for mail in letters}) == len(letters) == AT_ONCE + 100
    assert {(mail["event_id"], str(mail["about"]), mail["traceparent"]) for mail in letters} == {
        (event.id, str({"name": "Mug, blue", "product_id": "mug", "variant_id": None}), event.traceparent)
    }
    # Who asks when it is there already waits for the next arrival.
    assert (late.status_code, len(await waits_for(office))) == (200, 1)
    assert await office.query("SELECT 1 FROM back_in_stock_arrivals") == []
    assert await office.run("tell_the_others") == 0


async def test_replicas_that_hear_of_two_deliveries_at_once_tell_everybody_once(
    office: PostOffice, second_office: PostOffice
) -> None:
    for number in range(5):
        product = f"mug_{number}"
        people = [f"customer_{n}" for n in range(20)]
        await asyncio.gather(*(asks_for(office, product, by=one) for one in people))

        await asyncio.gather(office.hear(told(restocked(product))), second_office.hear(told(restocked(product))))

        letters = [recipient for recipient, what in await told_to(office) if what == product]
        assert sorted(letters) == sorted(people)


async def test_an_arrival_that_another_replica_tells_of_is_left_to_it(office: PostOffice) -> None:
    await everybody_waits(office, AT_ONCE + 1)
    await office.hear(told(restocked()))

    async with office.database.begin() as session:
        await session.execute(text("SELECT 1 FROM back_in_stock_arrivals FOR UPDATE"))
        meanwhile = await office.run("tell_the_others")

    assert (meanwhile, await office.run("tell_the_others")) == (0, 1)


async def test_two_arrivals_at_once_do_not_stand_in_each_others_way(
    office: PostOffice, second_office: PostOffice
) -> None:
    """Who finds that others have told the first ones goes on with those behind them."""
    await everybody_waits(office, AT_ONCE + 100)

    async with office.database.begin() as session:
        await session.execute(text("SELECT 1 FROM back_in_stock_wishes ORDER BY id LIMIT 1 FOR UPDATE"))
        hearing = asyncio.gather(office.hear(told(restocked())), second_office.hear(told(restocked())))
        async with asyncio.timeout(10):
            while len(await office.query(WAITING)) < 2:  # noqa: ASYNC110 (the database tells nobody)
                await asyncio.sleep(0.01)
    await hearing

    assert await parked(office) == []
    assert len(await told_to(office)) == AT_ONCE + 100


async def test_a_letter_that_cannot_be_written_leaves_the_wish(office: PostOffice) -> None:
    await asks_for(office)
    await office.query("ALTER TABLE mails ADD CONSTRAINT full_up CHECK (message <> 'back_in_stock')")

    await office.hear(told(restocked()))

    assert [event["event_type"] for event in await parked(office)] == ["inventory.restocked"]
    assert len(await waits_for(office)) == 1


async def test_wishes_are_forgotten_after_a_year(office: PostOffice) -> None:
    for product in ("mug", "bowl"):
        await asks_for(office, product)
    await office.query(
        "UPDATE back_in_stock_wishes SET asked_at = now() - interval '366 days' WHERE product_id = 'mug'"
    )
    await office.query(
        "UPDATE back_in_stock_wishes SET asked_at = now() - interval '364 days' WHERE product_id = 'bowl'"
    )

    assert await office.run("forget_old_wishes") == 1

    assert [wish["product_id"] for wish in await waits_for(office)] == ["bowl"]
