"""Whatever the staff does to an order in several parcels: no piece gets lost, and its status follows from theirs."""

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from .factories import Desk
from .factories_parcels import A, B, a_large_order, content, order_statuses, parcels_of, split, told_of

WHOLE = Counter({A: 6, B: 3})
GOODS = {A: 3, B: 2}


async def does(desk: Desk, random: Random, parcel: dict[str, Any], what: str, turn: int) -> int:
    path = f"/{parcel['shipment_id']}"
    match what:
        case "split":
            taken = [
                {"product_id": name, "quantity": random.randint(1, GOODS[name])} for name in random.sample([A, B], 1)
            ]
            return (await split(desk, parcel, {"items": taken})).status_code
        case "dispatch":
            return (await desk.dispatch(parcel, {"carrier": "FedEx", "tracking_number": f"TRK-{turn:04}"})).status_code
        case "delivery" | "sending-again":
            return (await desk.post(f"{path}/{what}")).status_code
        case _:
            return (await desk.post(f"{path}/{what}", {"reason": "So it is."})).status_code


def as_derived(parcels: Sequence[dict[str, Any]], has_left: bool) -> list[str]:
    has_arrived = all(parcel["status"] == "DELIVERED" for parcel in parcels)
    return ["SHIPPED"] * has_left + ["DELIVERED"] * has_arrived


@pytest.mark.rule("BR-PARC-001", "BR-ORD-008")
@pytest.mark.parametrize("seed", range(4))
async def test_whatever_is_done_nothing_gets_lost_and_the_order_is_where_its_parcels_are(desk: Desk, seed: int) -> None:
    random = Random(seed)
    ready = await desk.ready(a_large_order())
    has_left, answers = False, Counter[int]()
    likely = ["dispatch"] * 3 + ["delivery"] * 3 + ["split"] * 2 + ["loss", "return", "sending-again"]

    parcels = [ready]

    for turn in range(60):
        what = random.choice(likely)
        status = await does(desk, random, random.choice(parcels), what, turn)
        answers[status] += 1
        has_left = has_left or (what, status) == ("dispatch", 200)

        parcels = await parcels_of(desk, ready)
        assert content(parcels) == WHOLE
        assert [parcel["number"] for parcel in parcels] == list(range(1, len(parcels) + 1))
        assert await order_statuses(desk) == as_derived(parcels, has_left)

    assert set(answers) <= {200, 201, 400, 409}
    told = await told_of(desk, "shipment.updated")
    versions: dict[str, int] = {}
    for one in told:
        assert one["version"] == versions.get(one["shipment_id"], one["version"] - 1) + 1
        versions[one["shipment_id"]] = one["version"]
    last = {one["number"]: (one["status"], one["items"]) for one in told}
    assert last == {each["number"]: (each["status"], each["items"]) for each in parcels if each["number"] in last}
    assert len(parcels) == 1 or len(last) == len(parcels)
