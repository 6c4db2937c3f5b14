"""A run is what began as its design does, and what belongs to it."""

from collections.abc import Iterator
from typing import Any

import pytest

from chassis.steps import Step, record, step
from sequences.design import Sequence
from sequences.seeing import begun, runs

from .factories import design

PAYING = [
    {"step": 1, "actor": "Orders", "action": "take", "target": "Money"},
    {"step": 2, "actor": "Money", "action": "note", "target": "Books"},
]


def a_design(sequence_id: str, *steps: dict[str, Any]) -> Sequence:
    return design(
        id=sequence_id, steps=[{**each, "step": number} for number, each in enumerate(steps, 1)], exceptions=[]
    )


@pytest.fixture
def paying() -> Sequence:
    return a_design("SEQ-PAY-001", *PAYING)


@step("Orders", "placeOrder")
def place(*, nested: bool = False) -> None:
    make()
    take()
    if nested:
        place()


@step("Orders", "make")
def make() -> None: ...


@step("Money", "take")
def take() -> None:
    note()


@step("Books", "note")
def note() -> None: ...


@step("Cart", "payForIt")
def pay_for_the_cart() -> None:
    take()


@step("Orders", "confirm")
def confirm() -> None:
    take()


def actions(sequence: Sequence, steps: list[Step], *others: Sequence) -> list[list[str]]:
    return [[call.action for call in run.calls] for run in runs(steps, sequence, [sequence, *others])]


def test_what_begins_another_sequence_inside_of_a_run_is_a_run_of_that_one(paying: Sequence) -> None:
    with record() as recording:
        place()

    assert actions(design(), recording.steps, paying) == [["placeOrder", "make"]]
    assert actions(paying, recording.steps, design()) == [["take", "note"]]


def test_what_a_design_has_itself_is_a_part_of_it_whatever_else_it_begins(paying: Sequence) -> None:
    whole = a_design("SEQ-ORD-001", {"actor": "Customer", "action": "placeOrder", "target": "Orders"}, *PAYING)
    with record() as recording:
        place()

    assert actions(whole, recording.steps, paying) == [["placeOrder", "make", "take", "note"]]
    assert actions(paying, recording.steps, whole) == [["take", "note"]]


def test_what_a_path_has_is_the_designs_too(paying: Sequence) -> None:
    path = {
        "id": "LATE",
        "condition": "Too late",
        "step": 1,
        "handling": "Take it at once",
        "then": [{"actor": "Orders", "action": "take", "target": "Money"}],
    }
    with record() as recording:
        place()

    assert actions(design(exceptions=[path]), recording.steps, paying) == [["placeOrder", "make", "take", "note"]]


def test_one_inside_of_another_of_its_kind_is_a_part_of_that_one() -> None:
    with record() as recording:
        place(nested=True)

    assert actions(design(), recording.steps) == [["placeOrder", "make", "take", "note"] * 2]


def test_what_somebody_else_has_done_begins_nothing(paying: Sequence) -> None:
    with record() as recording:
        pay_for_the_cart()
        take()

    assert actions(paying, recording.steps) == [["take", "note"]]


def test_a_run_begins_with_the_second_call_where_the_first_may_be_absent() -> None:
    by_hand = {"actor": "Admin", "action": "confirm", "target": "Orders", "is_optional": True}
    confirming = a_design("SEQ-PAY-001", by_hand, *PAYING)
    with record() as recording:
        confirm()
        place()

    assert actions(confirming, recording.steps, design()) == [["confirm", "take", "note"], ["take", "note"]]
    assert [run.calls[0].actor for run in runs(recording.steps, confirming, [confirming])] == ["Admin", "Orders"]


def test_two_designs_may_begin_with_the_same_call(paying: Sequence) -> None:
    short = a_design("SEQ-CORE-001", {"actor": "Customer", "action": "placeOrder", "target": "Orders"})
    with record() as recording:
        place()
        place()

    def names() -> Iterator[list[str]]:
        for readings in begun(recording.steps, [short, design(), paying]):
            yield [run.sequence.id for run in readings]

    assert list(names()) == [["SEQ-CORE-001", "SEQ-ORD-001"]] * 2 + [["SEQ-PAY-001"]] * 2
