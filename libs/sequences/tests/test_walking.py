"""A test that claims to walk a sequence is held to it."""

import json
from pathlib import Path

import pytest

from chassis.errors import Conflict
from chassis.steps import note_event, record, step
from sequences.reading import read
from sequences.walking import NotWalked, hold_to

from .factories import document


class InsufficientStock(Conflict):
    code = "INSUFFICIENT_STOCK"


@step("Orders", "placeOrder")
def place(*, refused: bool = False, held: bool = True) -> None:
    if held:
        hold(refused=refused)
    make()
    send_mail()


@step("Stock", "hold")
def hold(*, refused: bool) -> None:
    if refused:
        raise InsufficientStock("None left.")
    note_event("StockHeld")


@step("Orders", "make")
def make() -> None:
    note_event("OrderMade")


@step("Mail", "sendMail")
def send_mail() -> None: ...


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "SEQ-ORD-001.json").write_text(json.dumps(document()))
    return tmp_path


def test_what_was_walked_as_designed_is_accepted(folder: Path) -> None:
    with record() as recording:
        place()

    hold_to(read(folder), "SEQ-ORD-001", None, recording)


def test_a_path_is_walked_beside_the_planned_run(folder: Path) -> None:
    with record() as recording:
        place()
        with pytest.raises(InsufficientStock):
            place(refused=True)

    hold_to(read(folder), "SEQ-ORD-001", "INSUFFICIENT_STOCK", recording)


def test_a_call_that_was_taken_away_is_named(folder: Path) -> None:
    with record() as recording:
        place(held=False)

    with pytest.raises(NotWalked, match="missing: step 2, Orders → Stock: hold"):
        hold_to(read(folder), "SEQ-ORD-001", None, recording)


def test_a_run_beside_the_claimed_one_that_nobody_designed_is_named(folder: Path) -> None:
    with record() as recording:
        place()
        place(held=False)

    with pytest.raises(NotWalked, match="missing: step 2"):
        hold_to(read(folder), "SEQ-ORD-001", None, recording)


def test_a_run_beside_the_claimed_one_may_be_one_of_another_design_that_begins_so(folder: Path) -> None:
    short = [document()["steps"][0], {**document()["steps"][2], "step": 2}, {**document()["steps"][4], "step": 3}]
    other = document(id="SEQ-CORE-001", steps=short, exceptions=[])
    (folder / "SEQ-CORE-001.json").write_text(json.dumps(other))
    with record() as recording:
        place()
        place(held=False)

    hold_to(read(folder), "SEQ-ORD-001", None, recording)
    hold_to(read(folder), "SEQ-CORE-001", None, recording)


@pytest.mark.parametrize(
    ("sequence", "path", "message"),
    [
        ("SEQ-ORD-001", "PAYMENT_FAILED", "Stock: release"),
        ("SEQ-ORD-001", "NO_SUCH_PATH", "has no path NO_SUCH_PATH"),
        ("SEQ-ORD-009", None, "There is no design SEQ-ORD-009"),
    ],
)
def test_a_claim_of_something_else_is_refused(folder: Path, sequence: str, path: str | None, message: str) -> None:
    with record() as recording:
        place()

    with pytest.raises(NotWalked, match=message):
        hold_to(read(folder), sequence, path, recording)


def test_a_test_that_does_nothing_has_walked_nothing(folder: Path) -> None:
    with record() as recording:
        pass

    with pytest.raises(NotWalked, match="was not begun: nothing did Customer → Orders: placeOrder"):
        hold_to(read(folder), "SEQ-ORD-001", None, recording)


def test_what_another_of_ours_has_done_for_itself_is_no_run_of_the_sequence(folder: Path) -> None:
    @step("Returns", "orderAgain")
    def order_again() -> None:
        place()

    with record() as recording:
        order_again()

    with pytest.raises(NotWalked, match="was not begun: nothing did Customer → Orders: placeOrder"):
        hold_to(read(folder), "SEQ-ORD-001", None, recording)
