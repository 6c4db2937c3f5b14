"""The catalogue as a file, and that importing that file changes nothing, whatever the catalogue holds."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from chassis.db import Database
from chassis.ids import uuid7
from product.catalog import exporting
from product.catalog.category_paths import read_path, write_path
from product.catalog.csv_form import COLUMNS, escaped, unescaped
from services.product.tests.factories import put_on_sale
from services.product.tests.factories_catalog import count
from services.product.tests.factories_files import LARGE, MUG, exported, imported, lines_of
from tests.harness.fixtures import FreshDatabase

_TABLES = ("products", "variants", "categories", "stock", "stock_movements", "price_changes", "outbox", "audit_log")


@pytest.fixture
async def other(fresh_database: FreshDatabase) -> AsyncIterator[Database]:
    database = Database(await fresh_database("product"), application_name="another shop")
    yield database
    await database.close()


async def _everything(database: Database) -> dict[str, list[str]]:
    async with database.begin() as session:
        return {
            table: list(await session.scalars(text(f"SELECT each::text FROM {table} AS each ORDER BY 1")))
            for table in _TABLES
        }


async def test_each_product_is_a_line_with_its_variants_behind_it(database: Database) -> None:
    await imported(
        database,
        [
            MUG | {"weight_grams": "250", "active": "false"},
            LARGE | {"variant_price": "16.00", "weight_grams": "400"},
            LARGE | {"sku": "MUG-RED", "size": "", "color": "red"},
            MUG | {"product_id": "cup", "category": r"Kitchen > Cups \> small"},
        ],
    )

    lines = lines_of(await exported(database))

    assert list(lines[0]) == list(COLUMNS)
    assert [{name: cell for name, cell in line.items() if cell} for line in lines] == [
        {
            "product_id": "cup",
            "name": "Stoneware mug",
            "description": "Holds a lot.",
            "category": r"Kitchen > Cups \> small",
            "price": "14.00",
            "currency": "EUR",
            "weight_grams": "0",
            "active": "true",
        },
        {
            "product_id": "mug",
            "name": "Stoneware mug",
            "description": "Holds a lot.",
            "category": "Kitchen > Mugs",
            "price": "14.00",
            "currency": "EUR",
            "weight_grams": "250",
            "active": "false",
        },
        {"product_id": "mug", "sku": "MUG-L", "size": "L", "variant_price": "16.00", "weight_grams": "400"},
        {"product_id": "mug", "sku": "MUG-RED", "color": "red"},
    ]


async def test_what_fills_several_batches_is_whole(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "BATCH", 2)
    await imported(database, [MUG | {"product_id": f"p{number}"} for number in range(5)])

    assert [line["product_id"] for line in lines_of(await exported(database))] == [f"p{number}" for number in range(5)]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "'=1", "''=1", "'", "'x", "", "x=1"])
def test_no_cell_is_a_formula_and_each_comes_back_as_it_was(text: str) -> None:
    cell = escaped(text)

    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert unescaped(cell) == text


@given(st.text(alphabet="'=+-@\t\rx"))
def test_any_cell_comes_back_as_it_was(text: str) -> None:
    assert unescaped(escaped(text)) == text
    assert not escaped(text).startswith(("=", "+", "-", "@", "\t", "\r"))


@given(st.lists(st.text(alphabet="\\> ab'", min_size=1).map(str.strip).filter(bool), min_size=1, max_size=4))
def test_any_path_of_categories_comes_back_as_it_was(names: list[str]) -> None:
    assert read_path(write_path(names)) == names


_WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=2, max_size=60)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=_WORDS, description=_WORDS, category=_WORDS, size=_WORDS.map(lambda size: size[:40]))
@example(name="=cmd|' /C calc'!A0", description='\'@SUM(1)\r\n"x"', category="a > b\\", size="-1")
@example(name="\tx\n", description=" \r", category="> ", size="''+")
async def test_importing_what_was_exported_changes_nothing(
    database: Database, name: str, description: str, category: str, size: str
) -> None:
    """Also what no rule of today would let in."""
    async with database.begin() as session:
        ids = {"id": f"p{uuid7()}", "category_id": uuid7(), "variant_id": uuid7()}
        words = {"name": name, "description": description, "category": category, "size": size}
        for statement in (
            "INSERT INTO categories (id, name, name_key, depth) VALUES (:category_id, :category, :id, 1)",
            "INSERT INTO products (id, name, description, category_id, price, currency, has_variants)"
            " VALUES (:id, :name, :description, :category_id, 100, 'EUR', true)",
            "INSERT INTO variants (id, product_id, sku, size) VALUES (:variant_id, :id, :id, :size)",
        ):
            await session.execute(text(statement), ids | words)
    before = await _everything(database)

    result = await imported(database, await exported(database))

    assert result.summary.created == result.summary.changed == result.summary.refused == 0
    assert await _everything(database) == before


async def test_a_product_of_before_there_were_categories_comes_back_without_one(database: Database) -> None:
    await put_on_sale(database, "old", 3)
    before = await _everything(database)

    result = await imported(database, await exported(database))

    assert result.counts == (0, 0, 1, 0)
    assert await _everything(database) == before


async def test_what_one_shop_exports_another_can_import(database: Database, other: Database) -> None:
    await imported(database, [MUG | {"weight_grams": "250"}, LARGE | {"variant_price": "16.00"}])
    file = await exported(database)

    result = await imported(other, file)

    assert result.counts == (2, 0, 0, 0)
    assert await exported(other) == file
    assert await count(other, "stock_movements") == 0


class _Interrupted(io.StringIO):
    """Somebody else changes something, and commits it, while the first lines are being written."""

    def __init__(self, change: Callable[[], Coroutine[Any, Any, None]]) -> None:
        super().__init__(newline="")
        self._change: Callable[[], Coroutine[Any, Any, None]] | None = change

    def write(self, line: str) -> int:
        change, self._change = (self._change, None) if line.startswith("p0") else (None, self._change)
        if change:
            with ThreadPoolExecutor(1) as elsewhere:
                elsewhere.submit(asyncio.run, change()).result()
        return super().write(line)


async def test_what_is_exported_is_the_catalogue_of_one_moment(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "BATCH", 2)
    await imported(database, [MUG | {"product_id": f"p{number}"} for number in range(5)])

    async def rename_the_last() -> None:
        another = Database(database.url, application_name="somebody else")
        async with another.begin() as session:
            await session.execute(text("UPDATE products SET name = 'Changed' WHERE id = 'p4'"))
        await another.close()

    file = _Interrupted(rename_the_last)
    await exporting.export_catalogue(database, file)

    assert [line["name"] for line in lines_of(file.getvalue().encode())] == ["Stoneware mug"] * 5
    assert b"Changed" in await exported(database)
