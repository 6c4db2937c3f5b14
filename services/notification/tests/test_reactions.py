"""What Notification makes of the news: which letter is written to whom, once, and about what."""

import re
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from chassis import steps
from chassis.breather import UNHURRIED
from chassis.ids import uuid7
from contracts.delivery.shipments import ShipmentStatus
from contracts.envelope import Event
from contracts.sales.customers import VerificationRequested
from notification.mails.writing import OPERATIONS
from notification.messages import examples
from notification.messages.catalogue import MESSAGES
from notification.messages.message import Message
from notification.reactions import REACTIONS

from .factories import PostOffice
from .factories_messages import NOON, customer, parked, registered, told

PERSONAL = re.compile(r"ada|example\.org|analytical|springfield|62701", re.IGNORECASE)
TELLING = [message for message in MESSAGES.values() if message.name != "back_in_stock"]


async def test_orders_go_first_so_it_hears_of_more_at_once(office: PostOffice) -> None:
    assert office.service.subscription.rest == UNHURRIED


@pytest.mark.parametrize("message", TELLING, ids=lambda message: message.name)
async def test_each_event_has_its_letter(office: PostOffice, message: Message) -> None:
    happened = told(message.example, at=NOON)

    await office.hear(happened)

    [mail] = await office.mails()
    assert (mail["event_id"], mail["message"], mail["at"]) == (happened.id, message.name, NOON)
    assert mail["recipient"] == (OPERATIONS if message.audience == "operations" else examples.CUSTOMER)
    assert mail["about"] == message.sample
    assert mail["traceparent"][3:35] == str(happened.traceparent)[3:35]
    assert await parked(office) == []


@pytest.mark.rule("BR-MAIL-004")
@pytest.mark.parametrize("message", TELLING, ids=lambda message: message.name)
async def test_letters_hold_neither_names_nor_addresses_nor_tokens(office: PostOffice, message: Message) -> None:
    await office.hear(told(message.example))

    [mail] = await office.mails()
    # Ids and names of products are no persons; the link to the carrier's page is the carrier's.
    assert not PERSONAL.search(str({key: said for key, said in mail["about"].items() if key != "tracking_url"}))


async def test_an_event_that_comes_twice_is_one_letter(office: PostOffice) -> None:
    happened = told(examples.ORDER_CREATED)

    await office.hear(happened, happened)
    await office.hear(happened)

    assert len(await office.mails()) == 1


async def test_an_event_that_was_forgotten_and_comes_again_is_still_one_letter(office: PostOffice) -> None:
    happened = told(examples.ORDER_CREATED)
    await office.hear(happened)
    await office.query("DELETE FROM inbox")

    await office.hear(happened)

    assert len(await office.mails()) == 1


async def test_all_events_of_a_batch_have_their_letters_each_in_its_own_trace(office: PostOffice) -> None:
    happened = [told(message.example) for message in TELLING for _ in range(3)]

    await office.hear(*happened)

    traces = {mail["event_id"]: mail["traceparent"][3:35] for mail in await office.mails()}
    assert traces == {each.id: str(each.traceparent)[3:35] for each in happened}


@pytest.mark.parametrize("status", ["READY", "SHIPPED", "DELIVERED", "STOPPED", "LOST", "RETURNED"])
async def test_operations_are_told_of_parcels_that_are_lost_or_come_back_and_of_no_others(
    office: PostOffice, status: str
) -> None:
    await office.hear(told(examples.PARCEL_LOST.model_copy(update={"status": ShipmentStatus(status)})))

    letters = [(mail["message"], mail["about"]["status"]) for mail in await office.mails()]
    assert letters == ([("parcel_in_trouble", status)] if status in {"LOST", "RETURNED"} else [])


async def test_a_parcel_in_trouble_among_others_keeps_its_own_letter(office: PostOffice) -> None:
    """The first of the batch is not written of: what is left must not be mistaken for it."""
    fine = examples.PARCEL_LOST.model_copy(update={"status": ShipmentStatus.SHIPPED, "order_id": uuid7()})
    trouble = told(examples.PARCEL_LOST)

    await office.hear(told(fine), trouble)

    [mail] = await office.mails()
    assert (mail["event_id"], mail["about"]["order_id"]) == (trouble.id, str(examples.PARCEL_LOST.order_id))


async def test_who_asks_for_another_verification_mail_gets_one_and_is_known_from_then_on(office: PostOffice) -> None:
    asked = VerificationRequested(**registered("customer_new", email="new@example.org").model_dump())

    await office.hear(asked_now := told(asked))

    [mail] = await office.mails()
    assert (mail["event_id"], mail["message"]) == (asked_now.id, "verification")
    assert (await customer(office, "customer_new"))["email"] == "new@example.org"


async def test_of_a_customer_who_was_never_heard_of_the_letter_is_written_all_the_same(office: PostOffice) -> None:
    await office.hear(told(examples.ORDER_SHIPPED))

    assert [mail["recipient"] for mail in await office.mails()] == [examples.CUSTOMER]
    assert await office.query("SELECT * FROM customers") == []


async def test_what_is_not_known_is_written_down_as_that(office: PostOffice) -> None:
    """A template that finds nothing at all would fail."""
    bare: dict[str, Any] = {"order_id": uuid4(), "customer_id": "c", "shipped_at": datetime.now(UTC)}

    await office.hear(told(type(examples.ORDER_SHIPPED)(**bare)))

    [mail] = await office.mails()
    assert mail["about"].keys() == MESSAGES["order_shipped"].says
    assert mail["about"]["carrier"] is None


async def test_being_out_of_stock_is_a_step_of_its_own(office: PostOffice) -> None:
    happened = [told(examples.OUT_OF_STOCK) for _ in range(2)]

    with steps.record() as recording:
        await office.hear(*happened)

    found = {(step.participant, step.action, step.trace_id) for step in recording.steps}
    assert found == {("NotificationService", "handleOutOfStock", str(each.traceparent)[3:35]) for each in happened}


def test_everything_that_is_meant_for_notification_is_heard() -> None:
    from contracts.events import EVENTS

    meant: set[type[Event]] = {event for event in EVENTS.values() if "notification" in event.heard_by}
    assert set(REACTIONS) == meant
