"""The documents show what the designs say, and what is known beside them."""

import json
from dataclasses import replace
from datetime import timedelta

from sequences.beside import Beside, Due, Emitted, Exchange, Failure, Limit, System, Travels
from sequences.drawing import collection, documents
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
    project="a shop",
    version="1.2.3",
    due={"query": Due("a query", timedelta(milliseconds=50)), "answer": Due("an answer", timedelta(milliseconds=200))},
    limits={"mail": Limit("a mail", timedelta(seconds=10), "`TIMEOUT`", "It waits.")},
    codes={"INSUFFICIENT_STOCK": (400, "There is not enough | of it.")},
    failures=(Failure("Rate limit", "too many at once", "RATE_LIMITED", 429, "wait"),),
    error={"error": {"code": "VALIDATION_ERROR"}},
    events=(Travels("stock.held", "StockHeld", "It is held.", "product", ("sales",)),),
    systems=(System("Mail server", "mail", "SMTP", "Mail waits"),),
    concurrency=(("Two come at once.", "One of them wins."),),
    security=("Nobody is believed.",),
    notes=("There is no cache.",),
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

    assert "- Synchronous, before the answer: steps 1, 2, 3" in lines
    assert "- Asynchronous, nobody waits for it: step 5" in lines
    assert "- Atomic, one transaction (the order): steps 2, 3" in lines
    assert "- Cacheable: nothing" in lines


def test_each_other_path_has_its_own_flow_and_payloads() -> None:
    lines = drawn()

    assert "### INSUFFICIENT_STOCK" in lines
    assert lines.count("```mermaid") == 3
    assert (
        "| [INSUFFICIENT_STOCK](#insufficient_stock) | There is not enough of it | 2 | Refuse with INSUFFICIENT_STOCK |"
        in lines
    )
    assert "Answer 400:" in lines
    assert "Answer 201:" in lines


def test_times_are_those_that_were_measured() -> None:
    lines = drawn()

    assert "Milliseconds, of 1 runs; as of a day, by a command." in lines
    assert "| **2** | **Stock: hold** | 1.2 | 3.0 | 4.5 | 1.2 |" in lines
    assert "| SEQ-ORD-001 | 1.2 | 3.0 | 3.0 | 4.5 | 2 hold |" in drawn("README.md")


def test_who_waits_for_what_says_when_it_is_given_up() -> None:
    text = json.dumps(document()).replace('"Mail"', '"EmailService"').replace('"Stock"', '"StockAggregate"')

    both = documents([design(**json.loads(text))], replace(BESIDE, timings={}))
    lines = both["SEQ-ORD-001.md"].splitlines()

    assert "| 1 | Orders: placeOrder | 200 ms |  |" in lines
    assert "| 2 | StockAggregate: hold | 50 ms |  |" in lines
    assert "| 5 | EmailService: sendMail |  | 10 s |" in lines
    assert "| SEQ-ORD-001 |  |  |  |  | 2 hold |" in both["README.md"].splitlines()


def test_what_is_said_of_safety_and_of_things_at_once_is_shown() -> None:
    lines = drawn(
        security={"who": "A customer.", "checked": ["Whose cart it is"], "never_logged": ["cards", "addresses"]},
        concurrency=[{"what": "Both happen.", "joined": "The answer waits.", "branches": [[2], [3]]}],
        notes=["Nothing is known of the weather."],
    )

    assert "- Who may begin it: A customer." in lines
    assert "- Checked: Whose cart it is" in lines
    assert "- Never in a log, span, event or error: cards, addresses" in lines
    assert "- Both happen. (step 2 and step 3) The answer waits." in lines
    assert "- Nothing is known of the weather." in lines


def test_an_event_stands_where_nobody_has_asked() -> None:
    told = replace(BESIDE, exchanges={"SEQ-ORD-001": {"": Emitted({"event_type": "stock.held"})}})

    lines = documents([design()], told)["SEQ-ORD-001.md"].splitlines()

    assert "Nobody asks for it. What tells of it, as it travels:" in lines
    assert '  "event_type": "stock.held"' in lines


def test_rules_and_deviations_lead_to_where_they_stand() -> None:
    lines = drawn(deviation=[{"how": "Mail goes its own way.", "adr": 1}])

    assert "- [BR-ORD-001](../../rules.md#br-ord-001): Nothing is sold twice." in lines
    assert "- Mail goes its own way. ([decision 1](../../adr/0001-why.md))" in lines


def test_the_whole_shows_what_all_sequences_share() -> None:
    lines = drawn("README.md")

    assert "| [SEQ-ORD-001](SEQ-ORD-001.md) | Place an order | user_action | 5 | 2 |" in lines
    assert "| version | 1.2.3 |" in lines
    assert "| Mail |  | external |" in lines
    assert "| Rate limit | too many at once | 429 `RATE_LIMITED` | wait |" in lines
    assert "| 400 | `INSUFFICIENT_STOCK` | There is not enough \\| of it. |" in lines
    assert "| SEQ-ORD-001 | 1, 2, 3 | 5 |  |  |" in lines
    assert "| a mail | 10 s | `TIMEOUT` | It waits. |" in lines
    assert "- Two come at once. One of them wins." in lines
    assert "    NEW --> DONE" in lines
    assert "| StockHeld | `stock.held` | product | sales | It is held. | [SEQ-ORD-001](SEQ-ORD-001.md) |" in lines


def test_a_collection_has_a_summary_and_each_of_it_can_be_read_again() -> None:
    together = collection([design(), design(id="SEQ-CART-001")])

    assert together["summary"] == {"total_sequences": 2, "sequences_by_domain": {"cart": 1, "ord": 1}}
    again, unreadable = read_text("SEQ-ORD-001.json", json.dumps(together["sequences"][0]))
    assert (again, unreadable) == (design(), [])
