"""What is kept of the walks: each walk is held to it, it is of tests that there are, and it holds no secret."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from chassis.broker import Message
from chassis.steps import note_event, record, step
from chassis.tracing import continue_trace, new_traceparent
from sequences.design import Sequence
from sequences.reading import Designs
from sequences.reading import read as read_designs

from .seen import ANEW, Different, Walk, hold_to, keep, read, said_on

HERE = Path(__file__).parent
DESIGNS = HERE.parents[1] / "docs" / "sequences"
WALK = Walk("SEQ-CART-001", "OUT_OF_STOCK", "test_it[in process]")
SAID: dict[str, Any] = {"request": "POST /api/v1/cart/items", "body": None, "status": 400, "answer": {"error": "gone"}}
KEPT = {"SEQ-CART-001": {"OUT_OF_STOCK": {"test": WALK.test, **SAID}}}


def test_a_walk_on_which_the_same_is_said_is_well() -> None:
    hold_to(KEPT, WALK, SAID)


def test_a_difference_is_shown_with_the_way_to_keep_it() -> None:
    with pytest.raises(Different) as different:
        hold_to(KEPT, WALK, {**SAID, "status": 409})

    message = str(different.value)
    assert message.startswith("SEQ-CART-001 OUT_OF_STOCK: something else is said than was kept.")
    assert '-  "status": 400,\n+  "status": 409,' in message
    assert f"`{ANEW}`" in message


def test_a_walk_of_which_nothing_is_kept_is_named() -> None:
    with pytest.raises(Different, match="SEQ-CART-001 OUT_OF_STOCK: nothing is kept"):
        hold_to({}, WALK, SAID)


def test_where_nothing_is_said_any_more_that_is_a_difference() -> None:
    with pytest.raises(Different):
        hold_to(KEPT, WALK, None)


def test_another_test_of_the_same_path_may_say_something_else() -> None:
    hold_to(KEPT, Walk("SEQ-CART-001", "OUT_OF_STOCK", "test_another[in process]"), {**SAID, "status": 409})


def test_what_nobody_designed_any_more_is_not_kept(tmp_path: Path) -> None:
    file = tmp_path / "seen" / "exchanges.json"
    file.parent.mkdir()
    gone = {"SEQ-CART-001": {"GONE": {"test": "test_gone", **SAID}}, "SEQ-OLD-001": {"": {"test": "test_old", **SAID}}}
    file.write_text(json.dumps(gone))

    keep(file, read_designs(DESIGNS), {WALK: SAID})

    assert read(file) == KEPT


def test_all_that_is_kept_is_of_a_test_that_there_is() -> None:
    tests = {name for file in HERE.glob("test_*.py") for name in re.findall(r"def (test_\w+)", file.read_text())}
    kept = read(DESIGNS / "seen" / "exchanges.json")

    assert kept
    assert [
        one["test"] for paths in kept.values() for one in paths.values() if one["test"].split("[")[0] not in tests
    ] == []


def test_no_token_is_kept() -> None:
    text = (DESIGNS / "seen" / "exchanges.json").read_text()

    assert re.findall(r"eyJ[\w-]{10,}|whsec_|Bearer [\w-]{10,}", text) == []


DESIGN = Sequence.model_validate(
    {
        "id": "SEQ-INV-900",
        "name": "Out of stock",
        "description": "Nobody asks for it.",
        "trigger": {"type": "system_event", "description": "The last piece is gone."},
        "participants": [{"name": "InventoryService", "type": "service"}, {"name": "EventBus", "type": "service"}],
        "steps": [
            {"step": 1, "actor": "InventoryService", "action": "emit", "target": "EventBus", "event": "OutOfStock"}
        ],
        "outcome": {"success": "It is known.", "state_changes": ["It is known"]},
    }
)
EVENT_ID = "0197a5c8-7c00-7000-8000-0123456789ab"


@step("EventBus", "emit")
def emit() -> None:
    note_event("OutOfStock")


def message(trace: str, **changes: str) -> Message:
    body = {"event_id": EVENT_ID, "event_type": "inventory.out_of_stock", "timestamp": "2026-11-21T10:00:00Z"}
    return Message(EVENT_ID, body["event_type"], json.dumps(body | changes).encode(), "product.events", trace)


def test_of_a_run_that_nobody_asked_for_its_event_is_kept() -> None:
    mine, another = new_traceparent(), new_traceparent()
    with record() as recording, continue_trace(mine):
        emit()

    walk, designs = Walk("SEQ-INV-900", "", "test_it"), Designs({"SEQ-INV-900.json": DESIGN})
    said = said_on(walk, designs, recording, {mine[3:35]: SAID}, [message(another, note="another's"), message(mine)])

    assert said is not None
    assert said["event"]["event_type"] == "inventory.out_of_stock"
    assert said["event"]["timestamp"] == "2026-01-15T09:30:00Z"
    assert EVENT_ID not in str(said)
    assert "note" not in said["event"]
