"""What was seen becomes a design that can be read, and is what was seen."""

import json

import pytest

from chassis.steps import record, step
from sequences.comparing import Call, compare, expected
from sequences.deriving import derive
from sequences.reading import read_text
from sequences.seeing import as_call

from .factories import call


@step("OrderService", "placeOrder")
def place() -> None: ...


@pytest.fixture
def recorded_run() -> list[Call]:
    with record() as recording:
        place()
    return [as_call(each) for each in recording.steps]


def test_a_run_becomes_a_draft_that_shows_no_difference_to_it() -> None:
    seen = [
        call("Customer > OrderService: placeOrder"),
        call("OrderService > OrderAggregate: createOrder", "OrderPlaced"),
    ]

    draft = derive("SEQ-NEW-001", seen)
    sequence, unreadable = read_text("SEQ-NEW-001.json", json.dumps(draft))

    assert unreadable == []
    assert sequence is not None
    assert compare(expected(sequence), seen) == []
    assert sequence.name == "Place order"
    assert sequence.trigger.type == "user_action"
    assert [(each.name, each.type) for each in sequence.participants] == [
        ("Customer", "actor"),
        ("OrderService", "service"),
        ("OrderAggregate", "aggregate"),
    ]


def test_a_run_whose_caller_nobody_knows_is_a_design_that_can_be_read(recorded_run: list[Call]) -> None:
    _, unreadable = read_text("SEQ-NEW-001.json", json.dumps(derive("SEQ-NEW-001", recorded_run)))

    assert unreadable == []


def test_what_a_service_does_by_itself_was_triggered_by_the_system() -> None:
    draft = derive("SEQ-NEW-001", [call("OrderService > PaymentService: capturePayment")])

    assert draft["trigger"]["type"] == "system_event"
