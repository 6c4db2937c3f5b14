"""Diagrams say what the design says."""

from sequences.comparing import Call
from sequences.mermaid import error_flow, observed_diagram, sequence_diagram, state_diagram

from .factories import design


def test_calls_answers_events_and_what_comes_afterwards_are_told_apart() -> None:
    drawn = sequence_diagram(design()).splitlines()

    assert drawn[:4] == ["sequenceDiagram", "    autonumber", "    actor Customer", "    participant Orders"]
    assert drawn[6:] == [
        "    Customer->>Orders: placeOrder",
        "    Orders-->>Customer: result",
        "    Orders->>Stock: hold",
        "    Note right of Stock: StockHeld",
        "    Orders->>Orders: make",
        "    Note right of Orders: OrderMade",
        "    Orders-->>Customer: answer",
        "    Orders-)Mail: sendMail",
    ]


def test_an_error_flow_stops_where_it_fails_and_shows_what_follows() -> None:
    sequence = design()

    drawn = error_flow(sequence, sequence.exceptions[1]).splitlines()

    assert drawn[6:] == [
        "    Customer->>Orders: placeOrder",
        "    Orders-->>Customer: result",
        "    Orders->>Stock: hold",
        "    Note right of Stock: StockHeld",
        "    Orders-xOrders: make",
        "    Note over Orders,Orders: The card is refused",
        "    Orders->>Stock: release",
        "    Orders-->>Customer: PAYMENT_FAILED",
    ]


def test_a_life_is_drawn_from_its_table() -> None:
    life = {"NEW": {"DONE", "GONE"}, "DONE": set[str](), "GONE": {"NEW"}}

    assert state_diagram(life).splitlines() == [
        "stateDiagram-v2",
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
