"""Who sees which returns, saying no to one, and the life that a return has."""

from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from chassis.errors import Conflict
from chassis.ids import uuid7
from contracts.sales.returns import ReturnState
from sales.returns.model import NEXT, InvalidStatusTransition, Return
from services.sales.tests.checkout import refused
from services.sales.tests.factories import Sales
from services.sales.tests.returning import (
    asked,
    audited,
    delivered,
    received,
    refund,
    reject,
    shown,
    stands,
)


async def of_order(sales: Sales, order: dict[str, Any], by: str = "grace", *roles: Any, **params: Any) -> Any:
    async with sales.client(by, *roles) as client:
        return await client.get(f"/api/v1/orders/{order['order_id']}/returns", params=params)


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["return_id"] for one in answer.json()["items"]]


async def test_customers_see_the_returns_of_their_own_orders(sales: Sales) -> None:
    order, other = await delivered(sales, ("lamp", 2)), await delivered(sales)
    first, second = await asked(sales, order), await asked(sales, order)
    await asked(sales, other)

    assert ids(await of_order(sales, order)) == [second, first]
    assert ids(await of_order(sales, order, "root", "admin")) == [second, first]
    assert refused(await of_order(sales, order, "mallory")) == (404, "NOT_FOUND")
    assert refused(await of_order(sales, order, "clerk", "warehouse")) == (403, "FORBIDDEN")
    assert refused(await of_order(sales, {"order_id": uuid7()})) == (404, "NOT_FOUND")


async def test_they_come_in_pages(sales: Sales) -> None:
    order = await delivered(sales, ("lamp", 3))
    made = [await asked(sales, order) for _ in range(3)]

    first = await of_order(sales, order, limit=2)
    second = await of_order(sales, order, limit=2, cursor=first.json()["next_cursor"])
    third = await shown(sales, "", limit=1, cursor=first.json()["next_cursor"])

    assert (ids(first), ids(second), ids(third)) == (made[:0:-1], made[:1], made[:1])
    assert second.json()["next_cursor"] is None


@pytest.mark.parametrize("params", [{"cursor": "x"}, {"limit": 0}, {"limit": 101}])
async def test_what_is_no_page_is_refused(sales: Sales, params: dict[str, Any]) -> None:
    order = await delivered(sales)

    assert refused(await of_order(sales, order, **params)) == (400, "VALIDATION_ERROR")
    assert refused(await shown(sales, "", **params)) == (400, "VALIDATION_ERROR")


async def test_the_desk_sees_those_that_it_has_to_see_to(sales: Sales) -> None:
    order = await delivered(sales, ("lamp", 4))
    requested, here = await asked(sales, order), await received(sales, order)
    refunded, rejected = await received(sales, order), await asked(sales, order)
    await refund(sales, refunded)
    await reject(sales, rejected)

    for state, expected in zip(ReturnState, (requested, here, refunded, rejected), strict=True):
        assert ids(await shown(sales, "", "clerk", "warehouse", state=state)) == [expected]
    assert ids(await shown(sales, "")) == [rejected, refunded, here, requested]
    assert refused(await shown(sales, "", state="LOST")) == (400, "VALIDATION_ERROR")
    assert refused(await shown(sales, "", "grace", "customer")) == (403, "FORBIDDEN")


@pytest.mark.rule("AC-RET-001")
async def test_a_return_is_shown_to_its_customer_and_to_staff(sales: Sales) -> None:
    return_id = await asked(sales, await delivered(sales))

    answers = [
        await shown(sales, f"/{return_id}", *who)
        for who in (("grace", "customer"), ("clerk", "warehouse"), ("root", "admin"), ("mallory", "customer"))
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 404]
    assert refused(await shown(sales, f"/{uuid7()}")) == (404, "NOT_FOUND")
    assert refused(await shown(sales, "/none")) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize("is_here", [False, True], ids=["requested", "received"])
async def test_a_return_is_rejected_with_a_reason_that_the_customer_sees(sales: Sales, is_here: bool) -> None:
    order = await delivered(sales)
    return_id = await (received if is_here else asked)(sales, order)

    answer = await reject(sales, return_id, " It is worn out. ", by="clerk", role="warehouse")

    one = answer.json()
    assert (answer.status_code, one["state"], one["rejection_reason"]) == (200, "REJECTED", "It is worn out.")
    assert (await shown(sales, f"/{return_id}", "grace", "customer")).json() == one
    [told] = await sales.published("order.return_rejected")
    assert told["data"] == {
        "return_id": return_id,
        "order_id": order["order_id"],
        "customer_id": "grace",
        "rejected_at": one["rejected_at"],
    }
    [row] = await audited(sales, "return.rejected")
    assert (row["actor"], row["after"]) == ("clerk", {"state": "REJECTED"})
    assert refused(await refund(sales, return_id)) == (409, "INVALID_STATUS_TRANSITION")


async def test_repeating_it_changes_nothing(sales: Sales) -> None:
    return_id = await asked(sales, await delivered(sales))
    first = await reject(sales, return_id)

    again = await reject(sales, return_id, "Another reason.")

    assert (again.status_code, again.json()) == (200, first.json())
    assert len(await sales.published("order.return_rejected")) == 1


async def test_what_was_refunded_is_not_rejected(sales: Sales) -> None:
    return_id = await received(sales, await delivered(sales))
    await refund(sales, return_id)

    assert refused(await reject(sales, return_id)) == (409, "INVALID_STATUS_TRANSITION")
    assert (await stands(sales, return_id))["state"] == "REFUNDED"


@pytest.mark.parametrize("reason", [None, "", "   ", "x" * 201, 5, "\x00"])
async def test_what_is_no_reason_is_refused(sales: Sales, reason: Any) -> None:
    return_id = await asked(sales, await delivered(sales))

    assert refused(await reject(sales, return_id, reason)) == (400, "VALIDATION_ERROR")
    assert refused(await reject(sales, uuid7())) == (404, "NOT_FOUND")


@pytest.mark.parametrize(("by", "role", "status"), [("grace", "customer", 403), (None, "admin", 401)])
async def test_only_staff_rejects(sales: Sales, by: str | None, role: str, status: int) -> None:
    return_id = await asked(sales, await delivered(sales))

    assert (await reject(sales, return_id, by=by, role=role)).status_code == status
    assert (await stands(sales, return_id))["state"] == "REQUESTED"


@pytest.mark.parametrize(("state", "wanted"), [*product(ReturnState, ReturnState)])
def test_a_return_goes_no_other_way_than_the_table(state: ReturnState, wanted: ReturnState) -> None:

    now = datetime.now(UTC)
    one = Return(uuid7(), uuid7(), "grace", state, "USD", now, now)
    verbs = {
        ReturnState.REQUESTED: None,
        ReturnState.RECEIVED: lambda: one.receive(now),
        ReturnState.REFUNDED: lambda: one.refund(now),
        ReturnState.REJECTED: lambda: one.reject("Worn out.", now),
    }
    verb = verbs[wanted]
    if verb is None:
        assert all(wanted not in reachable for reachable in NEXT.values())
    elif wanted in NEXT[state]:
        verb()
        assert one.state == wanted
    else:
        with pytest.raises(InvalidStatusTransition) as refusal:
            verb()
        assert isinstance(refusal.value, Conflict)
        assert one.state == state
