"""`orderflow catalogue`: files into the catalogue and out of it, by an operator at a terminal or in a script."""

import csv
import getpass
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from sqlalchemy import text

from chassis.db import Database
from services.product.tests.factories_files import LARGE, MUG, a_file
from tests.harness.fixtures import FreshDatabase

from .factories import called, ran

Environment = Mapping[str, str | None]

BAD = MUG | {"product_id": "bad", "price": "0.00"}


@pytest.fixture
async def database(fresh_database: FreshDatabase) -> AsyncIterator[Database]:
    database = Database(await fresh_database("product"), application_name="test")
    yield database
    await database.close()


@pytest.fixture
def product(database: Database) -> Environment:
    return {"PRODUCT_DATABASE_URL": database.url.replace("+asyncpg", "")}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "catalogue.csv"
    _write(path, a_file(MUG, LARGE))
    return path


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


async def _ids(database: Database) -> list[str]:
    async with database.begin() as session:
        return list(await session.scalars(text("SELECT id FROM products ORDER BY id")))


async def test_a_file_is_imported_in_the_operators_name(product: Environment, database: Database, file: Path) -> None:
    result = await called("catalogue", "import", str(file), environment=product)

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "2 created, 0 changed, 0 unchanged, 0 refused.\n"
    async with database.begin() as session:
        actors = set(await session.scalars(text("SELECT actor FROM audit_log")))
    assert actors == {f"operator:{getpass.getuser()}"}


async def test_it_runs_as_a_process_of_its_own(
    product: Mapping[str, str], database: Database, file: Path, tmp_path: Path
) -> None:
    done = await ran("catalogue", "import", str(file), folder=tmp_path, environment=product)

    assert (done.returncode, done.stdout) == (0, "2 created, 0 changed, 0 unchanged, 0 refused.\n"), done.stderr
    assert await _ids(database) == ["mug"]


async def test_one_bad_line_and_nothing_is_changed(
    product: Environment, database: Database, file: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.csv"
    _write(file, a_file(MUG, BAD, MUG | {"product_id": "=bad"}))

    result = await called("catalogue", "import", str(file), "--report", str(report), environment=product)

    assert result.exit_code == 1
    assert "1 created, 0 changed, 0 unchanged, 2 refused.\nNothing was changed" in result.stdout
    assert "line 3, price: A price is at least 0.01. (INVALID_PRICE)\n" in result.stderr
    assert "line 4, product_id: " in result.stderr
    assert await _ids(database) == []
    rows = list(csv.DictReader(report.read_text().splitlines()))
    assert [(row["line"], row["field"], row["code"]) for row in rows] == [
        ("3", "price", "INVALID_PRICE"),
        ("4", "product_id", "VALIDATION_ERROR"),
    ]


async def test_bad_lines_can_be_left_out(product: Environment, database: Database, file: Path) -> None:
    _write(file, a_file(MUG, BAD, LARGE))

    result = await called("catalogue", "import", str(file), "--on-error", "skip", environment=product)

    assert result.exit_code == 1
    assert result.stdout == "2 created, 0 changed, 0 unchanged, 1 refused.\n"
    assert await _ids(database) == ["mug"]


async def test_a_dry_run_changes_nothing(product: Environment, database: Database, file: Path) -> None:
    result = await called("catalogue", "import", str(file), "--dry-run", environment=product)

    assert result.exit_code == 0
    assert result.stdout.endswith(
        "2 created, 0 changed, 0 unchanged, 0 refused.\nThis was a dry run: nothing was changed.\n"
    )
    assert await _ids(database) == []


async def test_the_shops_own_currency_and_depth_are_kept_to(
    product: Environment, database: Database, file: Path
) -> None:
    told = {**product, "PRODUCT_CURRENCY": "USD", "PRODUCT_CATEGORY_DEPTH": "1"}
    _write(file, a_file(MUG, MUG | {"product_id": "cup", "category": "Cups"}))

    result = await called("catalogue", "import", str(file), "--on-error", "skip", environment=told)

    assert "(CATEGORY_DEPTH_EXCEEDED)" in result.stderr
    async with database.begin() as session:
        assert list(await session.execute(text("SELECT id, currency FROM products"))) == [("cup", "USD")]


async def test_what_the_file_holds_cannot_command_the_terminal(product: Environment, file: Path) -> None:
    _write(file, b"product_id,\x1b[2Jname\nmug,Mug\n")

    result = await called("catalogue", "import", str(file), environment=product)

    assert result.exit_code == 1
    assert "\x1b" not in result.stderr
    assert "Line 1: it must name the columns" in result.stderr
    assert "orderflow: The file is no catalogue; nothing was changed.\n" in result.stderr


async def test_on_a_terminal_it_shows_how_far_it_is(product: Environment, file: Path) -> None:
    terminal = {**product, "FORCE_COLOR": "1", "COLUMNS": "100"}

    result = await called("catalogue", "import", str(file), environment=terminal)

    assert result.exit_code == 0
    assert "Importing" in result.stderr
    assert "100%" in result.stderr


async def test_without_a_terminal_it_says_now_and_then_how_far_it_is(product: Environment, file: Path) -> None:
    _write(file, a_file(MUG, *({"product_id": "mug", "sku": f"S-{number}"} for number in range(5_000))))

    result = await called("catalogue", "import", str(file), "--on-error", "skip", "--dry-run", environment=product)

    assert "\n5,000 lines\n" in result.stderr
    assert "1 created, 0 changed, 0 unchanged, 5,000 refused." in result.stdout


async def test_what_is_exported_is_imported_again_without_a_change(
    product: Environment, database: Database, file: Path, tmp_path: Path
) -> None:
    _write(file, a_file(MUG | {"name": "=1+1", "description": 'Größe "L",\nand\r\nmore'}, LARGE))
    await called("catalogue", "import", str(file), environment=product)
    exported = tmp_path / "exported.csv"

    written = await called("catalogue", "export", str(exported), environment=product)
    shown = await called("catalogue", "export", environment=product)
    again = await called("catalogue", "import", str(exported), environment=product)

    assert written.stderr == f"2 lines in {exported}.\n"
    assert shown.stdout_bytes == exported.read_bytes()
    assert b"mug,'=1+1," in exported.read_bytes()
    assert again.stdout == "0 created, 0 changed, 2 unchanged, 0 refused.\n"
    assert set(_files(tmp_path)) == {"catalogue.csv", "exported.csv"}


async def test_an_export_that_fails_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    exported = tmp_path / "exported.csv"
    _write(exported, b"yesterday's")
    away = {"PRODUCT_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x"}

    result = await called("catalogue", "export", str(exported), environment=away)

    assert (result.exit_code, result.stderr) == (1, "orderflow: The database cannot be reached.\n")
    assert _files(tmp_path) == {"exported.csv": "yesterday's"}


@pytest.mark.parametrize("path", ["missing.csv", "."])
async def test_a_file_that_cannot_be_read_is_said_in_one_line(product: Environment, tmp_path: Path, path: str) -> None:
    result = await called("catalogue", "import", str(tmp_path / path), environment=product)

    assert result.exit_code == 1
    assert result.stderr.startswith(f"orderflow: {tmp_path / path} cannot be opened: ")


async def test_without_a_database_it_says_where_one_is_looked_for(file: Path) -> None:
    result = await called(
        "catalogue", "import", str(file), "--data", "/nowhere", environment={"PRODUCT_DATABASE_URL": None}
    )

    assert result.exit_code == 1
    assert "No platform runs on /nowhere" in result.stderr
