"""Customers ask to be told when there is some of a product again, and change their minds."""

import asyncio
from uuid import uuid4

import pytest

from contracts.sales.customers import CustomerRegistered
from notification.back_in_stock.wishing import MOST

from .factories import PostOffice, code
from .factories_messages import asks_for, call, erased, registered, told, turns_off, waits_for

BOB = "customer_bob"


async def test_asking_again_changes_nothing(office: PostOffice) -> None:
    first = await asks_for(office)

    again = await asks_for(office)

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json()
    assert first.json().keys() == {"product_id", "asked_at"}
    assert len(await waits_for(office)) == 1


async def test_asking_twice_at_once_is_one_wish(office: PostOffice, second_office: PostOffice) -> None:
    answers = await asyncio.gather(*(asks_for(each) for each in [office, second_office] * 5))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert len(await waits_for(office)) == 1


async def test_nobody_waits_for_more_than_there_may_be(office: PostOffice, second_office: PostOffice) -> None:
    for number in range(MOST - 1):
        assert (await asks_for(office, f"p{number}")).status_code == 200

    answers = await asyncio.gather(*(asks_for(each, f"q{n}") for n, each in enumerate([office, second_office] * 3)))

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409, 409]
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert (code(refused), refused.json()["error"]["details"][0]["limit"]) == ("TOO_MANY_WISHES", MOST)
    assert (await asks_for(office, "p0")).status_code == 200
    assert (await asks_for(office, "p0", by=BOB)).status_code == 200


async def test_a_wish_can_be_withdrawn_and_withdrawing_repeats(office: PostOffice) -> None:
    small = uuid4()
    await asks_for(office, "shirt", small)
    await asks_for(office, "shirt")
    await asks_for(office, "shirt", by=BOB)

    answers = [await call(office, "DELETE", f"/back-in-stock/shirt?variant_id={small}") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 204]
    assert [wish.get("variant_id") for wish in await waits_for(office)] == [None]
    assert len(await waits_for(office, BOB)) == 1


async def test_wishes_are_listed_newest_first_and_page_by_page(office: PostOffice) -> None:
    for product in ("mug", "bowl", "cup"):
        await asks_for(office, product)
    await asks_for(office, "fork", by=BOB)

    first = (await call(office, "GET", "/back-in-stock?limit=2")).json()
    second = (await call(office, "GET", f"/back-in-stock?limit=2&cursor={first['next_cursor']}")).json()

    assert [wish["product_id"] for wish in first["items"]] == ["cup", "bowl"]
    assert ([wish["product_id"] for wish in second["items"]], second.get("next_cursor")) == (["mug"], None)


@pytest.mark.parametrize(
    "path",
    ["/back-in-stock/a b", "/back-in-stock/" + "x" * 65, "/back-in-stock/mug?variant_id=small", "/back-in-stock/ü"],
)
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_what_cannot_be_an_article_is_refused(office: PostOffice, method: str, path: str) -> None:
    answer = await call(office, method, path)

    assert (answer.status_code, code(answer)) == (400, "VALIDATION_ERROR")


async def test_who_has_turned_these_mails_off_is_told_so_when_asking(office: PostOffice) -> None:
    await turns_off(office, "back_in_stock")

    answer = await asks_for(office)

    assert (answer.status_code, code(answer)) == (409, "TOPIC_TURNED_OFF")
    assert await waits_for(office) == []


async def test_the_erased_ask_for_nothing(office: PostOffice) -> None:
    await office.hear(told(registered()), told(erased()))

    answer = await asks_for(office)

    assert (answer.status_code, code(answer)) == (401, "UNAUTHENTICATED")


async def test_asking_and_being_erased_at_once_leaves_no_wish(office: PostOffice, second_office: PostOffice) -> None:
    for number in range(10):
        someone: CustomerRegistered = registered(f"customer_{number}")
        await office.hear(told(someone))

        await asyncio.gather(
            office.hear(told(erased(someone.customer_id))), asks_for(second_office, by=someone.customer_id)
        )

        assert await office.query("SELECT 1 FROM back_in_stock_wishes") == []
