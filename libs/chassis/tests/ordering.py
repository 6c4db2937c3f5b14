"""Steps of an order, for the tests of how steps are recorded."""

from chassis.errors import Conflict
from chassis.steps import Recording, note_event, step


class OutOfStock(Conflict):
    code = "OUT_OF_STOCK"


@step("OrderService", "placeOrder")
async def place_order() -> str:
    await reserve()
    total = compute_total(3)
    note_event("OrderPlaced")
    return f"placed for {total}"


@step("InventoryService", "reserveInventory")
async def reserve() -> None:
    note_event("InventoryReserved")


@step("OrderService", "computeTotal")
def compute_total(quantity: int) -> int:
    return quantity * 2


@step("OrderService", "cancelOrder")
async def cancel_order() -> None:
    raise OutOfStock("Too late.")


@step("OrderService", "breakOrder")
def break_order() -> None:
    raise ZeroDivisionError


def arrows(recording: Recording) -> list[str]:
    return [f"{each.caller} -> {each.participant}: {each.action}" for each in recording.steps]
