"""After being erased: nobody gets in any more, nobody comes back, and the e-mail is free."""

from sales.seed import DEMO_CUSTOMER, DEMO_PASSWORD, seed
from services.sales.tests.factories import Sales
from services.sales.tests.profiles import HOME, WORK, add, code, erase, logged_in, me, registered, renewed


async def test_nobody_logs_in_or_goes_on_afterwards(sales: Sales) -> None:
    id = await registered(sales)
    refresh_token = (await logged_in(sales)).json()["refresh_token"]

    await erase(sales, by=id)

    assert code(await renewed(sales, refresh_token)) == (401, "UNAUTHENTICATED")
    assert code(await logged_in(sales)) == (401, "INVALID_CREDENTIALS")


async def test_a_token_that_is_still_valid_shows_and_changes_nothing(sales: Sales) -> None:
    id = await registered(sales)
    address = await add(sales, by=id)
    await erase(sales, by=id)

    answers = [
        await me(sales, by=id),
        await me(sales, "PATCH", "", {"name": "Somebody Else"}, by=id),
        await me(sales, "POST", "/addresses", HOME, by=id),
        await me(sales, "PUT", f"/addresses/{address}", WORK, by=id),
        await me(sales, "DELETE", f"/addresses/{address}", by=id),
        await me(sales, "POST", f"/addresses/{address}/default", by=id),
    ]

    assert {code(answer) for answer in answers} == {(401, "UNAUTHENTICATED")}
    assert (await me(sales, path="/addresses", by=id)).json()["items"] == []
    assert await sales.count("addresses") == 0


async def test_the_same_e_mail_can_register_anew_as_somebody_else(sales: Sales) -> None:
    first = await registered(sales)
    await sales.order(customer=first)
    await erase(sales, by=first)

    second = await registered(sales)

    async with sales.client(second) as client:
        assert (await client.get("/api/v1/orders")).json()["items"] == []
    assert second != first
    assert (await logged_in(sales)).json()["customer_id"] == second
    assert (await me(sales, by=second)).json()["name"] == "Grace"


async def test_seeding_the_demo_again_does_not_bring_its_customer_back(sales: Sales) -> None:
    async with sales.service.database.begin() as session:
        await seed(session)
    await erase(sales, DEMO_PASSWORD, DEMO_CUSTOMER)

    async with sales.service.database.begin() as session:
        await seed(session)

    assert await sales.rows("SELECT id, status FROM customers") == [{"id": DEMO_CUSTOMER, "status": "ERASED"}]
    assert await sales.count("addresses") == 0


async def test_two_who_are_erased_stay_two(sales: Sales) -> None:
    ids = [await registered(sales, f"{name}@example.org") for name in ("grace", "ada")]

    for id in ids:
        await erase(sales, by=id)

    assert {row["id"] for row in await sales.rows("SELECT id FROM customers WHERE status = 'ERASED'")} == set(ids)
