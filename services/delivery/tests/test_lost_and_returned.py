"""A parcel goes astray, turns up, comes back and is sent again; and what shows that one has arrived."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import pytest

from contracts.delivery.shipments import ProofOfDelivery, ShipmentStatus
from delivery.shipments.following import Kind, ParcelNews, UnknownParcel, follow, send_again
from delivery.shipments.model import ImplausibleDelivery, InvalidStatusTransition, Shipment

from .factories import TRACKED, Desk, code, statuses
from .factories_parcels import in_parcels, order_statuses, told_of, until_somebody_waits

LOST: Final = ShipmentStatus.LOST
RETURNED: Final = ShipmentStatus.RETURNED
DELIVERED: Final = ShipmentStatus.DELIVERED
NUMBER = TRACKED["tracking_number"]


async def reports(desk: Desk, shipment: dict[str, Any], what: str, body: object = None) -> Any:
    return await desk.post(f"/{shipment['shipment_id']}/{what}", body)


async def gone(desk: Desk, shipment: dict[str, Any], what: str) -> dict[str, Any]:
    answer = await reports(desk, shipment, what, {"reason": "The carrier says so."})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def heard(desk: Desk, kind: Kind, carrier: str = "FedEx", **news: Any) -> Shipment:
    async with desk.database.begin() as session:
        return await follow(session, carrier, NUMBER, ParcelNews(kind, **news), by=f"carrier:{carrier}")


@pytest.mark.rule("BR-PARC-004")
@pytest.mark.parametrize(("what", "status", "action"), [("loss", "LOST", "lost"), ("return", "RETURNED", "returned")])
async def test_a_parcel_that_goes_astray_keeps_its_label_and_the_order_stays_shipped(
    desk: Desk, what: str, status: str, action: str
) -> None:
    shipped = await desk.shipped()

    astray = await gone(desk, shipped, what)

    assert astray == {**shipped, "status": status, "allowed_actions": astray["allowed_actions"]}
    assert astray == await desk.again(shipped)
    assert await order_statuses(desk) == ["SHIPPED"]
    [told] = await told_of(desk, "shipment.updated")
    assert (told["status"], told["number"], told["version"]) == (status, 1, 2)
    assert told["tracking_number"] == NUMBER
    row = (await desk.audited())[-1]
    assert (row["actor"], row["action"]) == ("clerk", f"shipment.{action}")
    assert row["before"] == {"status": "SHIPPED"}
    assert row["after"] == {"status": status, "reason": "The carrier says so."}


@pytest.mark.parametrize("what", ["loss", "return"])
async def test_to_report_it_again_changes_nothing_and_tells_nobody(desk: Desk, what: str) -> None:
    shipped = await desk.shipped()
    astray = await gone(desk, shipped, what)

    again = await reports(desk, shipped, what, {"reason": "Another reason."})

    assert (again.status_code, again.json()) == (200, astray)
    assert len(await desk.published()) == len(await desk.audited()) == 2


async def test_what_was_lost_may_still_arrive(desk: Desk) -> None:
    shipped = await desk.shipped()
    await gone(desk, shipped, "loss")

    delivered = await desk.confirm(shipped)

    assert delivered.json()["status"] == "DELIVERED"
    assert await order_statuses(desk) == ["SHIPPED", "DELIVERED"]
    assert [(one["status"], one["version"]) for one in await told_of(desk, "shipment.updated")] == [
        ("LOST", 2),
        ("DELIVERED", 3),
    ]
    assert (await desk.audited())[-1]["before"] == {"status": "LOST"}


async def test_what_was_lost_may_come_back(desk: Desk) -> None:
    shipped = await desk.shipped()
    await gone(desk, shipped, "loss")

    assert (await gone(desk, shipped, "return"))["status"] == "RETURNED"


@pytest.mark.rule("BR-PARC-004")
async def test_what_came_back_is_sent_again_with_another_label(desk: Desk) -> None:
    shipped = await desk.shipped()
    await gone(desk, shipped, "return")

    ready = (await reports(desk, shipped, "sending-again")).json()
    repeated = await reports(desk, shipped, "sending-again")
    sent = await desk.dispatch(shipped, {"carrier": "UPS", "tracking_number": "1Z-0001"})
    delivered = await desk.confirm(shipped)

    assert (ready["status"], ready["allowed_actions"]) == ("READY", ["dispatch", "split"])
    assert not {"carrier", "tracking_number"} & ready.keys()
    assert (repeated.status_code, repeated.json()) == (200, ready)
    assert (sent.status_code, delivered.status_code) == (200, 200)
    assert await order_statuses(desk) == ["SHIPPED", "DELIVERED"]
    told = await told_of(desk, "shipment.updated")
    assert [(one["version"], one["status"], one.get("carrier")) for one in told] == [
        (2, "RETURNED", "FedEx"),
        (3, "READY", None),
        (4, "SHIPPED", "UPS"),
        (5, "DELIVERED", "UPS"),
    ]
    assert not any(one["is_first_to_leave"] for one in told)
    assert [row["action"] for row in await desk.audited()] == [
        "shipment.dispatched",
        "shipment.returned",
        "shipment.sent_again",
        "shipment.dispatched",
        "shipment.delivered",
    ]


async def test_its_old_number_is_free_and_says_nothing_of_it_any_more(desk: Desk) -> None:
    shipped = await desk.shipped()
    await gone(desk, shipped, "return")
    await reports(desk, shipped, "sending-again")

    with pytest.raises(UnknownParcel):
        await heard(desk, DELIVERED)


@pytest.mark.parametrize("what", ["loss", "return", "sending-again"])
async def test_what_has_not_left_cannot_go_astray(desk: Desk, what: str) -> None:
    ready = await desk.ready()

    answer = await reports(desk, ready, what, None if what == "sending-again" else {"reason": "Gone."})

    assert (answer.status_code, code(answer)) == (409, "INVALID_STATUS_TRANSITION")
    assert await desk.again(ready) == ready
    assert await desk.published() == await desk.audited() == []


@pytest.mark.parametrize("what", ["loss", "return", "sending-again"])
async def test_what_has_arrived_has_arrived(desk: Desk, what: str) -> None:
    shipped = await desk.shipped()
    delivered = (await desk.confirm(shipped)).json()

    answer = await reports(desk, shipped, what, None if what == "sending-again" else {"reason": "Gone."})

    assert (answer.status_code, code(answer)) == (409, "INVALID_STATUS_TRANSITION")
    assert await desk.again(shipped) == delivered


async def test_what_came_back_is_not_lost_and_cannot_arrive(desk: Desk) -> None:
    shipped = await desk.shipped()
    await gone(desk, shipped, "return")

    answers = [await reports(desk, shipped, "loss", {"reason": "Gone."}), await desk.confirm(shipped)]

    assert {(answer.status_code, code(answer)) for answer in answers} == {(409, "INVALID_STATUS_TRANSITION")}


@pytest.mark.parametrize("what", ["loss", "return", "sending-again"])
async def test_of_shipments_that_do_not_exist_nothing_can_be_reported(desk: Desk, what: str) -> None:
    body = None if what == "sending-again" else {"reason": "Gone."}

    answer = await reports(desk, {"shipment_id": uuid4()}, what, body)

    assert (answer.status_code, code(answer)) == (404, "NOT_FOUND")


@pytest.mark.parametrize("what", ["loss", "return"])
@pytest.mark.parametrize("body", [None, {}, {"reason": ""}, {"reason": "  "}, {"reason": "x" * 201}, {"why": "?"}])
async def test_strange_reports_are_refused_politely(desk: Desk, what: str, body: object) -> None:
    shipped = await desk.shipped()

    answer = await reports(desk, shipped, what, body)

    assert (answer.status_code, code(answer)) == (400, "VALIDATION_ERROR")
    assert await desk.again(shipped) == shipped


async def test_of_a_loss_and_a_delivery_at_once_both_count_or_the_loss_is_refused(
    desk: Desk, second_desk: Desk, lingers_at: Callable[[str], None]
) -> None:
    shipped = await desk.shipped()
    lingers_at("delivery.confirm.delivered")

    answers = await asyncio.gather(
        desk.confirm(shipped), reports(second_desk, shipped, "loss", {"reason": "Nowhere to be seen."})
    )

    assert statuses(answers) in ([200, 200], [200, 409])
    assert answers[0].status_code == 200
    assert (await desk.again(shipped))["status"] == "DELIVERED"
    assert await order_statuses(desk) == ["SHIPPED", "DELIVERED"]


@pytest.mark.rule("BR-PARC-004")
async def test_an_order_of_which_one_parcel_is_lost_is_not_delivered_by_the_other(desk: Desk) -> None:
    first, second = await in_parcels(desk, 2)
    await desk.dispatch(first, TRACKED)
    await desk.dispatch(second, {**TRACKED, "tracking_number": "TRK-2"})
    await gone(desk, second, "loss")

    await desk.confirm(first)
    before = await order_statuses(desk)
    await desk.confirm(second)

    assert before == ["SHIPPED"]
    assert await order_statuses(desk) == ["SHIPPED", "DELIVERED"]


async def test_a_carrier_s_news_are_followed_by_the_label(desk: Desk) -> None:
    shipped = await desk.shipped()
    at = datetime.now(UTC)

    lost = await heard(desk, LOST, at=at, reason="Not scanned for a week.")
    again = await heard(desk, LOST, carrier="FEDEX")
    found = await heard(desk, DELIVERED, at=at, location="Porch", proof=ProofOfDelivery(note="Left there"))

    assert (str(lost.id), lost.status, again.version) == (shipped["shipment_id"], "LOST", lost.version)
    assert (found.status, found.delivery_location, found.delivered_at) == ("DELIVERED", "Porch", at)
    assert (await desk.again(shipped))["proof"] == {"note": "Left there"}
    row = (await desk.audited())[1]
    assert (row["actor"], row["action"]) == ("carrier:FedEx", "shipment.lost")
    assert row["after"]["reason"] == "Not scanned for a week."
    assert datetime.fromisoformat(row["after"]["at"]) == at


async def test_a_carrier_s_news_are_of_the_one_parcel_that_has_the_label(desk: Desk) -> None:
    first, second, third = await in_parcels(desk, 2, 1)
    for number, parcel in (("TRK-1", first), (NUMBER, second), ("TRK-3", third)):
        await desk.dispatch(parcel, {**TRACKED, "tracking_number": number})

    heard_of = await heard(desk, DELIVERED)

    assert str(heard_of.id) == second["shipment_id"]
    assert [(await desk.again(each))["status"] for each in (first, second, third)] == [
        "SHIPPED",
        "DELIVERED",
        "SHIPPED",
    ]


async def test_a_carrier_s_news_are_refused_with_their_reason(desk: Desk) -> None:
    shipped = await desk.shipped()

    with pytest.raises(UnknownParcel):
        await heard(desk, DELIVERED, carrier="UPS")
    with pytest.raises(ImplausibleDelivery):
        await heard(desk, DELIVERED, at=datetime.now(UTC) + timedelta(hours=1))
    assert await desk.again(shipped) == shipped
    await heard(desk, DELIVERED)
    with pytest.raises(InvalidStatusTransition):
        await heard(desk, LOST)
    with pytest.raises(InvalidStatusTransition):
        await heard(desk, RETURNED)
    assert len(await desk.published()) == len(await desk.audited()) == 2


async def test_a_label_that_is_taken_off_while_a_carrier_s_news_wait_is_unknown(desk: Desk) -> None:
    shipped = await desk.shipped()
    await gone(desk, shipped, "return")

    async with desk.database.begin() as session:
        await send_again(session, UUID(shipped["shipment_id"]), by="clerk")
        hearing = asyncio.create_task(heard(desk, DELIVERED))
        await until_somebody_waits(desk)

    with pytest.raises(UnknownParcel):
        await hearing


async def test_what_shows_that_it_has_arrived_is_kept_and_told_to_nobody(desk: Desk) -> None:
    shipped = await desk.shipped()
    proof = {"note": "Signed by a neighbour", "image": "https://carrier.example/pod/1.jpg"}

    delivered = (await desk.confirm(shipped, {"proof": proof})).json()

    assert delivered["proof"] == proof
    assert await desk.again(shipped) == delivered
    assert "neighbour" not in str(await desk.published()) + str(await desk.audited())


@pytest.mark.parametrize("proof", [None, {}])
async def test_an_empty_proof_is_none(desk: Desk, proof: object) -> None:
    assert "proof" not in (await desk.confirm(await desk.shipped(), {"proof": proof})).json()
    assert await desk.query("SELECT proof FROM shipments") == [{"proof": None}]


@pytest.mark.parametrize("proof", ["signed", {"note": "x" * 1001}, {"image": "a b"}, {"image": ""}, {"photo": "x"}])
async def test_strange_proofs_are_refused_politely(desk: Desk, proof: object) -> None:
    shipped = await desk.shipped()

    answer = await desk.confirm(shipped, {"proof": proof})

    assert (answer.status_code, code(answer)) == (400, "VALIDATION_ERROR")
    assert await desk.again(shipped) == shipped
