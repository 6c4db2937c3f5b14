"""Being forgotten: what is gone, what stays, and who can have it done."""

import json
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from services.sales.tests.factories import ADDRESS, Sales, wanted
from services.sales.tests.profiles import (
    HOME,
    PASSWORD,
    WORK,
    add,
    code,
    customer,
    erase,
    erase_as_admin,
    logged_in,
    me,
    registered,
    renewed,
)
from services.sales.tests.shopping import a_customer

CANARY = "Zaphodine"
EMAIL = f"{CANARY.lower()}@example.org"
CANARY_PASSWORD = f"{CANARY} had two heads 4711"
LIVED = {**HOME, "name": f"{CANARY} Beeble", "line1": f"1 {CANARY} Street"}


async def mentions(sales: Sales, words: str = CANARY) -> dict[str, list[dict[str, Any]]]:
    """The rows of each table of the whole database that hold the words, in whatever column."""
    tables = await sales.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    found = {
        name: await sales.rows(
            f"SELECT row_to_json(t) AS row FROM {name} t WHERE t::text ILIKE :like", like=f"%{words}%"
        )
        for name in (table["tablename"] for table in tables)
    }
    return {name: [row["row"] for row in rows] for name, rows in found.items() if rows}


async def a_life(sales: Sales) -> tuple[str, str]:
    """Somebody who has left traces wherever one can: the id, and a refresh token."""
    id = await registered(sales, EMAIL, f"{CANARY} Beeble", CANARY_PASSWORD)
    await logged_in(sales, EMAIL, "wrong")
    session = (await logged_in(sales, EMAIL, CANARY_PASSWORD)).json()
    async with sales.client(None) as client:
        for path in ("verification-requests", "password-reset-requests"):
            await client.post(f"/api/v1/customers/{path}", json={"email": EMAIL})
    await me(sales, "PATCH", "", {"name": f"{CANARY} Beeble-Brox"}, by=id)
    await me(sales, "POST", "/addresses", LIVED, by=id, key="address")
    await add(sales, {**WORK, "line2": CANARY}, by=id)
    await a_customer(sales, id).add(key="cart")
    for key, body in {
        "kept": wanted(address=None),
        "elsewhere": wanted(address=LIVED),
        "": wanted(address=LIVED),
    }.items():
        assert (await sales.order(body, key or None, id)).status_code == 201
    assert (await sales.order(wanted(("desk", 51), address=LIVED), "refused", id)).status_code == 400
    return id, str(session["refresh_token"])


@pytest.mark.rule("BR-PRIV-002")
async def test_all_that_is_personal_is_gone_but_where_orders_went_and_what_was_told_before(sales: Sales) -> None:
    id, _ = await a_life(sales)
    before = await mentions(sales)
    told_before = {row["id"] for row in before["outbox"]}

    answer = await erase(sales, CANARY_PASSWORD, id)

    after = await mentions(sales)
    assert (answer.status_code, answer.content) == (204, b"")
    # All of these were there to be forgotten: a test that looks for nothing finds nothing.
    assert set(before) == {
        "addresses", "attempts", "customers", "idempotency_keys", "mail_requests", "orders", "outbox"
    }  # fmt: skip
    assert set(after) == {"orders", "outbox"}
    assert {column for row in after["orders"] for column, value in row.items() if CANARY in str(value)} == {
        "shipping_address"
    }
    assert {row["id"] for row in after["outbox"]} <= told_before
    for table in (
        "addresses",
        "sessions",
        "mail_tokens",
        "known_addresses",
        "mail_requests",
        "idempotency_keys",
        "carts",
    ):
        assert await sales.count(table) == 0, table
    # Keys are the client's own words.
    assert await sales.rows("SELECT 1 FROM attempts WHERE idempotency_key IS NOT NULL") == []


async def test_a_row_without_anything_stays_in_the_place_of_the_customer(sales: Sales) -> None:
    id, _ = await a_life(sales)

    await erase(sales, CANARY_PASSWORD, id)

    [row] = await sales.rows("SELECT * FROM customers")
    assert {name: value for name, value in row.items() if name != "created_at"} == {
        "id": id,
        "name": "",
        "email": id,
        "status": "ERASED",
        "email_verified": False,
        "language": "en",
        "password_hash": None,
        "password_set_at": None,
        "is_introduced": True,
    }


@pytest.mark.rule("BR-PRIV-002")
async def test_orders_and_what_happened_to_them_stay_whole(sales: Sales) -> None:
    id, _ = await a_life(sales)
    tables = ("orders", "order_items", "order_history")
    before = {table: await sales.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables}
    audit = await sales.rows("SELECT * FROM audit_log ORDER BY id")

    await erase(sales, CANARY_PASSWORD, id)

    assert {table: await sales.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables} == before
    assert (await sales.rows("SELECT * FROM audit_log ORDER BY id"))[: len(audit)] == audit
    async with sales.client("root", "admin") as client:
        orders = (await client.get("/api/v1/orders")).json()["items"]
    assert [order["customer_id"] for order in orders] == [id] * 3


async def test_one_event_and_one_line_of_the_audit_tell_of_it(sales: Sales) -> None:
    id = await registered(sales)

    await erase(sales, by=id)

    [event] = await sales.published("customer.erased")
    [line] = await sales.rows("SELECT * FROM audit_log WHERE action = 'customer.erased'")
    assert event["data"] == {"customer_id": id}
    assert (line["actor"], line["entity_id"], line["before"], line["after"]) == (id, id, None, None)


async def test_repeating_it_changes_nothing(sales: Sales) -> None:
    id = await registered(sales)
    await erase(sales, by=id)
    [row] = await sales.rows("SELECT xmin::text FROM customers")

    again = [await erase(sales, password, id) for password in (PASSWORD, "whatever")]
    admins = await erase_as_admin(sales, id)

    assert [answer.status_code for answer in (*again, admins)] == [204] * 3
    assert len(await sales.published("customer.erased")) == 1
    assert await sales.rows("SELECT xmin::text FROM customers") == [row]
    assert len(await sales.rows("SELECT 1 FROM audit_log WHERE action = 'customer.erased'")) == 1


async def test_a_token_alone_does_not_erase(sales: Sales) -> None:
    id = await registered(sales)

    wrong = await erase(sales, "wrong", id)
    none = await me(sales, "DELETE", "", {}, by=id)
    nobody = await erase(sales, by="grace")

    assert code(wrong) == (401, "INVALID_CREDENTIALS")
    assert code(none) == (400, "VALIDATION_ERROR")
    assert code(nobody) == (404, "NOT_FOUND")
    assert "wrong" not in wrong.text
    assert (await me(sales, by=id)).status_code == 200
    assert await sales.published("customer.erased") == []


async def test_whoever_guesses_passwords_with_a_stolen_token_is_slowed_down(sales: Sales) -> None:
    id = await registered(sales)

    answers = [await erase(sales, f"guess {number}", id) for number in range(7)]

    assert code(answers[0]) == (401, "INVALID_CREDENTIALS")
    assert code(answers[-1]) == (429, "RATE_LIMITED")
    assert int(answers[-1].headers["retry-after"]) >= 1


async def test_whoever_erases_themselves_has_guessed_nothing(sales: Sales) -> None:
    id = await registered(sales)
    await erase(sales, "a slip of the finger", id)
    [before] = await sales.rows("SELECT sum(attempts) FROM slowdowns")

    await erase(sales, by=id)

    [after] = await sales.rows("SELECT sum(attempts) FROM slowdowns")
    assert (before["sum"], after["sum"]) == (3, 2)


async def test_who_has_no_password_cannot_erase_themselves(sales: Sales) -> None:
    await customer(sales)

    assert code(await erase(sales)) == (401, "INVALID_CREDENTIALS")
    assert (await erase_as_admin(sales)).status_code == 204


async def test_an_admin_erases_with_a_reason_that_stays(sales: Sales) -> None:
    id, _ = await a_life(sales)

    answer = await erase_as_admin(sales, id, "Asked by letter, ticket 17.")

    [line] = await sales.rows("SELECT * FROM audit_log WHERE action = 'customer.erased'")
    assert answer.status_code == 204
    assert (line["actor"], line["after"]) == ("root", {"reason": "Asked by letter, ticket 17."})
    assert set(await mentions(sales)) == {"orders", "outbox"}


@pytest.mark.parametrize("reason", [f"{CANARY} beeble-brox called", f"Mail from <{EMAIL.upper()}>", "", " ", None])
async def test_a_reason_that_names_the_customer_or_nothing_is_refused(sales: Sales, reason: Any) -> None:
    id, _ = await a_life(sales)

    answer = await erase_as_admin(sales, id, reason)

    assert code(answer) == (400, "VALIDATION_ERROR")
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == ["reason"]
    assert CANARY.lower() not in answer.text.lower()
    assert await sales.published("customer.erased") == []


async def test_only_admins_erase_others(sales: Sales) -> None:
    await customer(sales)

    for role in ("customer", "warehouse"):
        assert code(await erase_as_admin(sales, "grace", "Why not?", role)) == (403, "FORBIDDEN")
    assert code(await erase_as_admin(sales, "nobody")) == (404, "NOT_FOUND")
    assert (await me(sales)).status_code == 200


@pytest.mark.parametrize(
    "change", ["name = 'Grace'", "email = 'grace@example.org'", "password_hash = 'x'", "email_verified = true"]
)
async def test_the_database_itself_keeps_personal_data_out_of_what_is_left(sales: Sales, change: str) -> None:
    await customer(sales)
    await erase_as_admin(sales)

    with pytest.raises(IntegrityError, match="ck_customers_erased"):
        await sales.rows(f"UPDATE customers SET {change} RETURNING 1")


async def test_others_lose_nothing(sales: Sales) -> None:
    gone, stays = await registered(sales), await registered(sales, "ada@example.org", "Ada")
    address = await add(sales, {**ADDRESS, "line1": "3 Ada Street"}, by=stays)
    ordered = await sales.order(wanted(address=None), "key", stays)
    session = (await logged_in(sales, "ada@example.org")).json()
    await a_customer(sales, stays).has()

    await erase(sales, by=gone)

    again = await sales.order(wanted(address=None), "key", stays)
    assert again.content == ordered.content
    assert (await renewed(sales, session["refresh_token"])).status_code == 200
    assert await a_customer(sales, stays).quantities() == {"lamp": 1}
    assert [item["address_id"] for item in (await me(sales, path="/addresses", by=stays)).json()["items"]] == [address]
    assert json.loads(ordered.text)["shipping_address"]["line1"] == "3 Ada Street"
