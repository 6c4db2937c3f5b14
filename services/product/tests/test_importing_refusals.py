"""What a file cannot make of the catalogue: said with the line, the column and the code that it has over HTTP."""

from typing import Any

import pytest

from chassis.db import Database
from product.catalog.csv_form import COLUMNS, WrongFile
from services.product.tests.factories_catalog import count
from services.product.tests.factories_files import LARGE, MUG, Cells, a_file, imported

ON_PRODUCTS: list[tuple[Cells, list[tuple[str, str]]]] = [
    ({"product_id": ""}, [("product_id", "VALIDATION_ERROR")]),
    ({"product_id": "a b"}, [("product_id", "VALIDATION_ERROR")]),
    ({"product_id": "x" * 65}, [("product_id", "VALIDATION_ERROR")]),
    ({"name": ""}, [("name", "INVALID_PRODUCT_NAME")]),
    ({"name": " x "}, [("name", "INVALID_PRODUCT_NAME")]),
    ({"name": "x" * 201}, [("name", "INVALID_PRODUCT_NAME")]),
    ({"name": "two\nlines"}, [("name", "INVALID_PRODUCT_NAME")]),
    ({"name": "nul\x00nul"}, [("name", "VALIDATION_ERROR")]),
    ({"description": "x" * 5001}, [("description", "DESCRIPTION_TOO_LONG")]),
    ({"price": ""}, [("price", "INVALID_PRICE")]),
    ({"price": "0.00"}, [("price", "INVALID_PRICE")]),
    ({"price": "-1"}, [("price", "INVALID_PRICE")]),
    ({"price": "1,50"}, [("price", "INVALID_PRICE")]),
    ({"price": "1.005"}, [("price", "INVALID_PRICE")]),
    ({"price": "9" * 30}, [("price", "INVALID_PRICE")]),
    ({"category": ""}, [("category", "INVALID_CATEGORY")]),
    ({"category": "Kitchen >"}, [("category", "VALIDATION_ERROR")]),
    ({"category": "Kitchen > > Mugs"}, [("category", "VALIDATION_ERROR")]),
    ({"category": "x" * 201}, [("category", "VALIDATION_ERROR")]),
    ({"category": "a > b > c > d"}, [("category", "CATEGORY_DEPTH_EXCEEDED")]),
    ({"category": "Mugs > Kitchen"}, [("category", "DUPLICATE_CATEGORY_NAME")]),
    ({"category": "New > mugs"}, [("category", "DUPLICATE_CATEGORY_NAME")]),
    ({"category": "New > Kitchen"}, [("category", "DUPLICATE_CATEGORY_NAME")]),
    ({"category": "New > NEW"}, [("category", "DUPLICATE_CATEGORY_NAME")]),
    ({"currency": "euro"}, [("currency", "VALIDATION_ERROR")]),
    ({"weight_grams": "-1"}, [("weight_grams", "VALIDATION_ERROR")]),
    ({"weight_grams": "1.5"}, [("weight_grams", "VALIDATION_ERROR")]),
    ({"weight_grams": "1000001"}, [("weight_grams", "VALIDATION_ERROR")]),
    ({"weight_grams": "9" * 5000}, [("weight_grams", "VALIDATION_ERROR")]),
    ({"active": "perhaps"}, [("active", "VALIDATION_ERROR")]),
    ({"initial_stock": "-1"}, [("initial_stock", "INVALID_QUANTITY")]),
    ({"initial_stock": "1000001"}, [("initial_stock", "INVALID_QUANTITY")]),
    ({"initial_stock": "many"}, [("initial_stock", "VALIDATION_ERROR")]),
    (
        {"name": "x", "price": "0", "initial_stock": "-1"},
        [("name", "INVALID_PRODUCT_NAME"), ("price", "INVALID_PRICE"), ("initial_stock", "INVALID_QUANTITY")],
    ),
]
ON_VARIANTS: list[tuple[Cells, list[tuple[str, str]]]] = [
    ({"product_id": ""}, [("product_id", "VALIDATION_ERROR")]),
    ({"product_id": "nobody"}, [("", "PRODUCT_NOT_FOUND")]),
    ({"sku": "a b"}, [("sku", "VALIDATION_ERROR")]),
    ({"size": ""}, [("size", "VARIANT_ATTRIBUTE_REQUIRED"), ("color", "VARIANT_ATTRIBUTE_REQUIRED")]),
    ({"size": "x" * 41}, [("size", "VALIDATION_ERROR")]),
    ({"color": "two\nlines"}, [("color", "VALIDATION_ERROR")]),
    ({"variant_price": "0.00"}, [("variant_price", "INVALID_PRICE")]),
    ({"weight_grams": "heavy"}, [("weight_grams", "VALIDATION_ERROR")]),
    ({"initial_stock": "-1"}, [("initial_stock", "INVALID_QUANTITY")]),
    ({"sku": "CUP-L"}, [("sku", "DUPLICATE_SKU")]),
]
CUP: Cells = MUG | {"product_id": "cup"}


@pytest.fixture
async def _cup(database: Database) -> None:
    await imported(database, [CUP, LARGE | {"product_id": "cup", "sku": "CUP-L"}])


@pytest.mark.usefixtures("_cup")
@pytest.mark.parametrize(("wrong", "reasons"), ON_PRODUCTS, ids=map(str, range(len(ON_PRODUCTS))))
async def test_a_product_that_breaks_a_rule_is_refused(
    database: Database, wrong: Cells, reasons: list[tuple[str, str]]
) -> None:
    result = await imported(database, [MUG | wrong, MUG | {"product_id": "right"}], all_or_nothing=False)

    assert result.reasons == [(2, *reason) for reason in reasons]
    assert result.counts == (1, 0, 0, 1)
    assert (await count(database, "products"), await count(database, "categories")) == (2, 2)


@pytest.mark.usefixtures("_cup")
@pytest.mark.parametrize(("wrong", "reasons"), ON_VARIANTS, ids=map(str, range(len(ON_VARIANTS))))
async def test_a_variant_that_breaks_a_rule_is_refused(
    database: Database, wrong: Cells, reasons: list[tuple[str, str]]
) -> None:
    result = await imported(database, [MUG, LARGE | wrong], all_or_nothing=False)

    assert result.reasons == [(3, *reason) for reason in reasons]
    assert await count(database, "variants") == 1


@pytest.mark.usefixtures("_cup")
@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"name": "x"}, ("name", "INVALID_PRODUCT_NAME")),
        ({"price": "free"}, ("price", "INVALID_PRICE")),
        ({"category": "a > b > c > d"}, ("category", "CATEGORY_DEPTH_EXCEEDED")),
        ({"currency": "USD"}, ("currency", "VALIDATION_ERROR")),
        ({"sku": "CUP-L", "size": "M"}, ("size", "VALIDATION_ERROR")),
        ({"sku": "CUP-L", "color": "red"}, ("color", "VALIDATION_ERROR")),
        ({"sku": "CUP-L", "variant_price": "0"}, ("variant_price", "INVALID_PRICE")),
    ],
)
async def test_a_change_that_breaks_a_rule_is_refused_as_a_whole(
    database: Database, wrong: Cells, reason: tuple[str, str]
) -> None:
    before = await count(database, "outbox")

    result = await imported(database, [{"product_id": "cup", "weight_grams": "999"} | wrong], all_or_nothing=False)

    assert result.reasons == [(2, *reason)]
    assert await count(database, "outbox") == before


async def test_what_stands_in_the_file_twice_is_refused_the_second_time(database: Database) -> None:
    small = LARGE | {"sku": "MUG-S"}

    result = await imported(database, [MUG, LARGE, small, MUG | {"name": "Other"}, LARGE, MUG], all_or_nothing=False)

    assert result.reasons == [
        (5, "product_id", "DUPLICATE_PRODUCT_ID"),
        (6, "sku", "DUPLICATE_SKU"),
        (7, "product_id", "DUPLICATE_PRODUCT_ID"),
    ]
    assert result.bad[0].message == "Line 2 is about it already."


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (b"", "name the columns"),
        (b"name,price\n", "product_id"),
        (b"product_id,name,colour\n", "'colour' is none of them"),
        (b"product_id;name;price\n", "separated by commas"),
        (b"product_id,name,name\n", "once at most"),
        (b'product_id,"na"me\n', "quotation marks"),
        ("product_id,näme\n".encode("latin-1"), "UTF-8"),
        ("product_id,name\n".encode("utf-16"), "UTF-8"),
        (b"x" * 300_000, "longer than 256 kB"),
    ],
)
async def test_what_is_no_catalogue_from_its_first_line_on_is_said(database: Database, file: bytes, words: str) -> None:
    with pytest.raises(WrongFile, match=words):
        await imported(database, file)


HEAD = (",".join(COLUMNS) + "\n").encode()


def _row(product_id: str, description: Any = "") -> bytes:
    return b"%b,Stoneware mug,%b,Mugs,1.00,,,,,,,,\n" % (product_id.encode(), description or b"")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"too,few,cells\n", "3 cells in 13 columns"),
        (_row("more").replace(b"\n", b",\n"), "14 cells in 13 columns"),
        (_row("latin", "Größe".encode("latin-1")), "UTF-8"),
        (_row("quotes", b'"one" two'), "quotation marks do not match"),
        (_row("cr", b"a\rb"), "line break"),
        (_row("long", b"x" * 300_000), "longer than 256 kB"),
        (_row("huge", b"x" * 140_000), "131,072 characters"),
    ],
)
async def test_a_line_that_cannot_be_read_is_said_and_the_next_ones_are_read(
    database: Database, line: bytes, words: str
) -> None:
    file = HEAD + _row("before") + line + _row("after")

    result = await imported(database, file, all_or_nothing=False)

    assert [(bad.number, bad.code) for bad in result.bad] == [(3, "VALIDATION_ERROR")]
    assert words in result.bad[0].message
    assert result.counts == (2, 0, 0, 1)


async def test_lines_are_counted_as_an_editor_counts_them(database: Database) -> None:
    file = HEAD + _row("quoted", b'"one\ntwo\r\n\nfour"') + b"\n" + _row("bad").replace(b"1.00", b"0") + _row("mug")

    result = await imported(database, file, all_or_nothing=False)

    assert result.reasons == [(7, "price", "INVALID_PRICE")]
    assert result.counts == (2, 0, 0, 1)


async def test_a_quotation_mark_that_is_never_closed_ends_with_the_file_at_the_latest(database: Database) -> None:
    file = HEAD + _row("mug") + b'cup,"never closed\n' + _row("spoon") * 3

    result = await imported(database, file, all_or_nothing=False)

    assert result.reasons == [(3, "", "VALIDATION_ERROR")]
    assert await count(database, "products") == 1


async def test_a_byte_order_mark_is_no_part_of_the_first_column(database: Database) -> None:
    result = await imported(database, b"\xef\xbb\xbf" + a_file(MUG))

    assert result.counts == (1, 0, 0, 0)
