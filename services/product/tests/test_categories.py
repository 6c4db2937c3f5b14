"""Categories: made, found and renamed. SEQ-CAT-001."""

import unicodedata
from uuid import UUID

import httpx
import pytest

from chassis.db import Database
from chassis.steps import record
from services.product.tests.factories import published
from services.product.tests.factories_catalog import (
    CATEGORIES,
    NOBODY,
    Catalogue,
    Recorded,
    arrows,
    code,
    count,
    fields,
    on_record,
    told_otherwise,
)

SPICES = "Fines Épices"
LONGEST = "\N{GRINNING FACE}" * 200


@pytest.fixture
def catalogue(client: httpx.AsyncClient) -> Catalogue:
    return Catalogue(client)


async def test_a_category_is_made_step_by_step_as_designed(catalogue: Catalogue) -> None:
    with record() as recording:
        await catalogue.category("Brewing")

    assert arrows(recording) == [
        "Admin → CategoryService: createCategory",
        "CategoryService → CategoryAggregate: validateUniqueName",
        "CategoryService → CategoryService: validateHierarchyDepth",
        "CategoryService → CategoryAggregate: create emits CategoryCreated",
        "CategoryService → AuditLog: logAuditEvent",
    ]


async def test_a_category_is_shown_told_of_and_on_record(catalogue: Catalogue, database: Database) -> None:
    top = await catalogue.category("  Brewing ")
    below = await catalogue.category("Grinders", parent_id=top)

    assert await catalogue.done("GET", f"{CATEGORIES}/{below}") == {
        "category_id": below,
        "name": "Grinders",
        "parent_id": top,
        "depth": 2,
    }
    assert UUID(below).version == 7
    assert await published(database) == [
        ("category.created", {"category_id": top, "name": "Brewing"}),
        ("category.created", {"category_id": below, "name": "Grinders", "parent_id": top}),
    ]
    assert await on_record(database) == [
        Recorded("ada", "category.created", top, None, {"name": "Brewing", "parent_id": None}),
        Recorded("ada", "category.created", below, None, {"name": "Grinders", "parent_id": top}),
    ]


@pytest.mark.rule("BR-CAT-001")
@pytest.mark.parametrize(
    "name",
    [SPICES, SPICES.upper(), SPICES.lower(), f" {SPICES} ", "Fines  Épices", unicodedata.normalize("NFD", SPICES)],
    ids=["same", "upper", "lower", "around", "between", "decomposed"],
)
@pytest.mark.parametrize("elsewhere", [False, True], ids=["at the top", "elsewhere in the tree"])
async def test_a_name_is_taken_once_in_the_whole_tree_whatever_the_case_of_its_letters(
    catalogue: Catalogue, database: Database, name: str, elsewhere: bool
) -> None:
    top = await catalogue.category("Food")
    await catalogue.category(SPICES, parent_id=top)

    answer = await catalogue.ask("POST", CATEGORIES, {"name": name, "parent_id": top if elsewhere else None})

    assert code(answer) == (409, "DUPLICATE_CATEGORY_NAME")
    assert fields(answer) == ["name"]
    assert await count(database, "categories") == len(await published(database)) == len(await on_record(database)) == 2


@pytest.mark.rule("BR-CAT-002")
async def test_the_tree_does_not_get_deeper_than_it_may(catalogue: Catalogue, database: Database) -> None:
    parent: str | None = None
    for name in ("Kitchen", "Brewing", "Grinders"):
        parent = await catalogue.category(name, parent_id=parent)

    answer = await catalogue.ask("POST", CATEGORIES, {"name": "Burrs", "parent_id": parent})

    assert code(answer) == (400, "CATEGORY_DEPTH_EXCEEDED")
    assert fields(answer) == ["parent_id"]
    assert answer.json()["error"]["details"][0]["limit"] == 3
    assert await count(database, "categories") == len(await published(database)) == 3


async def test_how_deep_the_tree_may_be_is_a_setting(url: str) -> None:
    async with told_otherwise(url, category_depth=1) as catalogue:
        top = await catalogue.category("Kitchen")

        answer = await catalogue.ask("POST", CATEGORIES, {"name": "Brewing", "parent_id": top})

    assert code(answer) == (400, "CATEGORY_DEPTH_EXCEEDED")


async def test_nothing_stands_under_a_category_that_does_not_exist(catalogue: Catalogue, database: Database) -> None:
    answer = await catalogue.ask("POST", CATEGORIES, {"name": "Burrs", "parent_id": str(NOBODY)})

    assert code(answer) == (400, "PARENT_CATEGORY_NOT_FOUND")
    assert fields(answer) == ["parent_id"]
    assert await count(database, "categories") == 0


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "Mugs\nBcc: all", "Mugs\u2029too", "Mugs\x1b[2J", None, 5])
async def test_a_name_is_one_line_of_1_to_200_characters(
    catalogue: Catalogue, database: Database, name: str | None
) -> None:
    category = await catalogue.category("Mugs")

    answers = [
        await catalogue.ask("POST", CATEGORIES, {"name": name}),
        await catalogue.ask("PATCH", f"{CATEGORIES}/{category}", {"name": name}),
    ]

    assert [code(each) for each in answers] == [(400, "VALIDATION_ERROR")] * 2
    assert [fields(each) for each in answers] == [["name"]] * 2
    assert len(await on_record(database)) == 1


async def test_a_request_that_is_repeated_makes_one_category(catalogue: Catalogue, database: Database) -> None:
    first = await catalogue.ask("POST", CATEGORIES, {"name": "Brewing"}, key="once")
    again = await catalogue.ask("POST", CATEGORIES, {"name": "Brewing"}, key="once")
    other = await catalogue.ask("POST", CATEGORIES, {"name": "Serving"}, key="once")

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert code(other) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert await count(database, "categories") == len(await published(database)) == 1


async def test_categories_come_in_the_order_of_their_names_in_pages_that_miss_none(catalogue: Catalogue) -> None:
    for name in ("beans", "Zest", "Apples", LONGEST, "Éclairs", "apple", "Coffee"):
        await catalogue.category(name)

    names = [each["name"] for each in await catalogue.pages(CATEGORIES, limit=2)]

    assert names == ["apple", "Apples", "beans", "Coffee", "Zest", "Éclairs", LONGEST]
    assert [each["name"] for each in await catalogue.pages(CATEGORIES, limit=100)] == names


async def test_categories_are_found_by_their_parent_and_their_depth(catalogue: Catalogue) -> None:
    food = await catalogue.category("Food")
    spices = await catalogue.category("Spices", parent_id=food)
    await catalogue.category("Bread", parent_id=food)
    await catalogue.category("Pepper", parent_id=spices)
    await catalogue.category("Books")

    async def found(query: str) -> list[str]:
        return [each["name"] for each in await catalogue.pages(f"{CATEGORIES}?{query}", limit=1)]

    assert await found(f"parent_id={food}") == ["Bread", "Spices"]
    assert await found("depth=1") == ["Books", "Food"]
    assert await found(f"parent_id={spices}&depth=3") == ["Pepper"]
    assert await found(f"parent_id={NOBODY}") == []


async def test_a_renamed_category_keeps_its_place_and_its_old_name_is_on_record(
    catalogue: Catalogue, database: Database
) -> None:
    top = await catalogue.category("Food")
    below = await catalogue.category("Spices", parent_id=top)

    renamed = await catalogue.done("PATCH", f"{CATEGORIES}/{below}", {"name": "Herbs"})
    await catalogue.category("Spices")

    assert renamed == {"category_id": below, "name": "Herbs", "parent_id": top, "depth": 2}
    assert await catalogue.done("GET", f"{CATEGORIES}/{below}") == renamed
    assert (await on_record(database))[2] == Recorded(
        "ada", "category.renamed", below, {"name": "Spices"}, {"name": "Herbs"}
    )


async def test_a_category_may_change_the_case_of_its_own_letters(catalogue: Catalogue) -> None:
    category = await catalogue.category("spices")

    await catalogue.done("PATCH", f"{CATEGORIES}/{category}", {"name": "SPICES"})

    assert (await catalogue.done("GET", f"{CATEGORIES}/{category}"))["name"] == "SPICES"


async def test_renaming_to_the_same_name_is_not_on_record(catalogue: Catalogue, database: Database) -> None:
    category = await catalogue.category("Spices")

    await catalogue.done("PATCH", f"{CATEGORIES}/{category}", {"name": " Spices "})

    assert [each.action for each in await on_record(database)] == ["category.created"]


async def test_a_category_does_not_take_the_name_of_another(catalogue: Catalogue, database: Database) -> None:
    await catalogue.category("Spices")
    category = await catalogue.category("Herbs")

    answer = await catalogue.ask("PATCH", f"{CATEGORIES}/{category}", {"name": "sPICES"})

    assert code(answer) == (409, "DUPLICATE_CATEGORY_NAME")
    assert (await catalogue.done("GET", f"{CATEGORIES}/{category}"))["name"] == "Herbs"
    assert len(await on_record(database)) == 2


async def test_a_category_that_does_not_exist_is_not_found(catalogue: Catalogue) -> None:
    shown = await catalogue.ask("GET", f"{CATEGORIES}/{NOBODY}", role=None)
    renamed = await catalogue.ask("PATCH", f"{CATEGORIES}/{NOBODY}", {"name": "Herbs"})

    assert code(shown) == code(renamed) == (404, "NOT_FOUND")
