"""The schema, what it forbids by itself, and the demo rows."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from chassis.db import Database
from chassis.ids import uuid7
from chassis.schema import schema_drift
from product.catalog.model import Product, Variant
from product.catalog.reading import show_product
from product.categories.model import Category
from product.db import ProductTable
from product.seed import CATEGORIES, DEMO, DEMO_VARIANTS, seed
from services.product.tests.factories import Shelf, put_on_sale, restock, shelf
from services.product.tests.factories_catalog import count


def category(name: str, depth: int = 1, parent: str = "NULL") -> str:
    return f"""
        INSERT INTO categories (id, name, name_key, depth, parent_id)
        VALUES (gen_random_uuid(), '{name}', lower('{name}'), {depth}, {parent})
    """


def variant(sku: str = "XL", size: str = "'XL'", price: str = "NULL") -> str:
    return f"""
        INSERT INTO variants (id, product_id, sku, size, price)
        VALUES (gen_random_uuid(), 'mug', '{sku}', {size}, {price})
    """


async def test_the_migrations_make_what_the_models_say(database: Database) -> None:
    assert await schema_drift(database, ProductTable.metadata) == []


@pytest.mark.rule("BR-INV-001")
@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE stock SET reserved = 11", "ck_stock_not_oversold"),
        ("UPDATE stock SET on_hand = -1, reserved = -1", "ck_stock_on_hand"),
        ("UPDATE stock SET reserved = -1", "ck_stock_reserved"),
        ("UPDATE products SET price = 0", "ck_products_price"),
        ("UPDATE products SET price = 1000000000001", "ck_products_price"),
        ("UPDATE products SET currency = 'euro'", "ck_products_currency"),
        ("UPDATE products SET name = 'x'", "ck_products_name"),
        ("UPDATE products SET name = repeat('x', 201)", "ck_products_name"),
        ("UPDATE products SET description = repeat('x', 5001)", "ck_products_description"),
        ("UPDATE products SET weight_grams = -1", "ck_products_weight"),
        ("UPDATE products SET category_id = gen_random_uuid()", "fk_products_category_id_categories"),
        ("INSERT INTO products (id, name, price, currency) VALUES ('a b', 'xy', 1, 'EUR')", "ck_products_id"),
        (category("SPICES"), "uq_categories_name_key"),
        (category(""), "ck_categories_name"),
        (category("At the top", depth=2), "ck_categories_depth"),
        (category("Lost", depth=2, parent="gen_random_uuid()"), "fk_categories_parent_id_categories"),
        (variant(sku="L"), "uq_variants_sku"),
        (variant(sku="no spaces"), "ck_variants_sku"),
        (variant(size="NULL"), "ck_variants_attribute"),
        (variant(size="''"), "ck_variants_lengths"),
        (variant(price="0"), "ck_variants_price"),
        ("UPDATE variants SET product_id = 'unheard-of'", "fk_variants_product_id_products"),
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
    async with database.begin() as session:
        session.add(Category(id=uuid7(), name="Spices", depth=1))
        session.add(Variant(id=uuid7(), product_id="mug", sku="L", size="L"))

    with pytest.raises(IntegrityError, match=constraint):
        async with database.begin() as session:
            await session.execute(text(statement))


async def sown(database: Database) -> None:
    async with database.begin() as session:
        await seed(session)


async def test_the_demo_catalogue_holds_what_the_documents_say(database: Database) -> None:
    await sown(database)

    assert await shelf(database, "product_456") == Shelf(on_hand=150, reserved=0)
    assert await shelf(database, "product_789") == Shelf(on_hand=50, reserved=0)
    async with database.begin() as session:
        shown = {id: await show_product(session, id) for id, *_ in DEMO}
    assert {id: view.unit_price for id, view in shown.items()} == {id: price for id, _, _, price, _, _ in DEMO}
    assert all(view.available and view.description and view.weight_grams for view in shown.values())
    assert {view.category_id for view in shown.values()} == set(CATEGORIES.values())
    assert [each.sku for each in shown["barista-apron"].variants] == [sku for _, _, sku, *_ in DEMO_VARIANTS]


async def test_the_ledger_says_how_the_demo_stock_came_about_and_what_is_there_is_in_stock(database: Database) -> None:
    await sown(database)

    async with database.begin() as session:
        unexplained = await session.execute(
            text("""
                SELECT product_id, variant_id FROM stock LEFT JOIN stock_movements USING (product_id, variant_id)
                GROUP BY product_id, variant_id, on_hand HAVING on_hand <> coalesce(sum(on_hand_change), 0)
            """)
        )
        assert unexplained.all() == []
        assert await session.scalar(text("SELECT bool_and(in_stock) FROM products")) is True


async def test_seeding_again_changes_nothing_that_is_there(database: Database) -> None:
    await sown(database)
    await restock(database, "product_456", 7)
    async with database.begin() as session:
        (await session.get_one(Product, "product_789")).price = 1
    tables = ["categories", "products", "variants", "stock", "stock_movements"]
    before = [await count(database, table) for table in tables]

    await sown(database)

    assert await shelf(database, "product_456") == Shelf(on_hand=7, reserved=0)
    assert [await count(database, table) for table in tables] == before
    assert before[1:4] == [len(DEMO), len(DEMO_VARIANTS), len(DEMO) + len(DEMO_VARIANTS)]
    async with database.begin() as session:
        assert (await session.get_one(Product, "product_789")).price == 1


async def test_the_demo_stands_in_the_categories_that_are_there_whatever_they_are_called(database: Database) -> None:
    theirs = uuid7()
    async with database.begin() as session:
        session.add(Category(id=theirs, name="BREWING", depth=1))
        session.add(Category(id=CATEGORIES["Coffee"], name="Beans", depth=1))

    await sown(database)

    async with database.begin() as session:
        assert (await session.get_one(Product, "product_456")).category_id == theirs
        assert (await session.get_one(Product, "espresso-house-blend")).category_id == CATEGORIES["Coffee"]
    assert await count(database, "categories") == len(CATEGORIES)
