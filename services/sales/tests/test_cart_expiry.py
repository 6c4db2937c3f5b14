"""Carts that nobody touches any more: deleted in time, in batches, and none that somebody still wants."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from chassis import steps
from chassis.errors import Unavailable
from sales.carts import expiry
from sales.carts.expiry import BATCH, Cutoffs, clean_up, delete_expired_carts, find_expired_carts
from sales.settings import CartSettings
from services.sales.tests.factories import Sales, settings
from services.sales.tests.shopping import Guest, Shopper, a_customer, a_guest, refused

SETTINGS = CartSettings()
SECOND = timedelta(seconds=1)


def now() -> Cutoffs:
    """Whatever was not touched a moment ago."""
    return Cutoffs(datetime.now(UTC) - SETTINGS.kept, datetime.now(UTC) - SETTINGS.guest_kept)


async def untouched_for(sales: Sales, age: timedelta, cart_id: object) -> None:
    await sales.rows(
        "UPDATE carts SET touched_at = now() - CAST(:age AS interval) WHERE id = CAST(:id AS uuid) RETURNING 1",
        age=age,
        id=str(cart_id),
    )


async def a_cart(sales: Sales, shopper: Shopper, age: timedelta) -> None:
    await shopper.has("lamp", 2)
    await untouched_for(sales, age, (await shopper.cart())["cart_id"])


async def many(sales: Sales, count: int) -> None:
    """Expired, and all touched in the same moment."""
    await sales.rows(
        "INSERT INTO carts (id, customer_id, touched_at)"
        " SELECT gen_random_uuid(), 'customer-' || n, now() - interval '31 days' FROM generate_series(1, :count) n"
        " RETURNING 1",
        count=count,
    )
    await sales.rows(
        "INSERT INTO cart_items (id, cart_id, product_id, quantity, name, unit_price, currency)"
        " SELECT gen_random_uuid(), id, 'lamp', 1, 'A lamp', 1999, 'USD' FROM carts RETURNING 1"
    )


@pytest.mark.rule("BR-CART-004")
async def test_customers_carts_are_kept_for_thirty_days_and_guests_for_seven(sales: Sales) -> None:
    people = {
        "old": (a_customer(sales, "old"), SETTINGS.kept + SECOND),
        "young": (a_customer(sales, "young"), SETTINGS.kept - timedelta(minutes=1)),
        "old guest": (await a_guest(sales), SETTINGS.guest_kept + SECOND),
        "young guest": (await a_guest(sales), SETTINGS.guest_kept - timedelta(minutes=1)),
    }
    for shopper, age in people.values():
        await a_cart(sales, shopper, age)

    assert await clean_up(sales.service.database, SETTINGS) == 2

    assert await people["old"][0].quantities() == {}
    assert refused(await people["old guest"][0].ask("GET")) == (404, "NOT_FOUND")
    assert await people["young"][0].quantities() == await people["young guest"][0].quantities() == {"lamp": 2}
    assert await sales.count("cart_items") == 2
    assert await clean_up(sales.service.database, SETTINGS) == 0


async def test_how_long_they_are_kept_can_be_set(sales: Sales) -> None:
    await a_cart(sales, a_customer(sales), timedelta(days=2))
    await a_cart(sales, await a_guest(sales), timedelta(days=2))
    both = CartSettings(kept=timedelta(days=1), guest_kept=timedelta(days=3))

    assert await clean_up(sales.service.database, both) == 1
    assert await sales.rows("SELECT 1 FROM carts WHERE customer_id IS NULL") != []


async def test_an_expired_cart_is_followed_by_a_new_one(sales: Sales) -> None:
    grace = a_customer(sales)
    await a_cart(sales, grace, timedelta(days=31))
    old = (await grace.cart())["cart_id"]
    await clean_up(sales.service.database, SETTINGS)

    answer = await grace.add("desk", 1)

    assert answer.status_code == 201
    assert answer.json()["cart_id"] != old
    assert await grace.quantities() == {"desk": 1}


@pytest.mark.parametrize("touch", ["add", "change", "remove", "clear"])
async def test_a_cart_that_is_touched_between_finding_and_deleting_survives(sales: Sales, touch: str) -> None:
    grace, guest = a_customer(sales), await a_guest(sales)
    for shopper in (grace, guest):
        await a_cart(sales, shopper, timedelta(days=31))
    await a_cart(sales, a_customer(sales, "ada"), timedelta(days=31))
    database, cutoffs = sales.service.database, now()
    found = await find_expired_carts(database, cutoffs)

    for shopper in (grace, guest):
        [item] = (await shopper.cart())["items"]
        doing = {
            "add": shopper.add("lamp", 1),
            "change": shopper.change(item["item_id"], 2),
            "remove": shopper.remove(item["item_id"]),
            "clear": shopper.clear(),
        }
        assert (await doing.pop(touch)).is_success
        for other in doing.values():
            other.close()

    assert len(found) == 3
    assert await delete_expired_carts(database, cutoffs, found) == 1
    assert await sales.count("carts") == 2


async def test_a_cart_that_somebody_is_at_is_not_waited_for_and_not_deleted(sales: Sales) -> None:
    grace = a_customer(sales)
    await a_cart(sales, grace, timedelta(days=31))
    await a_cart(sales, a_customer(sales, "ada"), timedelta(days=31))
    [cart] = await sales.rows("SELECT id FROM carts WHERE customer_id = 'grace'")

    async with sales.holding("carts", cart["id"]), asyncio.timeout(1.5):
        assert await clean_up(sales.service.database, SETTINGS) == 1

    assert await grace.quantities() == {"lamp": 2}


async def test_many_are_deleted_in_batches_each_of_them_once(sales: Sales) -> None:
    await many(sales, 2 * BATCH + 7)

    with steps.record() as recording, capture_logs() as logs:
        assert await clean_up(sales.service.database, SETTINGS) == 2 * BATCH + 7

    walked = [step.action for step in recording.steps]
    assert walked.count("deleteExpiredCarts") == walked.count("findExpiredCarts") == 3
    assert await sales.count("carts") == await sales.count("cart_items") == 0
    assert [(entry["event"], entry["deleted"], entry["not_deleted"]) for entry in logs] == [
        ("carts_cleaned_up", 2 * BATCH + 7, 0)
    ]


async def cursed(sales: Sales, carts: list[UUID], how: str) -> None:
    """The database fails to delete these."""
    wanted = ", ".join(f"'{cart}'" for cart in carts)
    async with sales.service.database.begin() as session:
        await session.execute(
            text(
                "CREATE FUNCTION curse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                f" IF old.id IN ({wanted}) {how} THEN RAISE EXCEPTION 'cursed'; END IF; RETURN old; END $$"
            )
        )
        await session.execute(text("CREATE TRIGGER curse BEFORE DELETE ON carts FOR EACH ROW EXECUTE FUNCTION curse()"))


async def first_and_last(sales: Sales) -> tuple[UUID, UUID]:
    rows = [row["id"] for row in await sales.rows("SELECT id FROM carts ORDER BY touched_at, id")]
    return rows[0], rows[-1]


@pytest.mark.rule("AC-CART-004")
async def test_a_batch_that_fails_holds_nothing_up_and_is_tried_again_at_the_end(sales: Sales) -> None:
    await many(sales, 2 * BATCH + 7)
    first, last = await first_and_last(sales)
    # Until the last of all carts is gone, the first one cannot be deleted.
    await cursed(sales, [first], f"AND EXISTS (SELECT 1 FROM carts WHERE id = '{last}')")

    with capture_logs() as logs:
        assert await clean_up(sales.service.database, SETTINGS) == 2 * BATCH + 7

    assert [(entry["event"], entry.get("deleted")) for entry in logs] == [
        ("cart_batch_failed", None),
        ("carts_cleaned_up", 2 * BATCH + 7),
    ]
    assert await sales.count("carts") == 0


async def test_what_fails_twice_makes_the_run_fail_and_is_the_next_ones(sales: Sales) -> None:
    await many(sales, 2 * BATCH + 7)
    first, last = await first_and_last(sales)
    [middle] = await sales.rows("SELECT id FROM carts ORDER BY touched_at, id OFFSET :n LIMIT 1", n=BATCH)
    # The second batch fails once, the first one each time: what fails again must not hold up what does not.
    until_the_end = f"old.id = '{middle['id']}' AND EXISTS (SELECT 1 FROM carts WHERE id = '{last}')"
    await cursed(sales, [first], f"OR {until_the_end}")

    with capture_logs() as logs, pytest.raises(Exception, match="cursed"):
        await clean_up(sales.service.database, SETTINGS)

    [summary] = [entry for entry in logs if entry["event"] == "carts_cleaned_up"]
    assert [entry["event"] for entry in logs].count("cart_batch_failed") == 3
    assert (summary["deleted"], summary["not_deleted"]) == (BATCH + 7, BATCH)
    assert await sales.count("carts") == BATCH
    async with sales.service.database.begin() as session:
        await session.execute(text("DROP TRIGGER curse ON carts"))
    assert await clean_up(sales.service.database, SETTINGS) == BATCH


async def test_a_database_that_is_away_ends_the_run_and_the_count_is_logged_all_the_same(
    sales: Sales, monkeypatch: pytest.MonkeyPatch
) -> None:
    await many(sales, BATCH + 1)
    find, looks = find_expired_carts, 0

    async def once(*asked: object) -> object:
        nonlocal looks
        looks += 1
        if looks > 1:
            raise Unavailable("The database cannot be reached.")
        return await find(*asked)  # type: ignore[arg-type]

    monkeypatch.setattr(expiry, "find_expired_carts", once)
    with capture_logs() as logs, pytest.raises(Unavailable):
        await clean_up(sales.service.database, SETTINGS)

    assert [(entry["event"], entry["deleted"]) for entry in logs] == [("carts_cleaned_up", BATCH)]


async def test_the_steps_are_those_of_the_sequence_design(sales: Sales) -> None:
    await a_cart(sales, a_customer(sales), timedelta(days=31))

    with steps.record() as recording:
        await clean_up(sales.service.database, SETTINGS)

    assert [(step.caller, step.participant, step.action) for step in recording.steps] == [
        (None, "CartService", "triggerCleanup"),
        ("CartService", "CartAggregate", "findExpiredCarts"),
        ("CartService", "CartAggregate", "deleteExpiredCarts"),
        ("CartService", "Logger", "logCleanupResult"),
    ]


async def test_it_runs_once_a_day_at_the_time_that_is_set(sales: Sales) -> None:
    [job] = [job for job in sales.service.jobs if job.name == "clean_up_carts"]
    await a_cart(sales, a_customer(sales), timedelta(days=31))

    assert (job.at, job.every, job.everywhere) == (SETTINGS.cleanup_at, None, False)
    assert await job.run() == 1


@pytest.mark.parametrize("at", ["03:30", "03:30Z", "03:30+00:00"])
def test_the_time_is_in_utc_however_it_is_written(sales: Sales, at: str) -> None:
    assert settings("", sales.product, carts={"cleanup_at": at}).carts.cleanup_at.tzinfo is UTC
    with pytest.raises(ValueError, match="UTC"):
        settings("", sales.product, carts={"cleanup_at": "03:30+02:00"})


async def test_its_questions_are_answered_by_the_indexes_made_for_them(sales: Sales) -> None:
    await many(sales, 3 * BATCH)
    asked = {"customers": now().customers, "guests": now().guests, "batch": BATCH}
    after = {"after_at": datetime(2020, 1, 1, tzinfo=UTC), "after_id": UUID(int=0)}

    async with sales.service.database.begin() as session:
        await session.execute(text("ANALYZE carts"))
        rows = await session.execute(text(f"EXPLAIN {expiry._FIND.text}"), {**asked, **after})
        plan = "\n".join(rows.scalars())

    assert "ix_carts_of_customers" in plan
    assert "ix_carts_of_guests" in plan
    assert "Seq Scan" not in plan


async def test_a_guests_cart_lives_on_while_it_is_used(sales: Sales) -> None:
    guest: Guest = await a_guest(sales)
    await a_cart(sales, guest, SETTINGS.guest_kept + SECOND)
    await guest.has("desk", 1)

    assert await clean_up(sales.service.database, SETTINGS) == 0
    assert await guest.quantities() == {"lamp": 2, "desk": 1}
