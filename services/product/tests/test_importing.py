"""A file becomes part of the catalogue: what is new in it, what it changes, and what it leaves alone."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import event, text

from chassis.db import Database
from chassis.errors import Conflict
from product.catalog import importing
from product.catalog.reading import show_product
from services.product.tests.factories import Shelf, published, shelf
from services.product.tests.factories_catalog import Catalogue, count, on_record, someone_waits_for_a_lock
from services.product.tests.factories_files import LARGE, MUG, a_file, imported


@pytest.fixture
def catalogue(client: httpx.AsyncClient) -> Catalogue:
    return Catalogue(client)


async def _shown(database: Database, product_id: str = "mug") -> dict[str, Any]:
    async with database.begin() as session:
        return (await show_product(session, product_id)).model_dump(mode="json")


async def _events(database: Database) -> list[str]:
    return [kind for kind, _ in await published(database)]


async def test_a_new_product_comes_with_its_category_stock_events_and_record(database: Database) -> None:
    result = await imported(database, [MUG])

    shown = await _shown(database)
    assert result.counts == (1, 0, 0, 0)
    assert shown | {"name": "Stoneware mug", "unit_price": "14.00", "currency": "EUR", "available": 10} == shown
    assert await shelf(database, "mug") == Shelf(on_hand=10, reserved=0)
    assert await _events(database) == ["category.created", "category.created", "product.created"]
    assert (await published(database))[-1][1] == {
        "product_id": "mug",
        "name": "Stoneware mug",
        "category_id": shown["category_id"],
        "price": "14.00",
        "currency": "EUR",
        "initial_stock": 10,
    }
    entries = await on_record(database)
    assert {entry.actor for entry in entries} == {"operator:ada"}
    assert [entry.action for entry in entries] == ["category.created", "category.created", "product.created"]


async def test_a_new_product_is_the_same_whether_it_came_over_http_or_from_a_file(
    catalogue: Catalogue, database: Database
) -> None:
    category = await catalogue.category("Mugs")
    await catalogue.product("mug", category_id=category, description="Holds a lot.", weight_grams=250)
    await catalogue.variant("mug", "MUG-L", price="15.00", initial_stock=3)

    cells = MUG | {"product_id": "cup", "category": "Mugs", "weight_grams": "250"}
    variant = LARGE | {"product_id": "cup", "sku": "CUP-L", "variant_price": "15.00", "initial_stock": "3"}
    await imported(database, [cells, variant])

    def without_names(entries: list[Any]) -> list[Any]:
        return [str(entry).replace("cup", "mug").replace("CUP-L", "MUG-L") for entry in entries]

    events = await published(database)
    half = (len(events) - 1) // 2
    told = [
        (kind, {name: value for name, value in content.items() if name != "variant_id"}) for kind, content in events[1:]
    ]
    assert without_names(told[:half]) == without_names(told[half:])
    entries = [(entry.action, entry.before, entry.after) for entry in await on_record(database)][1:]
    assert without_names(entries[: len(entries) // 2]) == without_names(entries[len(entries) // 2 :])


async def test_a_variant_stands_behind_its_product(database: Database) -> None:
    result = await imported(database, [MUG, LARGE | {"variant_price": "16.00", "weight_grams": "400"}])

    [variant] = (await _shown(database))["variants"]
    assert result.counts == (2, 0, 0, 0)
    assert variant | {"sku": "MUG-L", "size": "L", "unit_price": "16.00", "weight_grams": 400} == variant
    assert (variant["available"], variant["has_own_price"]) == (4, True)
    assert (await _events(database))[-1] == "product.updated"


async def test_a_variant_may_follow_in_a_later_batch_or_file(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH", 1)

    together = await imported(database, [MUG, LARGE])
    later = await imported(database, [LARGE | {"sku": "MUG-S", "size": "S"}])

    assert (together.counts, later.counts) == ((2, 0, 0, 0), (1, 0, 0, 0))
    assert [variant["sku"] for variant in (await _shown(database))["variants"]] == ["MUG-L", "MUG-S"]


@pytest.mark.parametrize("batch", [1, 500])
async def test_a_variant_that_stands_before_its_product_has_none(
    database: Database, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(importing, "BATCH", batch)

    result = await imported(database, [LARGE, MUG])

    assert result.reasons == [(2, "", "PRODUCT_NOT_FOUND")]


async def test_what_stands_there_already_is_left_alone(database: Database) -> None:
    lines = [MUG | {"weight_grams": "250", "currency": "EUR", "active": "true"}, LARGE | {"variant_price": "16.00"}]
    await imported(database, lines)
    before = (await _shown(database), await published(database), await on_record(database))

    again = await imported(database, [{**line, "initial_stock": "999"} for line in lines])

    assert again.counts == (0, 0, 2, 0)
    assert (await _shown(database), await published(database), await on_record(database)) == before


async def test_what_is_written_differently_is_changed_told_of_and_on_record(database: Database) -> None:
    await imported(database, [MUG])

    changed = MUG | {"name": "Mug", "category": "Kitchen", "price": "12.50", "weight_grams": "300", "active": "false"}
    result = await imported(database, [changed])

    shown = await _shown(database)
    assert result.counts == (0, 1, 0, 0)
    assert (shown["name"], shown["unit_price"], shown["weight_grams"], shown["is_active"]) == (
        "Mug",
        "12.50",
        300,
        False,
    )
    updated, repriced, deactivated = (await published(database))[3:]
    assert (updated[0], sorted(updated[1]["changed"])) == ("product.updated", ["category_id", "name", "weight_grams"])
    assert (repriced[1]["previous_price"], repriced[1]["price"]) == ("14.00", "12.50")
    assert deactivated == ("product.deactivated", {"product_id": "mug"})
    actions = [entry.action for entry in await on_record(database)][3:]
    assert actions == ["product.updated", "product.price_changed", "product.deactivated"]
    async with database.begin() as session:
        rows = (await session.execute(text("SELECT previous_price, price, actor FROM price_changes"))).all()
    assert [tuple(row) for row in rows] == [(14_00, 12_50, "operator:ada")]
    assert (await shelf(database, "mug")).on_hand == 10


async def test_what_was_off_sale_comes_back(database: Database) -> None:
    await imported(database, [MUG | {"active": "no"}])
    assert (await _shown(database))["is_active"] is False
    assert (await _events(database))[-2:] == ["product.created", "product.deactivated"]

    await imported(database, [{"product_id": "mug", "active": "TRUE"}])

    assert (await _shown(database))["is_active"] is True
    assert (await on_record(database))[-1].action == "product.activated"


async def test_what_is_left_empty_stays_as_it_is(database: Database) -> None:
    await imported(database, [MUG, LARGE | {"variant_price": "16.00", "weight_grams": "400"}])
    before = await _shown(database)

    result = await imported(database, [{"product_id": "mug"}, {"product_id": "mug", "sku": "MUG-L"}])

    assert result.counts == (0, 0, 2, 0)
    assert await _shown(database) == before


async def test_a_file_need_not_have_all_columns(database: Database) -> None:
    await imported(database, [MUG])

    result = await imported(database, a_file({"product_id": "mug", "price": "9.99"}, columns=["price", "product_id"]))

    assert result.counts == (0, 1, 0, 0)
    assert (await _shown(database))["unit_price"] == "9.99"


async def test_the_price_and_weight_of_a_variant_are_changed(database: Database) -> None:
    await imported(database, [MUG, LARGE])

    await imported(database, [LARGE | {"variant_price": "15.00", "weight_grams": "500"}])

    [variant] = (await _shown(database))["variants"]
    assert (variant["unit_price"], variant["weight_grams"], variant["available"]) == ("15.00", 500, 4)
    assert [content["changed"] for _, content in (await published(database))[-2:]] == [["price"], ["weight_grams"]]
    assert [entry.action for entry in (await on_record(database))[-2:]] == ["variant.price_changed", "variant.updated"]


async def test_the_products_own_columns_say_nothing_on_the_line_of_a_variant(database: Database) -> None:
    await imported(database, [MUG])

    await imported(database, [LARGE | {"name": "x", "price": "nonsense", "category": "Elsewhere", "active": "false"}])

    shown = await _shown(database)
    assert (shown["name"], shown["unit_price"], shown["is_active"]) == ("Stoneware mug", "14.00", True)
    assert len(shown["variants"]) == 1


async def test_categories_are_found_by_their_path_and_made_where_they_are_missing(database: Database) -> None:
    paths = [
        "Kitchen",
        "kitchen > Coffee",
        "Kitchen>COFFEE",
        " Kitchen >  Coffee > Filters ",
        r"Kitchen > 30 cl \> more",
    ]

    result = await imported(
        database, [MUG | {"product_id": f"p{number}", "category": path} for number, path in enumerate(paths)]
    )

    async with database.begin() as session:
        names = (await session.scalars(text("SELECT name FROM categories ORDER BY depth, id"))).all()
    assert result.counts == (5, 0, 0, 0)
    assert names == ["Kitchen", "Coffee", "30 cl > more", "Filters"]


async def test_nothing_is_done_where_all_or_nothing_is_asked_and_one_line_is_wrong(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH", 2)
    lines = [MUG | {"product_id": f"p{number}"} for number in range(5)]

    result = await imported(database, [*lines, MUG | {"product_id": "bad", "price": "0.00"}])

    assert result.counts == (5, 0, 0, 1)
    assert not result.summary.is_done
    for table in ("products", "categories", "stock", "stock_movements", "outbox", "audit_log"):
        assert await count(database, table) == 0


async def test_what_is_right_can_be_taken_in_without_what_is_wrong(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH", 2)
    lines = [MUG | {"product_id": f"p{number}", "price": "0.00" if number == 2 else "1.00"} for number in range(5)]

    result = await imported(database, lines, all_or_nothing=False)

    assert result.counts == (4, 0, 0, 1)
    assert result.summary.is_done
    assert result.reasons == [(4, "price", "INVALID_PRICE")]
    async with database.begin() as session:
        assert (await session.scalars(text("SELECT id FROM products ORDER BY id"))).all() == ["p0", "p1", "p3", "p4"]


@pytest.mark.parametrize("all_or_nothing", [True, False])
async def test_a_dry_run_tells_what_would_happen_and_changes_nothing(
    database: Database, *, all_or_nothing: bool
) -> None:
    result = await imported(database, [MUG, LARGE], dry_run=True, all_or_nothing=all_or_nothing)

    assert result.counts == (2, 0, 0, 0)
    assert not result.summary.is_done
    assert await count(database, "products") == await count(database, "outbox") == 0


async def test_two_imports_do_not_run_at_once(database: Database) -> None:
    async with database.begin() as session:
        await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": importing._SOLE_KEY})

        with pytest.raises(Conflict, match="Another import"):
            await imported(database, [MUG])


async def test_a_product_that_somebody_creates_meanwhile_stops_the_import(database: Database) -> None:
    async with database.begin() as session:
        await session.execute(
            text("INSERT INTO products (id, name, price, currency) VALUES ('mug', 'Another mug', 100, 'EUR')")
        )
        importing_it = asyncio.create_task(imported(database, [MUG]))
        await someone_waits_for_a_lock(database)

    with pytest.raises(Conflict, match="Somebody else"):
        await importing_it
    assert (await _shown(database))["name"] == "Another mug"
    assert await count(database, "categories") == 0


async def test_a_price_that_somebody_changes_meanwhile_is_the_previous_one(database: Database) -> None:
    await imported(database, [MUG])
    async with database.begin() as session:
        await session.execute(text("UPDATE products SET price = 1300 WHERE id = 'mug'"))
        importing_it = asyncio.create_task(imported(database, [{"product_id": "mug", "price": "12.50"}]))
        await someone_waits_for_a_lock(database)
    await importing_it

    async with database.begin() as session:
        rows = (await session.execute(text("SELECT previous_price, price FROM price_changes"))).all()
    assert [tuple(row) for row in rows] == [(13_00, 12_50)]


async def test_what_a_batch_publishes_does_not_wait_in_memory_for_the_end(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH", 1)
    written: list[str] = []

    def hear(_: object, __: object, statement: str, *___: object) -> None:
        written.extend(table for table in ("outbox", "audit_log") if f"INSERT INTO {table} " in statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", hear)
    await imported(database, [MUG | {"product_id": f"p{number}"} for number in range(3)])

    assert written == ["outbox", "audit_log"] * 3
