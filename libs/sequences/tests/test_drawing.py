"""The documents show what the designs say, and what is known beside them."""

import json

from sequences.drawing import Beside, Exchange, collection, documents
from sequences.measured import Spread, StepTiming, Timings
from sequences.reading import read_text

from .factories import design, document

A_WHILE = Spread(p50=1.25, p95=3.0, longest=4.5)
BESIDE = Beside(
    roles={"Orders": "takes orders"},
    lives={"Order": {"NEW": {"DONE"}, "DONE": set()}},
    rules={"BR-ORD-001": "Nothing is sold twice.", "AC-ORD-001": "The order is there."},
    adrs={1: "0001-why.md"},
    exchanges={
        "SEQ-ORD-001": {
            "": Exchange("POST /api/v1/orders", {"items": []}, 201, {"status": "PENDING"}),
            "INSUFFICIENT_STOCK": Exchange("POST /api/v1/orders", {"items": []}, 400, {"error": {"code": "X"}}),
        }
    },
    timings={
        "SEQ-ORD-001": Timings(runs=1, first_call=A_WHILE, whole=A_WHILE, steps={2: StepTiming(took=A_WHILE, own=1.25)})
    },
    measured="as of a day, by a command.",
)


def drawn(name: str = "SEQ-ORD-001.md", **changes: object) -> list[str]:
    return documents([design(**changes)], BESIDE)[name].splitlines()


def test_a_sequence_is_drawn_with_its_steps_and_what_each_gives() -> None:
    lines = drawn()

    assert "# SEQ-ORD-001: Place an order" in lines
    assert "2. **Orders** → Stock: `hold`" in lines
    assert "   - emits `StockHeld`" in lines
    assert "5. **Orders** → Mail: `sendMail` (asynchronous)" in lines
    assert "| Orders | takes orders | internal |" in lines
    assert "| Customer |  | user |" in lines


def test_what_is_waited_for_what_comes_later_and_what_is_one_transaction_is_said() -> None:
    steps = document()["steps"]
    steps[1]["transaction"] = steps[2]["transaction"] = "the order"

    lines = drawn(steps=steps)

    assert "- Before the answer: steps 1, 2, 3" in lines
    assert "- Afterwards, nobody waits for it: steps 5" in lines
    assert "- In one transaction (the order): steps 2, 3" in lines


def test_each_other_path_has_its_own_flow_and_payloads() -> None:
    lines = drawn()

    assert "### INSUFFICIENT_STOCK" in lines
    assert lines.count("```mermaid") == 3
    assert "Answer 400:" in lines
    assert "Answer 201:" in lines


def test_times_are_those_that_were_measured() -> None:
    lines = drawn()

    assert "Milliseconds, of 1 runs; as of a day, by a command." in lines
    assert "| **2** | **Stock: hold** | 1.2 | 3.0 | 4.5 | 1.2 |" in lines


def test_rules_and_deviations_lead_to_where_they_stand() -> None:
    lines = drawn(deviation=[{"how": "Mail goes its own way.", "adr": 1}])

    assert "- [BR-ORD-001](../../rules.md#br-ord-001): Nothing is sold twice." in lines
    assert "- Mail goes its own way. ([decision 1](../../adr/0001-why.md))" in lines


def test_the_whole_lists_sequences_participants_and_lives() -> None:
    lines = drawn("README.md")

    assert "| [SEQ-ORD-001](SEQ-ORD-001.md) | Place an order | 5 | 2 |" in lines
    assert "| Mail |  | external |" in lines
    assert "    NEW --> DONE" in lines


def test_a_collection_has_a_summary_and_each_of_it_can_be_read_again() -> None:
    together = collection([design(), design(id="SEQ-CART-001")])

    assert together["summary"] == {"total_sequences": 2, "sequences_by_domain": {"cart": 1, "ord": 1}}
    again, unreadable = read_text("SEQ-ORD-001.json", json.dumps(together["sequences"][0]))
    assert (again, unreadable) == (design(), [])
