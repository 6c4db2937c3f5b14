"""What the warehouse does: goods come in, are counted again, and all that can be looked at."""

from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from chassis.db import Database
from chassis.steps import record
from services.product.tests.factories import (
    Shelf,
    add_variant,
    as_person,
    ask,
    published,
    put_on_sale,
    reservation,
    settle,
    shelf,
)
from services.product.tests.factories_warehouse import Doing, correct, movements, restock, stock


@pytest.mark.rule("AC-INV-001")
async def test_what_comes_in_can_be_had_at_once(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 10)
    await ask(client, [reservation(("mug", 4))])

    answer = await restock(client, "mug", {"quantity": 15, "reference": "delivery note 4711"})

    assert answer.status_code == 201
    assert answer.json() == {"product_id": "mug", "variant_id": None, "on_hand": 25, "reserved": 4, "available": 21}
    assert await shelf(database, "mug") == Shelf(on_hand=25, reserved=4)
    assert (await published(database))[-1] == (
        "inventory.restocked",
        {"product_id": "mug", "name": "Stoneware mug", "quantity": 15, "available": 21},
    )


async def test_a_variant_gets_its_own(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "shirt", 10)
    small, large = await add_variant(database, "shirt", 1, size="S"), await add_variant(database, "shirt", 2)

    answer = await restock(client, "shirt", {"variant_id": str(large), "quantity": 3})

    assert answer.json() == {
        "product_id": "shirt",
        "variant_id": str(large),
        "on_hand": 5,
        "reserved": 0,
        "available": 5,
    }
    assert await shelf(database, "shirt", large) == Shelf(5, 0)
    assert await shelf(database, "shirt", small) == Shelf(1, 0)
    assert (await published(database))[-1] == (
        "inventory.restocked",
        {
            "product_id": "shirt",
            "variant_id": str(large),
            "name": "Stoneware mug, L",
            "quantity": 3,
            "available": 5,
        },
    )


async def test_also_what_is_off_sale_comes_in(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 0, is_active=False)

    answer = await restock(client, "mug", {"quantity": 1_000_000})

    assert answer.status_code == 201
    assert answer.json()["on_hand"] == 1_000_000


@pytest.mark.parametrize(("quantity", "then"), [(-6, 4), (-1, 9), (1, 11), (1_000_000, 1_000_010)])
async def test_what_was_counted_again_is_so_many_from_then_on(
    client: httpx.AsyncClient, database: Database, quantity: int, then: int
) -> None:
    await put_on_sale(database, "mug", 10)
    await ask(client, [reservation(("mug", 4))])

    answer = await correct(client, "mug", {"quantity": quantity, "reason": "counted"})

    assert answer.status_code == 201
    assert answer.json() == {
        "product_id": "mug",
        "variant_id": None,
        "on_hand": then,
        "reserved": 4,
        "available": then - 4,
    }
    assert await shelf(database, "mug") == Shelf(on_hand=then, reserved=4)


async def test_what_a_product_had_before_it_came_in_variants_can_be_written_off(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "shirt", 10)
    large = await add_variant(database, "shirt", 2)
    before = await stock(client, "shirt")

    answer = await correct(client, "shirt", {"quantity": -10, "reason": "they are size L, all of them"})

    assert [(line["variant_id"], line["on_hand"]) for line in before["lines"]] == [(None, 10), (str(large), 2)]
    assert (answer.status_code, answer.json()["on_hand"]) == (201, 0)
    assert [line["variant_id"] for line in (await stock(client, "shirt"))["lines"]] == [str(large)]
    # It could not be had any more before that either.
    assert [kind for kind, _ in await published(database)] == []


async def test_the_stock_of_a_product_is_shown_line_by_line(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 10)
    await put_on_sale(database, "shirt", 0)
    variants = sorted([await add_variant(database, "shirt", 3, size="S"), await add_variant(database, "shirt", 0)])
    await ask(client, [reservation(("mug", 4))])

    mug, shirt = await stock(client, "mug"), await stock(client, "shirt")

    assert mug == {
        "product_id": "mug",
        "lines": [{"product_id": "mug", "variant_id": None, "on_hand": 10, "reserved": 4, "available": 6}],
    }
    assert [line["variant_id"] for line in shirt["lines"]] == [str(variant) for variant in variants]
    assert sorted(line["available"] for line in shirt["lines"]) == [0, 3]


async def test_movements_are_told_the_newest_first_with_who_and_why(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "mug", 10)
    held = reservation(("mug", 4))
    await ask(client, [held])
    await settle(client, "deductions", [held.reservation_id])
    await restock(client, "mug", {"quantity": 5, "reference": "delivery note 4711"})
    await correct(client, "mug", {"quantity": -1, "reason": "broken"}, role="admin")

    answer = await client.get("/api/v1/products/mug/stock/movements", headers=as_person("warehouse"))

    told = answer.json()["items"]
    assert [(each["kind"], each["on_hand_change"], each["reserved_change"], each["note"]) for each in told] == [
        ("corrected", -1, 0, "broken"),
        ("received", 5, 0, "delivery note 4711"),
        ("deducted", -4, -4, None),
        ("reserved", 0, 4, None),
        ("received", 10, 0, "initial stock"),
    ]
    assert [each["actor"] for each in told] == ["ada", "ada", "sales", "sales", "test"]
    assert [each["cause"] for each in told[2:4]] == [str(held.reservation_id)] * 2
    assert {each["variant_id"] for each in told} == {None}
    assert len({each["cause"] for each in told}) == 4


async def test_movements_are_paged_and_those_of_one_variant_found(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put_on_sale(database, "shirt", 0)
    small, large = await add_variant(database, "shirt", 100, size="S"), await add_variant(database, "shirt", 100)
    for number in range(1, 8):
        await restock(client, "shirt", {"variant_id": str(large if number % 2 else small), "quantity": number})

    everything = await pages(client, "shirt", limit=3)
    of_large = await pages(client, "shirt", limit=2, variant_id=large)

    assert [len(page) for page in everything] == [3, 3, 3]
    assert [each["on_hand_change"] for page in everything for each in page] == [7, 6, 5, 4, 3, 2, 1, 100, 100]
    assert [[each["on_hand_change"] for each in page] for page in of_large] == [[7, 5], [3, 1], [100]]
    assert {each["variant_id"] for page in of_large for each in page} == {str(large)}


async def pages(
    client: httpx.AsyncClient, product_id: str, *, limit: int, variant_id: UUID | None = None
) -> list[list[dict[str, object]]]:
    found, query = [], {"limit": str(limit)} | ({"variant_id": str(variant_id)} if variant_id else {})
    for _ in range(20):
        path = f"/api/v1/products/{product_id}/stock/movements"
        page = (await client.get(path, params=query, headers=as_person("admin"))).json()
        found.append(page["items"])
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]
    raise AssertionError("The pages have no end.")


async def test_receipts_and_corrections_are_on_record(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "shirt", 0)
    large = await add_variant(database, "shirt", 2)

    await restock(client, "shirt", {"variant_id": str(large), "quantity": 3, "reference": "delivery note 4711"})
    await correct(client, "shirt", {"variant_id": str(large), "quantity": -1, "reason": "broken"}, role="admin")

    async with database.begin() as session:
        rows = (await session.execute(text("SELECT * FROM audit_log WHERE entity_type = 'stock' ORDER BY id"))).all()
    causes = [str(row.cause) for row in await movements(database, "shirt")][1:]
    assert [(row.actor, row.action, row.entity_id) for row in rows] == [
        ("ada", "stock.restocked", "shirt"),
        ("ada", "stock.corrected", "shirt"),
    ]
    where = {"variant_id": str(large)}
    assert [row.before for row in rows] == [where | {"on_hand": 2}, where | {"on_hand": 5}]
    assert [row.after for row in rows] == [
        where | {"on_hand": 5, "cause": causes[0]},
        where | {"on_hand": 4, "cause": causes[1]},
    ]


@pytest.mark.parametrize("doing", [restock, correct])
async def test_with_a_key_the_same_request_is_done_once(
    client: httpx.AsyncClient, database: Database, doing: Doing
) -> None:
    await put_on_sale(database, "mug", 10)
    body = {"quantity": 5} | ({"reason": "counted"} if doing is correct else {})

    first, again = [await doing(client, "mug", body, key="delivery-4711") for _ in range(2)]
    other = await doing(client, "mug", body | {"quantity": 6}, key="delivery-4711")

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert (other.status_code, other.json()["error"]["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert await shelf(database, "mug") == Shelf(on_hand=15, reserved=0)
    assert len(await movements(database, "mug")) == 2


async def test_a_restock_walks_the_steps_of_its_sequence(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "mug", 10)

    with record() as recording:
        await restock(client, "mug", {"quantity": 5})

    assert [(each.caller, each.participant, each.action, each.emits) for each in recording.steps] == [
        (None, "InventoryService", "restock", ()),
        ("InventoryService", "InventoryAggregate", "restock", ("InventoryRestocked",)),
        ("InventoryService", "AuditLog", "logAuditEvent", ()),
    ]
