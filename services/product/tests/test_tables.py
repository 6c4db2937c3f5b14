"""The schema, what it forbids by itself, and the demo rows."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from chassis.db import Database
from chassis.schema import schema_drift
from product.db import ProductTable
from product.seed import DEMO, seed
from services.product.tests.factories import Shelf, put_on_sale, restock, shelf


async def test_the_migrations_make_what_the_models_say(database: Database) -> None:
    assert await schema_drift(database, ProductTable.metadata) == []


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE stock SET reserved = 11", "ck_stock_not_oversold"),
        ("UPDATE stock SET on_hand = -1, reserved = -1", "ck_stock_on_hand"),
        ("UPDATE stock SET reserved = -1", "ck_stock_reserved"),
        ("UPDATE products SET price = 0", "ck_products_price"),
        ("UPDATE products SET price = 1000000000001", "ck_products_price"),
        ("UPDATE products SET currency = 'euro'", "ck_products_currency"),
        ("UPDATE products SET name = ''", "ck_products_name"),
        ("INSERT INTO products (id, name, price, currency) VALUES ('a b', 'x', 1, 'EUR')", "ck_products_id"),
        ("INSERT INTO stock (product_id, on_hand) VALUES ('unheard-of', 1)", "fk_stock_product_id_products"),
        ("INSERT INTO reservations (id, state, answer) VALUES (gen_random_uuid(), 'LOST', '[]')", "state"),
        ("INSERT INTO reservations (id, state) VALUES (gen_random_uuid(), 'HELD')", "ck_reservations_answer"),
        ("INSERT INTO reservations (id, state) VALUES (gen_random_uuid(), 'RELEASED')", "ck_reservations_settled_at"),
        (
            "INSERT INTO reservations (id, state, answer, settled_at) VALUES (gen_random_uuid(), 'HELD', '[]', now())",
            "ck_reservations_settled_at",
        ),
        ("INSERT INTO reservation_lines VALUES (gen_random_uuid(), 1, 'mug', 0)", "ck_reservation_lines_quantity"),
        ("INSERT INTO reservation_lines VALUES (gen_random_uuid(), 1, 'mug', 500001)", "ck_reservation_lines_quantity"),
    ],
)
async def test_what_must_never_be_the_database_refuses_by_itself(
    database: Database, statement: str, constraint: str
) -> None:
    await put_on_sale(database, "mug", 10)

    with pytest.raises(IntegrityError, match=constraint):
        async with database.begin() as session:
            await session.execute(text(statement))


async def test_the_demo_catalogue_holds_what_the_documents_say(database: Database) -> None:
    async with database.begin() as session:
        await seed(session)

    assert await shelf(database, "product_456") == Shelf(on_hand=150, reserved=0)
    assert await shelf(database, "product_789") == Shelf(on_hand=50, reserved=0)


async def test_seeding_again_changes_nothing_that_is_there(database: Database) -> None:
    async with database.begin() as session:
        await seed(session)
    await restock(database, "product_456", 7)

    async with database.begin() as session:
        await seed(session)

    assert await shelf(database, "product_456") == Shelf(on_hand=7, reserved=0)
    async with database.begin() as session:
        assert await session.scalar(text("SELECT count(*) FROM stock")) == len(DEMO)
