"""Searching the catalogue: what is found by which words, whatever is typed between them."""

import httpx
import pytest

from chassis.db import Database
from services.product.tests.factories import put_on_sale
from services.product.tests.factories_listing import listed


@pytest.fixture
async def catalogue(database: Database) -> None:
    await put_on_sale(database, "set", 1, name="Pour-over COFFEE set", description="Stoneware, 30 cl. Dishwasher-safe!")
    await put_on_sale(database, "mug", 1, name="Enamel mug", description="For coffee/tea; don't microwave (v2.1).")
    await put_on_sale(database, "tee", 1, name="Crème brûlée dish", description="Größe M, http://example.com/creme")


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("coffee", {"set", "mug"}),
        ("COFFEE", {"set", "mug"}),
        ("cof", {"set", "mug"}),
        ("  coffee   mug ", {"mug"}),
        ("mug coffee", {"mug"}),
        ("coffee spoon", set()),
        ("offee", set()),
        ("stone", {"set"}),
        ("over", {"set"}),
        ("pour-over", {"set"}),
        ("overpour", set()),
        ("tea", {"mug"}),
        ("coffee/tea", {"mug"}),
        ("safe", {"set"}),
        ("don't", {"mug"}),
        ("v2.1", {"mug"}),
        ("crème", {"tee"}),
        ("größe", {"tee"}),
        ("example", {"tee"}),
        ("30", {"set"}),
        ("m", {"tee"}),  # a word of its own, and not all that begin with it
        ("en", set()),
        ("ena", {"mug"}),
        ("", {"set", "mug", "tee"}),
        ("   ", {"set", "mug", "tee"}),
        ("!?", set()),
    ],
)
@pytest.mark.usefixtures("catalogue")
async def test_all_words_must_be_there_or_begin_so(client: httpx.AsyncClient, typed: str, found: set[str]) -> None:
    assert set(await listed(client, q=typed)) == found


@pytest.mark.parametrize(
    "typed",
    [
        "coffee & !mug",
        "coffee | mug",
        "!coffee <-> mug",
        "'coffee':* mug",
        "coffee:*AB mug",
        "\\coffee\\' mug",
        "((coffee mug",
        "coffee mug'); DROP TABLE products; --",
        "%coffee_mug%",
        "coffee*mug:ABCD",
    ],
)
@pytest.mark.usefixtures("catalogue")
async def test_what_would_be_an_operator_elsewhere_is_nothing_here(client: httpx.AsyncClient, typed: str) -> None:
    found = await listed(client, q=typed)

    assert set(found) <= {"mug"}
    assert await listed(client, q="coffee mug") == ["mug"]


@pytest.mark.usefixtures("catalogue")
async def test_of_many_words_the_first_eight_count(client: httpx.AsyncClient) -> None:
    eight = "pour over coffee set stoneware 30 cl dishwasher"

    assert await listed(client, q=f"{eight} unheard of") == ["set"]
    assert await listed(client, q=f"unheard {eight}") == []


async def test_a_word_that_no_index_could_hold_is_no_obstacle(client: httpx.AsyncClient, database: Database) -> None:
    await put_on_sale(database, "long", 1, name="Long one", description="x" * 5000)

    assert await listed(client, q="long") == ["long"]
    assert await listed(client, q="x" * 200) == []
