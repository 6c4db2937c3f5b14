"""Who may change the catalogue, and that nothing that is sent to it breaks it."""

from typing import Any

import httpx
import pytest

from chassis.db import Database
from services.product.tests.factories import as_service, published
from services.product.tests.factories_catalog import CATEGORIES, NOBODY, PRODUCTS, Catalogue, code, fields, on_record

MUG = f"{PRODUCTS}/mug"
CATEGORY = f"{CATEGORIES}/{NOBODY}"
VARIANT = f"{MUG}/variants/{NOBODY}"
A_PRODUCT = {"name": "Stoneware mug", "category_id": str(NOBODY), "price": "14.00"}

FOR_ADMINS: dict[str, tuple[str, str, Any]] = {
    "create a category": ("POST", CATEGORIES, {"name": "Brewing"}),
    "rename a category": ("PATCH", CATEGORY, {"name": "Brewing"}),
    "create a product": ("POST", PRODUCTS, A_PRODUCT),
    "change a product": ("PATCH", MUG, {"name": "Big mug"}),
    "take it off sale": ("POST", f"{MUG}/deactivation", None),
    "put it on sale": ("POST", f"{MUG}/activation", None),
    "change a price": ("PUT", f"{MUG}/price", {"price": "1.00"}),
    "see old prices": ("GET", f"{MUG}/price-history", None),
    "add a variant": ("POST", f"{MUG}/variants", {"sku": "L", "size": "L"}),
    "change a variant's price": ("PUT", f"{VARIANT}/price", {"price": "1.00"}),
}
for_admins = pytest.mark.parametrize(("method", "path", "body"), list(FOR_ADMINS.values()), ids=list(FOR_ADMINS))
WITH_BODY = {name: route for name, route in FOR_ADMINS.items() if route[2]}
with_body = pytest.mark.parametrize(("method", "path", "body"), list(WITH_BODY.values()), ids=list(WITH_BODY))


@pytest.fixture
def catalogue(client: httpx.AsyncClient) -> Catalogue:
    return Catalogue(client)


@for_admins
async def test_who_has_no_token_is_not_known(catalogue: Catalogue, method: str, path: str, body: Any) -> None:
    answer = await catalogue.ask(method, path, body, role=None)

    assert code(answer) == (401, "UNAUTHENTICATED")


@for_admins
async def test_the_catalogue_is_changed_by_admins_only(
    catalogue: Catalogue, database: Database, method: str, path: str, body: Any
) -> None:
    others = [
        await catalogue.ask(method, path, body, role="customer"),
        await catalogue.ask(method, path, body, role="warehouse"),
        await catalogue.client.request(method, path, json=body, headers=as_service()),
    ]

    assert [code(each) for each in others] == [(403, "FORBIDDEN")] * 3
    assert not await published(database)
    assert not await on_record(database)


@pytest.mark.parametrize("role", [None, "customer", "warehouse", "admin"])
async def test_all_may_look(catalogue: Catalogue, role: str | None) -> None:
    category = await catalogue.category()
    await catalogue.product()

    answers = [
        await catalogue.ask("GET", path, role=role)
        for path in (CATEGORIES, f"{CATEGORIES}?parent_id={category}", f"{CATEGORIES}/{category}", MUG)
    ]

    assert [each.status_code for each in answers] == [200] * 4


STRANGE: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    2**31,
    2**63 - 1,
    "",
    " ",
    "\t\n",
    "0",
    "null",
    "' OR 1=1 --",
    "\x00",
    "x\x00y",
    "\ud800",
    "\u202egnirts",
    "\N{GRINNING FACE}" * 300,
    "ß" * 6000,
    "../../etc/passwd",
    "=HYPERLINK(1)",
    "%00",
    str(NOBODY),
    [],
    {},
    [[]],
    {"a": {"b": []}},
]
REFUSED = {
    "VALIDATION_ERROR",
    "INVALID_PRICE",
    "INVALID_PRODUCT_NAME",
    "DESCRIPTION_TOO_LONG",
    "INVALID_CATEGORY",
    "INVALID_QUANTITY",
    "PARENT_CATEGORY_NOT_FOUND",
}
EVERYTHING: dict[str, tuple[str, str, Any]] = {
    "create a category": ("POST", CATEGORIES, {"name": "Brewing", "parent_id": None}),
    "create a product": (
        "POST",
        PRODUCTS,
        A_PRODUCT | {"product_id": "cup", "description": "", "currency": "EUR", "weight_grams": 0, "initial_stock": 0},
    ),
    "change a product": (
        "PATCH",
        MUG,
        {"name": "Mug", "description": "", "category_id": str(NOBODY), "weight_grams": 0},
    ),
    "change a price": ("PUT", f"{MUG}/price", {"price": "1.00"}),
    "add a variant": (
        "POST",
        f"{MUG}/variants",
        {"sku": "L", "size": "L", "color": "red", "price": "1.00", "weight_grams": 0, "initial_stock": 0},
    ),
}


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [(*route, field) for route in EVERYTHING.values() for field in route[2]],
    ids=[f"{name}: {field}" for name, route in EVERYTHING.items() for field in route[2]],
)
async def test_whatever_a_field_holds_it_is_taken_or_refused_with_its_name(
    catalogue: Catalogue, method: str, path: str, body: Any, field: str
) -> None:
    category = (await catalogue.product("mug"))["category_id"]
    right = {name: category if value == str(NOBODY) else value for name, value in body.items()}

    for strange in STRANGE:
        answer = await catalogue.ask(method, path, right | {field: strange})

        if answer.status_code == 400:
            assert code(answer)[1] in REFUSED, (strange, answer.text)
            assert fields(answer)[0].split(".")[0] == field, (strange, answer.text)
        else:
            assert answer.status_code in {200, 201, 409}, (strange, answer.text)


NO_QUERIES = ["cursor=x", "cursor=%00", "cursor=MQ%3D", "cursor=" + "A" * 600, "limit=0", "limit=101", "limit=x"]
NO_QUERIES += ["limit=1e9", "limit=" + "9" * 30, "cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk5"]


NO_FILTERS = ["parent_id=17", "parent_id=%00", "depth=0", "depth=101", "depth=x"]


@pytest.mark.parametrize(
    ("path", "queries"),
    [(CATEGORIES, NO_QUERIES + NO_FILTERS), (f"{MUG}/price-history", NO_QUERIES)],
    ids=["categories", "prices"],
)
async def test_a_page_that_cannot_be_is_refused(catalogue: Catalogue, path: str, queries: list[str]) -> None:
    await catalogue.product("mug")

    for query in queries:
        assert code(await catalogue.ask("GET", f"{path}?{query}")) == (400, "VALIDATION_ERROR"), query


NO_IDS = ["a%20b", "%2e%2e", "x" * 65, "%C3%A9", "'--", "mug%0A", "%00", "mug%00"]


@for_admins
async def test_an_address_that_cannot_exist_is_refused(catalogue: Catalogue, method: str, path: str, body: Any) -> None:
    for part in {"mug", str(NOBODY)} & set(path.split("/")):
        for impossible in NO_IDS:
            answer = await catalogue.ask(method, path.replace(part, impossible), body)

            assert answer.status_code in {400, 404}, impossible


@with_body
async def test_fields_that_are_not_ours_are_refused(catalogue: Catalogue, method: str, path: str, body: Any) -> None:
    answer = await catalogue.ask(method, path, body | {"is_admin": True})

    assert code(answer) == (400, "VALIDATION_ERROR")
    assert fields(answer) == ["is_admin"]
