"""Diagrams say what the design says."""

from typing import Any

from sequences.comparing import Call
from sequences.mermaid import error_flow, observed_diagram, sequence_diagram, state_diagram

from .factories import design, document


def test_calls_answers_events_and_what_comes_afterwards_are_told_apart() -> None:
    drawn = sequence_diagram(design()).splitlines()

    assert drawn[:4] == ["sequenceDiagram", "    autonumber", "    actor Customer", "    participant Orders"]
    assert drawn[6:] == [
        "    Customer->>Orders: placeOrder",
        "    Orders->>Stock: hold",
        "    Note right of Stock: StockHeld",
        "    Orders->>Orders: make",
        "    Note right of Orders: OrderMade",
        "    Orders-->>Customer: answer (result)",
        "    Orders-)Mail: sendMail",
    ]


def test_an_error_flow_stops_where_it_fails_and_shows_what_follows() -> None:
    sequence = design()

    drawn = error_flow(sequence, sequence.exceptions[1]).splitlines()

    assert drawn[6:] == [
        "    Customer->>Orders: placeOrder",
        "    Orders->>Stock: hold",
        "    Note right of Stock: StockHeld",
        "    Orders-xOrders: make",
        "    Note over Orders: The card is refused",
        "    Orders->>Stock: release",
        "    Orders-->>Customer: PAYMENT_FAILED",
    ]


def flow(path_changes: dict[str, Any] | None = None, **changes: Any) -> list[str]:
    """The lines behind the participants."""
    if path_changes is None:
        return sequence_diagram(design(**changes)).splitlines()[6:]
    sequence = design(exceptions=[document()["exceptions"][0] | path_changes], **changes)
    return error_flow(sequence, sequence.exceptions[0]).splitlines()[6:]


def nested() -> list[dict[str, Any]]:
    """What holds the stock asks the mail for something meanwhile."""
    first, hold, make, answer, mail = document()["steps"]
    asks = {"actor": "Stock", "action": "ask", "target": "Mail", "returns": "word"}
    steps = [first, hold | {"returns": "held"}, asks, make, answer, mail]
    return [step | {"step": number} for number, step in enumerate(steps, 1)]


def test_an_answer_stands_behind_all_that_was_done_for_it() -> None:
    assert flow(steps=nested())[1:6] == [
        "    Orders->>Stock: hold",
        "    Note right of Stock: StockHeld",
        "    Stock->>Mail: ask",
        "    Mail-->>Stock: word",
        "    Stock-->>Orders: held",
    ]


def test_without_a_step_that_answers_the_first_call_is_answered_before_what_comes_afterwards() -> None:
    steps = [step for step in document()["steps"] if not step.get("is_answer")]
    steps[-1]["step"] = 4

    assert flow(steps=steps)[-2:] == ["    Orders-->>Customer: result", "    Orders-)Mail: sendMail"]


def test_what_succeeds_and_leads_elsewhere_is_answered_and_no_failure() -> None:
    steps = document()["steps"]
    steps[1]["returns"] = "held"

    assert flow({"step_succeeds": True}, steps=steps)[1:] == [
        "    Orders->>Stock: hold",
        "    Note right of Stock: StockHeld",
        "    Stock-->>Orders: held",
        "    Note over Orders,Stock: There is not enough of it",
        "    Orders-->>Customer: INSUFFICIENT_STOCK",
    ]


def test_what_is_not_come_to_is_not_drawn() -> None:
    assert flow({"step_is_absent": True}) == [
        "    Customer->>Orders: placeOrder",
        "    Note over Orders: There is not enough of it",
        "    Orders-->>Customer: INSUFFICIENT_STOCK",
    ]


def test_a_path_that_goes_on_is_drawn_to_its_end() -> None:
    lines = flow({"code": None, "error": "Away", "goes_on": True})

    assert lines[1:3] == ["    Orders-xStock: hold", "    Note over Orders,Stock: There is not enough of it"]
    assert lines[-2:] == ["    Orders-->>Customer: answer (result)", "    Orders-)Mail: sendMail"]


def test_what_a_path_goes_on_without_is_not_drawn() -> None:
    lines = flow({"code": None, "error": "Away", "goes_on": True, "without": [5]})

    assert lines[-1] == "    Orders-->>Customer: answer (result)"


def test_whoever_waits_no_more_is_not_refused() -> None:
    hold = {"step": 1, "actor": "Orders", "action": "hold", "target": "Stock", "returns": "held"}
    make = {"step": 2, "actor": "Orders", "action": "sendMail", "target": "Mail"}

    assert flow({"step": 2}, steps=[hold, make]) == [
        "    Orders->>Stock: hold",
        "    Stock-->>Orders: held",
        "    Orders-xMail: sendMail",
        "    Note over Orders,Mail: There is not enough of it",
        "    Mail-->>Orders: INSUFFICIENT_STOCK",
    ]


def test_what_is_repeated_optional_or_done_beside_something_is_a_block() -> None:
    steps = document()["steps"]
    steps[1] |= {"loop": "item", "returns": "held"}
    steps[2] |= {"is_optional": True}

    assert flow(steps=steps)[1:8] == [
        "    loop each item",
        "    Orders->>Stock: hold",
        "    Note right of Stock: StockHeld",
        "    Stock-->>Orders: held",
        "    end",
        "    opt where there is cause",
        "    Orders->>Orders: make",
    ]
    beside = [{"what": "Both.", "joined": "By the answer.", "branches": [[2], [3]]}]
    assert flow(concurrency=beside)[1:8] == [
        "    par at the same time",
        "    Orders->>Stock: hold",
        "    Note right of Stock: StockHeld",
        "    and at the same time",
        "    Orders->>Orders: make",
        "    Note right of Orders: OrderMade",
        "    end",
    ]


def test_a_beginning_that_may_be_absent_is_answered_at_the_end() -> None:
    ask, hold = ({**step, "step": number} for number, step in enumerate(document()["steps"][:2], 1))
    steps = [ask | {"is_optional": True}, hold]

    assert flow(steps=steps) == [
        "    opt where there is cause",
        "    Customer->>Orders: placeOrder",
        "    end",
        "    Orders->>Stock: hold",
        "    Note right of Stock: StockHeld",
        "    Orders-->>Customer: result",
    ]
    assert flow({"step": 1}, steps=steps) == [
        "    opt where there is cause",
        "    Customer-xOrders: placeOrder",
        "    Note over Customer,Orders: There is not enough of it",
        "    end",
        "    Orders-->>Customer: INSUFFICIENT_STOCK",
    ]


def test_what_fails_may_do_something_itself_before_its_caller_is_told() -> None:
    looks = {"actor": "Stock", "action": "look", "target": "Mail", "returns": "nothing"}
    release = {"actor": "Orders", "action": "release", "target": "Stock"}
    steps = document()["steps"]
    steps[1]["returns"] = "held"

    assert flow({"then": [looks, release]}, steps=steps) == [
        "    Customer->>Orders: placeOrder",
        "    Orders-xStock: hold",
        "    Note over Orders,Stock: There is not enough of it",
        "    Stock->>Mail: look",
        "    Mail-->>Stock: nothing",
        "    Orders->>Stock: release",
        "    Orders-->>Customer: INSUFFICIENT_STOCK",
    ]


def test_for_what_others_do_because_of_a_failure_nobody_waits() -> None:
    mail = {"actor": "Mail", "action": "tell", "target": "Customer"}
    release = {"actor": "Orders", "action": "release", "target": "Stock"}

    assert flow({"then": [release, mail]})[-3:] == [
        "    Orders->>Stock: release",
        "    Mail-)Customer: tell",
        "    Orders-->>Customer: INSUFFICIENT_STOCK",
    ]
    afterwards = flow({"step": 5, "code": None, "error": "AWAY", "then": [release]})
    assert afterwards[-3:] == [
        "    Orders-xMail: sendMail",
        "    Note over Orders,Mail: There is not enough of it",
        "    Orders-)Stock: release",
    ]


def test_a_life_is_drawn_from_its_table() -> None:
    life = {"NEW": {"DONE", "GONE"}, "DONE": set[str](), "GONE": {"NEW"}}

    assert state_diagram(life, ["NEW"]).splitlines() == [
        "stateDiagram-v2",
        "    [*] --> NEW",
        "    NEW --> DONE",
        "    NEW --> GONE",
        "    GONE --> NEW",
        "    DONE --> [*]",
    ]


def test_what_was_seen_is_drawn_with_its_errors() -> None:
    seen = [Call("Orders", "Stock", "hold", "StockHeld"), Call("Orders", "Mail", "sendMail", error="AWAY")]

    assert observed_diagram(seen).splitlines()[2:] == [
        "    participant Orders",
        "    participant Stock",
        "    participant Mail",
        "    Orders->>Stock: hold",
        "    Note right of Stock: StockHeld",
        "    Orders-xMail: sendMail",
        "    Note right of Mail: AWAY",
    ]
