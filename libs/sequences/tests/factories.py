"""Builds designs and calls for the tests, as short as they can be written."""

from typing import Any

from sequences.checking import Language
from sequences.comparing import Call
from sequences.design import Sequence

LANGUAGE = Language(
    events=frozenset({"StockHeld", "OrderMade"}),
    codes=frozenset({"INSUFFICIENT_STOCK", "PAYMENT_FAILED"}),
    lives={"Order": frozenset({"PENDING", "SHIPPED"})},
    rules=frozenset({"AC-ORD-001", "BR-ORD-001"}),
    adrs=frozenset({1}),
)


def document(**changes: Any) -> dict[str, Any]:
    """A customer orders; the stock is held, the order made, and mail sent afterwards."""
    return {
        "id": "SEQ-ORD-001",
        "name": "Place an order",
        "description": "A customer orders what can be had.",
        "trigger": {"type": "user_action", "description": "The customer presses the button."},
        "participants": [
            {"name": "Customer", "type": "actor"},
            {"name": "Orders", "type": "service"},
            {"name": "Stock", "type": "service"},
            {"name": "Mail", "type": "external"},
        ],
        "steps": [
            {"step": 1, "actor": "Customer", "action": "placeOrder", "target": "Orders", "returns": "result"},
            {"step": 2, "actor": "Orders", "action": "hold", "target": "Stock", "event": "StockHeld"},
            {"step": 3, "actor": "Orders", "action": "make", "target": "Orders", "event": "OrderMade"},
            {"step": 4, "actor": "Orders", "action": "answer", "target": "Customer", "is_answer": True},
            {"step": 5, "actor": "Orders", "action": "sendMail", "target": "Mail", "mode": "asynchronous"},
        ],
        "outcome": {"success": "There is an order.", "state_changes": ["Order.status = PENDING"]},
        "exceptions": [
            {
                "id": "INSUFFICIENT_STOCK",
                "condition": "There is not enough of it",
                "step": 2,
                "handling": "Refuse with INSUFFICIENT_STOCK",
                "code": "INSUFFICIENT_STOCK",
            },
            {
                "id": "PAYMENT_FAILED",
                "condition": "The card is refused",
                "step": 3,
                "handling": "Give the stock back, refuse with PAYMENT_FAILED",
                "code": "PAYMENT_FAILED",
                "then": [{"actor": "Orders", "action": "release", "target": "Stock"}],
            },
        ],
        "relatedACs": ["AC-ORD-001"],
        "relatedBRs": ["BR-ORD-001"],
        "security": {"who": "A customer.", "checked": ["Whose cart it is"]},
        **changes,
    }


def design(**changes: Any) -> Sequence:
    return Sequence.model_validate(document(**changes))


def call(arrow: str, event: str | None = None, error: str | None = None) -> Call:
    """`call("Orders > Stock: hold", "StockHeld")`"""
    ends, action = arrow.split(": ")
    actor, target = ends.split(" > ")
    return Call(actor, target, action, event, error=error)
